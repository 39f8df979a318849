//! The questions programs ask a terminal, and what is done with each escape sequence.
//!
//! A sequence that asks is cut from what viewers get: their terminals would answer too, and a
//! late second answer is typed into the program. So is one that our screen does not carry out:
//! terminals differ in what they know, and what only one viewer's knows (margins, rectangles,
//! double-height lines, other keyboards) would be lost for the next. Invariant: a viewer's screen
//! is changed by nothing that does not change ours.

use super::lexer::{keeps_mode, plain_csi};
use super::scan::Signal;

/// A question the supervisor answers in the terminal's place, or knowingly leaves unanswered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// `CSI c` and `ESC Z`.
    PrimaryAttributes,
    /// `CSI > c`.
    SecondaryAttributes,
    /// `CSI = c`.
    TertiaryAttributes,
    /// `CSI > q`.
    Version,
    /// `CSI 5 n`.
    Status,
    /// `CSI 6 n`; true for the private form.
    CursorPosition(bool),
    /// `CSI ? 996 n`.
    ColorScheme,
    /// `CSI n $ p`.
    AnsiMode(u16),
    /// `CSI ? n $ p`.
    PrivateMode(u16),
    /// `CSI ? u`.
    KittyFlags,
    /// `CSI ? 4 m`.
    ModifyOtherKeys,
    /// `CSI 14 t`, 16 and 18.
    WindowSize(u16),
    /// OSC 4 with `?`; true if it ended in BEL.
    Palette(Vec<u8>, bool),
    /// OSC 10 to 12 with `?`; true if it ended in BEL.
    DynamicColors(Vec<u8>, bool),
    /// OSC 52 with `?`: its selection; true if it ended in BEL.
    Clipboard(Vec<u8>, bool),
    /// `DCS + q`: the names as they were sent, in hexadecimal.
    Capabilities(Vec<Vec<u8>>),
    /// `DCS $ q`.
    Setting(Vec<u8>),
    /// OSC 7501 with `?`; true if it ended in BEL.
    ProgramStatus(bool),
}

/// What becomes of one complete sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Shown and forwarded.
    Apply,
    /// Shown; viewers get a new picture instead, because their terminal has one screen for us.
    Switch,
    /// Shown only: it acts on what a viewer's terminal has of its own.
    Hide,
    /// These bytes are shown and forwarded in its place.
    Replace(Box<[u8]>),
    /// Forwarded only, with what it tells.
    Forward(Option<Signal>),
    /// Neither.
    Drop,
    /// Cut and answered.
    Ask(Query),
    /// Shown for the part that sets something, cut and answered for the rest.
    ApplyAndAsk(Query),
    /// Carried out here, the engine has no such thing; viewers, of whom not all have it, get a new
    /// picture.
    SoftReset,
    /// The last character is printed again, so often.
    Repeat(u16),
}

/// The parts of a control sequence.
#[derive(Debug, Default)]
struct Csi {
    prefix: Option<u8>,
    params: [Option<u16>; 3],
    intermediate: Option<u8>,
    last: u8,
}

impl Csi {
    fn parse(bytes: &[u8]) -> Self {
        let mut csi = Self::default();
        let mut index = 0;
        for &byte in bytes.iter().skip(2) {
            match byte {
                b'<'..=b'?' => csi.prefix = csi.prefix.or(Some(byte)),
                b'0'..=b'9' => {
                    if let Some(param) = csi.params.get_mut(index) {
                        let digit = u16::from(byte - b'0');
                        let value = param.unwrap_or(0).saturating_mul(10).saturating_add(digit);
                        *param = Some(value);
                    }
                }
                b';' | b':' => index += 1,
                b' '..=b'/' => csi.intermediate = Some(byte),
                b'@'..=b'~' => csi.last = byte,
                _ => {}
            }
        }
        csi
    }

    fn first(&self) -> u16 {
        self.params[0].unwrap_or(0)
    }
}

