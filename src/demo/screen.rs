//! Paints an inline screen: finished lines scroll away above, a live part stays at the bottom.
//!
//! The screen remembers the live part as it was painted and rewrites only lines that differ, so a
//! turning spinner costs one short write. It knows nothing about what the lines mean.

use std::fmt::Write as _;

use super::term::{SYNC_BEGIN, SYNC_END};
use super::text::Line;
use super::view::Layout;

/// What is on the terminal below the finished lines.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The painted lines, as sent.
    shown: Vec<String>,
    /// The place of the cursor, `None` while it is hidden.
    caret: Option<(usize, usize)>,
    /// The painted line the cursor is in.
    row: usize,
}

impl Screen {
    /// Adds finished lines and brings the live part up to date; returns nothing to send if all is.
    pub(super) fn paint(&mut self, finished: &[Line], layout: &Layout) -> String {
        let lines: Vec<String> = layout.lines.iter().map(Line::ansi).collect();
        if finished.is_empty() && lines == self.shown && layout.caret == self.caret {
            return String::new();
        }
        let mut out = String::from(SYNC_BEGIN);
        out.push_str("\x1b[?25l");
        if finished.is_empty() && lines.len() == self.shown.len() {
            self.rewrite(&mut out, &lines);
        } else {
            self.go_to(&mut out, 0);
            out.push_str("\r\x1b[J");
            for line in finished {
                out.push_str(&line.ansi());
                out.push_str("\r\n");
            }
            out.push_str(&lines.join("\r\n"));
            self.row = lines.len().saturating_sub(1);
        }
        self.shown = lines;
        self.caret = layout.caret;
        if let Some((row, column)) = layout.caret {
            self.go_to(&mut out, row);
            // Writing to a `String` cannot fail.
            write!(out, "\x1b[{}G\x1b[?25h", column + 1).ok();
        }
        out.push_str(SYNC_END);
        out
    }

    /// Clears the window and paints everything again, as after a change of its size.
    pub(super) fn repaint(&mut self, tail: &[Line], layout: &Layout) -> String {
        *self = Self::default();
        format!("\x1b[2J\x1b[H{}", self.paint(tail, layout))
    }

    /// Takes the live part away and leaves the cursor where it began.
    pub(super) fn leave(&mut self) -> String {
        let mut out = String::new();
        self.go_to(&mut out, 0);
        out.push_str("\r\x1b[J");
        *self = Self::default();
        out
    }

    /// Writes the lines that differ.
    fn rewrite(&mut self, out: &mut String, lines: &[String]) {
        let differing: Vec<usize> = lines
            .iter()
            .zip(&self.shown)
            .enumerate()
            .filter(|(_, (new, old))| new != old)
            .map(|(at, _)| at)
            .collect();
        for at in differing {
            self.go_to(out, at);
            // Cleared first: after a full line the cursor may rest on its last column.
            out.push_str("\r\x1b[2K");
            out.push_str(lines.get(at).map_or("", String::as_str));
        }
    }

    /// Moves the cursor to a line of the live part.
    fn go_to(&mut self, out: &mut String, row: usize) {
        match row.cmp(&self.row) {
            std::cmp::Ordering::Less => write!(out, "\x1b[{}A", self.row - row).ok(),
            std::cmp::Ordering::Greater => write!(out, "\x1b[{}B", row - self.row).ok(),
            std::cmp::Ordering::Equal => None,
        };
        self.row = row;
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Tone;
    use super::*;

    fn layout(texts: &[&str], caret: Option<(usize, usize)>) -> Layout {
        let lines = texts.iter().map(|text| Line::new(Tone::Plain, text)).collect();
        Layout { lines, caret }
    }

    #[test]
    fn nothing_new_sends_nothing() {
        let mut screen = Screen::default();
        let one = layout(&["a", "b"], Some((1, 0)));
        assert!(!screen.paint(&[], &one).is_empty());
        assert_eq!(screen.paint(&[], &one), "");
    }

    #[test]
    fn only_the_changed_line_is_sent() {
        let mut screen = Screen::default();
        screen.paint(&[], &layout(&["spin 1", "input", "foot"], Some((1, 0))));
        let sent = screen.paint(&[], &layout(&["spin 2", "input", "foot"], Some((1, 0))));
        assert!(sent.contains("\x1b[1A\r\x1b[2Kspin 2\x1b[1B\x1b[1G"));
        assert!(!sent.contains("foot") && !sent.contains("\x1b[J"));
    }

    #[test]
    fn finished_lines_push_the_live_part_down() {
        let mut screen = Screen::default();
        let live = layout(&["x", "y", "z"], Some((1, 2)));
        screen.paint(&[], &live);
        let sent = screen.paint(&[Line::new(Tone::Plain, "done")], &live);
        assert!(sent.contains("\x1b[1A\r\x1b[Jdone\r\nx\r\ny\r\nz\x1b[1A\x1b[3G"));
        assert!(screen.leave().starts_with("\x1b[1A\r\x1b[J"));
    }
}
