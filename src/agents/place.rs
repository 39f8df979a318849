//! Where agents keep what they write down, so that conversations can be found and imported.
//!
//! Patterns only: nothing here looks at a disk. A place inside an agent's directory is given as a
//! relative path with `/` between its parts.

use crate::domain::agent::Agent;

/// An agent's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// The variable that moves it, and what is appended to its value.
    pub variable: Option<(&'static str, &'static str)>,
    /// Where it is without the variable, below the user's home.
    pub default: &'static str,
    /// The folders in it that hold conversations; the directory itself when empty.
    pub folders: &'static [&'static str],
}

/// A file of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A conversation; its id as far as the name has it, which is all of it but for Gemini.
    Conversation(String),
    /// A subagent of a conversation.
    Subagent {
        /// The conversation.
        conversation: String,
        /// The subagent.
        id: String,
    },
    /// A database of conversations (opencode).
    Database,
}

/// Returns where an agent keeps its conversations; `None` for one that writes into the project (aider:
/// `.aider.chat.history.md`).
pub fn home(agent: Agent) -> Option<Home> {
    let (variable, default, folders): (_, _, &[_]) = match agent {
        Agent::Claude => (Some(("CLAUDE_CONFIG_DIR", "")), ".claude", &["projects"]),
        Agent::Codex => (Some(("CODEX_HOME", "")), ".codex", &["sessions", "archived_sessions"]),
        Agent::Gemini => (Some(("GEMINI_CLI_HOME", ".gemini")), ".gemini", &["tmp"]),
        Agent::Opencode => (Some(("XDG_DATA_HOME", "opencode")), ".local/share/opencode", &[]),
        Agent::Qwen => (Some(("QWEN_HOME", "")), ".qwen", &["projects"]),
        Agent::Copilot => (Some(("COPILOT_HOME", "")), ".copilot", &["session-state"]),
        Agent::Aider => return None,
    };
    Some(Home { variable, default, folders })
}

/// Returns what the file at a path below [`home`] is; `None` when it is no conversation.
pub fn place(agent: Agent, path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.split('/').collect();
    let lines =
        |name: &str| name.strip_suffix(".jsonl").filter(|name| !name.is_empty()).map(str::to_owned);
    match (agent, &*parts) {
        (Agent::Claude, ["projects", _, name]) | (Agent::Qwen, ["projects", _, "chats", name]) => {
            lines(name).map(Place::Conversation)
        }
        (Agent::Claude, ["projects", _, session, "subagents", .., name]) => {
            let id = lines(name)?.strip_prefix("agent-")?.to_owned();
            Some(Place::Subagent { conversation: (*session).to_owned(), id })
        }
        (Agent::Codex, ["sessions" | "archived_sessions", .., name]) => {
            let name = lines(name)?;
            // rollout-2026-11-20T18-24-31-01a1fa33-f65e-74d1-bac5-7fac414243ba
            let id = name.strip_prefix("rollout-")?.get(20..)?;
            (id.len() == 36).then(|| Place::Conversation(id.to_owned()))
        }
        (Agent::Gemini, ["tmp", _, "chats", name]) => {
            let id = lines(name)?.strip_prefix("session-")?.rsplit('-').next()?.to_owned();
            Some(Place::Conversation(id))
        }
        (Agent::Gemini, ["tmp", _, "chats", session, name]) => {
            Some(Place::Subagent { conversation: (*session).to_owned(), id: lines(name)? })
        }
        (Agent::Copilot, ["session-state", session, "events.jsonl"]) => {
            Some(Place::Conversation((*session).to_owned()))
        }
        (Agent::Opencode, ["opencode.db"]) => Some(Place::Database),
        _ => None,
    }
}

/// Returns the folder below `projects` in which Claude Code and Qwen Code keep a directory's
/// conversations.
///
/// All but ASCII letters and digits is `-`. Claude shortens the longest of these and adds a
/// hash: for a result of more than 200 bytes the folder begins with its first 200.
pub fn slug(directory: &str) -> String {
    directory.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_known_by_their_paths() {
        let uuid = "01a1fa33-f65e-74d1-bac5-7fac414243ba";
        for (agent, path, id) in [
            (Agent::Claude, format!("projects/-tmp-a/{uuid}.jsonl"), uuid),
            (
                Agent::Codex,
                format!("sessions/2026/11/20/rollout-2026-11-20T18-24-31-{uuid}.jsonl"),
                uuid,
            ),
            (
                Agent::Gemini,
                "tmp/a/chats/session-2026-11-20T18-24-1df79b6e.jsonl".to_owned(),
                "1df79b6e",
            ),
            (Agent::Qwen, format!("projects/-tmp-a/chats/{uuid}.jsonl"), uuid),
            (Agent::Copilot, format!("session-state/{uuid}/events.jsonl"), uuid),
        ] {
            assert_eq!(place(agent, &path), Some(Place::Conversation(id.to_owned())), "{path}");
        }
        let subagent = place(Agent::Claude, "projects/-a/s/subagents/agent-a62.jsonl");
        let of = Place::Subagent { conversation: "s".to_owned(), id: "a62".to_owned() };
        assert_eq!(subagent, Some(of));
        assert_eq!(place(Agent::Opencode, "opencode.db"), Some(Place::Database));
    }

    #[test]
    fn other_files_are_none() {
        for (agent, path) in [
            (Agent::Claude, "projects/-a/s/subagents/agent-a62.meta.json"),
            (Agent::Claude, "projects/-a/.jsonl"),
            (Agent::Claude, "history.jsonl"),
            (Agent::Codex, "sessions/2026/11/20/rollout-\u{e4}.jsonl"),
            (Agent::Codex, "history.jsonl"),
            (Agent::Gemini, "tmp/a/logs/x.jsonl"),
            (Agent::Qwen, "usage/token-usage-2026-11.jsonl"),
            (Agent::Opencode, "opencode.db-wal"),
            (Agent::Aider, ".aider.chat.history.md"),
        ] {
            assert_eq!(place(agent, path), None, "{path}");
        }
    }

    #[test]
    fn a_directory_becomes_a_folders_name() {
        assert_eq!(slug("/tmp/rd/work_a.b/\u{e4}"), "-tmp-rd-work-a-b--");
    }
}
