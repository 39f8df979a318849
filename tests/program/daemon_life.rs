//! The daemon's life: it starts itself once, leaves in order, and takes no agent with it.

use std::{os::unix::process::ExitStatusExt as _, process::Stdio, time::Duration};

use rustix::process::Signal;
use sqlx::{Connection as _, sqlite::SqliteConnection};

use crate::support::{Say as _, World, elapsed_since, now, wait_until};

#[test]
fn fifty_clients_at_once_start_one_daemon() {
    let world = World::new();
    let start = || {
        let mut command = world.command(["status", "--format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("start a client")
    };
    let clients: Vec<_> = (0..50).map(|_| start()).collect();
    let mut daemons = Vec::new();
    for client in clients {
        let output = client.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.into_raw(), 0, "a client failed: {said}");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        daemons.push(status.number("pid").unwrap());
    }
    daemons.dedup();
    assert_eq!(daemons, [i64::from(world.daemon_pid().pid)], "all met the same daemon");
    wait_until("one process is left", Duration::from_secs(5), || world.processes().len() == 1);
}

#[test]
fn sigterm_ends_the_daemon_and_no_runner() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let before = world.show(&agent.name);
    let daemon = world.daemon_pid();
    let begun = now();
    daemon.signal(Signal::TERM);
    wait_until("the daemon has left", Duration::from_secs(5), || !daemon.is_alive());
    assert!(elapsed_since(begun) < Duration::from_secs(5));
    assert!(!world.socket().exists(), "its socket is gone with it");
    assert_eq!(agent.witness.alive().len(), 1, "the agent lives");
    world.run(["daemon", "status"]).expect_error(6, &["daemon start"]);
    assert!(world.daemon().is_none(), "asking for its status starts no daemon");

    let after = world.show(&agent.name);
    assert_eq!(after.text("status"), "running");
    assert_eq!(after.number("pid"), before.number("pid"));
    assert_eq!(after.number("run"), Some(1));
    assert_ne!(world.daemon_pid(), daemon);
}

#[test]
fn a_second_sigterm_ends_the_daemon_at_once() {
    let world = World::new();
    world.run(["status"]).expect_code(0);
    let daemon = world.daemon_pid();
    let begun = now();
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::TERM);
    wait_until("the daemon has left", Duration::from_secs(5), || !daemon.is_alive());
    assert!(elapsed_since(begun) < Duration::from_secs(2));
}

#[test]
fn start_stop_restart_and_status_say_what_they_did() {
    let world = World::new();
    world.run(["daemon", "stop"]).expect_error(0, &["no daemon runs"]);
    world.run(["daemon", "status"]).expect_error(6, &["none runs"]);
    world.run(["daemon", "start"]).expect_error(0, &["started"]);
    let first = world.daemon_pid();
    world.run(["daemon", "start"]).expect_error(0, &["already runs"]);
    assert_eq!(world.daemon_pid(), first);
    let status = world.json(["daemon", "status"]);
    assert_eq!(status.number("pid"), Some(first.pid.into()));
    world.run(["daemon", "restart"]).expect_error(0, &["started"]);
    let second = world.daemon_pid();
    assert_ne!(second, first);
    assert!(world.run(["daemon", "logs"]).expect_code(0).stdout.contains("ready"));
    world.run(["daemon", "stop"]).expect_error(0, &["has left"]);
    assert!(!second.is_alive(), "stop returns when the process is gone");
    // The log is readable without a daemon, and reading it starts none.
    world.run(["daemon", "logs", "--tail", "1"]).expect_code(0);
    assert!(world.daemon().is_none());
}

#[test]
fn a_second_daemon_in_the_foreground_is_refused() {
    let world = World::new();
    world.run(["status"]).expect_code(0);
    let pid = world.daemon_pid().pid.to_string();
    world.run(["--daemon"]).expect_error(4, &["already runs", &pid, "next:"]);
    assert_eq!(world.daemon_pid().pid.to_string(), pid);
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let world = World::with_project();
    world.run(["daemon", "stop"]).expect_code(0);
    let path = world.root().join("stratavore.db");
    let url = format!("sqlite://{}", path.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let execute = |statement: &'static str| {
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    };
    execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    );
    world.run(["--daemon"]).expect_error(8, &["newer", "stratavore.db"]);
    let refused = world.run(["status"]).expect_printable();
    assert!(refused.stderr.contains("newer"), "{}", refused.stderr);
    assert!(matches!(refused.code, 6 | 8), "{}", refused.code);
    assert!(world.daemon().is_none());
    // Nothing was lost: the version that knows it opens it again.
    execute("DELETE FROM _sqlx_migrations WHERE version = 9999");
    assert_eq!(world.json(["projects", "show", "p"]).text("name"), "p");
}
