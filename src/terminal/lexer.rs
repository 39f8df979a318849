//! Where sequences begin and end, without any state.
//!
//! These functions only look for borders; what a sequence means is decided in [`super::query`]
//! and [`super::osc`] once it is complete.

/// Enquiry: asks for the answerback string.
pub(crate) const ENQ: u8 = 0x05;
/// Rings, or ends an operating system command.
pub(crate) const BEL: u8 = 0x07;
/// Breaks a sequence off.
const CAN: u8 = 0x18;
/// Breaks a sequence off too.
const SUB: u8 = 0x1a;
/// Begins a sequence.
pub(crate) const ESC: u8 = 0x1b;
/// First byte of the C1 controls in UTF-8, which some terminals obey and others print.
pub(crate) const C1_LEAD: u8 = 0xc2;

/// What has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `ESC`, intermediates and a final byte.
    Escape,
    /// A control sequence.
    Csi,
    /// An operating system command.
    Osc,
    /// DCS, APC, PM or SOS.
    String,
}

/// What the rest of a sequence turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The sequence ends before this offset.
    Complete(usize),
    /// It was broken off; what follows from this offset is something else.
    Abandoned(usize),
    /// Not in these bytes.
    Missing,
}

/// Returns what the bytes begin, and the length of its introducer; `None` for a lone ESC.
pub(crate) fn kind_of(bytes: &[u8]) -> Option<(Kind, usize)> {
    match bytes {
        [ESC, b'[', ..] => Some((Kind::Csi, 2)),
        [ESC, b']', ..] => Some((Kind::Osc, 2)),
        [ESC, b'P' | b'_' | b'^' | b'X', ..] => Some((Kind::String, 2)),
        [ESC, _, ..] => Some((Kind::Escape, 1)),
        _ => None,
    }
}

/// Looks for the end of a sequence in `rest`; `last` is the byte before it.
pub(crate) fn end_of(kind: Kind, last: Option<u8>, rest: &[u8]) -> End {
    match kind {
        Kind::Csi => end_of_csi(rest),
        Kind::Escape => end_of_escape(rest),
        Kind::Osc | Kind::String => end_of_string(kind, last, rest),
    }
}

/// Returns the length of a complete control sequence of the kinds that ask nothing and are most
/// of any stream: cursor movement, erasure, SGR, modes.
pub(crate) fn plain_csi(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let private = rest.first() == Some(&b'?');
    let params = rest.get(usize::from(private)..)?;
    let len = params.iter().position(|byte| !matches!(byte, b'0'..=b';'))?;
    let plain = match params.get(len)? {
        b'h' | b'l' => {
            let mut modes = params.get(..len)?.split(|byte| *byte == b';');
            modes.all(|mode| keeps_mode(private, mode))
        }
        b'J' | b'K' => !private && matches!(params.get(..len)?, b"" | b"0" | b"1" | b"2"),
        b'm' | b'H' | b'A'..=b'D' | b'G' | b'd' | b'X' => !private,
        _ => false,
    };
    plain.then_some(2 + usize::from(private) + len + 1)
}

/// Whether our screen keeps a mode, so that viewers may have it, too: what it would not restore for
/// the next one must not reach the first. Modes that switch between the screens are none of them.
pub(crate) fn keeps_mode(private: bool, mode: &[u8]) -> bool {
    if !private {
        return matches!(mode, b"4" | b"20");
    }
    matches!(
        mode,
        b"1" | b"5"
            | b"6"
            | b"7"
            | b"9"
            | b"12"
            | b"25"
            | b"66"
            | b"1000"
            | b"1002"
            | b"1003"
            | b"1004"
            | b"1005"
            | b"1006"
            | b"1007"
            | b"1016"
            | b"1048"
            | b"2004"
            | b"2026"
    )
}

fn end_of_csi(rest: &[u8]) -> End {
    for (at, byte) in rest.iter().enumerate() {
        match *byte {
            b'@'..=b'~' => return End::Complete(at + 1),
            ESC => return End::Abandoned(at),
            CAN | SUB => return End::Abandoned(at + 1),
            _ => {}
        }
    }
    End::Missing
}

