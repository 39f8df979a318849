//! The last line: the keys that work here, and where keys go.

use ratatui::buffer::Buffer;

use super::text::{piece, put, total};
use crate::{
    domain::runner::RunnerStatus,
    ui::{
        keymap::{Action, Binding, Context, written},
        state::{Area, Arrangement, Group, Mode, State, question},
        theme::{Role, Theme},
        update,
    },
};

/// Draws the keys that fit, the most important first.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    let Some(context) = update::context(state) else {
        let name = state.selected_runner().map_or("", |runner| runner.name.as_str());
        let pieces = vec![
            piece(format!(" keys go to {name}"), theme.style(Role::Accent)),
            piece("   ", theme.style(Role::Text)),
            piece(state.here.leave_label.clone(), theme.style(Role::Accent)),
            piece(" back", theme.style(Role::Muted)),
        ];
        put(buf, area, 0, pieces);
        return;
    };
    let mut pieces = Vec::new();
    // How to get out is said before everything else gets its room.
    let bindings = state.keys.in_context(context).filter(|binding| !binding.keys.is_empty());
    let last = bindings.clone().filter(|b| is_vital(b) && hint(state, b).is_some());
    let reserved: usize = last.map(|binding| binding.label().chars().count() + 8).sum();
    let width = usize::from(area.width);
    let (vital, others): (Vec<_>, Vec<_>) = bindings.partition(|b| is_vital(b));
    for binding in others.into_iter().chain(vital) {
        let Some(hint) = hint(state, binding) else { continue };
        let key = piece(format!(" {}", label(binding)), theme.style(Role::Accent));
        let word = piece(format!(" {hint} "), theme.style(Role::Muted));
        let needed = total(&[key.clone(), word.clone()]);
        let limit = if is_vital(binding) { width } else { width.saturating_sub(reserved) };
        if total(&pieces) + needed <= limit {
            pieces.extend([key, word]);
        }
    }
    put(buf, area, 0, pieces);
}

/// Kinds of questions that are answered inside only.
const OWN: [&str; 3] = ["auth", "trust", "onboarding"];

fn is_vital(binding: &Binding) -> bool {
    matches!(binding.command.action, Action::Help | Action::Quit)
}

/// How the keys of an action are written; those of numbered choices stand for a row of them.
fn label(binding: &Binding) -> String {
    match (binding.command.action, binding.keys.get(1)) {
        (Action::Choose, Some(second)) => format!("{} {}…", binding.label(), written(*second)),
        _ => binding.label(),
    }
}

/// How a key is called now, `None` when it has nothing to do.
fn hint(state: &State, binding: &Binding) -> Option<&'static str> {
    if binding.command.hint.is_empty() {
        return None;
    }
    if binding.command.context != Context::List {
        return Some(binding.command.hint);
    }
    let status = state.selected_runner().map(|runner| runner.status);
    let is_live = status.is_some_and(RunnerStatus::is_live);
    let needs = state.runners.values().any(|r| state.group(r) == Group::NeedsYou);
    let asked = state.selected_runner().filter(|runner| question(runner).is_some());
    let kind = asked.map(|runner| runner.activity.kind.as_deref().unwrap_or_default());
    let applies = match binding.command.action {
        Action::Approve | Action::Deny => {
            kind.is_some_and(|kind| !OWN.contains(&kind) && kind != "question")
        }
        Action::Choose => kind.is_some_and(|kind| !OWN.contains(&kind)),
        Action::Attach | Action::Type | Action::Line | Action::Stop | Action::Pause => is_live,
        Action::Restart => status.is_some(),
        Action::NextNeeding => needs,
        _ => true,
    };
    let word = match binding.command.action {
        Action::Line if kind.is_none() => "send line",
        Action::NextNeeding if state.size.0 < 100 => "next",
        Action::Pause if status == Some(RunnerStatus::Paused) => "resume",
        Action::Arrange if state.arrangement == Arrangement::ByProject => "by state",
        _ => binding.command.hint,
    };
    (applies && state.mode == Mode::List).then_some(word)
}
