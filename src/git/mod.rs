//! L1: git, asked harmlessly: what is checked out, what has changed, worktrees, snapshots.
//!
//! This is the only module that starts git. Nothing that a repository names is run (hooks, file
//! monitors, external diffs, pagers), nothing is asked of a person, none of its optional locks is
//! taken; every question has a deadline and every answer a bound. What is read is bytes of strangers:
//! a file's name may hold anything but NUL, and is made presentable by whoever shows it.
//!
//! Invariant: the user's index and files are never touched here but by making, filling and removing a
//! worktree that was asked for.

mod changes;
mod command;
mod refs;
mod repository;
mod snapshot;
mod worktrees;

use std::time::Duration;

use thiserror::Error;

pub use self::{
    changes::{
        Commit, Difference, FileDiff, commits, commits_missing_in, difference, lines_changed,
        uncommitted,
    },
    refs::{NamedRef, delete_ref, is_branch_name, message, ref_of, refs_below, resolve, set_ref},
    repository::Repository,
    snapshot::{Bounds, LeftOut, Scratch, Snapshot, commit_tree, tree},
    worktrees::{Listed, NewWorktree, add, dirty_files, list, remove, restore_files, submodules},
};

/// How long a question may take that a person waits for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Why git gave no answer.
#[derive(Debug, Error)]
pub enum GitError {
    /// There is no git on the PATH.
    #[error("git is not installed")]
    Missing,
    /// The directory is in no repository.
    #[error("it is in no git repository")]
    NoRepository,
    /// It took longer than it may.
    #[error("git {what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The command.
        what: String,
        /// What it may take.
        limit: Duration,
    },
    /// It said no.
    #[error("git {what}: {said}")]
    Refused {
        /// The command.
        what: String,
        /// Its own words, a line.
        said: String,
    },
    /// The answer is larger than it may be.
    #[error("the answer of git {what} is too long")]
    TooLong {
        /// The command.
        what: String,
    },
    /// The system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}
