//! All keys, in as many columns as fit.

use ratatui::buffer::Buffer;

use super::text::{fit, piece, put};
use crate::ui::{
    keymap::{self, Action, Binding, Context},
    state::{Area, State},
    theme::{Role, Theme},
};

/// Columns that a key and its sentence take.
const COLUMN: u16 = 66;

/// What a key does; leaving the demonstration is the one thing that is another there.
fn about(state: &State, binding: &Binding) -> &'static str {
    if state.here.demo && binding.action == Action::Quit {
        "Leave; the demonstration ends with it"
    } else {
        binding.about
    }
}

/// Draws the list of keys, scrolled by so many lines.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area, scroll: usize) {
    let context = if state.is_empty() { Context::Welcome } else { Context::List };
    let mut entries: Vec<(String, &str)> = keymap::in_context(context)
        .filter(|binding| !binding.about.is_empty())
        .map(|binding| (binding.label.to_owned(), about(state, binding)))
        .collect();
    let leave = state.here.leave_label.clone();
    entries.push((leave, "Come back from an agent, attached or typed into"));
    entries.push(("mouse".to_owned(), "Click selects, the wheel moves; shift selects text"));
    put(buf, area, 0, vec![piece(" KEYS", theme.style(Role::Strong))]);
    let columns = (area.width / COLUMN).clamp(1, 3);
    let per_column = entries.len().div_ceil(usize::from(columns)).max(1);
    let rows = usize::from(area.height.saturating_sub(2));
    let scroll = scroll.min(per_column.saturating_sub(rows));
    for (column, entries) in (0..columns).zip(entries.chunks(per_column)) {
        let x = area.x + column * COLUMN;
        let width = area.width.saturating_sub(column * COLUMN).min(COLUMN);
        let inner = Area {
            x,
            y: area.y + 2.min(area.height),
            width,
            height: area.height.saturating_sub(2),
        };
        for (row, (label, about)) in (0..inner.height).zip(entries.iter().skip(scroll)) {
            let pieces = vec![
                piece(format!("  {}", fit(label, 8)), theme.style(Role::Accent)),
                piece((*about).to_owned(), theme.style(Role::Text)),
            ];
            put(buf, inner, row, pieces);
        }
    }
}
