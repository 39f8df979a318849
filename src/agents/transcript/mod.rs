//! Reads what agents write down of their conversations: lines in, entries out, one file at a time.
//!
//! A [`Reader`] is fed the complete lines of one file in order and holds little: what a line needs of
//! those before it. It can be stored and taken up again where it stopped. Invariants: any bytes are
//! taken; a request has the same key in every file into which an agent copies it, so that the key
//! counts it once; of several records of one key the one with the most tokens is true. `opencode`
//! keeps a database instead: [`super::opencode::transcript`] reads its rows.

mod content;
mod recent;

pub use content::{Content, LONGEST_TEXT};
pub use recent::Recent;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{aider, claude, codex, copilot, gemini, qwen};
use crate::domain::{
    agent::Agent,
    usage::{Cost, Quality, Tokens, UsageRecord, UsageSource},
};

/// Longest line that is read, in bytes: an agent stores pictures and whole files in a line, beside which
/// nothing was said that is of use here.
pub const LONGEST_LINE: usize = 16 << 20;

/// Something that a transcript says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Which conversation what follows belongs to; again when that changes or more is known.
    Opened(Opened),
    /// Somebody said something.
    Message(Message),
    /// A request was answered. A later record of the same key replaces it if it has more tokens.
    Usage(UsageRecord),
    /// What the conversation is called.
    Title(String),
    /// What the conversation was about.
    Summary(String),
    /// The agent was asked something.
    TurnStarted {
        /// When.
        at: Option<DateTime<Utc>>,
    },
    /// The agent has answered, or was stopped.
    TurnEnded {
        /// When.
        at: Option<DateTime<Utc>>,
        /// Whether it was stopped.
        interrupted: bool,
    },
    /// The agent's own sum, side requests included.
    Cost(CostState),
}

/// A conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The agent's id of it; a subagent's own. Empty when the agent has none (aider).
    pub conversation: String,
    /// Directory; empty when the file does not say.
    pub cwd: String,
    /// Model; empty when the file does not say here.
    pub model: String,
    /// When it began, as far as the file says.
    pub at: Option<DateTime<Utc>>,
    /// The conversation whose subagent this is.
    pub parent: Option<String>,
    /// The conversation that this one continues from a point in its past.
    pub forked_from: Option<String>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The user, or whoever asks on the user's behalf.
    User,
    /// The agent.
    Assistant,
}

/// Something that was said. What tools were given and returned is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The agent's id of it; empty when it has none. A message may come again under its id.
    pub id: String,
    /// Who.
    pub role: Role,
    /// What; at most [`LONGEST_TEXT`] bytes.
    pub text: String,
    /// When.
    pub at: Option<DateTime<Utc>>,
}

/// What an agent says that a conversation has used so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CostState {
    /// The conversation.
    pub conversation: String,
    /// Money; `None` when the agent does not say or does not know all its prices.
    pub cost: Option<Cost>,
    /// Tokens.
    pub tokens: Tokens,
    /// Tokens by model.
    pub models: Vec<(String, Tokens)>,
}

/// Reads one file of an agent's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// `projects/*/*.jsonl`.
    Claude(claude::transcript::State),
    /// `sessions/**/rollout-*.jsonl`.
    Codex(codex::transcript::State),
    /// `tmp/*/chats/session-*.jsonl`.
    Gemini(gemini::transcript::State),
    /// `projects/*/chats/*.jsonl`.
    Qwen(qwen::transcript::State),
    /// `session-state/*/events.jsonl`.
    Copilot(copilot::transcript::State),
    /// `.aider.chat.history.md` and the file of `--analytics-log`.
    Aider(aider::transcript::State),
}

impl Reader {
    /// Returns a reader at the beginning of a file; `None` for an agent that writes no lines.
    pub fn new(agent: Agent) -> Option<Self> {
        Some(match agent {
            Agent::Claude => Self::Claude(claude::transcript::State::default()),
            Agent::Codex => Self::Codex(codex::transcript::State::default()),
            Agent::Gemini => Self::Gemini(gemini::transcript::State::default()),
            Agent::Qwen => Self::Qwen(qwen::transcript::State::default()),
            Agent::Copilot => Self::Copilot(copilot::transcript::State::default()),
            Agent::Aider => Self::Aider(aider::transcript::State::default()),
            Agent::Opencode => return None,
        })
    }

