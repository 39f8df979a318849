//! Tells whoever watches which runners changed.

use tokio::sync::broadcast;

use crate::domain::{id::RunnerId, runner::Runner};

/// Changes that a slow watcher may be behind before it has to read everything again.
const BACKLOG: usize = 1024;

/// What changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// This runner, and how it is now.
    Runner(Box<Runner>),
    /// These runners are gone.
    Removed(Vec<RunnerId>),
    /// Many: read everything again.
    All,
}

/// The announcements.
#[derive(Debug, Clone)]
pub(super) struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Changes {
    /// Announces a change; nobody may be listening.
    pub(super) fn announce(&self, change: Change) {
        self.0.send(change).ok();
    }

    /// Announces that this runner changed.
    pub(super) fn runner(&self, runner: &Runner) {
        self.announce(Change::Runner(Box::new(runner.clone())));
    }

    /// Whether anybody watches.
    pub(super) fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Subscribes.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
