//! The short ways for text and our history agree with the engine left to itself.

use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line as RowIndex};
use alacritty_terminal::term::Config;
use alacritty_terminal::vte::ansi::{Processor, StdSyncHandler};
use proptest::prelude::*;

use super::{CAPTURES, feed, terminal};
use crate::domain::size::TerminalSize;
use crate::terminal::line::Line;
use crate::terminal::style::Style;

/// The engine alone, with its own scrollback, fed at once.
fn alone(size: TerminalSize, bytes: &[u8]) -> Term<VoidListener> {
    let config = Config { scrolling_history: 10_000, kitty_keyboard: true, ..Config::default() };
    let mut term = Term::new(config, &size, VoidListener);
    let mut parser = Processor::<StdSyncHandler>::new();
    parser.advance(&mut term, bytes);
    parser.stop_sync(&mut term);
    term
}

/// The rows from the oldest of the history to the bottom of the screen.
fn rows(term: &Term<VoidListener>) -> Vec<Line> {
    let grid = term.grid();
    let above = i32::try_from(grid.history_size()).unwrap();
    let below = i32::try_from(grid.screen_lines()).unwrap();
    let cols = grid.columns();
    (-above..below).map(|row| Line::of(&grid[RowIndex(row)][Column(0)..Column(cols)])).collect()
}

/// Only the text: overwriting a row, the engine still changes the flags of the one above, which
/// may be in our history by then.
fn text(line: &Line) -> String {
    line.text.trim_end().to_owned()
}

#[test]
fn recorded_agents_look_as_in_the_engine() {
    for (name, bytes) in CAPTURES {
        for (cols, height) in [(120, 40), (80, 24)] {
            let mut ours = terminal(cols, height);
            feed(&mut ours, bytes, 777);
            let theirs = alone(ours.size(), bytes);
            let visible = rows(&theirs).split_off(theirs.grid().history_size());
            let visible: Vec<String> =
                visible.into_iter().map(|line| line.text.trim_end().to_owned()).collect();
            let shown: Vec<String> =
                ours.screen_text().iter().map(|row| row.trim_end().to_owned()).collect();
            assert_eq!(shown, visible, "{name} at {cols}x{height}");
            let cursor = theirs.grid().cursor.point;
            let at = (usize::from(ours.cursor().0), usize::from(ours.cursor().1));
            assert_eq!(at, (usize::try_from(cursor.line.0).unwrap(), cursor.column.0), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // Without insertion and erasure: those split wide characters, which only we mend.
    #[test]
    fn history_and_screen_are_those_of_the_engine(
        pieces in proptest::collection::vec(
            prop_oneof![
                4 => "[a-z ]{1,40}",
                2 => "[\u{65e5}\u{1f469}\u{e9}\u{301}\u{2500}x]{1,12}",
                3 => proptest::sample::select(vec![
                    "\r\n", "\n", "\r", "\x08", "\x1bD", "\x1bM", "\x1b[2A", "\x1b[3;4H",
                    "\x1b[1;4r", "\x1b[r", "\x1b[2S", "\x1b[31;1m", "\x1b[m", "\x1b[48;5;9m", "\x1b[?7l",
                    "\x1b[?7h", "\x1b(0", "\x1b(B", "\x1b[999;999H",
                ])
                .prop_map(str::to_owned),
            ],
            1..50,
        ),
        size in proptest::sample::select(vec![(2u16, 2u16), (7, 4), (20, 5)]),
        batch in 1..30usize,
    ) {
        let bytes = pieces.concat().into_bytes();
        let mut ours = terminal(size.0, size.1);
        feed(&mut ours, &bytes, batch);
        let theirs = alone(ours.size(), &bytes);
        let mut all = Vec::new();
        ours.screen().ring.read(0, usize::MAX, &mut |_, line| {
            all.push(text(&line));
            true
        });
        all.extend((0..usize::from(size.1)).map(|row| text(&Line::of(ours.screen().row(row)))));
        prop_assert_eq!(all, rows(&theirs).iter().map(text).collect::<Vec<_>>());
        let pen = Style::of(&theirs.grid().cursor.template);
        prop_assert_eq!(Style::of(&ours.screen().term.grid().cursor.template), pen);
    }
}
