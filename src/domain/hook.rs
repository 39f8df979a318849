//! What an agent's hook tells us, and what it is told in return.
//!
//! The report is cut down by the hook's own process before it travels: whole files and command
//! outputs stay where they are. Invariant: a [`HookReport`] is at most some 20 KiB.

use serde::{Deserialize, Serialize};

use super::approval::Decision;

/// The longest text kept of a prompt or message, in characters.
pub const LONGEST_TEXT: usize = 2000;

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 64;
/// The longest id, in characters.
pub const LONGEST_ID: usize = 128;
/// The longest line, in characters.
pub const LONGEST_LINE: usize = 200;

/// What a hook told, whatever agent it was. Empty where the agent said nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HookReport {
    /// The agent's name for what happened: `SessionStart`, `PreToolUse`, …
    pub event: String,
    /// The agent's conversation.
    pub session: String,
    /// The file in which the agent records it.
    pub transcript: String,
    /// The agent's working directory.
    pub cwd: String,
    /// The model.
    pub model: String,
    /// How a conversation began: `startup`, `resume`, `clear`, `compact`.
    pub source: String,
    /// Why it ended, or what went wrong.
    pub reason: String,
    /// The prompt, message or last answer, cut off.
    pub text: String,
    /// The tool it is about, with its main argument, cut off: `Bash(git push)`.
    pub tool: String,
    /// What kind of notification it is.
    pub kind: String,
    /// The subagent it comes from; empty for the main one.
    pub agent: String,
    /// The tool's name alone.
    pub name: String,
    /// What the tool is given: a command, a path, an address; cut off.
    pub argument: String,
    /// Some of that is missing.
    pub is_cut: bool,
    /// The hook is held open under this name until it is told what was decided; empty for others.
    pub ask: String,
    /// Its agent shows no dialog before that.
    pub is_brief: bool,
    /// What the hook has decided itself, by the policy: allow or deny; empty for nothing.
    pub decision: String,
    /// The rule by which.
    pub rule: String,
}

/// The status by which a supervisor answers a hook that need not demand to ask a person: one was asked, and let
/// it be.
pub const WAS_ASKED: u16 = 208;

impl HookReport {
    /// Whether its agent wants a permission.
    pub fn wants_permission(&self) -> bool {
        self.event == "PermissionRequest"
    }

    /// Whether a turn begins or ends with it.
    pub fn bounds_turn(&self) -> bool {
        matches!(&*self.event, "UserPromptSubmit" | "Stop" | "SessionStart")
    }
}

/// What was decided of what an agent wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Allow or deny.
    pub decision: Decision,
    /// Why, for the agent.
    pub reason: String,
}

impl HookReport {
    /// Returns the report with every text cut to its bound: it may come from anybody in the runner.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let cut = |text: &mut String, longest: usize| {
            if let Some((end, _)) = text.char_indices().nth(longest) {
                text.truncate(end);
            }
        };
        for name in
            [&mut self.event, &mut self.source, &mut self.kind, &mut self.name, &mut self.decision]
        {
            cut(name, LONGEST_NAME);
        }
        for id in [&mut self.session, &mut self.model, &mut self.agent, &mut self.ask] {
            cut(id, LONGEST_ID);
        }
        cut(&mut self.reason, LONGEST_LINE);
        cut(&mut self.tool, LONGEST_NAME + LONGEST_LINE + 2);
        self.is_cut |= self.argument.chars().nth(LONGEST_TEXT).is_some();
        for text in [
            &mut self.text,
            &mut self.transcript,
            &mut self.cwd,
            &mut self.argument,
            &mut self.rule,
        ] {
            cut(text, LONGEST_TEXT);
        }
        self
    }
}

/// How far an agent is held.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HoldLevel {
    /// New prompts are refused.
    Prompts,
    /// The running turn ends at the next tool as well.
    Turn,
}

impl HoldLevel {
    /// The word for people and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Turn => "turn",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Prompts, Self::Turn].into_iter().find(|level| level.as_str() == word)
    }
}

/// What an agent is told through its hooks: that it must not go on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hold {
    /// How far.
    pub level: HoldLevel,
    /// Why, for the agent's screen.
    pub reason: String,
}
