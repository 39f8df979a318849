//! The dashboard's panes in a terminal: what is typed arrives, sizes follow, the arrangement stays.

use std::time::Duration;

use crate::support::{Terminal, World, pause, wait_until};

/// The key that leaves an agent.
const LEAVE: &[u8] = b"\x1c";

/// Opens the dashboard and waits until it lists this runner.
fn open(world: &World, runner: &str) -> Terminal {
    let terminal = Terminal::sized(world.command([""; 0]), 120, 40);
    terminal.wait_taken();
    terminal.wait_for(runner);
    terminal
}

#[test]
fn a_runner_opened_in_place_has_the_size_of_its_pane() {
    let world = World::with_project();
    let name = world.launch(&[], &["sh"]);
    let mut terminal = open(&world, &name);
    terminal.type_text("\r");
    terminal.wait_for(&format!("keys go to {name}"));
    for (columns, rows, size) in [(120, 40, "37 120"), (90, 30, "27 90")] {
        terminal.resize(columns, rows);
        wait_until("the terminal has the pane's size", Duration::from_secs(10), || {
            terminal.type_text("stty size\r");
            pause(Duration::from_millis(50));
            terminal.screen().contains(size)
        });
    }
    terminal.type_bytes(LEAVE);
    terminal.wait_for(" stop ");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_modes_restored();
}
