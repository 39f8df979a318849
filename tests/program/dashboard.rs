//! The dashboard in a terminal: it shows what runs, and leaves the terminal as it was.

use rustix::process::Signal;

use crate::support::{Terminal, World};

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
