//! Draws the pictures of the README from the real program: the demonstration in a terminal, its
//! screen as SVG.
//!
//! ```text
//! ./tests/run pictures
//! ```
//!
//! Not a test, and not part of the plain run: what the scripted agents are at differs a little from
//! run to run.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking; outside of test functions the lints do not know it"
)]

#[expect(dead_code, unused_imports, reason = "it is the tests', and more than is needed here")]
#[path = "../program/support/mod.rs"]
mod support;
mod svg;

use std::{fs, path::Path, time::Duration};

use support::{Terminal, World, wait_until};

/// Columns and rows of a picture.
const SIZE: (u16, u16) = (120, 34);

/// How long the scripted agents may take to get where they are wanted.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn pictures() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    fs::create_dir_all(&assets).expect("make the directory");
    let world = World::new();
    let keep = |terminal: &Terminal, name: &str| {
        fs::write(assets.join(name), terminal.ask(svg::draw)).expect("write a picture");
    };

    let mut command = world.command(["demo"]);
    command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
    let (columns, rows) = SIZE;
    let terminal = Terminal::sized(command, columns, rows);
    // As the header counts them: an agent's own words may have any of these.
    for state in ["2 need you", "1 done", "1 failed", "1 running"] {
        terminal.wait_limited(state, PATIENCE);
    }
    // The notes of all that are no news to who looks. Not a key before they are gone: with esc it would
    // be alt and that key.
    terminal.type_bytes(b"\x1b");
    wait_until("the notes are gone", PATIENCE, || !terminal.screen().contains(" o go "));
    terminal.wait_limited("Do you want to proceed?", PATIENCE);
    keep(&terminal, "dashboard.svg");

    terminal.type_text("v");
    terminal.wait_limited("keys go to", PATIENCE);
    for split in ["v", "s"] {
        terminal.type_bytes(b"\x1c");
        terminal.wait_limited("split", PATIENCE);
        terminal.type_text(split);
        terminal.wait_limited("⏎ open", PATIENCE);
        terminal.type_bytes(b"\r");
        terminal.wait_limited("keys go to", PATIENCE);
    }
    wait_until("every pane shows its screen", PATIENCE, || {
        !terminal.screen().contains("waiting for its screen")
    });
    // The one that is typed into gets the size of its pane, the others stay as they are.
    wait_until("the last one has its size", PATIENCE, || {
        terminal.screen().matches("clipped").count() == 2
    });
    keep(&terminal, "panes.svg");

    terminal.type_bytes(b"\x1c");
    terminal.wait_limited("split", PATIENCE);
    terminal.type_bytes(b"\x1b");
    terminal.wait_limited("NEEDS YOU", PATIENCE);
    terminal.type_text("q");
    let mut terminal = terminal;
    terminal.wait_exit();
}
