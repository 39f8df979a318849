//! The agents we know by name: which program is which.
//!
//! What each can be told and what it reports is `agents`' and [`super::agent_command`]'s matter.

/// An agent whose flags and reports we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// opencode.
    Opencode,
    /// Qwen Code.
    Qwen,
    /// GitHub Copilot CLI.
    Copilot,
    /// aider.
    Aider,
}

impl Agent {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::Claude,
        Self::Codex,
        Self::Gemini,
        Self::Opencode,
        Self::Qwen,
        Self::Copilot,
        Self::Aider,
    ];

    /// The program's name, which is also the word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Qwen => "qwen",
            Self::Copilot => "copilot",
            Self::Aider => "aider",
        }
    }

    /// Whether it reports by OSC 7501, whatever its version that we know: Codex (0.169) draws its box before
    /// its session is there, and reports then.
    pub fn reports_itself(self) -> bool {
        self == Self::Codex
    }

    /// Whether it says that it works also while it starts, before any prompt: Codex (0.171), for as long as its
    /// servers take to start, without any for some milliseconds.
    pub fn works_at_its_start(self) -> bool {
        self == Self::Codex
    }

    /// Whether it asks its model on behind a turn: Qwen Code (0.24) for what may be said next, and for what is
    /// to be remembered.
    pub fn asks_behind_turns(self) -> bool {
        self == Self::Qwen
    }

    /// Whether it tells of a question before its dialog is there: Codex (0.171) keeps a dialog back until nobody
    /// has typed for a second. Keys that come before land in its input box, and Esc ends the turn.
    pub fn keeps_dialogs_back(self) -> bool {
        self == Self::Codex
    }

    /// Whether its terminal interface takes pastes as such, from when it reads its input (seen with all
    /// that are named).
    pub fn takes_pastes(self) -> bool {
        matches!(self, Self::Claude | Self::Codex | Self::Gemini | Self::Opencode | Self::Qwen)
    }

    /// Returns the agent that a program is, by the last part of its path; `None` for any other.
    pub fn of(program: &str) -> Option<Self> {
        let name = program.rsplit('/').next().unwrap_or(program);
        Self::ALL.into_iter().find(|agent| agent.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_last_part() {
        assert_eq!(Agent::of("/opt/x/claude"), Some(Agent::Claude));
        assert_eq!(Agent::of("claude-wrapper"), None);
        for agent in Agent::ALL {
            assert_eq!(Agent::of(agent.as_str()), Some(agent));
        }
    }
}
