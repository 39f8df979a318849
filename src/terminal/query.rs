//! The questions programs ask a terminal, and what is done with each escape sequence.
//!
//! A sequence that asks is cut from what viewers get: their terminals would answer too, and a
//! late second answer is typed into the program. Sequences that act on the viewer's window
//! (resizing, printing) are cut without being carried out.

use super::lexer::switches_screen;
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
    /// Shown only: it acts on the viewer's own history.
    Hide,
    /// Forwarded only, with what it tells.
    Forward(Option<Signal>),
    /// Neither.
    Drop,
    /// Cut and answered.
    Ask(Query),
    /// Shown for the part that sets something, cut and answered for the rest.
    ApplyAndAsk(Query),
    /// Forwarded, and the engine's gap filled.
    SoftReset,
    /// Forwarded, and repeated by us with a limit.
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
    match bytes {
        [_, _, b'?', params @ .., b'h' | b'l'] if switches_screen(params) => return Fate::Switch,
        [_, _, b'3', b'J'] => return Fate::Hide,
        _ => {}
    }
    // Nearly every sequence in a stream is one of these, and none of them asks anything.
    if let Some(b'H' | b'K' | b'J' | b'A' | b'B' | b'C' | b'D' | b'G' | b'h' | b'l' | b'r') =
        bytes.last()
    {
        return Fate::Apply;
    }
    if bytes.last() == Some(&b'm') && bytes.get(2) != Some(&b'?') {
        return Fate::Apply;
    }
    let csi = Csi::parse(bytes);
    match (csi.prefix, csi.intermediate, csi.last) {
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
            22 | 23 => Fate::Apply,
            _ => Fate::Drop,
        },
        // Printing; DECREQTPARM; DECRQPSR, DECRQUPSS, DECRQCRA; graphics attributes; colour and
        // SGR reports; whatever else asks of or acts on the window.
        (_, None, b'i' | b'x' | b't' | b'm')
        | (_, Some(b'$'), b'w' | b'u')
        | (_, Some(b'&'), b'u')
        | (_, Some(b'*'), b'y')
        | (Some(b'?'), None, b'S')
        | (_, Some(b'#'), _)
        | (_, Some(b'"' | b'\''), b'v' | b'|') => Fate::Drop,
        _ => Fate::Apply,
    }
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
        // A stray string terminator shows nothing.
        [_, b'\\'] => Fate::Drop,
        _ => Fate::Apply,
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
        for bytes in ["\x1b[31m", "\x1b[>4;2m", "\x1b[>1u", "\x1b[<u", "\x1b[2 q", "\x1b[22;0t"] {
            assert_eq!(csi(bytes.as_bytes()), Fate::Apply, "{bytes:?}");
        }
        for bytes in ["\x1b[21t", "\x1b[20t", "\x1b[8;10;10t", "\x1b[5i", "\x1b[x", "\x1b[1;1;1*y"]
        {
            assert_eq!(csi(bytes.as_bytes()), Fate::Drop, "{bytes:?}");
        }
    }
}
