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

    /// Whether it tells what a response used only when the tools that it asked for are done (1.18): while one of
    /// them waits for a permission nobody knows.
    pub fn tells_after_tools(self) -> bool {
        self == Self::Opencode
    }

    /// Whether its telemetry is what tells that it has gone over to another conversation: Gemini CLI is given no
    /// hooks, and names there the one that it holds (0.61, after `/clear`). Others name a title's, too.
    pub fn names_conversations_in_telemetry(self) -> bool {
        self == Self::Gemini
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

/// Returns the version in what a program says of itself: the first word that looks like one.
pub fn version_in(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| c.is_whitespace() || "(),".contains(c));
    let is_version = |word: &&str| {
        let word = word.trim_start_matches('v');
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && word.len() <= 24
    };
    // Copilot ends its sentence with it.
    let found = words.find(is_version)?.trim_start_matches('v').trim_end_matches('.');
    found.chars().all(|c| c.is_ascii_graphic()).then(|| found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_agents_say() {
        for (said, version) in [
            ("2.1.328 (Claude Code)\n", Some("2.1.328")),
            ("codex-cli 0.169.0\n", Some("0.169.0")),
            ("v1.18.33", Some("1.18.33")),
            ("GitHub Copilot CLI 1.0.102.\nRun 'copilot update'.", Some("1.0.102")),
            ("unknown option", None),
            ("", None),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn a_program_is_known_by_its_last_part() {
        assert_eq!(Agent::of("/opt/x/claude"), Some(Agent::Claude));
        assert_eq!(Agent::of("claude-wrapper"), None);
        for agent in Agent::ALL {
            assert_eq!(Agent::of(agent.as_str()), Some(agent));
        }
    }
}
