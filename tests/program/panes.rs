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

#[test]
fn panes_are_split_typed_into_zoomed_and_found_again() {
    let world = World::with_project();
    let one = world.agent("echo", &[]);
    let two = world.agent("echo", &[]);
    let mut terminal = open(&world, &two.name);
    // The first pane, and beside it one for the other.
    terminal.type_text("v");
    terminal.wait_for(&format!("keys go to {}", one.name));
    terminal.type_bytes(LEAVE);
    terminal.wait_for("dashboard");
    terminal.type_text("v");
    terminal.wait_for("OPEN BESIDE");
    terminal.type_text("\r");
    terminal.wait_for(&format!("keys go to {}", two.name));
    terminal.type_text("<two>");
    terminal.wait_for("<two>");
    terminal.type_bytes(b"\x1b[1;4D");
    terminal.wait_for(&format!("keys go to {}", one.name));
    terminal.type_text("<one>");
    terminal.wait_for("<one>");
    assert!(terminal.screen().contains("<two>"), "{}", terminal.screen());
    // All at once.
    terminal.type_bytes(LEAVE);
    terminal.type_text("S");
    terminal.wait_for("all 2 panes at once");
    terminal.type_text("<both>");
    wait_until("both echo", Duration::from_secs(10), || {
        terminal.screen().matches("<both>").count() == 2
    });
    terminal.type_bytes(LEAVE);
    terminal.type_text("Sz");
    terminal.wait_for("1/2");
    assert!(!terminal.screen().contains("<two>"), "{}", terminal.screen());
    terminal.type_text("z");
    terminal.wait_for("<two>");
    // One ends in its pane.
    world.run(["kill", &two.name, "--force"]).expect_code(0);
    terminal.wait_for("starts it again");
    // Not esc: with the next key it would be alt and that key.
    terminal.type_text("qq");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_modes_restored();
    // The next dashboard has the same panes.
    let mut terminal = open(&world, &one.name);
    terminal.type_text("w");
    terminal.wait_for("<both>");
    terminal.wait_for("starts it again");
    // Not esc: with the next key it would be alt and that key.
    terminal.type_text("qq");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    assert_eq!(one.witness.alive().len(), 1, "the agent goes on");
}

#[test]
fn the_past_is_scrolled_searched_and_copied() {
    let world = World::with_project();
    let name = world.launch(&[], &["sh"]);
    let mut terminal = open(&world, &name);
    terminal.type_text("\r");
    terminal.wait_for(&format!("keys go to {name}"));
    terminal.type_text("seq -f 'line %g' 3000\r");
    terminal.wait_for("line 3000");
    // The wheel, on the agent's screen.
    terminal.type_bytes(b"\x1b[<64;10;10M\x1b[<64;10;10M");
    terminal.wait_for("history 2,9");
    // Whoever types sees the present again.
    terminal.type_text("#");
    wait_until("the present is shown", Duration::from_secs(10), || {
        !terminal.screen().contains("history 2,9")
    });
    terminal.type_bytes(LEAVE);
    terminal.wait_for("quit");
    terminal.type_text("v");
    terminal.wait_for("arrange panes");
    terminal.type_bytes(LEAVE);
    terminal.type_text("/line 1234\r");
    terminal.wait_for("1 match");
    terminal.wait_for("line 1233 ");
    terminal.type_text("y");
    terminal.wait_for("copied 9 characters");
    let expected = b"\x1b]52;c;bGluZSAxMjM0\x07";
    let raw = terminal.raw();
    assert!(raw.windows(expected.len()).any(|window| window == expected), "OSC 52 is sent");
    // Not esc: with the next key it would be alt and that key.
    terminal.type_text("qq");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_modes_restored();
}