/// Decides about a sequence that begins with `ESC [`.
pub(crate) fn csi(bytes: &[u8]) -> Fate {
    // Nearly every sequence in a stream is one of these, and none of them asks anything.
    if plain_csi(bytes) == Some(bytes.len()) {
        return Fate::Apply;
    }
    // What marks a sequence as private stands before its numbers: behind them a terminal ignores all of it.
    let is_marked_late = bytes.iter().skip(3).any(|byte| (b'<'..=b'?').contains(byte));
    if !bytes.is_ascii() || bytes.contains(&0x7f) || is_marked_late {
        return Fate::Drop;
    }
    let csi = Csi::parse(bytes);
    match (csi.prefix, csi.intermediate, csi.last) {
        (prefix @ (None | Some(b'?')), None, b'h' | b'l') => modes(prefix.is_some(), bytes),
        (None, None, b'J') => match csi.first() {
            0..=2 => Fate::Apply,
            3 => Fate::Hide,
            _ => Fate::Drop,
        },
        // The selective forms spare what was protected: nothing is, here.
        (Some(b'?'), None, kind @ (b'J' | b'K')) if csi.first() <= 2 => Fate::Replace(
            [0x1b, b'[', b'0' + csi.params[0].map_or(0, |first| first.to_le_bytes()[0]), kind]
                .into(),
        ),
        (prefix, None, b'c') => attributes(prefix, csi.first()),
        (None, None, b'n') => match csi.first() {
            5 => Fate::Ask(Query::Status),
            6 => Fate::Ask(Query::CursorPosition(false)),
            _ => Fate::Drop,
        },
        (Some(b'?'), None, b'n') => match csi.first() {
            6 => Fate::Ask(Query::CursorPosition(true)),
            996 => Fate::Ask(Query::ColorScheme),
            _ => Fate::Drop,
        },
        (None, Some(b'$'), b'p') => Fate::Ask(Query::AnsiMode(csi.first())),
        (Some(b'?'), Some(b'$'), b'p') => Fate::Ask(Query::PrivateMode(csi.first())),
        (None, Some(b'!'), b'p') => Fate::SoftReset,
        (Some(b'>'), None, b'q') => Fate::Ask(Query::Version),
        (Some(b'?'), None, b'u') => Fate::Ask(Query::KittyFlags),
        (Some(b'?'), None, b'm') if csi.first() == 4 => Fate::Ask(Query::ModifyOtherKeys),
        (None, None, b'b') => Fate::Repeat(csi.first().max(1)),
        (None, None, b't') => match csi.first() {
            size @ (14 | 16 | 18) => Fate::Ask(Query::WindowSize(size)),
            // The stack of titles is ours: a viewer that comes later would have none.
            22 => Fate::Hide,
            23 => Fate::Switch,
            _ => Fate::Drop,
        },
        (Some(b'>'), None, b'm' | b'n') => match csi.params {
            [Some(4), ..] if csi.last == b'm' => Fate::Apply,
            [None | Some(4), ..] => Fate::Replace((*b"\x1b[>4;0m").into()),
            _ => Fate::Drop,
        },
        _ if moves_or_erases(&csi) => Fate::Apply,
        _ => Fate::Drop,
    }
}

/// Whether our screen carries out a control sequence that asks nothing.
fn moves_or_erases(csi: &Csi) -> bool {
    match (csi.prefix, csi.intermediate, csi.last) {
        (
            None,
            None,
            b'@'
            | b'A'..=b'I'
            | b'L'
            | b'M'
            | b'P'
            | b'X'
            | b'Z'
            | b'`'
            | b'a'
            | b'd'
            | b'e'
            | b'f'
            | b'm'
            | b'r'
            | b'u',
        )
        | (Some(b'<'..=b'>'), None, b'u') => true,
        (None, None, b'K') => csi.first() <= 2,
        (None, None, b'g') => matches!(csi.first(), 0 | 3),
        // With more parameters they set margins and track the mouse.
        (None, None, b's') => csi.params == [None; 3],
        (None, None, b'S' | b'T') => csi.params[1].is_none(),
        (Some(b'?'), None, b'W') => csi.first() == 5,
        (None, Some(b' '), b'q') => csi.first() <= 6,
        _ => false,
    }
}

/// Decides about `CSI … h` and `CSI … l` with a mode that not every viewer may have.
fn modes(private: bool, bytes: &[u8]) -> Fate {
    let start = if private { 3 } else { 2 };
    let params = bytes.get(start..bytes.len() - 1).unwrap_or_default();
    let switches = |mode: &[u8]| matches!(mode, b"47" | b"1047" | b"1049");
    let each = || params.split(|byte| *byte == b';');
    if private && each().any(switches) {
        return Fate::Switch;
    }
    let kept: Vec<&[u8]> = each().filter(|mode| keeps_mode(private, mode)).collect();
    if kept.is_empty() {
        return Fate::Drop;
    }
    let lead = bytes.get(..start).unwrap_or_default();
    let last = bytes.get(bytes.len() - 1..).unwrap_or_default();
    Fate::Replace([lead, &kept.join(&b';'), last].concat().into())
}

fn attributes(prefix: Option<u8>, first: u16) -> Fate {
    match prefix {
        None if first == 0 => Fate::Ask(Query::PrimaryAttributes),
        Some(b'>') if first == 0 => Fate::Ask(Query::SecondaryAttributes),
        Some(b'=') if first == 0 => Fate::Ask(Query::TertiaryAttributes),
        _ => Fate::Drop,
    }
}

