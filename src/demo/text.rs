//! Styled lines and the two ways of breaking text: at words and at columns.
//!
//! Text that came from outside (a prompt, a paste) passes [`clean`] on its way into a [`Line`], so
//! no control character reaches the terminal except those this module writes.

use unicode_width::UnicodeWidthChar as _;

/// How a piece of text looks; colours are the terminal's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// The terminal's default.
    #[default]
    Plain,
    /// Bold.
    Bold,
    /// Faint.
    Dim,
    /// The accent colour.
    Accent,
    /// Something that worked, or an added line.
    Good,
    /// Something that failed, or a removed line.
    Bad,
    /// Something that waits for the user.
    Warn,
}

impl Tone {
    /// Returns the sequence that switches the tone on.
    fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Accent => "\x1b[36m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Warn => "\x1b[33m",
        }
    }
}

/// One line of styled text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// The pieces from left to right.
    spans: Vec<(Tone, String)>,
}

impl Line {
    /// Starts a line with one piece.
    pub(super) fn new(tone: Tone, text: &str) -> Self {
        Self::default().with(tone, text)
    }

    /// Adds a piece.
    pub(super) fn with(mut self, tone: Tone, text: &str) -> Self {
        self.spans.push((tone, clean(text)));
        self
    }

    /// Adds all pieces of another line.
    pub(super) fn append(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Returns the number of columns the line takes.
    pub(super) fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| width(text)).sum()
    }

    /// Cuts the line to `cols` columns, with `…` at the end when something is lost.
    pub(super) fn cut(mut self, cols: usize) -> Self {
        if self.width() <= cols {
            return self;
        }
        let mut left = cols.saturating_sub(1);
        let mut spans = Vec::new();
        for (tone, text) in self.spans.drain(..) {
            let part = take(&text, left);
            left -= width(&part);
            let lost = part.len() < text.len();
            spans.push((tone, part));
            if lost {
                break;
            }
        }
        if cols > 0 {
            spans.push((Tone::Dim, "…".to_owned()));
        }
        Self { spans }
    }

    /// Fills the line with spaces up to `cols` columns.
    pub(super) fn padded(self, cols: usize) -> Self {
        let missing = cols.saturating_sub(self.width());
        self.with(Tone::Plain, &" ".repeat(missing))
    }

    /// Returns the text without styles.
    #[cfg(test)]
    pub(super) fn plain(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Returns the bytes for the terminal; the line ends in the default style.
    pub(super) fn ansi(&self) -> String {
        let mut out = String::new();
        for (tone, text) in &self.spans {
            if *tone == Tone::Plain || text.is_empty() {
                out.push_str(text);
            } else {
                out.push_str(tone.sgr());
                out.push_str(text);
                out.push_str("\x1b[0m");
            }
        }
        out
    }
}

/// Returns the number of columns of a text.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Returns the number of columns of a character, 0 for control characters.
fn char_width(char: char) -> usize {
    char.width().unwrap_or(0)
}

/// Removes control characters; a tab becomes two spaces.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => out.push_str("  "),
            char if char.is_control() => {}
            char => out.push(char),
        }
    }
    out
}

/// Returns the longest beginning of `text` that fits into `cols` columns.
fn take(text: &str, cols: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|char| {
            used += char_width(*char);
            used <= cols
        })
        .collect()
}

/// Breaks text at words so that no line is wider than `cols`; line breaks in it are kept.
pub(super) fn wrap(text: &str, cols: usize) -> Vec<String> {
    let cols = cols.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in clean(paragraph).split_whitespace() {
            if !line.is_empty() && width(&line) + 1 + width(word) > cols {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            if width(&line) > cols {
                let mut pieces = wrap_columns(&line, cols);
                line = pieces.pop().unwrap_or_default();
                lines.append(&mut pieces);
            }
        }
        lines.push(line);
    }
    lines
}

/// Breaks text at columns and keeps every space; always returns at least one line.
pub(super) fn wrap_columns(text: &str, cols: usize) -> Vec<String> {
    let cols = cols.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for char in clean(paragraph).chars() {
            let wide = char_width(char);
            if used + wide > cols {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(char);
            used += wide;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_words_and_breaks_long_ones() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 10), [""]);
        for cols in [0, 1, 2, 3, 20] {
            let limit = cols.max(2);
            assert!(wrap("日本語のテキスト and more", cols).iter().all(|l| width(l) <= limit));
        }
    }

    #[test]
    fn cuts_with_an_ellipsis() {
        let line = Line::new(Tone::Bold, "hello ").with(Tone::Dim, "wonderful world");
        assert_eq!(line.clone().cut(40), line);
        assert_eq!(line.clone().cut(8).plain(), "hello w…");
        assert_eq!(line.cut(1).plain(), "…");
        assert_eq!(Line::new(Tone::Plain, "日本").cut(3).plain(), "日…");
        assert_eq!(Line::new(Tone::Plain, "x").cut(0).plain(), "");
    }

    #[test]
    fn nothing_hostile_gets_through() {
        let line = Line::new(Tone::Plain, "a\x1b[2Jb\x07\u{9b}31mc\td");
        assert_eq!(line.plain(), "a[2Jb31mc  d");
    }

    #[test]
    fn columns_keep_spaces() {
        assert_eq!(wrap_columns("a  b", 3), ["a  ", "b"]);
        assert_eq!(wrap_columns("", 3), [""]);
    }
}
