//! The short way for a flood of plain lines: those that would scroll off the screen before anybody
//! could see them go to the history without being drawn.
//!
//! Not for anything but whole, unstyled ASCII lines on an ordinary screen: everything else is left
//! to the engine. Invariant: history, screen and cursor are afterwards exactly what drawing line by
//! line would have made them.

use alacritty_terminal::{
    index::Column,
    term::{
        TermMode,
        cell::{Cell, Flags},
    },
    vte::ansi::{Color, NamedColor, StandardCharset},
};

use super::{
    lexer::printable,
    line::visible_len,
    screen::{Screen, row_index},
};

/// What the short way did.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    /// Bytes taken.
    pub(crate) taken: usize,
    /// Plain lines that follow and are to be drawn.
    pub(crate) left: usize,
}

impl Screen {
    /// Takes the short way for as many leading lines as it can.
    pub(crate) fn bulk(&mut self, text: &[u8]) -> Bulk {
        let (cols, rows) = (usize::from(self.size.cols()), usize::from(self.size.rows()));
        // Fewer lines would all be seen. A line has its two control characters at least.
        if text.len() / 2 <= rows || !self.is_plain() {
            return Bulk::default();
        }
        let lines: Vec<Line<'_>> = plain_lines(text, cols).collect();
        let unseen = (lines.len() + 1).saturating_sub(rows);
        if unseen == 0 {
            return Bulk { taken: 0, left: lines.len() };
        }
        // What is on the screen, but for the empty row that the cursor is in, goes first.
        self.save_rows(rows - 1);
        let mut taken = 0;
        for line in lines.iter().take(unseen) {
            self.ring.push_plain(line.text);
            taken += line.length;
        }
        for row in 0..rows {
            let cells = &mut self.term.grid_mut()[row_index(row)][Column(0)..Column(cols)];
            cells.fill(Cell::default());
        }
        self.move_to(0, 0);
        Bulk { taken, left: lines.len() - unseen }
    }

    /// Whether the next line is drawn unstyled into an empty last row and then scrolls the screen.
    fn is_plain(&self) -> bool {
        let rows = usize::from(self.size.rows());
        let cursor = &self.term.grid().cursor;
        let template = &cursor.template;
        rows >= 2
            && self.tracker.region == (0, rows)
            && !self.has(TermMode::ALT_SCREEN)
            && !self.has(TermMode::INSERT)
            && !cursor.input_needs_wrap
            && self.cursor() == (rows - 1, 0)
            && cursor.charsets[self.tracker.charset] == StandardCharset::Ascii
            && template.fg == Color::Named(NamedColor::Foreground)
            && template.bg == Color::Named(NamedColor::Background)
            && template.flags == Flags::empty()
            && template.extra.is_none()
            && visible_len(self.row(rows - 1)) == 0
    }
}

/// What ends a line: a terminal in its usual mode makes this of a line feed, and the longer one of what
/// a program already ended so.
const LINE_ENDS: [&[u8]; 2] = [b"\r\n", b"\r\r\n"];

/// A whole line.
struct Line<'a> {
    text: &'a [u8],
    /// With its end.
    length: usize,
}

/// The leading lines that fit into a row and are of printable ASCII.
fn plain_lines(text: &[u8], cols: usize) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let window = rest.get(..rest.len().min(cols + 1))?;
        let (text, end) = rest.split_at_checked(printable(window))?;
        if text.len() > cols {
            return None;
        }
        let after = LINE_ENDS.iter().find_map(|wanted| end.strip_prefix(*wanted))?;
        let length = rest.len() - after.len();
        rest = after;
        Some(Line { text, length })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        domain::size::TerminalSize,
        terminal::{HistoryLimits, Terminal},
    };

    fn after(pieces: &[&[u8]], size: TerminalSize) -> (Vec<u8>, Vec<String>, usize) {
        let mut terminal = Terminal::new(size, HistoryLimits::default());
        for piece in pieces {
            let scan = terminal.scan(piece);
            terminal.apply(piece, &scan, &mut Vec::new());
        }
        let history = terminal.history(0, usize::MAX, true);
        (terminal.snapshot(usize::MAX), history, terminal.history_len())
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => "[ -~]{0,30}\r\n",
            1 => "[ -~]{0,60}\r\n",
            1 => "[a-zäö漢]{0,12}\r\n",
            1 => "[a-z]{0,5}\n",
            1 => "[a-z]{0,9}\r",
            1 => "[ -~]{0,30}\r\r\n",
            1 => Just("\x1b[31mred\x1b[m\r\n".to_owned()),
            1 => Just("\x1b[7m".to_owned()),
            1 => Just("\x1b[m".to_owned()),
            1 => Just("\x1b[2;4r\x1b[9H".to_owned()),
            1 => Just("\x1b[r\x1b[99H\r\n".to_owned()),
            1 => Just("\t| tab\r\n".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn all_at_once_is_the_same_as_byte_by_byte(
            lines in proptest::collection::vec(line(), 0..120),
            cols in 8_u16..40,
            rows in 2_u16..12,
        ) {
            let text = lines.concat();
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            let size = TerminalSize::new(cols, rows);
            prop_assert_eq!(after(&[text.as_bytes()], size), after(&bytes, size));
        }
    }

    #[test]
    fn a_flood_leaves_its_end_on_the_screen_and_the_rest_in_the_history() {
        let lines: Vec<String> = (0..500).map(|n| format!("line {n}   \r\n")).collect();
        let text = lines.concat();
        let mut terminal = Terminal::new(TerminalSize::new(20, 5), HistoryLimits::default());
        let scan = terminal.scan(text.as_bytes());
        terminal.apply(text.as_bytes(), &scan, &mut Vec::new());
        assert_eq!(terminal.history_len(), 496);
        assert_eq!(terminal.history(495, 1, false), ["line 495"]);
        assert_eq!(terminal.screen_text()[..4], ["line 496", "line 497", "line 498", "line 499"]);
        assert_eq!(terminal.cursor(), (4, 0));
    }

    #[test]
    fn a_line_that_is_too_long_by_one_wraps() {
        let text = format!("\r\n\r\n\r\n{}\r\n\r\n\r\n\r\n", "x".repeat(26));
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let size = TerminalSize::new(25, 2);
        assert_eq!(after(&[text.as_bytes()], size), after(&bytes, size));
    }
}
