//! Keys from an attached terminal, without that terminal's answers to questions.
//!
//! Questions are cut from what an attached terminal gets, but some slip through: it was asked by
//! its own shell, or by a program before the attach. Its answers must not be typed into the
//! program. Keys are never changed and never wait: what could be a key is passed at once, and
//! only what no key begins with is looked at whole.

/// Longest answer that is held until it is complete; longer ones are no answers.
const MOST_HELD: usize = 64;
const ESC: u8 = 0x1b;
const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Removes answers from a stream of keys.
#[derive(Debug, Default)]
pub struct InputFilter {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Between keys.
    #[default]
    Keys,
    /// The start of a key or an answer, and how many of its bytes have been passed on: all of what could be a
    /// key as it was.
    Begun(Vec<u8>, usize),
    /// Inside an answer that is a string; true after an ESC.
    Answer(bool),
    /// Inside a paste, so many bytes of whose end have been seen.
    Paste(usize),
}

/// What the bytes from an ESC on are.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A key, so long.
    Key(usize),
    /// An answer, so long.
    Answer(usize),
    /// The start of an answer that is a string; its introducer is so long.
    AnswerString(usize),
    /// The start of a paste.
    Paste,
    /// Incomplete; may be a key as it is.
    MaybeKey,
    /// Incomplete; cannot be a key as it is.
    NoKeyYet,
}

impl InputFilter {
    /// Returns a filter that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what the program may see of `input` to `out`.
    pub fn filter(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if input.is_empty() {
            return;
        }
        match std::mem::take(&mut self.state) {
            State::Keys => self.keys(input, 0, out),
            // People type one key at a time, terminals answer in one piece: a short piece after
            // a lone ESC is a key of its own.
            State::Begun(bytes, passed) if passed == bytes.len() && input.len() < 3 => {
                self.keys(input, 0, out);
            }
            State::Begun(mut bytes, passed) => {
                bytes.extend_from_slice(input);
                self.keys(&bytes, passed, out);
            }
            State::Answer(escaped) => self.answer(input, escaped, out),
            State::Paste(seen) => self.paste(input, seen, out),
        }
    }

    /// Goes on between keys; the first `passed` bytes are out already.
    fn keys(&mut self, bytes: &[u8], passed: usize, out: &mut Vec<u8>) {
        let mut at = 0;
        let mut emit = |range: std::ops::Range<usize>| {
            let range = range.start.max(passed)..range.end;
            out.extend_from_slice(bytes.get(range).unwrap_or_default());
        };
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| *byte == ESC).unwrap_or(rest.len());
            emit(at..at + plain);
            at += plain;
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
            match verdict(rest) {
                Verdict::Key(len) => {
                    emit(at..at + len);
                    at += len;
                }
                Verdict::Answer(len) => at += len,
                Verdict::AnswerString(len) => {
                    let rest = bytes.get(at + len..).unwrap_or_default();
                    return self.answer(rest, false, out);
                }
                Verdict::Paste => {
                    emit(at..at + PASTE_START.len());
                    let rest = bytes.get(at + PASTE_START.len()..).unwrap_or_default();
                    return self.paste(rest, 0, out);
                }
                Verdict::NoKeyYet if rest.len() <= MOST_HELD => {
                    self.state = State::Begun(rest.to_vec(), passed.saturating_sub(at));
                    return;
                }
                Verdict::NoKeyYet => {
                    emit(at..bytes.len());
                    return;
                }
                Verdict::MaybeKey => {
                    emit(at..bytes.len());
                    self.state = State::Begun(rest.to_vec(), rest.len());
                    return;
                }
            }
        }
    }

    /// Drops the rest of an answer. A control character cannot be part of one: it is a key, and
    /// the answer has been lost half-way.
    fn answer(&mut self, input: &[u8], escaped: bool, out: &mut Vec<u8>) {
        let mut escaped = escaped;
        for (at, byte) in input.iter().enumerate() {
            let rest = input.get(at..).unwrap_or_default();
            match (escaped, *byte) {
                (true, b'\\') | (false, 0x07) => {
                    return self.keys(rest.get(1..).unwrap_or_default(), 0, out);
                }
                (true, _) => {
                    let bytes = [&[ESC], rest].concat();
                    return self.keys(&bytes, 0, out);
                }
                (false, ESC) => escaped = true,
                (false, 0..=0x1f) => return self.keys(rest, 0, out),
                (false, _) => {}
            }
        }
        self.state = State::Answer(escaped);
    }

    /// Passes a paste on, up to its end.
    fn paste(&mut self, input: &[u8], seen: usize, out: &mut Vec<u8>) {
        let mut seen = seen;
        for (at, byte) in input.iter().enumerate() {
            seen = match PASTE_END.get(seen) {
                Some(expected) if expected == byte => seen + 1,
                _ => usize::from(*byte == ESC),
            };
            if seen == PASTE_END.len() {
                out.extend_from_slice(input.get(..=at).unwrap_or_default());
                return self.keys(input.get(at + 1..).unwrap_or_default(), 0, out);
            }
        }
        out.extend_from_slice(input);
        self.state = State::Paste(seen);
    }
}

