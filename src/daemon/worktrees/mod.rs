//! d0: what makes a new worktree ready: files copied from the project, a set-up command, and which of
//! those commands the user has allowed.
//!
//! Git is asked by [`crate::git`]; what becomes of a worktree is decided by the services.

mod copy;
mod setup;
mod trust;

pub use self::{
    copy::{Copied, copy},
    setup::{Setup, SetupError, run},
    trust::{is_trusted, trust},
};
