//! What agents write on a background that is ours: they chose their colours for one that they do not
//! know.
//!
//! Only the sixteen colours of the terminal's palette are the theme's, and only where the background
//! is, too; an exact colour is shown as the agent wrote it. Invariant: what an agent puts on a
//! background of its own is left alone, except that text in the default colour stays readable there.

use ratatui::{
    buffer::Cell,
    style::{Color, Style},
};

use super::{
    color::{PALETTE, known, place},
    sheet::READABLE,
};

/// Colours a cell of an agent's screen.
pub(super) fn draw(cell: &mut Cell, palette: &[Option<Color>; PALETTE], ours: Style) {
    if cell.bg == Color::Reset {
        let color = place(cell.fg).and_then(|at| palette.get(at).copied().flatten());
        cell.fg = color.unwrap_or(cell.fg);
    } else if cell.fg == Color::Reset
        && let (Some(text), Some(background)) = (ours.fg, ours.bg)
    {
        let contrast = |color| known(color)?.contrast(known(cell.bg)?);
        let is_faint = contrast(text).is_some_and(|contrast| contrast < READABLE);
        cell.fg = if is_faint { background } else { text };
    }
}
