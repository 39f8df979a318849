//! What each agent can do for us: one table, by agent and version, for people and for whoever decides.

use serde::Serialize;

use super::launch::at_least;
use crate::domain::{
    agent::Agent,
    agent_command::{self, Permission},
    agent_template::Template,
};

/// How an agent goes on that keeps one conversation in each directory, and no ids.
pub const DIRECTORY: &str = "directory";

/// What can be had of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Abilities {
    /// How its tokens are counted: `exact`, `late`, or `no`.
    pub metered: &'static str,
    /// What its hooks can do: `veto` refuses prompts and tools, `prompts` only prompts, `no`.
    pub hooks: &'static str,
    /// Its own interface: `server`, `app-server` (when configured), `file` (it is only read), `no`.
    pub control: &'static str,
    /// How it goes on with a conversation: `id`, [`DIRECTORY`], `no`.
    pub resume: &'static str,
    /// What tells its state first of all: `osc7501`, `api`, `hook`, `title`, `screen`.
    pub status: &'static str,
    /// Whether it has a god mode.
    pub god: bool,
}

/// Returns what can be had of an agent whose version is this, if that is known.
pub fn abilities(agent: Agent, version: Option<&str>) -> Abilities {
    // A version that is not known is taken for a new one: what is missing then is only less.
    let is_at_least = |wanted| version.is_none_or(|version| at_least(version, wanted));
    let god = agent_command::permissions(agent.as_str()).contains(&Permission::Everything);
    let (metered, hooks, control, resume, status) = match agent {
        Agent::Claude if is_at_least([2, 1, 300]) => ("exact", "veto", "file", "id", "osc7501"),
        Agent::Claude => ("exact", "veto", "no", "id", "title"),
        Agent::Codex if is_at_least([0, 171, 0]) => {
            ("exact", "prompts", "app-server", "id", "osc7501")
        }
        Agent::Codex => ("exact", "prompts", "no", "id", "osc7501"),
        Agent::Gemini => ("exact", "no", "no", "id", "title"),
        Agent::Opencode => ("exact", "no", "server", "id", "api"),
        Agent::Qwen => ("exact", "prompts", "no", "id", "hook"),
        Agent::Copilot => ("exact", "no", "no", "id", "screen"),
        Agent::Aider => ("no", "no", "no", DIRECTORY, "screen"),
    };
    Abilities { metered, hooks, control, resume, status, god }
}

/// Returns what can be had of an agent of the user's own.
pub fn of_template(own: &Template) -> Abilities {
    Abilities {
        metered: "no",
        hooks: "no",
        control: "no",
        resume: if own.resume.is_empty() { "no" } else { "id" },
        status: "screen",
        god: !own.god.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_version_can_less() {
        let control = |version| abilities(Agent::Claude, version).control;
        assert_eq!(control(Some("2.1.332 (Claude Code)")), "file");
        assert_eq!(control(Some("2.1.20 (Claude Code)")), "no");
        assert_eq!(control(None), "file");
        assert_eq!(abilities(Agent::Codex, Some("codex-cli 0.169.0")).control, "no");
        assert!(Agent::ALL.into_iter().all(|agent| abilities(agent, None).god));
    }
}
