//! All keys: those that work here first, then everywhere, then in an agent, then all others, with
//! the name each has in the configuration where there is room.

use ratatui::{buffer::Buffer, text::Span};

use crate::ui::{
    keymap::{Action, Binding, Context},
    state::{Area, State, View},
    theme::{Role, Theme},
    widgets::{fit, piece, put},
};

/// From this width the names that the configuration uses are shown.
const NAMES_FROM: u16 = 100;
/// Columns for the keys.
const KEYS: usize = 14;

/// Draws the list of keys, scrolled by so many lines.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area, scroll: usize) {
    let lines = lines(state, theme, area.width);
    let scroll = scroll.min(lines.len().saturating_sub(usize::from(area.height)));
    for (row, line) in (0..area.height).zip(lines.into_iter().skip(scroll)) {
        put(buf, area, row, line);
    }
}

fn lines(state: &State, theme: Theme, width: u16) -> Vec<Vec<Span<'static>>> {
    let here = match state.view {
        View::Panes => Context::Panes,
        _ if state.is_page() => Context::Page,
        _ if state.is_empty() => Context::Welcome,
        _ => Context::List,
    };
    let mut lines = vec![heading(theme, "KEYS THAT WORK HERE")];
    section(&mut lines, state, theme, here, width);
    section(&mut lines, state, theme, Context::Global, width);
    let leave = state.here.leave_label.clone();
    lines.push(entry(theme, leave, "Come back from an agent, attached or typed into", ""));
    let mouse = "Click selects, the wheel moves; with shift the terminal selects text";
    lines.push(entry(theme, "mouse".to_owned(), mouse, ""));
    let others = Context::ALL.iter().filter(|other| ![here, Context::Global].contains(other));
    for context in others {
        lines.push(Vec::new());
        lines.push(heading(theme, &format!("IN {}", context.name().to_uppercase())));
        section(&mut lines, state, theme, *context, width);
    }
    lines
}

fn section(
    lines: &mut Vec<Vec<Span<'static>>>,
    state: &State,
    theme: Theme,
    context: Context,
    width: u16,
) {
    for binding in state.keys.in_context(context) {
        let name = if width >= NAMES_FROM {
            format!("keys.{}.{}", context.name(), binding.command.name)
        } else {
            String::new()
        };
        lines.push(entry(theme, binding.labels(), about(state, binding), &name));
    }
}

fn heading(theme: Theme, text: &str) -> Vec<Span<'static>> {
    vec![piece(format!(" {text}"), theme.style(Role::Strong))]
}

fn entry(theme: Theme, keys: String, about: &str, name: &str) -> Vec<Span<'static>> {
    let keys = if keys.is_empty() { "no key".to_owned() } else { keys };
    vec![
        piece(format!("  {} ", fit(&keys, KEYS)), theme.style(Role::Accent)),
        piece(fit(about, if name.is_empty() { about.len() } else { 58 }), theme.style(Role::Text)),
        piece(format!("  {name}"), theme.style(Role::Muted)),
    ]
}

/// What a key does; leaving the demonstration is the one thing that is another there.
fn about(state: &State, binding: &Binding) -> &'static str {
    if state.here.demo && binding.command.action == Action::Quit {
        "Leave; the demonstration ends with it"
    } else {
        binding.command.about
    }
}
