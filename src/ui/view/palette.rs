//! The palette over the list: the letters typed, and what they find.

use ratatui::{buffer::Buffer, layout::Position, text::Span};

use crate::ui::{
    state::{Entry, Geometry, Palette, Scope, State, What, palette_area},
    theme::{Role, Theme},
    widgets::{clip, field, fit, fit_name, piece, put, total, width},
};

/// Draws it over the list, or over everything where there is no list, and returns where the cursor
/// is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    areas: &Geometry,
    palette: &Palette,
) -> Option<Position> {
    let area = palette_area(areas);
    for row in 0..area.height {
        put(
            buf,
            area,
            row,
            vec![piece(" ".repeat(usize::from(area.width)), theme.style(Role::Text))],
        );
    }
    let label = match palette.scope {
        Scope::All => " do or go to ❯ ",
        Scope::Runners => " go to ❯ ",
        Scope::Standalone => " attach to ❯ ",
    };
    let label = vec![piece(label, theme.style(Role::Accent))];
    let cursor = field(buf, theme, area, label, &palette.line);
    let rows = usize::from(area.height.saturating_sub(1));
    let from = palette.top(rows);
    let shown = palette.found.iter().enumerate().skip(from).take(rows);
    for (row, (at, entry)) in (1..area.height).zip(shown) {
        put(buf, area, row, line(state, theme, entry, at == palette.at, usize::from(area.width)));
    }
    if palette.found.is_empty() {
        let text = match (palette.scope, palette.line.is_blank()) {
            (Scope::Standalone, true) => " no runner is live",
            _ => " nothing like that; is:blocked, project:x and agent:x narrow, too",
        };
        put(buf, area, 1, vec![piece(text, theme.style(Role::Muted))]);
    }
    cursor
}

fn line(
    state: &State,
    theme: Theme,
    entry: &Entry,
    is_under: bool,
    wide: usize,
) -> Vec<Span<'static>> {
    let mark = if is_under { "▌" } else { " " };
    let role = if is_under { Role::Strong } else { Role::Text };
    let longest = state.runners.values().map(|runner| width(&runner.name)).max().unwrap_or(0);
    let name = longest.min(wide / 3).max(12);
    let mut pieces = vec![piece(mark, theme.style(Role::Accent))];
    match &entry.what {
        What::Runner(id) => {
            let group = state.runners.get(id).map(|runner| state.group(runner));
            let look = theme.style(group.map_or(Role::Muted, Theme::group));
            pieces.push(piece(format!("{} ", group.map_or("", |group| group.glyph())), look));
            pieces.push(piece(fit_name(&entry.text, name), theme.style(role)));
            pieces.push(piece(format!("  {}", entry.detail), theme.style(Role::Muted)));
        }
        What::Project(_) | What::Forget(_) => {
            pieces.push(piece(format!("  {}", fit_name(&entry.text, name)), theme.style(role)));
            pieces.push(piece(format!("  {}", entry.detail), theme.style(Role::Muted)));
        }
        What::Session(_) => {
            let beside = clip(&entry.detail, (wide / 2).max(16));
            let left = wide.saturating_sub(total(&pieces) + width(&beside) + 5);
            pieces.push(piece(format!("  {}", fit(&entry.text, left)), theme.style(role)));
            pieces.push(piece(format!("  {beside}"), theme.style(Role::Muted)));
        }
        What::Action(..) => {
            // The keys stand at the right edge, where they are learnt in passing.
            let keys = clip(&entry.detail, 16);
            let left = wide.saturating_sub(total(&pieces) + width(&keys) + 4);
            pieces.push(piece(format!("  {} ", fit(&entry.text, left)), theme.style(role)));
            pieces.push(piece(keys, theme.style(Role::Accent)));
        }
    }
    pieces
}
