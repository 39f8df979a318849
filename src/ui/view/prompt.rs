//! What stands above the keys: a question, a line being typed, or how the last action went.

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
    for row in 0..area.height {
        let blank = " ".repeat(usize::from(area.width));
        put(buf, area, row, vec![piece(blank, theme.style(Role::Text))]);
    }
    match &state.mode {
        Mode::Confirm(_) => {
            for (row, line) in (0..area.height).zip(state.asked_lines()) {
                put(buf, area, row, vec![piece(format!(" {line}"), theme.style(Role::Warning))]);
            }
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
        Mode::Words(line) => {
            let label = vec![piece(" search all conversations ❯ ", theme.style(Role::Accent))];
            field(buf, theme, area, label, line)
        }
        Mode::Find => {
            let label = vec![piece(" search / ", theme.style(Role::Accent))];
            field(buf, theme, area, label, &state.page.find)
        }
        Mode::Filter => {
            let (label, line) = if state.is_page() {
                (" only lines with ❯ ", &state.page.search)
            } else {
                (" filter / ", &state.filter)
            };
            let label = vec![piece(label, theme.style(Role::Accent))];
            field(buf, theme, area, label, line)
        }
        _ if state.unread.is_some() => {
            let lines = state.whole_lines();
            let last = lines.len().saturating_sub(1);
            for (row, (at, line)) in (0..area.height).zip(lines.into_iter().enumerate()) {
                let role = if at == last { Role::Muted } else { Role::Strong };
                put(buf, area, row, vec![piece(format!(" {line}"), theme.style(role))]);
            }
            None
        }
        _ => {
            let (sign, role) = match &state.toast {
                Some(toast) if toast.is_failure => ("× ", Role::Failed),
                _ => ("· ", Role::Text),
            };
            let lines = state.toast_lines();
            let signs = std::iter::once(sign).chain(std::iter::repeat("  "));
            for (row, (sign, line)) in (0..area.height).zip(signs.zip(lines)) {
                put(buf, area, row, vec![piece(format!(" {sign}{line}"), theme.style(role))]);
            }
            None
        }
    }
}
