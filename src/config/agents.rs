//! The section `agents`: how the agents we know are run, and agents of the user's own.

use std::{cmp::Reverse, collections::BTreeMap, ffi::OsString};

use serde::{Deserialize, Serialize};

use crate::domain::{agent::Agent, agent_template::Template};

/// Codex without a server, and beside an app-server of its own.
const PLAIN: &str = "plain";
const APP_SERVER: &str = "app-server";

/// Agents by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentsConfig(BTreeMap<String, AgentConfig>);

/// How an agent is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// Codex only: `plain`, or `app-server` to run the conversation in a server beside the window.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// An agent of the user's own: program and arguments, with `{model}`, `{prompt}`, `{session_id}` and
    /// `{permission}` where those belong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// What is added for god mode.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub god: Vec<String>,
    /// Program and arguments to go on with the conversation `{session_id}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// What ends its turn: `esc` or `ctrl-c` (default).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interrupt: String,
    /// The rules by which its screen is read: an agent's name, or that of a file in `screens/`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub screens: String,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        let codex = AgentConfig { mode: PLAIN.to_owned(), ..AgentConfig::default() };
        Self([("codex".to_owned(), codex)].into())
    }
}

impl AgentsConfig {
    /// Whether Codex's conversations are run in an app-server beside the window.
    pub fn codex_server(&self) -> bool {
        self.0.get("codex").is_some_and(|codex| codex.mode == APP_SERVER)
    }

    /// The agents of the user's own, by their names.
    pub fn own(&self) -> impl Iterator<Item = (&str, Template)> {
        self.0.iter().filter_map(|(name, agent)| Some((name.as_str(), agent.template()?)))
    }

    /// The user's own agent of this name.
    pub fn named(&self, name: &str) -> Option<Template> {
        self.0.get(name)?.template()
    }

    /// The user's own agent that a command runs, of several the one that fits best; none for the program of
    /// an agent that is known.
    pub fn of_command(&self, command: &[OsString]) -> Option<(&str, Template)> {
        if Agent::of(&command.first()?.to_string_lossy()).is_some() {
            return None;
        }
        let fits = self.own().filter_map(|agent| Some((agent.1.makes(command)?, agent)));
        // Of those that fit alike, the first by its name.
        fits.min_by_key(|(words, _)| Reverse(*words)).map(|(_, agent)| agent)
    }

    /// Returns the first setting that makes no sense: its path, and why.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        for (name, agent) in &self.0 {
            let bad = |field: &str, why: String| Err((format!("agents.{name}.{field}"), why));
            let is_known = Agent::ALL.iter().any(|known| known.as_str() == name);
            if name == "codex" && ![PLAIN, APP_SERVER].contains(&agent.mode.as_str()) {
                return bad("mode", format!("`{}` is none of {PLAIN}, {APP_SERVER}", agent.mode));
            }
            if name != "codex" && !agent.mode.is_empty() {
                return bad("mode", "only codex has modes".to_owned());
            }
            if is_known && agent.template().is_some() {
                let why = format!("{name} is an agent that is known; give yours another name");
                return bad("command", why);
            }
            if !is_known && agent.command.first().is_none_or(String::is_empty) {
                return bad("command", "it is missing: program and arguments, a list".to_owned());
            }
            if !["", "esc", "ctrl-c"].contains(&agent.interrupt.as_str()) {
                return bad("interrupt", format!("`{}` is none of esc, ctrl-c", agent.interrupt));
            }
            for (field, words) in
                [("command", &agent.command), ("god", &agent.god), ("resume", &agent.resume)]
            {
                if let Some(wrong) = words.iter().find_map(|word| Template::unknown_place(word)) {
                    let all = Template::PLACES.join(", ");
                    return bad(field, format!("`{wrong}` is none of {all}"));
                }
            }
        }
        Ok(())
    }
}

impl AgentConfig {
    fn template(&self) -> Option<Template> {
        (!self.command.is_empty()).then(|| Template {
            command: self.command.clone(),
            god: self.god.clone(),
            resume: self.resume.clone(),
            is_interrupted_by_escape: self.interrupt == "esc",
            screens: self.screens.clone(),
        })
    }
}

/// The keys of an agent.
const FIELDS: [&str; 6] = ["mode", "command", "god", "resume", "interrupt", "screens"];

/// Whether a path names a field of an agent: `agents.<name>.<field>`, whatever the name.
pub(super) fn is_field(path: &str) -> bool {
    match path.split('.').collect::<Vec<_>>().as_slice() {
        ["agents", name, field] => !name.is_empty() && FIELDS.contains(field),
        _ => false,
    }
}
