//! What can go wrong with the database.

use sqlx::error::DatabaseError;
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
        "`{path}` has schema {found}, and this version knows {known} at most; use the newer stratavore, or another database"
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
    /// The server cannot be reached now.
    #[error("the database `{name}` is away: {why}")]
    Away {
        /// The server, without its password.
        name: String,
        /// Why.
        why: String,
    },
    /// The connection was lost in the middle of a commit.
    #[error("the database went away during a commit: whether it was recorded is not known")]
    Unknown,
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

impl StoreError {
    /// Whether the database refused a statement, so that others may still be accepted.
    pub(super) fn is_of_a_statement(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(_)) | Self::Garbled(_))
    }

    /// Whether the database is what fails, not the request.
    pub fn is_unavailable(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Garbled(_) | Self::Closed)
    }

    /// Whether the same may succeed when it is tried again: SQLSTATE 40001 (serialisation), 40P01
    /// (deadlock) and 55P03 (a lock was not to be had in time).
    pub(super) fn is_retryable(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let code = error.as_database_error().and_then(DatabaseError::code);
        code.is_some_and(|code| ["40001", "40P01", "55P03"].contains(&code.as_ref()))
    }

    /// The same failure for another write of the group.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Away { name, why } => Self::Away { name: name.clone(), why: why.clone() },
            Self::Newer { path, found, known } => {
                Self::Newer { path: path.clone(), found: *found, known: *known }
            }
            Self::Unknown => Self::Unknown,
            Self::Closed => Self::Closed,
            Self::Refused(failure) => Self::Refused(failure.clone()),
            other => Self::NotCommitted(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(failure) => failure,
            StoreError::Garbled(_) => Self::internal(error.to_string()),
            StoreError::Closed => Self::unavailable("SHUTTING_DOWN", error.to_string()),
            StoreError::Away { .. } | StoreError::Unknown => {
                Self::new(FailureKind::Unavailable, "DATABASE_AWAY", error.to_string()).with_hint(
                    "agents go on; list, attach, stop and kill work; stratavore health tells more",
                )
            }
            StoreError::Newer { .. } => {
                Self::new(FailureKind::Internal, "SCHEMA_NEWER", error.to_string()).with_hint(
                    "install that stratavore again, or put back a backup from before it: \
                     stratavore restore FILE",
                )
            }
            StoreError::Unusable { .. } | StoreError::NotCommitted(_) | StoreError::Database(_) => {
                Self::new(FailureKind::Unavailable, "DATABASE_UNAVAILABLE", error.to_string())
                    .with_hint("stratavore health shows the state of the database")
            }
        }
    }
}
