//! Rows of text with colours that stand still: history, and a screen while it is looked at.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{cluster::simplified, pane::draw_screen, vt::Decoder};
use crate::domain::size::TerminalSize;

/// Rows that stand still.
pub struct Still {
    decoder: Decoder,
    size: TerminalSize,
}

impl Still {
    /// Returns these rows, which may hold SGR sequences and moves within the row, on so many
    /// columns; what is beyond the largest terminal is left out.
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a str>, cols: u16) -> Self {
        let rows: Vec<&str> = rows.into_iter().collect();
        let height = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        let size = TerminalSize::new(cols, height);
        let mut decoder = Decoder::new(size);
        for (row, text) in (1..=size.rows()).zip(rows) {
            decoder.process(format!("\x1b[m\x1b[{row};1H").as_bytes());
            decoder.process(simplified(text).as_bytes());
        }
        Self { decoder, size }
    }

    /// Draws the rows from the top, and the columns from the one numbered `left`.
    pub fn render(&self, area: Rect, left: u16, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if !area.is_empty() {
            draw_screen(self.decoder.screen(), (0, left), area, buf);
        }
    }

    /// Returns the text of a row between two columns, the second one not included.
    pub fn text(&self, row: u16, from: u16, to: u16) -> String {
        let width = to.saturating_sub(from);
        self.decoder.screen().rows(from, width).nth(usize::from(row)).unwrap_or_default()
    }

    /// Returns the columns up to the last that shows something.
    pub fn used(&self, row: u16) -> u16 {
        let cells = (0..self.size.cols()).rev();
        let is_used = |col: &u16| {
            let cell = self.decoder.screen().cell(row, *col);
            cell.is_some_and(|cell| {
                cell.is_wide_continuation() || !cell.contents().trim().is_empty()
            })
        };
        { cells }.find(is_used).map_or(0, |col| col + 1)
    }

    /// Returns the first column of the word at a column and the one after its last; a run of blanks
    /// is a word, too.
    pub fn word(&self, row: u16, col: u16) -> (u16, u16) {
        let class = |col: u16| {
            let cell = self.decoder.screen().cell(row, col)?;
            let first = cell.contents().chars().next();
            Some(match first {
                None if cell.is_wide_continuation() => Class::Word,
                None => Class::Blank,
                Some(c) if c.is_whitespace() => Class::Blank,
                // What paths, options and addresses are made of.
                Some(c) if c.is_alphanumeric() || "_-./~:@%+#?&=".contains(c) => Class::Word,
                Some(_) => Class::Other,
            })
        };
        let here = class(col);
        let from = (0..col).rev().take_while(|col| class(*col) == here).last().unwrap_or(col);
        let to = (col..self.size.cols()).take_while(|col| class(*col) == here).last();
        (from, to.unwrap_or(col) + 1)
    }

    /// Returns the first column of each place where a row has a text, and the one after it. Without
    /// capital letters either case is found.
    pub fn find(&self, row: u16, needle: &str) -> Vec<(u16, u16)> {
        let any_case = !needle.chars().any(char::is_uppercase);
        let fold = |text: &str| if any_case { text.to_lowercase() } else { text.to_owned() };
        let needle = fold(needle);
        let mut text = String::new();
        // The column of each byte of the text.
        let mut columns = Vec::new();
        for col in 0..self.size.cols() {
            let Some(cell) = self.decoder.screen().cell(row, col) else { break };
            if cell.is_wide_continuation() {
                continue;
            }
            let shown = if cell.has_contents() { fold(cell.contents()) } else { " ".to_owned() };
            columns.extend(std::iter::repeat_n(col, shown.len()));
            text.push_str(&shown);
        }
        columns.push(self.size.cols());
        if needle.is_empty() {
            return Vec::new();
        }
        let column = |at: usize| columns.get(at).copied().unwrap_or(self.size.cols());
        let found = text.match_indices(&needle);
        found.map(|(at, found)| (column(at), column(at + found.len()))).collect()
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Class {
    Blank,
    Word,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_with_their_colours_and_cut() {
        let still = Still::new(["plain", "\x1b[31mred\x1b[m 日本"], 20);
        let mut buf = Buffer::empty(Rect::new(0, 0, 5, 2));
        still.render(buf.area, 1, &mut buf);
        let row = |y| (0..5).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        assert_eq!((row(0).as_str(), row(1).as_str()), ("lain ", "ed 日 "));
        assert_ne!(buf[(0, 1)].fg, buf[(0, 0)].fg);
    }

    #[test]
    fn words_texts_and_matches_are_found_by_columns() {
        let still = Still::new(["see ~/src/日本.rs:3, ok"], 30);
        assert_eq!(still.word(0, 6), (4, 19));
        assert_eq!(still.text(0, 4, 19), "~/src/日本.rs:3");
        assert_eq!(still.word(0, 19), (19, 20));
        assert_eq!(still.word(0, 25), (23, 30));
        assert_eq!((still.used(0), still.used(9)), (23, 0));
        assert_eq!(still.find(0, "rs"), [(15, 17)]);
        assert_eq!(still.find(0, "日"), [(10, 12)]);
        assert_eq!(still.find(0, "S"), []);
        assert_eq!(still.find(0, ""), []);
    }
}
