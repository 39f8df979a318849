//! What can go wrong with the database.

use thiserror::Error;

use crate::domain::failure::{Failure, FailureKind};

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A condition of a write did not hold; nothing was changed.
    #[error("{0}")]
    Refused(Failure),
    /// The file was written by a newer version.
    #[error(
        "`{path}` has schema {found}, and this version knows {known} at most; use the newer stratavore, or move the file away"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file cannot be used.
    #[error("open database `{path}`: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The database refused or failed.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// A row holds what no row of ours does.
    #[error("row with unexpected {0}")]
    Garbled(String),
    /// The commit that the write was part of failed; nothing of it was changed.
    #[error("commit to the database: {0}")]
    NotCommitted(String),
    /// The daemon is stopping.
    #[error("the database is closed: the daemon is stopping")]
    Closed,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(failure) => failure,
            StoreError::Garbled(_) => Self::internal(error.to_string()),
            StoreError::Closed => Self::unavailable("SHUTTING_DOWN", error.to_string()),
            StoreError::Newer { .. }
            | StoreError::Unusable { .. }
            | StoreError::NotCommitted(_)
            | StoreError::Database(_) => {
                Self::new(FailureKind::Unavailable, "DATABASE_UNAVAILABLE", error.to_string())
                    .with_hint("stratavore health shows the state of the database")
            }
        }
    }
}
