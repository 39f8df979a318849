//! Makes text of what arrives: whole characters in UTF-8, whatever bytes a program sends.
//!
//! What is no text becomes U+FFFD here, once, as the standard library does it: terminals disagree on how
//! many they show for it, and a viewer's cursor would be somewhere else than ours. Invariant: what leaves is
//! valid, and at most three bytes are kept back, the beginning of a character.

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The state between two batches.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    held: Vec<u8>,
}

impl Whole {
    /// Returns what takes the place of the next batch; `None` when it can stay as it is.
    pub(crate) fn take(&mut self, input: &[u8]) -> Option<Vec<u8>> {
        if self.held.is_empty() && std::str::from_utf8(input).is_ok() {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(input);
        let mut whole = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            let (text, after) = rest.split_at(error.valid_up_to());
            whole.extend_from_slice(text);
            let Some(length) = error.error_len() else {
                self.held = after.to_vec();
                return Some(whole);
            };
            whole.extend_from_slice(REPLACEMENT);
            rest = after.get(length..).unwrap_or_default();
        }
        whole.extend_from_slice(rest);
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pieces: &[&[u8]]) -> String {
        let mut whole = Whole::default();
        let all: Vec<u8> =
            pieces.iter().flat_map(|it| whole.take(it).unwrap_or_else(|| it.to_vec())).collect();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn text_stays_as_it_is_however_it_is_cut() {
        let text = "a\u{1b}[1mé€🦀\u{301}z";
        assert_eq!(Whole::default().take(text.as_bytes()), None);
        for size in 1..6 {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            assert_eq!(taken(&pieces), text, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_soon_as_that_is_known() {
        for (bytes, text) in [
            (&b"a\xd7b"[..], "a\u{fffd}b"),
            // A second beginning says that the first was none; it may itself be one.
            (b"\xd7\xd7", "\u{fffd}"),
            (b"\xd7\xd7\x90", "\u{fffd}\u{5d0}"),
            (b"\xe2\xa3\x1b[H", "\u{fffd}\u{1b}[H"),
            (b"\x9b1m\x80", "\u{fffd}1m\u{fffd}"),
        ] {
            assert_eq!(taken(&[bytes]), text);
            let pieces: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(taken(&pieces), text);
        }
    }
}
