//! A line that is being typed.

use ratatui::{buffer::Buffer, layout::Position, text::Span};
use unicode_width::UnicodeWidthStr as _;

use super::text::{clip_front, piece, put, total};
use crate::ui::{
    state::{Area, TextLine},
    theme::{Role, Theme},
};

/// Draws a line that is being typed after a label, so that its cursor is seen.
pub(in crate::ui) fn field(
    buf: &mut Buffer,
    theme: Theme,
    area: Area,
    mut label: Vec<Span<'static>>,
    line: &TextLine,
) -> Option<Position> {
    let room = usize::from(area.width).saturating_sub(total(&label) + 1);
    let (before, after) = line.split();
    let before = clip_front(before, room);
    let offset = total(&label) + before.width();
    label.push(piece(before, theme.style(Role::Text)));
    label.push(piece(after.to_owned(), theme.style(Role::Text)));
    put(buf, area, 0, label);
    let x = area.x.checked_add(u16::try_from(offset).ok()?)?;
    area.contains(x, area.y).then_some(Position { x, y: area.y })
}
