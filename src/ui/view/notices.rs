//! The first note, in a line: which agent, what it needs, how many more there are, and the key that
//! goes there.

use ratatui::{buffer::Buffer, text::Span};

use crate::ui::{
    keymap::{Action, Context},
    state::{Geometry, Notice, State, View, glyph, told, word},
    theme::{Role, Theme},
    update,
    widgets::{clip, clip_name, piece, put, total, width},
};

/// Fewer columns of what is said say nothing.
const LEAST_SAID: usize = 8;

/// Draws it.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let area = state.notices_area(areas);
    let Some(notice) = state.notices.first().filter(|_| !area.is_empty()) else { return };
    let pieces = note(state, theme, notice, usize::from(area.width));
    put(buf, area, 0, pieces);
}

fn note(state: &State, theme: Theme, notice: &Notice, wide: usize) -> Vec<Span<'static>> {
    let Some(runner) = state.runners.get(&notice.id) else { return Vec::new() };
    let look = theme.style(Theme::group(notice.group));
    // Elsewhere than in the list the key means something else, or goes to an agent.
    let has_key = matches!(update::context(state), Some(Context::List | Context::Page));
    let key =
        if has_key { state.keys.label(Context::List, Action::GoToNotice) } else { String::new() };
    let more = match state.notices.len() {
        0 | 1 => String::new(),
        count => format!("  +{}", count - 1),
    };
    let mut end = vec![piece(more, theme.style(Role::Muted))];
    if !key.is_empty() {
        end.push(piece(format!("  {key}"), theme.style(Role::Accent)));
        end.push(piece(" go ", theme.style(Role::Muted)));
    }
    let mut pieces = vec![
        piece(" ", look),
        piece(format!("{} ", glyph(runner, notice.group)), look),
        piece(clip_name(&runner.name, 20), theme.style(Role::Strong)),
        piece(format!(" {} {}", runner.agent, word(runner, notice.group)), look),
    ];
    let left = wide.saturating_sub(total(&pieces) + total(&end) + 1);
    let said = told(runner, notice.group).map(|said| format!(" · {said}")).unwrap_or_default();
    if left >= LEAST_SAID.min(width(&said)) {
        pieces.push(piece(clip(&said, left), theme.style(Role::Text)));
    }
    if total(&pieces) + total(&end) <= wide {
        pieces.extend(end);
    }
    if state.view == View::Panes || total(&pieces) < wide {
        pieces.push(piece(" ", look));
    }
    pieces
}
