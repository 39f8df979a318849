//! The dashboard in a terminal: it shows what runs, and leaves the terminal as it was.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Say as _, Terminal, World, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

/// Opens the dashboard of a world with one agent in it.
fn open(world: &World) -> Terminal {
    let terminal = Terminal::sized(world.command([""; 0]), 120, 40);
    terminal.wait_taken();
    terminal.wait_for("p-1");
    terminal
}

#[test]
fn it_shows_runners_and_leaves_no_trace() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut terminal = open(&world);
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_restored();
    for signal in [Signal::TERM, Signal::HUP] {
        let mut terminal = open(&world);
        terminal.signal(signal);
        terminal.wait_exit();
        terminal.assert_restored();
    }
    assert_eq!(agent.witness.alive().len(), 1, "the agent goes on");
}

#[test]
fn it_survives_the_daemon_and_absurd_sizes() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut terminal = open(&world);
    for (columns, rows) in [(1, 1), (500, 200), (3, 40), (200, 2), (120, 40)] {
        terminal.resize(columns, rows);
    }
    terminal.wait_for("p-1");
    world.kill_daemon();
    world.run(["status"]).expect_code(0);
    terminal.resize(121, 41);
    terminal.wait_for("p-1");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    // The small windows have cut the user's own screen, as every terminal does.
    terminal.assert_modes_restored();
    assert_eq!(agent.witness.alive().len(), 1);
}

#[test]
fn everything_is_done_from_the_dashboard() {
    let world = World::new();
    let mut command = world.command([""; 0]);
    // No agent is found: the first key starts the shell.
    command.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh");
    let mut terminal = Terminal::sized(command, 120, 40);
    terminal.wait_taken();
    terminal.wait_for("No agents yet");
    // Launch.
    terminal.type_text("\r");
    terminal.wait_for("opens it");
    // In a pane, typed into.
    terminal.type_text("v");
    terminal.wait_for("keys go to");
    terminal.type_text("echo one-$((6*7))\r");
    terminal.wait_for("one-42");
    // Launch another beside it.
    terminal.type_bytes(b"\x1c");
    terminal.wait_for("dashboard");
    terminal.type_text("N");
    terminal.wait_for("LAUNCH AN AGENT");
    terminal.type_text("\r");
    terminal.wait_for("keys go to");
    terminal.type_text("echo two-$((6*7))\r");
    terminal.wait_for("two-42");
    assert!(terminal.screen().contains("one-42"), "{}", terminal.screen());
    // Kill it.
    terminal.type_bytes(b"\x1c");
    terminal.wait_for("dashboard");
    terminal.type_text("X");
    terminal.wait_for("Kill ");
    terminal.type_text("y");
    terminal.wait_for("starts it again");
    terminal.type_text("c");
    wait_until("its pane is gone", LIMIT, || !terminal.screen().contains("two-42"));
    // Hand the whole terminal over and take it back.
    terminal.type_text("a");
    wait_until("the terminal is handed over", LIMIT, || !terminal.screen().contains("dashboard"));
    terminal.type_text("echo three-$((6*7))\r");
    terminal.wait_for("three-42");
    terminal.type_bytes(b"\x1c");
    terminal.wait_for("detached");
    terminal.type_text("qq");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_modes_restored();
    let live = world.runners().into_iter().filter(|runner| runner.text("status") == "running");
    assert_eq!(live.count(), 1, "the other agent goes on");
}
