//! d0: the supervisors: starting, finding, commanding them. No database.
//!
//! One task owns each link; what a supervisor says becomes a [`Notice`], which the daemon's
//! services write down. Invariants: a supervisor is trusted to live by its socket, not by memory;
//! a request to one that does not answer ends after [`LIMIT`] and a moment; a lost supervisor's tree is ended
//! before it is called lost.

mod asks;
mod attach;
#[cfg(test)]
mod captures;
mod frames;
mod launch;
mod link;
mod lost;
mod record;
mod registry;
mod typing;

use std::time::Duration;

use thiserror::Error;

pub use self::{
    attach::{AttachFeed, AttachInput, AttachOutput, Attached},
    frames::FrameFeed,
    launch::Waiting,
    record::{LogPiece, LogReader},
    registry::{Caller, Fleet, Found, Known, LookFor, Notice, Sample},
    typing::Typed,
};
use crate::{domain::failure::Failure, proto::framing::FramingError};

/// How long a supervisor may take to answer.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Why a supervisor could not do what it was asked.
#[derive(Debug, Error)]
pub enum FleetError {
    /// It could not be started, or the agent could not.
    #[error("{message}")]
    Launch {
        /// The system's error number, 0 if there is none.
        errno: i32,
        /// What and why.
        message: String,
    },
    /// There is no link to it.
    #[error("the runner has no supervisor")]
    NoLink,
    /// It does not answer.
    #[error("the supervisor does not answer")]
    Silent,
    /// It refused.
    #[error("{0}")]
    Refused(String),
    /// The question to be answered is not asked any more, or was answered.
    #[error("it no longer asks that, or was answered already; nothing was sent")]
    NotAsked,
    /// Its socket failed.
    #[error("talk to the supervisor: {0}")]
    Io(#[from] std::io::Error),
    /// It speaks another language.
    #[error("understand the supervisor: {0}")]
    Framing(#[from] FramingError),
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        let message = error.to_string();
        match error {
            FleetError::Launch { errno: libc::ENOENT | libc::ENOTDIR, .. } => {
                Self::not_found("LAUNCH_FAILED", message)
            }
            FleetError::Launch { errno: libc::EACCES | libc::EPERM, .. } => {
                Self::denied("LAUNCH_FAILED", message)
            }
            FleetError::Launch { errno: libc::EINVAL | libc::E2BIG, .. } => {
                Self::usage("LAUNCH_FAILED", message)
            }
            FleetError::Launch { .. } => Self::unavailable("LAUNCH_FAILED", message),
            FleetError::NoLink => Self::conflict("RUNNER_NOT_LIVE", message),
            FleetError::NotAsked => Self::conflict("NOT_ASKED", message),
            FleetError::Refused(_) => Self::unavailable("INPUT_BLOCKED", message),
            _ => Self::unavailable("SUPERVISOR_UNAVAILABLE", message)
                .with_hint("stratavore reconcile compares every runner with what really runs"),
        }
    }
}