fn end_of_escape(rest: &[u8]) -> End {
    for (at, byte) in rest.iter().enumerate() {
        match *byte {
            b' '..=b'/' => {}
            b'0'..=b'~' => return End::Complete(at + 1),
            CAN | SUB => return End::Abandoned(at + 1),
            _ => return End::Abandoned(at),
        }
    }
    End::Missing
}

fn end_of_string(kind: Kind, last: Option<u8>, rest: &[u8]) -> End {
    if last == Some(ESC) {
        match rest.first() {
            Some(b'\\') => return End::Complete(1),
            Some(_) => return End::Abandoned(0),
            None => return End::Missing,
        }
    }
    let mut from = 0;
    while let Some(at) =
        rest.get(from..).and_then(|tail| tail.iter().position(|byte| ends_string(*byte)))
    {
        let at = from + at;
        match (rest.get(at).copied(), rest.get(at + 1)) {
            (Some(BEL), _) if kind == Kind::Osc => return End::Complete(at + 1),
            (Some(CAN | SUB), _) => return End::Abandoned(at + 1),
            (Some(ESC), Some(b'\\')) => return End::Complete(at + 2),
            (Some(ESC), Some(_)) => return End::Abandoned(at),
            (Some(ESC), None) => return End::Missing,
            _ => from = at + 1,
        }
    }
    End::Missing
}

fn ends_string(byte: u8) -> bool {
    matches!(byte, BEL | CAN | SUB | ESC)
}

/// Returns how many bytes from the start need no attention.
pub(crate) fn skip_text(bytes: &[u8]) -> usize {
    skip(bytes, attention)
}

/// Returns how many bytes from the start are printable ASCII.
pub(crate) fn printable(bytes: &[u8]) -> usize {
    skip(bytes, |byte| u8::from(!(b' '..=b'~').contains(&byte)))
}

/// Returns how many bytes from the start are no hits.
#[inline]
fn skip(bytes: &[u8], hit: impl Fn(u8) -> u8) -> usize {
    let mut done = 0;
    let (blocks, _) = bytes.as_chunks::<16>();
    for block in blocks {
        // No early exit inside a block: this loop becomes a few vector instructions.
        if block.iter().fold(0, |hits, byte| hits | hit(*byte)) != 0 {
            break;
        }
        done += block.len();
    }
    let tail = bytes.get(done..).unwrap_or_default();
    done + tail.iter().position(|byte| hit(*byte) != 0).unwrap_or(tail.len())
}

/// Returns 1 for a byte that is not mere text. Without a branch, or it would not be vectorised.
#[inline]
fn attention(byte: u8) -> u8 {
    u8::from(byte == ESC)
        | u8::from(byte == C1_LEAD)
        | u8::from(byte == BEL)
        | u8::from(byte == ENQ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_skipped_up_to_what_needs_attention() {
        for len in [0, 1, 15, 16, 17, 40] {
            for (byte, hit) in
                [(ESC, true), (BEL, true), (ENQ, true), (C1_LEAD, true), (b'\n', false)]
            {
                let mut bytes = vec![b'a'; len];
                bytes.push(byte);
                bytes.extend_from_slice(&[b'b'; 20]);
                assert_eq!(skip_text(&bytes), if hit { len } else { bytes.len() });
            }
        }
    }

    #[test]
    fn only_harmless_control_sequences_are_plain() {
        for (bytes, len) in [("\x1b[31mx", 5), ("\x1b[?25lx", 6), ("\x1b[H", 3), ("\x1b[4:3m", 6)] {
            assert_eq!(plain_csi(bytes.as_bytes()), Some(len), "{bytes:?}");
        }
        for bytes in
            ["\x1b[?4m", "\x1b[c", "\x1b[6n", "\x1b[>4;1m", "\x1b[31", "\x1b]0m", "\x1b[3 q"]
        {
            assert_eq!(plain_csi(bytes.as_bytes()), None, "{bytes:?}");
        }
    }
}
