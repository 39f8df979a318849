//! The line above the keys: a question, a line being typed, or how the last action went.

use ratatui::{buffer::Buffer, layout::Position};

use crate::ui::{
    state::{Area, Mode, State},
    theme::{Role, Theme},
    widgets::{field, piece, put},
};

/// Draws it and returns where the cursor is, if something is typed.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    // Among panes it lies over what is there.
    put(buf, area, 0, vec![piece(" ".repeat(usize::from(area.width)), theme.style(Role::Text))]);
    match &state.mode {
        Mode::Confirm(confirm) => {
            let text = piece(format!(" {}", confirm.question), theme.style(Role::Warning));
            put(buf, area, 0, vec![text]);
            None
        }
        Mode::Line(reply) => {
            let name = state.runners.get(&reply.id).map_or("", |runner| runner.name.as_str());
            let what = if reply.asked.is_some() { "reply to" } else { "to" };
            let label = format!(" {what} {name} ❯ ");
            field(buf, theme, area, vec![piece(label, theme.style(Role::Accent))], &reply.line)
        }
        Mode::Search(_, line) => {
            let label = vec![piece(" search its past ❯ ", theme.style(Role::Accent))];
            field(buf, theme, area, label, line)
        }
        Mode::Filter => {
            let (label, line) = if state.is_page() {
                (" search / ", &state.page.search)
            } else {
                (" filter / ", &state.filter)
            };
            let label = vec![piece(label, theme.style(Role::Accent))];
            field(buf, theme, area, label, line)
        }
        _ => {
            let toast = state.toast.as_ref()?;
            let (sign, role) =
                if toast.is_failure { ("× ", Role::Failed) } else { ("· ", Role::Text) };
            let pieces = vec![
                piece(format!(" {sign}"), theme.style(role)),
                piece(toast.text.clone(), theme.style(role)),
            ];
            put(buf, area, 0, pieces);
            None
        }
    }
}
