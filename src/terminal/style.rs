//! How a cell looks, in 14 bytes, and the SGR sequences that say so.
//!
//! Only what a viewer can see counts: the sixteen named colours and the first sixteen indexed
//! ones are the same here, and there is one kind of blinking.

use std::io::Write as _;

use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::Color;

/// One colour of a style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) enum Tint {
    /// The viewer's own default.
    #[default]
    Default,
    /// One of the 256 palette entries.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Tint {
    /// Returns the colour of a cell; the roles "foreground" and "background" are the default.
    pub(crate) fn of(color: Color) -> Self {
        match color {
            Color::Named(name) => u8::try_from(name as usize)
                .ok()
                .filter(|index| *index < 16)
                .map_or(Self::Default, Self::Indexed),
            Color::Indexed(index) => Self::Indexed(index),
            Color::Spec(rgb) => Self::Rgb(rgb.r, rgb.g, rgb.b),
        }
    }

    /// Appends the SGR parameter, led by `;`. `base` is 38 or 48; 58 has no short forms.
    fn push(self, base: u8, out: &mut Vec<u8>) {
        let written = match self {
            Self::Default => write!(out, ";{}", base + 1),
            Self::Indexed(index) if base != 58 && index < 8 => {
                write!(out, ";{}", base - 8 + index)
            }
            Self::Indexed(index) if base != 58 && index < 16 => {
                write!(out, ";{}", u16::from(base) + 52 + u16::from(index) - 8)
            }
            Self::Indexed(index) => write!(out, ";{base};5;{index}"),
            Self::Rgb(r, g, b) => write!(out, ";{base};2;{r};{g};{b}"),
        };
        debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    }
}

/// Bold.
pub(crate) const BOLD: u8 = 1;
/// Faint.
pub(crate) const DIM: u8 = 2;
/// Italic.
pub(crate) const ITALIC: u8 = 4;
/// Foreground and background swapped.
pub(crate) const INVERSE: u8 = 8;
/// Text not shown.
pub(crate) const HIDDEN: u8 = 16;
/// Struck through.
pub(crate) const STRIKE: u8 = 32;

/// Blinking.
pub(crate) const BLINK: u8 = 64;

/// The flag of a blinking cell: the one bit that the engine's flags leave free, and carries along.
pub(crate) const BLINK_FLAG: Flags = Flags::from_bits_retain(1 << 15);

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Style {
    /// Text colour.
    pub(crate) fg: Tint,
    /// Background colour.
    pub(crate) bg: Tint,
    /// Underline colour, the text's when default.
    pub(crate) underline_color: Tint,
    /// [`BOLD`], [`DIM`] and so on.
    pub(crate) attrs: u8,
    /// 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed: the numbers of `SGR 4:n`.
    pub(crate) underline: u8,
}

/// The engine's flags that make up a style; the others are about layout.
pub(crate) const STYLE_FLAGS: Flags = Flags::from_bits_retain(
    BLINK_FLAG.bits()
        | Flags::INVERSE.bits()
        | Flags::BOLD_ITALIC.bits()
        | Flags::DIM.bits()
        | Flags::HIDDEN.bits()
        | Flags::STRIKEOUT.bits()
        | Flags::ALL_UNDERLINES.bits(),
);

impl Style {
    /// Returns how the engine's cell looks.
    pub(crate) fn of(cell: &Cell) -> Self {
        let flags = cell.flags & STYLE_FLAGS;
        let underline_color = cell.extra.as_ref().and_then(|_| cell.underline_color());
        let mut style = Self {
            fg: Tint::of(cell.fg),
            bg: Tint::of(cell.bg),
            underline_color: underline_color.map_or(Tint::Default, Tint::of),
            ..Self::default()
        };
        if flags.is_empty() {
            return style;
        }
        for (flag, attr) in [
            (Flags::BOLD, BOLD),
            (Flags::DIM, DIM),
            (Flags::ITALIC, ITALIC),
            (Flags::INVERSE, INVERSE),
            (Flags::HIDDEN, HIDDEN),
            (Flags::STRIKEOUT, STRIKE),
            (BLINK_FLAG, BLINK),
        ] {
            if flags.contains(flag) {
                style.attrs |= attr;
            }
        }
        for (flag, kind) in [
            (Flags::UNDERLINE, 1),
            (Flags::DOUBLE_UNDERLINE, 2),
            (Flags::UNDERCURL, 3),
            (Flags::DOTTED_UNDERLINE, 4),
            (Flags::DASHED_UNDERLINE, 5),
        ] {
            if flags.contains(flag) {
                style.underline = kind;
            }
        }
        style
    }

