//! Notes over the screen: which agent, what it needs, and the key that goes there.

use ratatui::{buffer::Buffer, text::Span};

use crate::ui::{
    keymap::{Action, Context},
    state::{Geometry, Notice, State, glyph, told, word},
    theme::{Role, Theme},
    update,
    widgets::{clip_name, fit, piece, put, total, width},
};

/// Draws them.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let area = state.notices_area(areas);
    let per_note = state.lines_of_notice(areas);
    let notices = state.notices.iter().enumerate();
    for ((at, notice), top) in notices.zip((0..area.height).step_by(usize::from(per_note))) {
        for (line, pieces) in
            (0..per_note).zip(note(state, theme, notice, at == 0, (area.width, per_note)))
        {
            put(buf, area, top + line, pieces);
        }
    }
}

fn note(
    state: &State,
    theme: Theme,
    notice: &Notice,
    is_first: bool,
    (wide, lines): (u16, u16),
) -> Vec<Vec<Span<'static>>> {
    let Some(runner) = state.runners.get(&notice.id) else { return Vec::new() };
    let look = theme.style(Theme::group(notice.group));
    let wide = usize::from(wide);
    // Only the first has a key: one that goes to another note each time would not be learnt. Elsewhere
    // than in the list the key means something else, or goes to an agent.
    let has_key = is_first && update::context(state) == Some(Context::List);
    let key =
        if has_key { state.keys.label(Context::List, Action::GoToNotice) } else { String::new() };
    let key = if key.is_empty() { key } else { format!(" {key} ") };
    let mut head = vec![
        // In a line of its own it must not look like the selected row.
        piece(if lines == 1 { " " } else { "▌" }, look),
        piece(format!("{} ", glyph(runner, notice.group)), look),
        piece(clip_name(&runner.name, 20), theme.style(Role::Strong)),
        piece(format!(" {} {}", runner.agent, word(runner, notice.group)), look),
    ];
    let said = told(runner, notice.group).unwrap_or_default();
    let left = wide.saturating_sub(total(&head) + width(&key));
    head.push(piece(fit("", left), theme.style(Role::Text)));
    head.push(piece(key, theme.style(Role::Accent)));
    let text = vec![
        piece("▌", look),
        piece(fit(&format!("  {said}"), wide.saturating_sub(1)), theme.style(Role::Text)),
    ];
    vec![head, text]
}
