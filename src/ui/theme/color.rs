//! Colours as they are written, how well they are read, and what is left of them on terminals with
//! fewer.

use ratatui::style::Color;

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Depth {
    /// All of them.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 of the terminal's palette.
    Palette,
    /// None; weight has to do.
    None,
}

impl Depth {
    /// Returns how many colours a terminal has, by what it says in `COLORTERM` and `TERM`.
    pub(in crate::ui) fn of(no_color: bool, colorterm: &str, term: &str) -> Self {
        let says = |words: &[&str], text: &str| words.iter().any(|word| text.contains(word));
        if no_color || term == "dumb" {
            Self::None
        } else if says(&["truecolor", "24bit"], colorterm) || says(&["direct"], term) {
            Self::True
        } else if says(&["256color", "kitty", "alacritty", "ghostty", "wezterm", "foot"], term) {
            Self::Indexed
        } else {
            Self::Palette
        }
    }
}

/// A colour of a theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// The terminal's own.
    Default,
    /// One of the terminal's palette, 0 to 15.
    Palette(u8),
    /// Red, green and blue.
    Exact(u8, u8, u8),
}

/// The palette's names, in its order; the bright ones follow.
const NAMES: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// The six steps of xterm's cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Ink {
    /// Parses a colour, `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(hex) = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii()) {
            let part = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
            return Some(Self::Exact(part(0)?, part(2)?, part(4)?));
        }
        let (name, bright) = match text.strip_prefix("bright-") {
            Some(name) => (name, 8),
            None => (text, 0),
        };
        let at = NAMES.iter().position(|known| *known == name)?;
        Some(Self::Palette(u8::try_from(at).ok()? + bright))
    }

    /// Returns the nearest that a terminal of this depth has; `None` for its own.
    #[expect(clippy::disallowed_methods, reason = "this is where roles become colours")]
    pub(super) fn on(self, depth: Depth) -> Option<Color> {
        match (self, depth) {
            (_, Depth::None) | (Self::Default, _) => None,
            (Self::Palette(at), _) => Some(palette(at)),
            (Self::Exact(r, g, b), Depth::True) => Some(Color::Rgb(r, g, b)),
            (Self::Exact(r, g, b), Depth::Indexed) => Some(Color::Indexed(indexed(r, g, b))),
            (Self::Exact(r, g, b), Depth::Palette) => hue(r, g, b).map(palette),
        }
    }

    /// Returns a colour so many steps on the way to another one; `None` where one is the terminal's.
    pub(super) fn towards(self, other: Self, step: i32, of: i32) -> Option<Self> {
        let (Self::Exact(r, g, b), Self::Exact(to_r, to_g, to_b)) = (self, other) else {
            return None;
        };
        let part = |from: u8, to: u8| {
            let way = (i32::from(to) - i32::from(from)) * step / of.max(1);
            u8::try_from(i32::from(from) + way).unwrap_or(to)
        };
        Some(Self::Exact(part(r, to_r), part(g, to_g), part(b, to_b)))
    }

    /// Returns the contrast of two exact colours as WCAG defines it, from 1 to 21; `None` where one
    /// is the terminal's.
    pub(super) fn contrast(self, other: Self) -> Option<f64> {
        let luminance = |ink| match ink {
            Self::Exact(r, g, b) => {
                let linear = |part: u8| {
                    let part = f64::from(part) / 255.0;
                    if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
                };
                Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
            }
            _ => None,
        };
        let (a, b) = (luminance(self)?, luminance(other)?);
        Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
    }
}

/// Colours of the terminal's palette.
pub(super) const PALETTE: usize = 16;

/// Returns the place of a colour in the terminal's palette, `None` for one that is not in it.
pub(super) fn place(color: Color) -> Option<usize> {
    // Asked for every cell of every frame.
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(at) if usize::from(at) < PALETTE => usize::from(at),
        _ => return None,
    })
}

/// Returns a colour that an agent has chosen as far as it is known: of the palette the terminal's own
/// is taken to be xterm's.
pub(super) fn known(color: Color) -> Option<Ink> {
    const XTERM: [(u8, u8, u8); PALETTE] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    let (r, g, b) = match (place(color), color) {
        (Some(at), _) => *XTERM.get(at)?,
        (None, Color::Rgb(r, g, b)) => (r, g, b),
        (None, Color::Indexed(at @ 232..)) => {
            let grey = 8 + 10 * (at - 232);
            (grey, grey, grey)
        }
        (None, Color::Indexed(at)) => {
            let step = |of: u8| STEPS.get(usize::from(of % 6)).copied();
            let at = at.checked_sub(16)?;
            (step(at / 36)?, step(at / 6)?, step(at)?)
        }
        _ => return None,
    };
    Some(Ink::Exact(r, g, b))
}

