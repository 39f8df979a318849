//! Which characters share a cell, and how wide it is then: emoji sequences.
//!
//! Programs measure text by what a person sees: an emoji with its selector, its skin tone or its
//! joined partners takes two columns. The engine knows single characters only, so the screen asks
//! here. The rules look at nothing but the cell before the cursor, so that a terminal that was
//! given a snapshot half-way through a sequence goes on as ours does.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::line::Line;
use super::style::{HIDDEN, Style};

/// Joins the emoji before and after it.
pub(crate) const JOINER: char = '\u{200d}';
/// Keeps apart what would be joined; shows nothing.
pub(crate) const NON_JOINER: char = '\u{200c}';
/// Asks for the coloured, wide form of the character before it.
pub(crate) const EMOJI_SELECTOR: char = '\u{fe0f}';

/// Most marks on one character of a frame; the decoder's cells hold 22 bytes.
const MOST_MARKS: usize = 4;

/// Whether a character is of the few that may go into the cell before it: a quick look that spares
/// text and the lines of boxes a slow one.
#[inline]
pub(crate) fn may_join(c: char) -> bool {
    // Most text ends the look here.
    c >= '\u{2190}'
        && matches!(c, '\0'..='\u{24ff}' | '\u{2600}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether `c` goes into a cell that begins with `base` and so far ends with `last`.
pub(crate) fn joins(base: char, last: char, c: char) -> bool {
    if !may_join(c) {
        false
    } else if is_skin_tone(c) {
        last.width().unwrap_or(0) > 0 && !is_skin_tone(last) && columns([last, c]) == 2
    } else {
        last == JOINER && is_emoji(base) && is_emoji(c)
    }
}

/// Whether a narrow character becomes a wide one with [`EMOJI_SELECTOR`] behind it.
pub(crate) fn widens(base: char) -> bool {
    columns([base]) == 1 && columns([base, EMOJI_SELECTOR]) == 2
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

fn is_emoji(c: char) -> bool {
    may_join(c) && columns([c, EMOJI_SELECTOR]) == 2
}

fn columns<const N: usize>(chars: [char; N]) -> usize {
    String::from_iter(chars).width()
}

/// What a character is to the cell that it goes into.
enum Part {
    /// A mark on it.
    Mark,
    /// It makes the cell wide.
    Widening,
    /// It is joined, or shows nothing.
    Joined,
}

/// A cell while its characters are read.
struct Reading {
    base: char,
    last: char,
    width: usize,
}

impl Reading {
    fn new(base: char) -> Self {
        // One character of Khmer has three columns; no cell has.
        Self { base, last: base, width: base.width().unwrap_or(0).min(2) }
    }

    /// Takes the next character, `None` if it begins another cell.
    fn take(&mut self, c: char) -> Option<Part> {
        let part = if c.width().unwrap_or(0) > 0 {
            if !joins(self.base, self.last, c) {
                return None;
            }
            let was = std::mem::replace(&mut self.width, 2);
            if was == 2 { Part::Joined } else { Part::Widening }
        } else if c == EMOJI_SELECTOR && self.last == self.base && widens(self.base) {
            self.width = 2;
            Part::Widening
        } else if matches!(c, JOINER | NON_JOINER | '\u{fe00}'..='\u{fe0f}') {
            Part::Joined
        } else {
            Part::Mark
        };
        self.last = c;
        Some(part)
    }
}

/// A cell as a frame carries it: without what the decoder would not put into one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glyph {
    base: char,
    marks: [char; MOST_MARKS],
    count: usize,
    /// Its columns.
    pub(crate) width: usize,
    /// Its style, as far as frames carry it.
    pub(crate) style: Style,
}

impl Glyph {
    fn mark(&mut self, mark: char) {
        if let Some(place) = self.marks.get_mut(self.count) {
            *place = mark;
            self.count += 1;
        }
    }

    /// Asks for two columns; the decoder listens right behind the first character only.
    fn widen(&mut self) {
        self.marks.rotate_right(1);
        self.marks[0] = EMOJI_SELECTOR;
        self.count = (self.count + 1).min(MOST_MARKS);
    }

    /// The same without its text: hidden text keeps its columns.
    fn hide(&mut self) {
        self.base = ' ';
        self.marks = Default::default();
        self.count = 0;
    }

    /// Appends its characters.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.base == ' ' && self.width == 2 {
            out.push(b' ');
        }
        for c in std::iter::once(&self.base).chain(self.marks.iter().take(self.count)) {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Returns the cells of a row for a frame.
pub(crate) fn glyphs(line: &Line) -> impl Iterator<Item = Glyph> + '_ {
    let styles = line
        .runs
        .iter()
        .flat_map(|(count, style)| std::iter::repeat_n(*style, *count))
        .chain(std::iter::repeat(Style::default()));
    let mut chars = line.text.chars().zip(styles).peekable();
    std::iter::from_fn(move || {
        let (base, style) = chars.next()?;
        let mut reading = Reading::new(base);
        let mut glyph = Glyph {
            // The decoder leaves this one out, and what follows would move.
            base: if base == char::REPLACEMENT_CHARACTER { '?' } else { base },
            marks: Default::default(),
            count: 0,
            width: 0,
            style: style.for_frames(),
        };
        while let Some((c, _)) = chars.peek() {
            match reading.take(*c) {
                Some(Part::Mark) => glyph.mark(*c),
                Some(Part::Widening) => glyph.widen(),
                Some(Part::Joined) => {}
                None => break,
            }
            chars.next();
        }
        glyph.width = reading.width;
        if style.attrs & HIDDEN != 0 {
            glyph.hide();
        }
        Some(glyph)
    })
}

/// Returns a text with escape sequences so that the frames' decoder gives it the columns it has here.
pub(crate) fn simplified(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c == JOINER || is_skin_tone(c)) {
        return Cow::Borrowed(text);
    }
    let mut simple = String::with_capacity(text.len());
    let mut reading: Option<Reading> = None;
    for c in text.chars() {
        match reading.as_mut().and_then(|reading| reading.take(c)) {
            Some(Part::Mark) => simple.push(c),
            Some(Part::Widening) => simple.push(EMOJI_SELECTOR),
            Some(Part::Joined) => {}
            None => {
                simple.push(c);
                reading = Some(Reading::new(c));
            }
        }
    }
    Cow::Owned(simple)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_that_unicode_recommends_are_one_cell_of_two_columns() {
        for sequence in [
            "\u{2764}\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f44d}\u{1f3fd}",
            "\u{261d}\u{1f3fd}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f3c3}\u{1f3fd}\u{200d}\u{2642}\u{fe0f}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{1f469}\u{1f3fd}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f48b}\u{200d}\u{1f468}\u{1f3fd}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}",
        ] {
            let line = Line { text: format!("{sequence}x"), ..Line::default() };
            let widths: Vec<usize> = glyphs(&line).map(|glyph| glyph.width).collect();
            assert_eq!(widths, [2, 1], "{sequence}");
        }
    }

    #[test]
    fn what_is_no_sequence_stays_apart() {
        for (text, widths) in [
            ("\u{1f468}\u{1f469}", &[2, 2][..]),
            ("\u{1f468}\u{200c}\u{1f3fd}", &[2, 2]),
            ("\u{65e5}\u{200d}\u{1f469}", &[2, 2]),
            ("\u{1f468}\u{200d}1", &[2, 1]),
            ("\u{1f468}\u{200d}\u{2500}", &[2, 1]),
            ("a\u{1f3fd}", &[1, 2]),
            ("\u{1f3fd}\u{1f3fd}", &[2, 2]),
            ("a\u{fe0f}b", &[1, 1]),
        ] {
            let line = Line { text: text.to_owned(), ..Line::default() };
            let found: Vec<usize> = glyphs(&line).map(|glyph| glyph.width).collect();
            assert_eq!(found, widths, "{text:?}");
        }
    }

    #[test]
    fn joined_partners_are_left_out_and_styles_stay() {
        let text = "\x1b[1m\u{1f468}\u{200d}\u{1f469}\x1b[m\u{261d}\u{1f3fd}e\u{301}";
        assert_eq!(simplified(text), "\x1b[1m\u{1f468}\x1b[m\u{261d}\u{fe0f}e\u{301}");
        assert!(matches!(simplified("\x1b[1mplain"), Cow::Borrowed(_)));
    }
}
