//! Finds the key that leaves an attached terminal among what the terminal sends.
//!
//! Invariant: nothing that is pasted leaves, and no key is changed; only the unfinished beginning of
//! a long form of the key, or of a paste, waits for the next piece.

const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// A shorter beginning may be a key of its own: ESC, or alt-[.
const LEAST_HELD: usize = 3;

/// Looks for the key.
#[derive(Debug, Default)]
pub struct LeaveKey {
    forms: Vec<Vec<u8>>,
    held: Vec<u8>,
    /// The end of the last piece, where a paste may begin that did not wait for its beginning.
    passed: &'static [u8],
    in_paste: bool,
}

/// What a piece of input holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// What was typed, up to the key.
    pub bytes: Vec<u8>,
    /// The key follows.
    pub leaves: bool,
}

impl LeaveKey {
    /// Returns one that knows all forms in which a terminal may send the key.
    pub fn new(forms: Vec<Vec<u8>>) -> Self {
        Self { forms, ..Self::default() }
    }

    /// Looks through the next piece.
    pub fn look(&mut self, input: &[u8]) -> Typed {
        let mut bytes = std::mem::take(&mut self.held);
        // Alone it was typed, whatever a paste that never ended says.
        if bytes.is_empty() && self.forms.iter().any(|form| form == input) {
            return Typed { bytes, leaves: true };
        }
        bytes.extend_from_slice(input);
        let whole = [self.passed, bytes.as_slice()].concat();
        self.in_paste |= !self.passed.is_empty() && whole.starts_with(PASTE_START);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.in_paste {
                self.in_paste = !rest.starts_with(PASTE_END);
            } else if rest.starts_with(PASTE_START) {
                self.in_paste = true;
            } else if self.forms.iter().any(|form| rest.starts_with(form)) {
                bytes.truncate(at);
                return Typed { bytes, leaves: true };
            }
            if self.is_beginning(rest) {
                self.held = bytes.split_off(at);
                break;
            }
            at += 1;
        }
        let mut beginnings = (1..LEAST_HELD).rev().filter_map(|length| PASTE_START.get(..length));
        self.passed = beginnings.find(|start| bytes.ends_with(start)).unwrap_or_default();
        Typed { bytes, leaves: false }
    }

    /// Whether the rest may go on to be what matters here.
    fn is_beginning(&self, rest: &[u8]) -> bool {
        let begins = |whole: &[u8]| whole.len() > rest.len() && whole.starts_with(rest);
        if self.in_paste {
            begins(PASTE_END)
        } else {
            rest.len() >= LEAST_HELD
                && (begins(PASTE_START) || self.forms.iter().any(|form| begins(form)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LeaveKey {
        LeaveKey::new([&b"\x1c"[..], b"\x1b[92;5u", b"\x1b[27;5;92~"].map(<[u8]>::to_vec).into())
    }

    fn typed(bytes: &[u8], leaves: bool) -> Typed {
        Typed { bytes: bytes.to_vec(), leaves }
    }

    #[test]
    fn it_is_found_in_every_form_and_what_came_before_is_typed() {
        for form in [&b"\x1c"[..], b"\x1b[92;5u", b"\x1b[27;5;92~"] {
            assert_eq!(key().look(&[b"abc", form, b"d"].concat()), typed(b"abc", true));
        }
        assert_eq!(key().look(b"\x1b[A"), typed(b"\x1b[A", false));
    }

    #[test]
    fn it_is_found_however_it_is_cut_and_other_keys_do_not_wait() {
        for cut in 3..7 {
            let (first, second) = b"\x1b[92;5u".split_at(cut);
            let mut key = key();
            assert_eq!(key.look(first), typed(b"", false));
            assert_eq!(key.look(second), typed(b"", true));
        }
        for alone in [&b"\x1b"[..], b"\x1b[", b"\x1b[B", b"\x1b[2~", b"9"] {
            assert_eq!(key().look(alone), typed(alone, false));
        }
        let mut key = key();
        assert_eq!(key.look(b"\x1b[92"), typed(b"", false));
        assert_eq!(key.look(b";2u"), typed(b"\x1b[92;2u", false));
    }

    #[test]
    fn a_paste_may_hold_it() {
        let text = b"a\x1b[200~b\x1cc\x1b[92;5ud\x1b[201~e";
        for cut in 0..text.len() {
            let (first, second) = text.split_at(cut);
            let mut key = key();
            let (first, second) = (key.look(first), key.look(second));
            assert_eq!(typed(&[first.bytes, second.bytes].concat(), false), typed(text, false));
            assert!(!first.leaves && !second.leaves, "{cut}");
            assert_eq!(key.look(b"x\x1c"), typed(b"x", true));
        }
    }

    #[test]
    fn a_paste_that_never_ends_does_not_lock_one_in() {
        let mut key = key();
        assert_eq!(key.look(b"\x1b[200~text"), typed(b"\x1b[200~text", false));
        assert_eq!(key.look(b"\x1c"), typed(b"", true));
    }
}
