//! The list of themes over the screen that they are tried on.

use ratatui::buffer::Buffer;

use crate::ui::{
    state::{Area, State, ThemePicker, themes_area},
    theme::{Role, Theme},
    widgets::{fit, piece, put},
};

/// Draws the list.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    body: Area,
    picker: &ThemePicker,
) {
    let all = &state.themes.all;
    let area = themes_area(state, body);
    let Area { width, height, .. } = area;
    let wide = usize::from(width);
    let line = |text: &str, role| {
        vec![
            piece("│", theme.style(Role::Rule)),
            piece(fit(text, wide.saturating_sub(1)), theme.style(role)),
        ]
    };
    put(buf, area, 0, line(" THEMES", Role::Strong));
    let rows = usize::from(height.saturating_sub(2)).max(1);
    let from = (picker.at + 1).saturating_sub(rows);
    for (row, (at, (name, about))) in (1..).zip(all.iter().enumerate().skip(from).take(rows)) {
        let is_under = at == picker.at;
        let mark = if is_under { "▌" } else { " " };
        let role = if is_under { Role::Strong } else { Role::Text };
        put(buf, area, row, line(&format!("{mark} {}  {about}", fit(name, 13)), role));
    }
    put(buf, area, height.saturating_sub(1), line("", Role::Text));
}
