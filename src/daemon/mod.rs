//! L2: only what the daemon process runs.
//!
//! ```text
//!   grpc ─▶ services ─▶ store (state and events, one writer)
//!   http ─▶    ▲  └────▶ fleet ◀── link ──▶ supervisors
//!   tasks ─────┘            │
//!     ▲ └─▶ broker          │
//!     └──── notices ◀───────┘
//! ```
//!
//! `metrics` serves figures to Prometheus; like `grpc` it only calls `services`.
//!
//! `store`, `fleet`, `blobs`, `limits`, `programs`, `screens`, `broker`, `notify`, `transcripts` and `worktrees` do not know each other; `services`
//! hold every decision; `tasks`, `grpc` and `http`
//! only call them. The daemon may die at any moment: agents go on, and the next one adopts them.
//!
//! `crowd` bounds who holds how many connections of `grpc` and `http`.
//!
//! What works without a daemon stands beside `run`: `verify` reads the event log and checks it,
//! `database` looks at the database, migrates and copies it, `backup` saves and restores; `outside`
//! keeps agents from all that.

mod actor;
mod backup;
pub mod blobs;
pub mod broker;
pub mod context;
mod crowd;
mod database;
pub mod fleet;
mod grpc;
mod http;
mod lifecycle;
pub mod limits;
mod lock;
mod manager;
mod metrics;
pub mod notify;
mod outside;
pub mod programs;
pub mod screens;
pub mod services;
pub mod sources;
pub mod store;
pub mod tasks;
mod trace;
pub mod transcripts;
mod verify;
pub mod worktrees;

#[cfg(test)]
#[path = "../../tests/servers/mod.rs"]
mod servers;

/// Settles how memory is kept; to be called before the process has threads.
pub fn prepare() {
    crate::process::heap::keep_little();
}

/// Returns the id of the trace that is being worked for, for lines of the log; empty for none.
pub fn trace_id() -> String {
    trace::current()
}

pub use self::{
    backup::{Entry, Manifest, Restored, Trash, Wanted, backup, check_output, restore},
    broker::broker_addresses,
    database::{DatabaseReport, copy_database, database_status, migrate_database},
    http::api_document,
    lifecycle::run,
    lock::DaemonError,
    outside::refuse_inside_runner,
    store::{Copied, Progress, Step},
    verify::{first_key, note_key_shown, verify_log},
};
