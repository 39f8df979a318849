//! Chaos: real daemons and servers that are killed, stopped, cut off and filled up under load, and a
//! checker that reads what happened; and mutants that prove the checker.
//!
//! Part of the plain run, bounded; `./tests/run chaos --minutes N --seed S` goes on for longer. What
//! must hold is in [`checker`], what is done to whom in [`nemesis`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking; outside of test functions the lints do not know it"
)]

mod cancel;
mod checker;
mod clock;
mod cluster;
mod deck;
mod eyes;
mod hindsight;
mod history;
mod kills;
mod limits;
mod load;
mod marks;
mod mutants;
mod nemesis;
mod observer;
mod options;
mod programs;
mod random;
#[path = "../report/mod.rs"]
mod report;
mod restarted;
mod run;
#[path = "../servers/mod.rs"]
mod servers;
mod snapshot;
mod soak;
mod strangers;
#[path = "../program/support/mod.rs"]
mod support;
mod telling;
mod viewer;
mod work;
