//! The section `presets`: launches by a name, each a command with what it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A launch that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Preset {
    /// Program and arguments, as typed.
    pub command: String,
    /// The model; empty for the agent's own.
    pub model: String,
    /// own, plan, ask, edits, auto or god.
    pub permissions: String,
    /// The first prompt; empty for none.
    pub prompt: String,
    /// A project's name or a directory; empty for where one stands.
    pub project: String,
    /// `new` for a worktree on a branch of its own, or a branch; empty for none.
    pub worktree: String,
    /// The runner's name, or `*3` for three with the project's numbers; empty for one.
    pub name: String,
    /// At most so many tokens, as typed; empty for no limit of its own.
    pub max_tokens: String,
}

/// Presets by their names.
pub type Presets = BTreeMap<String, Preset>;

/// The keys of a preset.
pub(super) const FIELDS: [&str; 8] =
    ["command", "model", "permissions", "prompt", "project", "worktree", "name", "max_tokens"];

/// Whether a path names a field of a preset: `presets.<name>.<field>`, whatever the name.
pub(super) fn is_field(path: &str) -> bool {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        ["presets", name, field] => !name.is_empty() && FIELDS.contains(field),
        _ => false,
    }
}
