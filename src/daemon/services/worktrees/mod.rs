//! Worktrees of runners: made at a launch, listed, removed with everything kept, restored; and what is
//! known of the repository that a runner works in.
//!
//! Invariant: nothing that a person or an agent wrote, but for files that git ignores, is deleted here
//! without a ref that keeps it for [`KEPT`], and no worktree in which a live runner works is touched.

mod capture;
mod changes;
mod list;
mod make;
mod plan;
mod remove;
mod restore;
mod trash;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::TimeDelta;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Services;
use crate::{domain::failure::Failure, domain::id::RunnerId, git::GitError};

/// What was removed is kept so long.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Repositories and worktrees that are looked at at once.
const TOGETHER: usize = 4;

/// Branches that are named after runners begin so.
const OWN_BRANCHES: &str = "stratavore/";

/// What every use case about worktrees shares.
#[derive(Debug, Clone)]
pub(super) struct Worktrees {
    /// One change of worktrees at a time.
    changing: Arc<AsyncMutex<()>>,
    /// Places for those who look at all files of a checkout.
    looking: Arc<Semaphore>,
    /// Set-ups under way, to be given up when their runner is stopped.
    setups: Arc<Mutex<HashMap<RunnerId, CancellationToken>>>,
}

impl Default for Worktrees {
    fn default() -> Self {
        Self {
            changing: Arc::default(),
            looking: Arc::new(Semaphore::new(TOGETHER)),
            setups: Arc::default(),
        }
    }
}

impl Worktrees {
    /// Gives up the set-up of a runner that is being launched, if one is under way.
    pub(super) fn give_up(&self, id: RunnerId) {
        let setups = self.setups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(setup) = setups.get(&id) {
            setup.cancel();
        }
    }

    fn begin(&self, id: RunnerId) -> CancellationToken {
        let token = CancellationToken::new();
        let mut setups = self.setups.lock().unwrap_or_else(PoisonError::into_inner);
        setups.insert(id, token.clone());
        token
    }

    fn end(&self, id: RunnerId) {
        self.setups.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Services {
    /// Where worktrees are made.
    fn worktrees_root(&self) -> PathBuf {
        let configured = &self.context.config.worktree.directory;
        if configured.is_empty() {
            self.context.places.worktrees()
        } else {
            PathBuf::from(configured)
        }
    }
}

/// What a person is told when git does not answer about a directory.
fn failure(what: &str, error: &GitError) -> Failure {
    match error {
        GitError::NoRepository => {
            Failure::conflict("NOT_A_REPOSITORY", format!("{what}: it is in no git repository"))
                .with_hint("git init makes one, git commit its first commit")
        }
        GitError::Missing => Failure::unavailable("NO_GIT", format!("{what}: {error}"))
            .with_hint("install git, and restart the daemon: stratavore daemon restart"),
        error => Failure::unavailable("GIT_FAILED", format!("{what}: {error}")),
    }
}

/// A text of strangers as part of a sentence.
fn shown(text: &str) -> String {
    let text: String = text.escape_debug().collect();
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// Whether a ref is a branch, here or of a remote; returns how people call it.
fn short(reference: &str) -> &str {
    let places = ["refs/heads/", "refs/remotes/", "refs/tags/"];
    places.iter().find_map(|place| reference.strip_prefix(place)).unwrap_or(reference)
}
