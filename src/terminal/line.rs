//! One row of text outside the grid: characters and style runs, and its compact encoding.
//!
//! Encoded rows are what the history ring stores. Layout: varint length of the text, one byte of
//! flags, the text in UTF-8, and for styled rows a varint length and the runs, each a varint
//! (twice the count of characters, plus one for the default style) and a [`Style`]. Hyperlinks are not kept.

use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{Color, NamedColor};

use super::cluster::{NON_JOINER, joins, may_join};
use super::style::{STYLE_FLAGS, Style};

/// The row went on in the next one without a line break.
const WRAPPED: u8 = 1;
/// Style runs follow the text.
const STYLED: u8 = 2;

/// One decoded row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    /// The text without trailing blanks.
    pub(crate) text: String,
    /// Number of characters and their style; what is left over has the default style.
    pub(crate) runs: Vec<(usize, Style)>,
    /// Whether the row went on in the next one without a line break.
    pub(crate) wrapped: bool,
}

/// Buffers for encoding, kept between rows so that a scrolling screen allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct LineEncoder {
    text: Vec<u8>,
    runs: Vec<u8>,
}

/// What decides whether two neighbouring cells look alike, without computing their styles.
#[derive(PartialEq, Clone, Copy)]
struct Look {
    fg: Color,
    bg: Color,
    flags: Flags,
}

const PLAIN: Look = Look {
    fg: Color::Named(NamedColor::Foreground),
    bg: Color::Named(NamedColor::Background),
    flags: Flags::empty(),
};

impl Look {
    #[inline]
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, flags: cell.flags & STYLE_FLAGS }
    }
}

/// Whether the cell shows nothing at all.
#[inline]
pub(crate) fn is_blank(cell: &Cell) -> bool {
    cell.bg == PLAIN.bg && shows_background(cell)
}

/// Whether the cell shows its background alone: what it would look like otherwise, nobody sees.
#[inline]
pub(crate) fn shows_background(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t' | '\0')
        && !cell.flags.intersects(
            Flags::INVERSE
                | Flags::ALL_UNDERLINES
                | Flags::STRIKEOUT
                | Flags::WIDE_CHAR
                | Flags::WIDE_CHAR_SPACER,
        )
        && cell.zerowidth().is_none_or(<[char]>::is_empty)
}

/// Whether a character printed behind the cell would go into it.
pub(crate) fn would_join(cell: &Cell, c: char) -> bool {
    let last = cell.zerowidth().and_then(<[char]>::last);
    joins(cell.c, last.copied().unwrap_or(cell.c), c)
}

/// Whether the character, printed behind these cells of a row, would go into the last of them.
pub(crate) fn is_stranger(before: &[Cell], c: char) -> bool {
    let mut before = before.iter().rev();
    let last = before.find(|cell| !cell.flags.contains(Flags::WIDE_CHAR_SPACER));
    last.is_some_and(|cell| would_join(cell, c))
}

/// Returns how many cells of the row show something or stand before one that does.
pub(crate) fn visible_len(row: &[Cell]) -> usize {
    row.iter().rposition(|cell| !is_blank(cell)).map_or(0, |last| last + 1)
}

/// Whether the row went on in the next one without a line break.
pub(crate) fn is_wrapped(row: &[Cell]) -> bool {
    row.last().is_some_and(|cell| cell.flags.contains(Flags::WRAPLINE))
}

/// Appends the encoding of a row of unstyled ASCII to `out`.
pub(crate) fn encode_plain(text: &[u8], out: &mut Vec<u8>) {
    let text = text.trim_ascii_end();
    push_varint(text.len(), out);
    out.push(0);
    out.extend_from_slice(text);
}

impl LineEncoder {
    /// Appends the encoded row to `out`.
    pub(crate) fn encode(&mut self, row: &[Cell], out: &mut Vec<u8>) {
        let wrapped = is_wrapped(row);
        let len = if wrapped { row.len() } else { visible_len(row) };
        self.text.clear();
        self.runs.clear();
        let cells = row.get(..len).unwrap_or(row);
        if !self.plain(cells) {
            self.text.clear();
            self.styled(cells);
        }
        push_varint(self.text.len(), out);
        let styled = !self.runs.is_empty();
        out.push(if wrapped { WRAPPED } else { 0 } | if styled { STYLED } else { 0 });
        out.extend_from_slice(&self.text);
        if styled {
            push_varint(self.runs.len(), out);
            out.extend_from_slice(&self.runs);
        }
    }

    /// Takes over a row of unstyled ASCII; returns false, with part of it done, if it is not one.
    #[inline]
    fn plain(&mut self, cells: &[Cell]) -> bool {
        const LAYOUT: Flags =
            Flags::WIDE_CHAR.union(Flags::WIDE_CHAR_SPACER).union(Flags::LEADING_WIDE_CHAR_SPACER);
        self.text.resize(cells.len(), 0);
        for (bytes, cells) in self.text.chunks_mut(16).zip(cells.chunks(16)) {
            // Without a branch for each condition: most rows pass.
            let mut other = 0;
            for (byte, cell) in bytes.iter_mut().zip(cells) {
                let code = u32::from(cell.c);
                *byte = code.to_le_bytes()[0];
                other |= u8::from(!(0x20..=0x7e).contains(&code))
                    | u8::from(cell.fg != PLAIN.fg)
                    | u8::from(cell.bg != PLAIN.bg)
                    | u8::from(cell.flags.intersects(LAYOUT.union(STYLE_FLAGS)))
                    | u8::from(cell.extra.is_some());
            }
            if other != 0 {
                return false;
            }
        }
        true
    }

