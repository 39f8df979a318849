//! Whole-program tests: the real binary, real processes, real terminals, nothing mocked.
//!
//! Every test lives in a [`support::World`] of its own, a throw-away home with its own daemon, and
//! asks the program only what a person or a script could ask. What really happened to an agent is
//! read from the witness file that the scripted agent writes and the product never opens.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking; outside of test functions the lints do not know it"
)]

mod attaching;
mod backups;
mod bad_input;
mod boundaries;
mod configuration;
mod crash_loop;
mod daemon_life;
mod dashboard;
mod database;
mod deciding;
mod disk;
mod documented;
mod harness;
mod hostile;
mod http;
mod inbox;
mod launching;
mod lifecycle;
mod machine;
mod metering;
mod metrics;
mod notifying;
mod output;
mod panes;
mod projects;
mod prompts;
mod quotas;
mod real_servers;
mod removing;
#[path = "../servers/mod.rs"]
mod servers;
mod sharing;
mod stopping;
mod support;
mod survival;
mod telling;
mod transcripts;
mod upgrading;
mod worktrees;
