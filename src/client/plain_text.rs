//! Recorded output made into text: what an agent wrote without what it told its terminal.

use anstream::adapter::StripBytes;

/// Makes text that can be shown of what an agent wrote: no escape sequence and no control character
/// may reach the reader's terminal, whatever the agent tries and however its output is cut.
#[derive(Debug, Default)]
pub struct PlainText {
    strip: StripBytes,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

impl PlainText {
    /// Takes in what the agent wrote next and adds what can be shown of it to `text`, as UTF-8.
    pub fn take(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for part in self.strip.strip_next(bytes) {
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
