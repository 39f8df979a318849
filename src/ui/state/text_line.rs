//! One line of text being typed: the text and where the cursor is in it.
//!
//! Invariant: the cursor is a count of characters, at most as many as there are, and the text has
//! no control characters.

/// The longest line, in characters; what is pasted beyond it is dropped.
const MAX: usize = 4096;

/// A line and its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct TextLine {
    text: String,
    cursor: usize,
}

impl TextLine {
    /// Returns a line with the cursor at its end.
    pub(in crate::ui) fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.insert_text(text);
        line
    }

    /// The text.
    pub(in crate::ui) fn text(&self) -> &str {
        &self.text
    }

    /// The text before and from the cursor.
    pub(in crate::ui) fn split(&self) -> (&str, &str) {
        self.text.split_at(self.byte(self.cursor))
    }

    /// Whether there is nothing but blanks.
    pub(in crate::ui) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Empties it.
    pub(in crate::ui) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Types text; line ends and tabs become blanks, other control characters go.
    pub(in crate::ui) fn insert_text(&mut self, text: &str) {
        for c in text.trim_end_matches(['\r', '\n']).chars() {
            match c {
                '\n' | '\t' => self.insert(' '),
                c if c.is_control() => {}
                c => self.insert(c),
            }
        }
    }

    /// Types a character.
    pub(in crate::ui) fn insert(&mut self, c: char) {
        if self.text.chars().count() < MAX {
            self.text.insert(self.byte(self.cursor), c);
            self.cursor += 1;
        }
    }

    /// Removes the character before the cursor.
    pub(in crate::ui) fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.delete();
        }
    }

    /// Removes the character at the cursor.
    pub(in crate::ui) fn delete(&mut self) {
        let at = self.byte(self.cursor);
        if at < self.text.len() {
            self.text.remove(at);
        }
    }

    /// Removes the word before the cursor.
    pub(in crate::ui) fn delete_word(&mut self) {
        let (before, after) = self.split();
        let kept = before.trim_end().rsplit_once(' ').map_or("", |(kept, _)| kept);
        let kept = if kept.is_empty() { String::new() } else { format!("{kept} ") };
        let (cursor, text) = (kept.chars().count(), kept + after);
        *self = Self { text, cursor };
    }

    /// Moves the cursor by a character.
    pub(in crate::ui) fn step(&mut self, forward: bool) {
        self.cursor = if forward {
            (self.cursor + 1).min(self.text.chars().count())
        } else {
            self.cursor.saturating_sub(1)
        };
    }

    /// Moves the cursor to the start or the end.
    pub(in crate::ui) fn jump(&mut self, to_end: bool) {
        self.cursor = if to_end { self.text.chars().count() } else { 0 };
    }

    /// The byte at which a character begins.
    fn byte(&self, at: usize) -> usize {
        self.text.char_indices().nth(at).map_or(self.text.len(), |(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_characters() {
        let mut line = TextLine::new("añb\u{1b}[1m\n");
        assert_eq!(line.text(), "añb[1m");
        for _ in 0..3 {
            line.backspace();
        }
        line.step(false);
        line.backspace();
        assert_eq!((line.text(), line.split()), ("ab", ("a", "b")));
        line.jump(false);
        line.backspace();
        line.delete();
        assert_eq!(line.text(), "b");
    }

    #[test]
    fn words_are_removed_before_the_cursor() {
        let mut line = TextLine::new("one two three");
        line.delete_word();
        assert_eq!(line.split(), ("one two ", ""));
        line.delete_word();
        line.delete_word();
        assert_eq!(line.split(), ("", ""));
    }
}
