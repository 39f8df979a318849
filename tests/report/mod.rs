//! What long runs found out, written by the programs that found it: `assets/reliability.md` by chaos, kill
//! loops and soaks, `assets/performance.md` by the benches; the README quotes nothing else.
//!
//! A run replaces its own section and leaves the others as they are. It writes only where
//! `STRATAVORE_REPORT` says, which `./tests/run` sets: a plain run of the tests changes no file.
//!
//! Invariant: every section says on which machine, when and of which commit it was made.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test program uses another part of this"
)]

mod document;
mod histogram;
mod machine;

pub(crate) use self::{
    document::{PERFORMANCE, RELIABILITY, table},
    histogram::Histogram,
    machine::{Facts, load},
};
