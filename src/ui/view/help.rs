//! Draws the list of all keys.

use ratatui::{buffer::Buffer, text::Span};

use crate::ui::{
    state::{Area, HELP_ABOUT, HELP_KEYS, HelpLine, State, help},
    theme::{Role, Theme},
    widgets::{fit, piece, put},
};

/// Draws it, scrolled by so many lines.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area, scroll: usize) {
    let lines = help(state);
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(area.height)));
    for (row, line) in (0..area.height).zip(lines.iter().skip(scroll)) {
        put(buf, area, row, pieces(theme, line));
    }
}

fn pieces(theme: Theme, line: &HelpLine) -> Vec<Span<'static>> {
    match line {
        HelpLine::Blank => Vec::new(),
        HelpLine::Heading(text) => vec![piece(format!(" {text}"), theme.style(Role::Strong))],
        HelpLine::Entry { keys, about, name } => {
            let about = if name.is_empty() { about.clone() } else { fit(about, HELP_ABOUT) };
            vec![
                piece(format!("  {} ", fit(keys, HELP_KEYS)), theme.style(Role::Accent)),
                piece(about, theme.style(Role::Text)),
                piece(format!("  {name}"), theme.style(Role::Muted)),
            ]
        }
    }
}