    fn styled(&mut self, cells: &[Cell]) {
        let mut look = PLAIN;
        let mut style = Style::default();
        let mut line_color = None;
        let mut chars = 0;
        for (at, cell) in cells.iter().enumerate() {
            // Where a wide character had no room there is nothing but perhaps a colour.
            let leading = cell.flags.contains(Flags::LEADING_WIDE_CHAR_SPACER) && is_blank(cell);
            if leading || cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                continue;
            }
            if may_join(cell.c) && is_stranger(cells.get(..at).unwrap_or_default(), cell.c) {
                // Two cells all the same: read back, they would be one.
                chars += 1;
                self.push_char(NON_JOINER);
            }
            let next = Look::of(cell);
            if next == look && cell.extra.is_none() && line_color.is_none() && cell.c >= ' ' {
                chars += 1;
                self.push_char(cell.c);
                continue;
            }
            let next_color = cell.extra.as_ref().and_then(|_| cell.underline_color());
            if next != look || next_color != line_color {
                (look, line_color) = (next, next_color);
                // What is kept in another form may look the same.
                let next = Style::of(cell);
                if next != style {
                    self.run(chars, &style);
                    (chars, style) = (0, next);
                }
            }
            let c = if matches!(cell.c, '\t' | '\0') { ' ' } else { cell.c };
            chars += 1;
            self.push_char(c);
            if let Some(marks) = cell.zerowidth() {
                for mark in marks {
                    chars += 1;
                    self.push_char(*mark);
                }
            }
        }
        if style != Style::default() {
            self.run(chars, &style);
        }
    }

    fn run(&mut self, chars: usize, style: &Style) {
        if chars > 0 {
            let plain = *style == Style::default();
            push_varint(chars << 1 | usize::from(plain), &mut self.runs);
            if !plain {
                style.encode(&mut self.runs);
            }
        }
    }

    #[inline]
    fn push_char(&mut self, c: char) {
        if let Ok(byte @ 0..=0x7f) = u8::try_from(c) {
            self.text.push(byte);
        } else {
            self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

impl Line {
    /// Returns the row of a grid.
    pub(crate) fn of(row: &[Cell]) -> Self {
        let mut bytes = Vec::new();
        LineEncoder::default().encode(row, &mut bytes);
        Self::decode(&mut bytes.as_slice()).unwrap_or_default()
    }

    /// Reads one encoded row and moves `bytes` past it, `None` if it is damaged or absent.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (text, flags, mut runs_bytes) = split(bytes)?;
        let mut runs = Vec::new();
        while !runs_bytes.is_empty() {
            let count = take_varint(&mut runs_bytes)?;
            let style = match count & 1 {
                0 => Style::decode(&mut runs_bytes)?,
                _ => Style::default(),
            };
            runs.push((count >> 1, style));
        }
        let text = String::from_utf8_lossy(text).into_owned();
        Some(Self { text, runs, wrapped: flags & WRAPPED != 0 })
    }

    /// Moves `bytes` past one encoded row without decoding it.
    pub(crate) fn skip(bytes: &mut &[u8]) -> Option<()> {
        split(bytes).map(|_| ())
    }

    /// Returns the text with SGR sequences between its runs and none left open at the end.
    pub(crate) fn styled(&self) -> String {
        let mut out = Vec::with_capacity(self.text.len() + 16);
        self.write_styled(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Appends what [`Line::styled`] returns.
    pub(crate) fn write_styled(&self, out: &mut Vec<u8>) {
        let mut rest = self.text.as_str();
        let mut open = false;
        for (chars, style) in &self.runs {
            let end = rest.char_indices().nth(*chars).map_or(rest.len(), |(at, _)| at);
            let (run, after) = rest.split_at(end);
            if open || *style != Style::default() {
                style.write_sgr(out);
            }
            open = *style != Style::default();
            out.extend_from_slice(run.as_bytes());
            rest = after;
        }
        if open {
            out.extend_from_slice(b"\x1b[m");
        }
        out.extend_from_slice(rest.as_bytes());
    }
}

/// Splits one encoded row into text, flags and runs.
fn split<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], u8, &'a [u8])> {
    let text_len = take_varint(bytes)?;
    let (flags, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(text_len)?;
    *bytes = rest;
    let runs = if flags & STYLED == 0 {
        &[][..]
    } else {
        let runs_len = take_varint(bytes)?;
        let (runs, rest) = bytes.split_at_checked(runs_len)?;
        *bytes = rest;
        runs
    };
    Some((text, *flags, runs))
}

fn push_varint(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f).to_le_bytes()[0];
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    for shift in [0, 7, 14, 21, 28] {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::style::{BOLD, Tint};

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 20] {
            let mut bytes = Vec::new();
            push_varint(value, &mut bytes);
            assert_eq!(take_varint(&mut bytes.as_slice()), Some(value));
        }
    }

    #[test]
    fn damaged_rows_are_refused() {
        for bytes in [&b""[..], &[5, 0, b'a'], &[1, STYLED, b'a', 9], &[0xff; 8]] {
            assert_eq!(Line::decode(&mut &bytes[..]), None);
        }
    }

    #[test]
    fn runs_become_sgr_and_are_closed() {
        let red = Style { fg: Tint::Indexed(1), attrs: BOLD, ..Style::default() };
        let line = Line {
            text: "ab\u{e9}cd".into(),
            runs: vec![(2, Style::default()), (1, red)],
            wrapped: false,
        };
        assert_eq!(line.styled(), "ab\x1b[0;1;31m\u{e9}\x1b[mcd");
    }
}