fn palette(at: u8) -> Color {
    match at {
        0 => Color::Black,
        1 => Color::Red,
        2 => Color::Green,
        3 => Color::Yellow,
        4 => Color::Blue,
        5 => Color::Magenta,
        6 => Color::Cyan,
        7 => Color::Gray,
        8 => Color::DarkGray,
        9 => Color::LightRed,
        10 => Color::LightGreen,
        11 => Color::LightYellow,
        12 => Color::LightBlue,
        13 => Color::LightMagenta,
        14 => Color::LightCyan,
        _ => Color::White,
    }
}

/// The nearest of xterm's 256 colours: in the cube or among the greys.
fn indexed(r: u8, g: u8, b: u8) -> u8 {
    let step = |part: u8| {
        let nearest = (0..6_u8).zip(STEPS).min_by_key(|(_, step)| step.abs_diff(part));
        nearest.unwrap_or((0, 0))
    };
    let ((ri, rs), (gi, gs), (bi, bs)) = (step(r), step(g), step(b));
    let level = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey = u8::try_from(level.saturating_sub(3) / 10).unwrap_or(23).min(23);
    let value = 8 + 10 * grey;
    let distance = |to: [u8; 3]| -> u32 {
        let apart = |(a, b): (u8, u8)| u32::from(a.abs_diff(b)).pow(2);
        [r, g, b].into_iter().zip(to).map(apart).sum()
    };
    if distance([value; 3]) < distance([rs, gs, bs]) {
        232 + grey
    } else {
        16 + 36 * ri + 6 * gi + bi
    }
}

/// The palette's colour of the same hue; a grey is left to the terminal, whose background nobody
/// knows.
fn hue(r: u8, g: u8, b: u8) -> Option<u8> {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let spread = most - least;
    if u16::from(spread) * 5 < u16::from(most) {
        return None;
    }
    // Each part counts from the middle between the least and the most on.
    let middle = least + spread / 2;
    let at = u8::from(r > middle) + 2 * u8::from(g > middle) + 4 * u8::from(b > middle);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "this is where roles become colours")]
    fn indexed_color(at: u8) -> Color {
        Color::Indexed(at)
    }

    #[test]
    fn terminals_are_taken_at_their_word() {
        for (no_color, colorterm, term, depth) in [
            (true, "truecolor", "xterm-256color", Depth::None),
            (false, "truecolor", "xterm", Depth::True),
            (false, "", "xterm-256color", Depth::Indexed),
            (false, "", "xterm-kitty", Depth::Indexed),
            (false, "", "linux", Depth::Palette),
            (false, "", "dumb", Depth::None),
        ] {
            assert_eq!(Depth::of(no_color, colorterm, term), depth, "{colorterm} {term}");
        }
    }

    #[test]
    fn the_palettes_places_are_those_of_its_colours() {
        for at in 0..16 {
            assert_eq!(place(palette(at)), Some(usize::from(at)));
            assert_eq!(place(indexed_color(at)), Some(usize::from(at)));
        }
        assert_eq!((place(Color::Reset), place(indexed_color(16))), (None, None));
        // The cube, the greys and the palette, as xterm has them.
        for (at, ink) in [(16, (0, 0, 0)), (208, (255, 135, 0)), (244, (128, 128, 128))] {
            assert_eq!(known(indexed_color(at)), Some(Ink::Exact(ink.0, ink.1, ink.2)));
        }
    }

    #[test]
    fn colours_are_parsed_and_brought_down() {
        let ink = |text| Ink::parse(text).unwrap();
        assert_eq!(ink("bright-red"), Ink::Palette(9));
        assert_eq!(ink("#ff8700").on(Depth::Indexed), Some(indexed_color(208)));
        assert_eq!(ink("#808080").on(Depth::Indexed), Some(indexed_color(244)));
        assert_eq!(ink("#f27a7a").on(Depth::Palette), Some(Color::Red));
        assert_eq!(ink("#f2c14e").on(Depth::Palette), Some(Color::Yellow));
        assert_eq!(ink("#8f97a5").on(Depth::Palette), None);
        assert_eq!(ink("#ffffff").on(Depth::None), None);
        for wrong in ["", "#12345", "#gggggg", "reddish", "#é1234"] {
            assert_eq!(Ink::parse(wrong), None, "{wrong}");
        }
    }
}
