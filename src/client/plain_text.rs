//! Recorded output made into text: what an agent wrote without what it told its terminal. Where it goes
//! on further right instead of writing blanks, blanks are written.

use anstream::adapter::StripBytes;

/// No screen is wider.
const WIDEST: usize = 500;

/// Finds where an agent goes on in another line without ending the one before, as everything does that
/// paints a screen: put into one line, its pieces could not be read.
#[derive(Debug, Default)]
struct Lines {
    within: Within,
    /// The cursor was moved to another line, or back in this one.
    is_moved: bool,
    /// The line has text.
    has_text: bool,
    /// The first number of the sequence that goes on.
    number: usize,
    /// So many columns were stepped over before what comes next.
    skipped: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Within {
    #[default]
    Text,
    Escape,
    Control,
    /// A text that is none: a title, a report.
    Message,
}

impl Lines {
    /// Returns the bytes with line ends where the agent went to another line.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.look(*byte, &mut out);
            out.push(*byte);
        }
        out
    }

    fn look(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.within = match (self.within, byte) {
            (_, 0x1b) => Within::Escape,
            (Within::Escape, b'[') => {
                self.number = 0;
                Within::Control
            }
            (Within::Escape, b']' | b'P' | b'X' | b'^' | b'_') => Within::Message,
            (Within::Control, 0x40..=0x7e) => {
                self.is_moved |= b"ABEFHJdf".contains(&byte);
                match byte {
                    b'C' | b'a' => self.skipped += self.number.clamp(1, WIDEST),
                    // Which column it left nobody knows; two words are never one.
                    b'G' | b'`' => self.skipped = self.skipped.max(1),
                    _ => {}
                }
                Within::Text
            }
            (Within::Message, 0x07) | (Within::Escape, _) => Within::Text,
            (Within::Control, digit @ b'0'..=b'9') => {
                self.number = (self.number * 10 + usize::from(digit - b'0')).min(WIDEST);
                Within::Control
            }
            (within @ (Within::Control | Within::Message), _) => within,
            (Within::Text, b'\n') => {
                (self.is_moved, self.has_text, self.skipped) = (false, false, 0);
                Within::Text
            }
            (Within::Text, byte) => {
                self.is_moved |= byte == b'\r';
                if byte >= 0x20 {
                    if self.is_moved && self.has_text {
                        out.push(b'\n');
                    } else if self.has_text {
                        out.extend(std::iter::repeat_n(b' ', self.skipped.min(WIDEST)));
                    }
                    self.skipped = 0;
                    (self.is_moved, self.has_text) = (false, true);
                }
                Within::Text
            }
        };
    }
}

/// Makes text that can be shown of what an agent wrote: no escape sequence and no control character
/// may reach the reader's terminal, whatever the agent tries and however its output is cut.
#[derive(Debug, Default)]
pub struct PlainText {
    lines: Lines,
    strip: StripBytes,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

impl PlainText {
    /// Takes in what the agent wrote next and adds what can be shown of it to `text`, as UTF-8.
    pub fn take(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for part in self.strip.strip_next(&self.lines.take(bytes)) {
            self.partial.extend_from_slice(part);
        }
        let bytes = std::mem::take(&mut self.partial);
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let shown =
                chunk.valid().chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
            text.extend(shown.collect::<String>().into_bytes());
            // Four bytes make a character at most: what is longer is no beginning of one.
            let invalid = chunk.invalid();
            if chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none())
            {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_painted_elsewhere_stands_in_a_line_of_its_own() {
        let painted = b"one\x1b[2;1Htwo\x1b[31m red\x1b[m\r\n\x1b]2;title\x07\r10 %\r20 %\x1b[Kx\n";
        for size in 1..painted.len() {
            let mut plain = PlainText::default();
            let mut text = Vec::new();
            for piece in painted.chunks(size) {
                plain.take(piece, &mut text);
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text, "one\ntwo red\n10 %\n20 %x\n", "{size}");
        }
    }

    #[test]
    fn columns_that_are_stepped_over_are_blanks() {
        let stepped =
            b"Claude\x1b[1CCode\x1b[3C2.1\x1b[39m\x1b[20Gx\r\n\x1b[5Cy\x1b[999999999Cz\x1b[C\n";
        for size in 1..stepped.len() {
            let mut plain = PlainText::default();
            let mut text = Vec::new();
            for piece in stepped.chunks(size) {
                plain.take(piece, &mut text);
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text, format!("Claude Code   2.1 x\ny{}z\n", " ".repeat(WIDEST)), "{size}");
        }
    }

    #[test]
    fn nothing_but_text_comes_out_however_it_is_cut() {
        let hostile =
            b"a\x1b[31mb\xe2\x1b[32mc\xc2\x9b33md\x7f\x0e\x1b]0;t\x07e\xe2\x82\xacf\r\n\xff\tg";
        for size in 1..hostile.len() {
            let mut plain = PlainText::default();
            let mut text = Vec::new();
            for piece in hostile.chunks(size) {
                plain.take(piece, &mut text);
            }
            let text = String::from_utf8(text).unwrap();
            let bad = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
            assert_eq!(bad, None, "{size}: {text:?}");
            assert!(text.contains("e\u{20ac}f\n"), "{size}: {text:?}");
        }
    }
}
