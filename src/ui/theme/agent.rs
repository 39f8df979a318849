//! What agents write on a background that is ours: they chose their colours for one that they do not
//! know.
//!
//! The sixteen colours of the terminal's palette are the theme's where the background is; an exact colour
//! is shown as the agent wrote it, unless nobody could read it there: then it is brought nearer to the
//! theme's text, no further than needed. Invariant: what an agent puts on a background of its own is left
//! alone, except that text in the default colour stays readable there.

use ratatui::{
    buffer::Cell,
    style::{Color, Style},
};

use super::{
    color::{Depth, Ink, PALETTE, known, place},
    sheet::READABLE,
};

/// In so many steps a colour is brought nearer.
const STEPS: i32 = 8;

/// What became of the colour that was looked at last: many cells in a row have the same.
pub(super) type Last = Option<(Color, Color)>;

/// Colours a cell of an agent's screen.
pub(super) fn draw(
    cell: &mut Cell,
    palette: &[Option<Color>; PALETTE],
    ours: Style,
    last: &mut Last,
) {
    if cell.bg == Color::Reset {
        let color = place(cell.fg).and_then(|at| palette.get(at).copied().flatten());
        cell.fg = match (color, *last) {
            (Some(color), _) => color,
            (None, _) if cell.fg == Color::Reset => return,
            (None, Some((seen, shown))) if seen == cell.fg => shown,
            (None, _) => {
                let shown = readable(cell.fg, ours).unwrap_or(cell.fg);
                *last = Some((cell.fg, shown));
                shown
            }
        };
    } else if cell.fg == Color::Reset
        && let (Some(text), Some(background)) = (ours.fg, ours.bg)
    {
        let contrast = |color| known(color)?.contrast(known(cell.bg)?);
        let is_faint = contrast(text).is_some_and(|contrast| contrast < READABLE);
        cell.fg = if is_faint { background } else { text };
    }
}

/// Returns what a colour becomes that cannot be read on our background; `None` where it can, or where
/// nobody knows.
fn readable(color: Color, ours: Style) -> Option<Color> {
    if place(color).is_some() {
        return None;
    }
    let (text, background) = (known(ours.fg?)?, known(ours.bg?)?);
    let own = known(color)?;
    if own.contrast(background)? >= READABLE {
        return None;
    }
    let depth = if matches!(color, Color::Indexed(_)) { Depth::Indexed } else { Depth::True };
    let nearer = |step| own.towards(text, step, STEPS);
    let is_read = |ink: &Ink| ink.contrast(background).is_some_and(|contrast| contrast >= READABLE);
    (1..=STEPS).filter_map(nearer).find(is_read).unwrap_or(text).on(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "what agents write")]
    fn exact(r: u8, g: u8, b: u8) -> Color {
        Color::Rgb(r, g, b)
    }

    #[test]
    fn what_cannot_be_read_is_brought_nearer_to_the_text_and_the_rest_is_left() {
        let day = Style::new().fg(exact(30, 34, 42)).bg(exact(252, 252, 249));
        let night = Style::new().fg(exact(220, 222, 226)).bg(exact(20, 22, 26));
        let lavender = exact(177, 185, 249);
        let contrast = |color, ours: Style| {
            known(color).unwrap().contrast(known(ours.bg.unwrap()).unwrap()).unwrap()
        };
        let shown = readable(lavender, day).unwrap();
        assert!(contrast(lavender, day) < READABLE && contrast(shown, day) >= READABLE);
        assert!(contrast(shown, day) < 6.0, "no further than needed: {shown:?}");
        assert_eq!(readable(lavender, night), None);
        assert_eq!(readable(exact(90, 20, 140), day), None);
        let dark = readable(exact(20, 20, 120), night).unwrap();
        assert!(contrast(dark, night) >= READABLE);
        // A terminal's own colours nobody knows.
        assert_eq!(readable(lavender, Style::new()), None);
    }

    #[test]
    fn a_cell_is_coloured_once_for_many() {
        let day = Style::new().fg(exact(30, 34, 42)).bg(exact(252, 252, 249));
        let (mut last, palette) = (None, [None; PALETTE]);
        let mut shown = Vec::new();
        for fg in [exact(255, 255, 0), exact(255, 255, 0), Color::Reset, exact(0, 0, 0)] {
            let mut cell = Cell::default();
            cell.fg = fg;
            draw(&mut cell, &palette, day, &mut last);
            shown.push(cell.fg);
        }
        assert_eq!(shown[0], shown[1]);
        assert_ne!(shown[0], exact(255, 255, 0));
        assert_eq!(shown[2..], [Color::Reset, exact(0, 0, 0)]);
        let mut cell = Cell::default();
        (cell.fg, cell.bg) = (exact(255, 255, 0), exact(255, 255, 255));
        draw(&mut cell, &palette, day, &mut last);
        assert_eq!(cell.fg, exact(255, 255, 0), "a background of its own");
    }
}