/// Judges bytes that begin with ESC.
fn verdict(bytes: &[u8]) -> Verdict {
    match bytes {
        [_] | [_, b'[' | b']' | b'P' | b'_'] => Verdict::MaybeKey,
        [_, b'[', rest @ ..] => csi(rest),
        [_, b']', b'0'..=b'9', ..]
        | [_, b'P', b'0'..=b'9' | b'>' | b'!', ..]
        | [_, b'_', b'G', ..] => Verdict::AnswerString(2),
        // The second ESC may begin something of its own.
        [_, ESC, ..] => Verdict::Key(1),
        _ => Verdict::Key(2),
    }
}

/// Judges what follows `ESC [`.
fn csi(rest: &[u8]) -> Verdict {
    let Some(end) = rest.iter().position(|byte| !(b' '..=b'?').contains(byte)) else {
        return match rest.first() {
            // Mouse reports come in floods and may be cut anywhere; they are keys.
            Some(b'<') => Verdict::MaybeKey,
            _ => Verdict::NoKeyYet,
        };
    };
    let len = 2 + end + 1;
    let params = rest.get(..end).unwrap_or_default();
    let last = rest.get(end).copied().unwrap_or_default();
    if params == b"200" && last == b'~' {
        return Verdict::Paste;
    }
    if !(b'@'..=b'~').contains(&last) {
        return Verdict::Key(2 + end);
    }
    if is_answer(params, last) { Verdict::Answer(len) } else { Verdict::Key(len) }
}

fn is_answer(params: &[u8], last: u8) -> bool {
    let private = matches!(params.first(), Some(b'?' | b'>' | b'='));
    match last {
        b'c' | b'u' | b'n' | b'y' | b'm' | b'S' if private => true,
        b'y' => params.ends_with(b"$"),
        // Device status; reports about the window.
        b'n' => true,
        b't' => !params.is_empty(),
        b'R' => private || is_cursor_position(params),
        _ => false,
    }
}

