//! What the list of all keys says, line by line: the keys that work here first, then everywhere, then
//! in an agent, then all others, with the name each has in the configuration where there is room.
//!
//! Invariant: neither keys nor a sentence are ever cut; where it is narrow they take several lines.

use super::{State, View, wrap};
use crate::ui::keymap::{Action, Binding, Context};

/// From this width the names that the configuration uses are shown.
const NAMES_FROM: u16 = 100;
/// Columns for the keys.
pub(in crate::ui) const KEYS: usize = 14;
/// Columns for what a key does, where its name follows.
pub(in crate::ui) const ABOUT: usize = 58;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum HelpLine {
    /// Nothing, between two parts.
    Blank,
    /// Where the keys under it work.
    Heading(String),
    /// An action, or what is left of its keys and its sentence.
    Entry {
        /// Its keys; empty where only the sentence goes on.
        keys: String,
        /// What they do.
        about: String,
        /// The name in the configuration; empty where there is no room or none.
        name: String,
    },
}

/// Returns all lines for the width of the screen.
pub(in crate::ui) fn help(state: &State) -> Vec<HelpLine> {
    let here = match state.view {
        View::Panes => Context::Panes,
        View::Inbox => Context::Inbox,
        _ if state.is_page() => Context::Page,
        _ if state.is_empty() => Context::Welcome,
        _ => Context::List,
    };
    let mut lines = vec![HelpLine::Heading("KEYS THAT WORK HERE".to_owned())];
    section(&mut lines, state, here);
    section(&mut lines, state, Context::Global);
    let leave = &state.here.leave_label;
    entry(&mut lines, state, leave, "Come back from an agent, attached or typed into", "");
    let mouse = "Click selects, the wheel moves; with shift the terminal selects text";
    entry(&mut lines, state, "mouse", mouse, "");
    let others = Context::ALL.iter().filter(|other| ![here, Context::Global].contains(other));
    for context in others {
        lines.push(HelpLine::Blank);
        lines.push(HelpLine::Heading(format!("IN {}", context.name().to_uppercase())));
        section(&mut lines, state, *context);
    }
    lines
}

fn section(lines: &mut Vec<HelpLine>, state: &State, context: Context) {
    for binding in state.keys.in_context(context) {
        let name = format!("keys.{}.{}", context.name(), binding.command.name);
        entry(lines, state, &binding.labels(), about(state, binding), &name);
    }
}

fn entry(lines: &mut Vec<HelpLine>, state: &State, keys: &str, about: &str, name: &str) {
    let wide = state.size.0;
    let with_name = wide >= NAMES_FROM;
    let room = if with_name { ABOUT } else { usize::from(wide).saturating_sub(KEYS + 3) };
    let mut name = if with_name { name } else { "" };
    let keys = wrap(if keys.is_empty() { "no key" } else { keys }, KEYS);
    let about = wrap(about, room.max(8));
    let count = keys.len().max(about.len());
    let (mut keys, mut about) = (keys.into_iter(), about.into_iter());
    for _ in 0..count {
        lines.push(HelpLine::Entry {
            keys: keys.next().unwrap_or_default(),
            about: about.next().unwrap_or_default(),
            name: std::mem::take(&mut name).to_owned(),
        });
    }
}

/// What a key does; leaving the demonstration is the one thing that is another there.
fn about(state: &State, binding: &Binding) -> &'static str {
    if state.here.demo && binding.command.action == Action::Quit {
        "Leave; the demonstration ends with it"
    } else {
        binding.command.about
    }
}