/// Decides about a sequence of `ESC`, intermediates and one final byte.
pub(crate) fn escape(bytes: &[u8]) -> Fate {
    match bytes {
        [_, b'Z'] => Fate::Ask(Query::PrimaryAttributes),
        // A full reset would leave the screen we draw on and wipe the viewer's history.
        [_, b'c'] => Fate::Switch,
        [_, b'7' | b'8' | b'=' | b'>' | b'D' | b'E' | b'H' | b'M']
        | [_, b'#', b'8']
        | [_, b'('..=b'+', b'0' | b'B'] => Fate::Apply,
        // National sets, which are long out of use, are shown as ASCII everywhere.
        [_, slot @ b'('..=b'+', .., _] => Fate::Replace([0x1b, *slot, b'B'].into()),
        _ => Fate::Drop,
    }
}

/// Decides about a device control string, `body` without introducer and terminator.
///
/// Only questions are understood; sixel, user keys and pass-through to other multiplexers are
/// not: the screen could not be restored from them.
pub(crate) fn dcs(body: &[u8]) -> Fate {
    /// Longer lists are not asked by anybody; the answer must not outgrow the question much.
    const MOST_NAMES: usize = 32;
    if let Some(setting) = body.strip_prefix(b"$q") {
        return Fate::Ask(Query::Setting(setting.iter().take(8).copied().collect()));
    }
    if let Some(names) = body.strip_prefix(b"+q") {
        let names = names.split(|byte| *byte == b';').take(MOST_NAMES);
        return Fate::Ask(Query::Capabilities(names.map(<[u8]>::to_vec).collect()));
    }
    Fate::Drop
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_applied_and_questions_are_not() {
        for bytes in ["\x1b[31m", "\x1b[>4;2m", "\x1b[>1u", "\x1b[<u", "\x1b[2 q"] {
            assert_eq!(csi(bytes.as_bytes()), Fate::Apply, "{bytes:?}");
        }
        for bytes in ["\x1b[21t", "\x1b[20t", "\x1b[8;10;10t", "\x1b[5i", "\x1b[x", "\x1b[1;1;1*y"]
        {
            assert_eq!(csi(bytes.as_bytes()), Fate::Drop, "{bytes:?}");
        }
    }

    #[test]
    fn what_our_screen_does_not_keep_is_kept_from_viewers() {
        for bytes in [
            "\x1b[?69h",
            "\x1b[3;6s",
            "\x1b[?2l",
            "\x1b[?1015h",
            "\x1b[?2027h",
            "\x1b[?9001h",
            "\x1b[2h",
            "\x1b[12l",
            "\x1b[1;1;2;2$r",
            "\x1b[1;1;2;2$z",
            "\x1b[2 @",
            "\x1b[3'}",
            "\x1b[1\"q",
            "\x1b[62;1\"p",
            "\x1b[?1000r",
            "\x1b[?1000s",
            "\x1b[>1;2m",
            "\x1b[1;2;3;4;5T",
            "\x1b[22J",
            "\x1b[3\u{e9}H",
        ] {
            assert_eq!(csi(bytes.as_bytes()), Fate::Drop, "{bytes:?}");
        }
        for bytes in ["\x1b#3", "\x1b#6", "\x1b%@", "\x1b G", "\x1b6", "\x1bn", "\x1bl", "\x1b-A"] {
            assert_eq!(escape(bytes.as_bytes()), Fate::Drop, "{bytes:?}");
        }
        for (bytes, instead) in [
            ("\x1b[?3;4;25l", "\x1b[?25l"),
            ("\x1b[?1002;1015;1006h", "\x1b[?1002;1006h"),
            ("\x1b[2;4h", "\x1b[4h"),
            ("\x1b[?2J", "\x1b[2J"),
            ("\x1b[?K", "\x1b[0K"),
            ("\x1b[>m", "\x1b[>4;0m"),
            ("\x1b[>4n", "\x1b[>4;0m"),
        ] {
            assert_eq!(
                csi(bytes.as_bytes()),
                Fate::Replace(instead.as_bytes().into()),
                "{bytes:?}"
            );
        }
        for (bytes, instead) in [("\x1b(A", "\x1b(B"), ("\x1b)%5", "\x1b)B")] {
            let instead = Fate::Replace(instead.as_bytes().into());
            assert_eq!(escape(bytes.as_bytes()), instead, "{bytes:?}");
        }
        assert_eq!(csi(b"\x1b[?3;1049h"), Fate::Switch);
    }
}