/// `CSI 1 ; 5 R` is F3 with a modifier, `CSI R` is F3: only a row below the first is unambiguous.
fn is_cursor_position(params: &[u8]) -> bool {
    let mut parts = params.split(|byte| *byte == b';');
    let number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(row), Some(col), None) => number(row) && number(col) && row != b"1",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: &[&str] = &[
        "\x1b[?62;22c",
        "\x1b[>1;10;0c",
        "\x1b[0n",
        "\x1b[24;80R",
        "\x1b[?5;6R",
        "\x1b[?2026;2$y",
        "\x1b[4;2$y",
        "\x1b[?0u",
        "\x1b[?997;1n",
        "\x1b[8;24;80t",
        "\x1b[48;24;80;0;0t",
        "\x1b[>4;2m",
        "\x1b]11;rgb:1010/1010/1010\x07",
        "\x1b]4;1;rgb:1010/1010/1010\x1b\\",
        "\x1b]52;c;YQ==\x1b\\",
        "\x1b]7501;?\x1b\\",
        "\x1bP>|xterm(390)\x1b\\",
        "\x1bP1+r524742=38\x1b\\",
        "\x1bP!|00000000\x1b\\",
        "\x1b_Gi=1;OK\x1b\\",
    ];

    const KEYS: &[&str] = &[
        "a",
        "\u{e9}\u{20ac}",
        "\x1b",
        "\x1b\x1b",
        "\x1b[A",
        "\x1bOA",
        "\x1b[1;5R",
        "\x1b[R",
        "\x1b[1;2P",
        "\x1b[13~",
        "\x1b[97;5u",
        "\x1b[97;5:3u",
        "\x1b[<0;10;20M",
        "\x1b[<0;10;20m",
        "\x1b[M !!",
        "\x1b[I",
        "\x1b[O",
        "\x1b]",
        "\x1bP",
        "\x1b_",
        "\x1b[",
        "\x1ba",
        "\x1b\r",
        "\x1b[200~x\x1b[?62;22cy\x1b]11;rgb:1/1/1\x07\x1b[201~",
    ];

    fn filtered(pieces: &[&[u8]]) -> Vec<u8> {
        let mut filter = InputFilter::new();
        let mut out = Vec::new();
        for piece in pieces {
            filter.filter(piece, &mut out);
        }
        out
    }

    #[test]
    fn answers_vanish_between_keys() {
        for answer in ANSWERS {
            let input = format!("x{answer}y");
            assert_eq!(filtered(&[input.as_bytes()]), b"xy", "{answer:?}");
        }
    }

    #[test]
    fn answers_vanish_when_cut_after_their_introducer() {
        for answer in ANSWERS {
            for cut in 3..answer.len() {
                let (a, b) = answer.as_bytes().split_at(cut);
                assert_eq!(filtered(&[b"x", a, b, b"y"]), b"xy", "{answer:?} at {cut}");
            }
        }
    }

    #[test]
    fn the_rest_of_an_answer_cut_within_its_introducer_vanishes() {
        for answer in ANSWERS {
            for cut in 1..3.min(answer.len() - 3) {
                let (a, b) = answer.as_bytes().split_at(cut);
                assert_eq!(filtered(&[a, b, b"y"]), [a, b"y"].concat(), "{answer:?} at {cut}");
            }
        }
    }

    #[test]
    fn keys_pass_unchanged_and_at_once() {
        for key in KEYS {
            assert_eq!(filtered(&[key.as_bytes()]), key.as_bytes(), "{key:?}");
            let input = format!("{key}z");
            if !matches!(*key, "\x1b[" | "\x1b]" | "\x1bP" | "\x1b_") {
                assert_eq!(filtered(&[input.as_bytes()]), input.as_bytes(), "{key:?}");
            }
        }
    }

    #[test]
    fn keys_pass_unchanged_in_pieces() {
        for key in KEYS {
            for cut in 0..=key.len() {
                let (a, rest) = key.as_bytes().split_at(cut);
                assert_eq!(filtered(&[a, b"", rest]), key.as_bytes(), "{key:?} at {cut}");
                // Two bytes behind a lone ESC are a key, not the beginning of a paste.
                let pasted = key.as_bytes().starts_with(PASTE_START);
                for second in 0..=rest.len() * usize::from(!pasted) {
                    let (b, c) = rest.split_at(second);
                    assert_eq!(filtered(&[a, b, c]), key.as_bytes(), "{key:?}: {a:?} {b:?} {c:?}");
                }
            }
            let bytes: Vec<&[u8]> = key.as_bytes().chunks(1).collect();
            assert_eq!(filtered(&bytes), key.as_bytes(), "{key:?} byte by byte");
        }
    }

    #[test]
    fn a_lost_answer_does_not_swallow_keys_for_ever() {
        assert_eq!(filtered(&[b"\x1b]11;rgb:", b"\r", b"abc"]), b"\rabc");
        assert_eq!(filtered(&[b"\x1b]11;rgb:\x03abc"]), b"\x03abc");
    }

    #[test]
    fn endless_parameters_are_let_go() {
        let long = [b"\x1b[?".as_slice(), &[b'1'; 200]].concat();
        assert_eq!(filtered(&[&long]), long);
    }
}
