//! The words of the commands about worktrees and changes.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::complete;

/// Stands for a branch that was not named: nobody can type it.
const NO_BRANCH: &str = "\0";

/// What `launch` is told about a worktree.
#[derive(Debug, Args)]
pub(super) struct WorktreeArgs {
    /// Make a git worktree for it, on this branch or a new one named after the runner
    #[arg(long, value_name = "BRANCH", num_args = 0..=1, default_missing_value = NO_BRANCH, value_parser = branch)]
    pub worktree: Option<String>,
    /// Let a new branch begin here: a branch, a tag, a commit
    #[arg(long, value_name = "REF", requires = "worktree")]
    pub base: Option<String>,
    /// Allow the set-up command of the project's `.stratavore.yaml`, now and from now on
    #[arg(long, requires = "worktree", conflicts_with = "no_setup")]
    pub trust_setup: bool,
    /// Do not run the set-up command
    #[arg(long, requires = "worktree")]
    pub no_setup: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Name, id or unique prefix of the id
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: String,
    /// Only the files, with lines added and removed
    #[arg(long, conflicts_with_all = ["name_only", "commits"])]
    pub stat: bool,
    /// Only the names of the files
    #[arg(long, conflicts_with = "commits")]
    pub name_only: bool,
    /// Only the commits
    #[arg(long)]
    pub commits: bool,
}

#[derive(Debug, Args)]
pub(super) struct WorktreesArgs {
    #[command(subcommand)]
    pub command: Option<WorktreesCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum WorktreesCommand {
    /// List worktrees with their runners, and what is only there
    List {
        /// Only of this project
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        project: Option<String>,
    },
    /// Remove a worktree; all but ignored files can be restored for 30 days
    Remove {
        /// Its name, its branch, its path, or a runner of it
        name: String,
        /// Also when it has changes or commits that are nowhere else
        #[arg(long)]
        force: bool,
    },
    /// Remove the worktrees that hold nothing of their own and nobody works in
    Prune {
        /// Only of this project
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        project: Option<String>,
    },
    /// Make a removed worktree again, as it was; without a name, list what can be
    Restore {
        /// Its name, a runner of it, or the ref that keeps it
        name: Option<String>,
    },
}

/// Reads a branch's name; empty where none was given.
fn branch(text: &str) -> Result<String, String> {
    match text {
        NO_BRANCH => Ok(String::new()),
        "" => Err("a branch's name must not be empty; without one it gets its own".to_owned()),
        name => Ok(name.to_owned()),
    }
}
