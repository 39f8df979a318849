//! The keys in force: the table of the configuration with the user's own keys, looked up by key and
//! by action.
//!
//! Invariant: within one context a key asks for one action; a configuration that says otherwise was
//! refused before the dashboard opened.

use std::collections::HashMap;

pub(super) use crate::config::keys::{Action, Command, Context};
use crate::{
    config::{KeysConfig, keys::COMMANDS},
    domain::key::{Key, KeyPress},
};

/// An action in a context, with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// What it is.
    pub(super) command: &'static Command,
    /// The keys; the first is the one that is named.
    pub(super) keys: Vec<KeyPress>,
    /// How they are written.
    pub(super) labels: Vec<String>,
}

/// All keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keymap {
    bindings: Vec<Binding>,
    by_key: HashMap<(Context, KeyPress), Action>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new(&KeysConfig::default(), false)
    }
}

impl Keymap {
    /// Returns the keys that a configuration, checked when it was loaded, asks for; plain ones are
    /// written in words alone.
    pub(super) fn new(config: &KeysConfig, is_plain: bool) -> Self {
        let label = |key: &KeyPress| if is_plain { key.to_string() } else { written(*key) };
        let bindings: Vec<Binding> = COMMANDS
            .iter()
            .map(|command| {
                let keys = config.of(command).unwrap_or_default();
                Binding { command, labels: keys.iter().map(label).collect(), keys }
            })
            .collect();
        let by_key = bindings.iter().flat_map(|Binding { command, keys, .. }| {
            keys.iter().map(|key| ((command.context, *key), command.action))
        });
        Self { by_key: by_key.collect(), bindings }
    }

    /// Returns what a key asks for in a context, or else everywhere.
    pub(super) fn action(&self, context: Context, press: KeyPress) -> Option<Action> {
        let here = self.by_key.get(&(context, press));
        here.or_else(|| self.by_key.get(&(Context::Global, press))).copied()
    }

    /// Returns which of an action's keys a key is, from 0.
    pub(super) fn position(&self, context: Context, action: Action, press: KeyPress) -> Option<u8> {
        let mut bindings = self.in_context(context);
        let binding = bindings.find(|binding| binding.command.action == action)?;
        let at = binding.keys.iter().position(|key| *key == press)?;
        u8::try_from(at).ok()
    }

    /// Returns the actions of a context, the most important first.
    pub(super) fn in_context(&self, context: Context) -> impl Iterator<Item = &Binding> + Clone {
        self.bindings.iter().filter(move |binding| binding.command.context == context)
    }

    /// Returns how the first key of an action is written, empty if it has none.
    pub(super) fn label(&self, context: Context, action: Action) -> String {
        let mut bindings = self.in_context(context);
        let binding = bindings.find(|binding| binding.command.action == action);
        binding.map(Binding::label).unwrap_or_default()
    }
}

impl Binding {
    /// Returns how its first key is written, empty if it has none.
    pub(super) fn label(&self) -> String {
        self.labels.first().cloned().unwrap_or_default()
    }

    /// Returns how all its keys are written; of many that stand for numbers the first and the last.
    pub(super) fn labels(&self) -> String {
        match (self.command.action, self.labels.as_slice()) {
            (Action::Choose | Action::PaneByNumber, [first, _, _, .., last]) => {
                format!("{first} … {last}")
            }
            (_, labels) => labels.join(" "),
        }
    }
}

/// Returns how a key is written on the screen, where room is dear.
fn written(press: KeyPress) -> String {
    let sign = match press.key {
        Key::Enter => "⏎",
        Key::Up => "↑",
        Key::Down => "↓",
        Key::Left => "←",
        Key::Right => "→",
        _ => return press.to_string(),
    };
    let bare = KeyPress { key: Key::Char('x'), ..press }.to_string();
    bare.strip_suffix('x').unwrap_or_default().to_owned() + sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_goes_before_everywhere() {
        let keys = Keymap::default();
        let press = |text| KeyPress::parse(text).unwrap();
        assert_eq!(keys.action(Context::List, press("ctrl-l")), Some(Action::Redraw));
        assert_eq!(keys.action(Context::Confirm, press("ctrl-c")), Some(Action::Cancel));
        assert_eq!(keys.action(Context::Line, press("x")), None);
        assert_eq!(keys.label(Context::List, Action::Open), "⏎");
        assert_eq!(written(press("ctrl-up")), "ctrl-↑");
    }
}