    /// Returns a style with the same background, and otherwise this one as far as a blank does not show it.
    pub(crate) fn on_blank(self, bg: Tint) -> Self {
        Self { bg, attrs: self.attrs & !(INVERSE | STRIKE), underline: 0, ..self }
    }

    /// Appends the sequence that brings a terminal from any style to this one.
    pub(crate) fn write_sgr(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[0");
        for (attr, code) in
            [(BOLD, 1), (DIM, 2), (ITALIC, 3), (BLINK, 5), (INVERSE, 7), (HIDDEN, 8), (STRIKE, 9u8)]
        {
            if self.attrs & attr != 0 {
                out.extend_from_slice(&[b';', b'0' + code]);
            }
        }
        match self.underline {
            0 => {}
            1 => out.extend_from_slice(b";4"),
            kind => out.extend_from_slice(&[b';', b'4', b':', b'0' + kind]),
        }
        if self.fg != Tint::Default {
            self.fg.push(38, out);
        }
        if self.bg != Tint::Default {
            self.bg.push(48, out);
        }
        if self.underline_color != Tint::Default {
            self.underline_color.push(58, out);
        }
        out.push(b'm');
    }

    /// Returns the part of the style that frames carry: what a vt100 pane can show.
    pub(crate) fn for_frames(mut self) -> Self {
        self.attrs &= !(HIDDEN | STRIKE | BLINK);
        if self.attrs & DIM != 0 {
            // Of both, vt100 keeps the one said last.
            self.attrs &= !BOLD;
        }
        self.underline = self.underline.min(1);
        self.underline_color = Tint::Default;
        self
    }

    /// Appends the style in the form the history keeps; see [`Style::decode`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let tag = |tint: Tint| match tint {
            Tint::Default => 0u8,
            Tint::Indexed(_) => 1,
            Tint::Rgb(..) => 2,
        };
        let colored_line = u8::from(self.underline_color != Tint::Default);
        out.push(self.attrs | (colored_line << 7));
        out.push(self.underline | (tag(self.fg) << 4) | (tag(self.bg) << 6));
        let mut push = |tint: Tint| match tint {
            Tint::Default => {}
            Tint::Indexed(index) => out.push(index),
            Tint::Rgb(r, g, b) => out.extend_from_slice(&[r, g, b]),
        };
        push(self.fg);
        push(self.bg);
        if colored_line == 1 {
            let (r, g, b) = match self.underline_color {
                Tint::Rgb(r, g, b) => (r, g, b),
                Tint::Indexed(index) => (index, 0, 0),
                Tint::Default => (0, 0, 0),
            };
            out.extend_from_slice(&[tag(self.underline_color), r, g, b]);
        }
    }

    /// Reads what [`Style::encode`] wrote and moves `bytes` past it, `None` if it is cut short.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [first, second] = *take(bytes)?;
        let mut tint = |tag: u8| {
            Some(match tag {
                0 => Tint::Default,
                1 => {
                    let [index] = *take(bytes)?;
                    Tint::Indexed(index)
                }
                _ => {
                    let [r, g, b] = *take(bytes)?;
                    Tint::Rgb(r, g, b)
                }
            })
        };
        let fg = tint((second >> 4) & 3)?;
        let bg = tint((second >> 6) & 3)?;
        let underline_color = if first & 0x80 == 0 {
            Tint::Default
        } else {
            match *take(bytes)? {
                [1, index, _, _] => Tint::Indexed(index),
                [_, r, g, b] => Tint::Rgb(r, g, b),
            }
        };
        Some(Self { fg, bg, underline_color, attrs: first & 0x7f, underline: second & 7 })
    }
}

/// Splits a fixed number of bytes off the front.
fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_survive_the_history_encoding() {
        let tints = [Tint::Default, Tint::Indexed(3), Tint::Indexed(200), Tint::Rgb(1, 2, 3)];
        for fg in tints {
            for bg in tints {
                for underline_color in tints {
                    let style = Style {
                        fg,
                        bg,
                        underline_color,
                        attrs: BOLD | STRIKE | BLINK,
                        underline: 3,
                    };
                    let mut bytes = Vec::new();
                    style.encode(&mut bytes);
                    let mut rest = bytes.as_slice();
                    assert_eq!(Style::decode(&mut rest), Some(style));
                    assert!(rest.is_empty());
                }
            }
        }
    }

    #[test]
    fn sgr_uses_the_short_forms() {
        let mut out = Vec::new();
        let style =
            Style { fg: Tint::Indexed(1), bg: Tint::Indexed(9), attrs: BOLD, ..Style::default() };
        style.write_sgr(&mut out);
        assert_eq!(out, b"\x1b[0;1;31;101m");
    }
}
