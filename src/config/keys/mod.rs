//! The section `keys`: which keys ask for which action, as `keys.<context>.<action>`.
//!
//! The defaults are the table in `table.rs`; a configuration replaces the keys of single actions,
//! and an empty text takes them away. Invariant: a [`KeysConfig`] that was loaded and so checked has no key
//! that means two things in one context, and every context can be left.

mod action;
mod command;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

pub use self::{
    action::Action,
    command::Command,
    table::{COMMANDS, Context},
};
use crate::domain::key::KeyPress;

/// The keys of every action, as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeysConfig(BTreeMap<String, BTreeMap<String, Keys>>);

/// Keys divided by blanks; a list of keys is read, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Keys(String);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let one = |value: Value| match value {
            Value::String(text) => Ok(text),
            // YAML reads an unquoted `1` as a number.
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!("`{other}` is not a key; write it in quotes")),
        };
        let text = match Value::deserialize(deserializer)? {
            Value::Array(keys) => {
                keys.into_iter().map(one).collect::<Result<Vec<_>, _>>().map(|keys| keys.join(" "))
            }
            other => one(other),
        };
        text.map(Self).map_err(D::Error::custom)
    }
}

impl Default for KeysConfig {
    fn default() -> Self {
        let mut contexts: BTreeMap<String, BTreeMap<String, Keys>> = BTreeMap::new();
        for command in COMMANDS {
            let actions = contexts.entry(command.context.name().to_owned()).or_default();
            actions.insert(command.name.to_owned(), Keys(command.keys.to_owned()));
        }
        Self(contexts)
    }
}

impl KeysConfig {
    /// Returns the keys of an action, the one that is shown first.
    ///
    /// # Errors
    ///
    /// For a text that is not a key.
    pub fn of(&self, command: &Command) -> Result<Vec<KeyPress>, String> {
        let written = self.0.get(command.context.name()).and_then(|keys| keys.get(command.name));
        let written = written.map_or(command.keys, |keys| keys.0.as_str());
        written.split_whitespace().map(KeyPress::parse).collect()
    }
}

/// What is wrong with the keys: the path of the setting to be blamed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadKey {
    /// `keys.list.stop`.
    pub(super) path: String,
    /// In words, with what to do.
    pub(super) why: String,
}

/// Checks what types cannot express; of two settings that clash the one that is not a default is
/// blamed.
pub(super) fn checked(keys: &KeysConfig, is_default: impl Fn(&str) -> bool) -> Result<(), BadKey> {
    let mut taken: BTreeMap<(Context, KeyPress), &Command> = BTreeMap::new();
    for command in COMMANDS {
        let path = path_of(command);
        let bad = |why: String| BadKey { path: path.clone(), why };
        let own: BTreeSet<KeyPress> = keys.of(command).map_err(bad)?.into_iter().collect();
        if own.is_empty() && matches!(command.action, Action::Cancel | Action::Quit) {
            return Err(bad("it needs a key, or there is no way out".to_owned()));
        }
        for key in own {
            let is_needed = match command.context {
                Context::Global => !key.is_command(),
                Context::Typing => key.is_text(),
                _ => false,
            };
            if is_needed {
                let why = format!("`{key}` is needed for text; use ctrl, alt or a function key");
                return Err(bad(why));
            }
            let Some(other) = taken.insert((command.context, key), command) else { continue };
            let other = path_of(other);
            let (blamed, holder) =
                if is_default(&path) { (other, path) } else { (path.clone(), other) };
            let why = format!("`{key}` is a key of `{holder}` already; give that another one");
            return Err(BadKey { path: blamed, why });
        }
    }
    // What works everywhere is taken away by a default on purpose, and by a person by mistake.
    for ((context, key), command) in &taken {
        let Some(global) = taken.get(&(Context::Global, *key)) else { continue };
        let (path, everywhere) = (path_of(command), path_of(global));
        if *context == Context::Global || (is_default(&path) && is_default(&everywhere)) {
            continue;
        }
        let (blamed, holder) =
            if is_default(&path) { (everywhere, path) } else { (path, everywhere) };
        let why = format!("`{key}` is a key of `{holder}` already; give that another one");
        return Err(BadKey { path: blamed, why });
    }
    Ok(())
}

fn path_of(command: &Command) -> String {
    format!("keys.{}.{}", command.context.name(), command.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<(), BadKey> {
        let mut keys = KeysConfig::default();
        for (path, value) in settings {
            let (context, action) = path.split_once('.').unwrap();
            let actions = keys.0.get_mut(context).unwrap();
            actions.insert(action.to_owned(), Keys((*value).to_owned())).unwrap();
        }
        checked(&keys, |path| !settings.iter().any(|(set, _)| path == format!("keys.{set}")))
    }

    #[test]
    fn the_table_is_consistent_and_says_everything() {
        assert_eq!(with(&[]), Ok(()));
        let mut names = BTreeSet::new();
        for command in COMMANDS {
            assert!(names.insert(path_of(command)), "{command:?} has its name twice");
            assert!(command.about.len() > 3 && !command.about.ends_with('.'), "{command:?}");
        }
    }

    #[test]
    fn clashes_are_refused_and_the_newcomer_is_blamed() {
        for (path, value) in [("list.kill", "x"), ("list.next_needing", "x")] {
            let wrong = with(&[(path, value)]).unwrap_err();
            assert_eq!(wrong.path, format!("keys.{path}"));
            assert!(wrong.why.contains("keys.list.stop"), "{wrong:?}");
        }
        assert_eq!(with(&[("list.kill", "x"), ("list.stop", "X")]), Ok(()));
        assert_eq!(with(&[("list.kill", "")]), Ok(()));
        assert!(with(&[("confirm.no", "")]).is_err());
        assert!(with(&[("global.redraw", "w")]).is_err());
        assert!(with(&[("list.stop", "ctrl-z")]).unwrap_err().why.contains("keys.global.suspend"));
        assert!(with(&[("typing.left", "a")]).is_err(), "letters are the agent's");
        assert!(with(&[("list.kill", "hyper-x")]).unwrap_err().why.contains("not a key"));
    }

    #[test]
    fn lists_and_numbers_are_keys_too() {
        let read = |text: &str| serde_json::from_str::<Keys>(text).map(|keys| keys.0);
        assert_eq!(read(r#"["j", "down"]"#).unwrap(), "j down");
        assert_eq!(read("1").unwrap(), "1");
        assert!(read("true").is_err());
    }
}
