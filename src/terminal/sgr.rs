//! The short way for SGR, by far the most frequent sequence in an agent's output.
//!
//! Only parameters of digits and `;` are read here; everything else goes through the parser,
//! with which this agrees on every code (see the test).

use alacritty_terminal::vte::ansi::{Attr, Color, Handler, NamedColor, Rgb};

use super::screen::Screen;

/// Longest list read here: five colours and attributes at once are rare already.
const MOST_PARAMS: usize = 16;

/// Carries out `ESC [ … m`; returns false, with nothing done, if it is not of the simple form.
pub(crate) fn apply(screen: &mut Screen, sequence: &[u8]) -> bool {
    let Some(body) = sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m"))
    else {
        return false;
    };
    let mut params = [0u16; MOST_PARAMS];
    let mut count = 0;
    for byte in body {
        match byte {
            b'0'..=b'9' => {
                let Some(param) = params.get_mut(count) else { return false };
                *param = param.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
            }
            b';' => count += 1,
            _ => return false,
        }
    }
    let Some(params) = params.get(..=count) else { return false };
    let mut rest = params.iter().copied();
    while let Some(code) = rest.next() {
        if let Some(attr) = attribute(code, &mut rest) {
            match attr {
                Attr::BlinkSlow | Attr::BlinkFast | Attr::CancelBlink => {
                    screen.terminal_attribute(attr);
                }
                // The engine's own, at once.
                _ => screen.term.terminal_attribute(attr),
            }
        }
    }
    true
}

fn attribute(code: u16, rest: &mut impl Iterator<Item = u16>) -> Option<Attr> {
    Some(match code {
        0 => Attr::Reset,
        1 => Attr::Bold,
        2 => Attr::Dim,
        3 => Attr::Italic,
        4 => Attr::Underline,
        5 => Attr::BlinkSlow,
        6 => Attr::BlinkFast,
        7 => Attr::Reverse,
        8 => Attr::Hidden,
        9 => Attr::Strike,
        21 => Attr::DoubleUnderline,
        22 => Attr::CancelBoldDim,
        23 => Attr::CancelItalic,
        24 => Attr::CancelUnderline,
        25 => Attr::CancelBlink,
        27 => Attr::CancelReverse,
        28 => Attr::CancelHidden,
        29 => Attr::CancelStrike,
        30..=37 => Attr::Foreground(palette(code - 30)?),
        90..=97 => Attr::Foreground(palette(code - 82)?),
        38 => Attr::Foreground(extended(rest)?),
        39 => Attr::Foreground(Color::Named(NamedColor::Foreground)),
        40..=47 => Attr::Background(palette(code - 40)?),
        100..=107 => Attr::Background(palette(code - 92)?),
        48 => Attr::Background(extended(rest)?),
        49 => Attr::Background(Color::Named(NamedColor::Background)),
        58 => Attr::UnderlineColor(Some(extended(rest)?)),
        59 => Attr::UnderlineColor(None),
        _ => return None,
    })
}

fn palette(index: u16) -> Option<Color> {
    u8::try_from(index).ok().map(Color::Indexed)
}

/// Reads what follows 38, 48 or 58.
fn extended(rest: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let mut byte = || rest.next().and_then(|param| u8::try_from(param).ok());
    match byte()? {
        2 => Some(Color::Spec(Rgb { r: byte()?, g: byte()?, b: byte()? })),
        5 => byte().map(Color::Indexed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::size::TerminalSize;
    use crate::terminal::HistoryLimits;
    use crate::terminal::style::Style;

    #[test]
    fn both_ways_agree() {
        let mut lists: Vec<String> = (0..120).map(|code| code.to_string()).collect();
        lists.extend(
            ["", ";", "1;", ";31", "1;4;9;38;5;7", "38;2;1;2;3;48;5;9", "58;2;4;5;6;1", "38;5"]
                .map(str::to_owned),
        );
        for list in lists {
            let size = TerminalSize::default();
            let mut short = Screen::new(size, HistoryLimits::default());
            let mut long = Screen::new(size, HistoryLimits::default());
            let mut parser = alacritty_terminal::vte::ansi::Processor::<
                alacritty_terminal::vte::ansi::StdSyncHandler,
            >::new();
            for before in ["\x1b[1;2;3;4;7;8;9;31;42;58;5;3m", "\x1b[0m"] {
                let sequence = format!("\x1b[{list}m");
                for bytes in [before, &sequence] {
                    assert!(apply(&mut short, bytes.as_bytes()));
                    parser.advance(&mut long, bytes.as_bytes());
                }
                let style = |screen: &Screen| Style::of(&screen.term.grid().cursor.template);
                assert_eq!(style(&short), style(&long), "{list:?}");
            }
        }
    }

    #[test]
    fn other_forms_are_left_to_the_parser() {
        let mut screen = Screen::new(TerminalSize::default(), HistoryLimits::default());
        let long = format!("\x1b[{}m", "1;".repeat(40));
        for sequence in ["\x1b[4:3m", "\x1b[>4;1m", "\x1b[31H", "\x1b[1 m", &long] {
            assert!(!apply(&mut screen, sequence.as_bytes()), "{sequence:?}");
        }
    }
}
