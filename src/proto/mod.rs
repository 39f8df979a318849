//! L1: what travels: generated code, and its conversion to and from the domain.
//!
//! One resource a file. The generated types are used in `client`, `daemon/grpc`, `daemon/fleet`
//! and `supervisor` only; everything else speaks domain types.

mod activity;
pub mod budget;
mod correction;
pub mod event;
mod failure;
pub mod framing;
mod inbox;
pub mod launch;
mod project;
mod prompt;
mod quota;
mod runner;
mod session;
mod time;
mod token;
mod usage;
mod worktree;

#[expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::allow_attributes,
    clippy::clone_on_ref_ptr,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("stratavore.v1");
}

/// The full names of all calls.
pub const CALLS: &[&str] = &include!(concat!(env!("OUT_DIR"), "/calls.rs"));

/// The protocol between a supervisor and the daemon or an attached terminal.
pub mod link {
    #[expect(missing_docs, clippy::pedantic, clippy::large_enum_variant, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("stratavore.link.v1");
    }

    /// The versions of the link protocol that this program speaks.
    pub const VERSIONS: std::ops::RangeInclusive<u32> = 1..=1;
}

pub use self::launch::from_env_vars;
pub use self::{
    failure::{failure_to_status, status_to_failure},
    prompt::send_prompt_request,
    quota::{quota_change, quota_limits, quota_name},
    time::{from_timestamp, to_timestamp},
};

/// Largest message accepted on the public socket, in bytes.
pub const MAX_MESSAGE: usize = 4 << 20;
