//! Whether the database can be reached, and since when it cannot.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::StoreError;
use crate::domain::clock::Clock;

/// How it stands with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseStatus {
    /// It answers.
    Up,
    /// It does not.
    Away {
        /// The server, without its password.
        name: String,
        /// Why.
        why: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Its schema is newer than this program: nothing can be recorded until that is changed.
    Newer {
        /// The server, without its password.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// What the writer knows of it, for everybody to see.
#[derive(Debug, Clone)]
pub(super) struct Availability {
    status: Arc<watch::Sender<DatabaseStatus>>,
    clock: Arc<dyn Clock>,
}

impl Availability {
    pub(super) fn new(status: DatabaseStatus, clock: Arc<dyn Clock>) -> Self {
        Self { status: Arc::new(watch::Sender::new(status)), clock }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<DatabaseStatus> {
        self.status.subscribe()
    }

    /// It answers.
    pub(super) fn reached(&self) {
        self.status.send_if_modified(|status| {
            let was_away = *status != DatabaseStatus::Up;
            if was_away {
                tracing::info!("the database answers");
            }
            *status = DatabaseStatus::Up;
            was_away
        });
    }

    /// It does not.
    pub(super) fn lost(&self, error: &StoreError) {
        let now = match error {
            StoreError::Newer { path, found, known } => {
                DatabaseStatus::Newer { path: path.clone(), found: *found, known: *known }
            }
            StoreError::Away { name, why } => {
                let (name, why) = (name.clone(), why.clone());
                DatabaseStatus::Away { name, why, since: self.clock.now() }
            }
            other => {
                let (name, why) = ("database".to_owned(), other.to_string());
                DatabaseStatus::Away { name, why, since: self.clock.now() }
            }
        };
        self.status.send_if_modified(|status| {
            let is_news = *status == DatabaseStatus::Up;
            if is_news {
                tracing::error!(%error, "the database is away; agents go on");
                *status = now;
            }
            is_news
        });
    }

    /// The refusal of what needs the database while it is away.
    pub(super) fn refusal(&self) -> StoreError {
        match &*self.status.borrow() {
            DatabaseStatus::Away { name, why, .. } => {
                StoreError::Away { name: name.clone(), why: why.clone() }
            }
            DatabaseStatus::Newer { path, found, known } => {
                StoreError::Newer { path: path.clone(), found: *found, known: *known }
            }
            DatabaseStatus::Up => StoreError::Closed,
        }
    }
}