    /// Reads a complete line, with or without its end, and hands what it says to `found`.
    pub fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LONGEST_LINE {
            return;
        }
        match self {
            Self::Claude(state) => state.line(line, found),
            Self::Codex(state) => state.line(line, found),
            Self::Gemini(state) => state.line(line, found),
            Self::Qwen(state) => state.line(line, found),
            Self::Copilot(state) => state.line(line, found),
            Self::Aider(state) => state.line(line, found),
        }
    }

    /// When the model was asked for what it has not answered, as far as the file says, of agents that write what they
    /// ask down as they ask it.
    pub fn unanswered(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Gemini(state) => state.unanswered(),
            Self::Qwen(state) => state.unanswered(),
            _ => None,
        }
    }

    /// Hands on what waits for a line that does not come: the file is at its end and at rest.
    pub fn end(&mut self, found: &mut dyn FnMut(Entry)) {
        if let Self::Aider(state) = self {
            state.end(found);
        }
    }
}

/// Returns a record of what was read from a file: late, and without the agent's own cost.
pub(super) fn record(agent: Agent, id: &str, tokens: Tokens) -> UsageRecord {
    UsageRecord {
        key: super::otlp::key(agent, Some(id)),
        purpose: "main".to_owned(),
        tokens,
        source: UsageSource::Transcript,
        quality: Quality::Late,
        ..UsageRecord::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that a file of lines says.
    pub(in crate::agents) fn entries(agent: Agent, text: &str) -> Vec<Entry> {
        let mut reader = Reader::new(agent).unwrap();
        let mut entries = Vec::new();
        for line in text.lines() {
            reader.line(line.as_bytes(), &mut |entry| entries.push(entry));
            // A reader that was stored goes on as if it had not been.
            reader = serde_json::from_str(&serde_json::to_string(&reader).unwrap()).unwrap();
        }
        reader.end(&mut |entry| entries.push(entry));
        entries
    }

    /// What it says was used.
    pub(in crate::agents) fn used(entries: &[Entry]) -> Vec<&UsageRecord> {
        entries
            .iter()
            .filter_map(|it| if let Entry::Usage(it) = it { Some(it) } else { None })
            .collect()
    }

    /// What it says was said.
    pub(in crate::agents) fn said(entries: &[Entry]) -> Vec<(Role, &str)> {
        entries
            .iter()
            .filter_map(
                |it| if let Entry::Message(it) = it { Some((it.role, &*it.text)) } else { None },
            )
            .collect()
    }

    const FILES: [(Agent, &str); 6] = [
        (
            Agent::Claude,
            include_str!("../../../tests/fixtures/agents/claude-2.1.328-transcript.jsonl"),
        ),
        (Agent::Codex, include_str!("../../../tests/fixtures/agents/codex-0.169-rollout.jsonl")),
        (Agent::Gemini, include_str!("../../../tests/fixtures/agents/gemini-0.61-chat.jsonl")),
        (Agent::Qwen, include_str!("../../../tests/fixtures/agents/qwen-0.24-chat.jsonl")),
        (Agent::Copilot, include_str!("../../../tests/fixtures/agents/copilot-1.0-events.jsonl")),
        (Agent::Aider, include_str!("../../../tests/fixtures/agents/aider-0.86-analytics.jsonl")),
    ];

    #[test]
    fn a_request_that_is_read_twice_has_one_key() {
        for (agent, text) in FILES.into_iter().filter(|(agent, _)| *agent != Agent::Aider) {
            let first = entries(agent, text);
            let twice = entries(agent, &format!("{text}{text}"));
            let keys = |entries: &[Entry]| -> std::collections::BTreeSet<String> {
                used(entries).into_iter().map(|it| it.key.clone()).collect()
            };
            assert!(!keys(&first).is_empty() && !keys(&first).contains(""), "{agent:?}");
            assert_eq!(keys(&first), keys(&twice), "{agent:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_skipped_and_costs_the_lines_around_it_nothing(
            other in proptest::collection::vec("[^\n]{0,80}", 1..4),
            at in any::<prop::sample::Index>(),
        ) {
            for (agent, text) in FILES.into_iter().filter(|(agent, _)| *agent != Agent::Aider) {
                let mut lines: Vec<&str> = text.lines().collect();
                let at = at.index(lines.len());
                for other in &other {
                    lines.insert(at, other);
                }
                prop_assert_eq!(entries(agent, &lines.join("\n")), entries(agent, text));
            }
        }

        #[test]
        fn a_line_that_is_cut_or_changed_breaks_nothing(
            line in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(),
            other in any::<Vec<u8>>(),
        ) {
            for (agent, text) in FILES {
                let lines: Vec<&str> = text.lines().collect();
                let mut line = lines[line.index(lines.len())].as_bytes().to_vec();
                let at = at.index(line.len() + 1);
                let end = (at + other.len()).min(line.len());
                line.splice(at..end, other.iter().copied());
                let mut reader = Reader::new(agent).unwrap();
                reader.line(&line, &mut |_| ());
                reader.line(&line[..at], &mut |_| ());
            }
        }
    }
}
