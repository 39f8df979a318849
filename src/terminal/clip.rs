//! A picture for a real terminal of another size than the screen's: what does not fit is cut.
//!
//! It shows the rows around the cursor from the left edge. Unlike [`super::FrameEncoder`] it draws
//! on a person's own terminal, so it resets nothing that it did not set.

use super::{FrameEncoder, Terminal, vt::Decoder};
use crate::domain::size::TerminalSize;

/// Draws differences on a terminal of another size.
pub struct ClippedView {
    view: TerminalSize,
    frames: FrameEncoder,
    screen: Decoder,
    sent: Vec<String>,
    modes: String,
}

impl ClippedView {
    /// Returns a view that has drawn nothing yet, for a terminal of this size.
    pub fn new(view: TerminalSize) -> Self {
        Self {
            view,
            frames: FrameEncoder::new(),
            screen: Decoder::new(view),
            sent: Vec::new(),
            modes: String::new(),
        }
    }

    /// Returns what brings the terminal to the screen as it is now, or `None` when nothing changed.
    pub fn encode(&mut self, terminal: &Terminal) -> Option<Vec<u8>> {
        let frame = self.frames.encode(terminal);
        let first = self.sent.is_empty();
        if frame.is_none() && !first {
            return None;
        }
        self.screen.resize(terminal.size());
        self.screen.process(&frame.unwrap_or_default());
        Some(self.draw(first))
    }

    /// Draws the rows that changed, then the cursor and the input modes.
    fn draw(&mut self, first: bool) -> Vec<u8> {
        let screen = self.screen.screen();
        let (cursor_row, cursor_col) = screen.cursor_position();
        let height = self.view.rows();
        // The rows shown end with the cursor's when it would be below the edge.
        let top = usize::from((cursor_row + 1).saturating_sub(height));
        let mut out = b"\x1b[?2026h\x1b[?25l".to_vec();
        if first {
            out.extend_from_slice(b"\x1b[2J");
            self.sent = vec![String::new(); usize::from(height)];
        }
        let mut rows = screen.rows_formatted(0, self.view.cols()).skip(top);
        for (index, sent) in self.sent.iter_mut().enumerate() {
            let row = rows.next().unwrap_or_default();
            if row != *sent {
                out.extend_from_slice(format!("\x1b[{};1H\x1b[m\x1b[K", index + 1).as_bytes());
                out.extend_from_slice(row.as_bytes());
                out.extend_from_slice(b"\x1b[m");
                *sent = row;
            }
        }
        let modes = screen.input_mode_formatted();
        if modes != self.modes {
            out.extend_from_slice(modes.as_bytes());
            self.modes = modes;
        }
        let row = usize::from(cursor_row).saturating_sub(top) + 1;
        let col = u32::from(cursor_col.min(self.view.cols().saturating_sub(1))) + 1;
        out.extend_from_slice(format!("\x1b[{row};{col}H").as_bytes());
        if !screen.hide_cursor() {
            out.extend_from_slice(b"\x1b[?25h");
        }
        out.extend_from_slice(b"\x1b[?2026l");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{HistoryLimits, Mirror};

    #[test]
    fn the_rows_around_the_cursor_are_shown() {
        let mut terminal = Terminal::new(TerminalSize::new(40, 10), HistoryLimits::default());
        let text: Vec<_> = (0..10).map(|i| format!("\r\nline {i} {}", "x".repeat(30))).collect();
        let text = text.concat();
        let scan = terminal.scan(text.as_bytes());
        terminal.apply(text.as_bytes(), &scan, &mut Vec::new());
        let view = TerminalSize::new(12, 4);
        let mut clipped = ClippedView::new(view);
        let mut mirror = Mirror::new(view);
        mirror.feed(&clipped.encode(&terminal).unwrap());
        let lines: Vec<_> = mirror.text().iter().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(lines, ["line 6 xxxxx", "line 7 xxxxx", "line 8 xxxxx", "line 9 xxxxx"]);
        assert_eq!(clipped.encode(&terminal), None);
    }
}
