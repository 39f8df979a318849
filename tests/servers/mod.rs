//! Real servers for tests: throw-away `PostgreSQL` and `RabbitMQ`, and a proxy to misbehave between.
//!
//! Compiled into the unit tests and into the whole-program tests. Each server has a directory and
//! ports of its own and never touches one that the system runs. A server shared by a process starts
//! with its first use; one that a test wants to kill for itself is started by that test.
//!
//! Everything here blocks and is meant to: an asynchronous test that stops or restarts a server
//! uses `#[tokio::test(flavor = "multi_thread")]`, so that what it watches goes on meanwhile.
//!
//! Invariant: when the test process is gone, however it went, nothing of a server is left.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test program uses another part of this"
)]

mod clock;
mod place;
mod postgres;
mod programs;
mod proxy;
pub(crate) mod rabbitmq;

/// Returns the commands by which the servers say their versions.
pub(crate) fn version_commands() -> [std::process::Command; 2] {
    let mut commands = [("postgres", programs::postgres()), ("rabbitmqctl", programs::rabbitmq())]
        .map(|(program, dir)| std::process::Command::new(dir.join(program)));
    commands[0].arg("--version");
    commands[1].arg("version").env("HOME", std::env::temp_dir());
    commands
}

pub(crate) use self::{
    clock::wait_for,
    postgres::Postgres,
    proxy::Proxy,
    rabbitmq::{RabbitMq, Vhost},
};
