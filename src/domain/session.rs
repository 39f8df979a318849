//! A session: an agent's conversation, which can outlive runners and be resumed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::usage::{Cost, Quality};

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The agent's own id for it.
    pub id: String,
    /// The agent: `claude`, `codex`, …
    pub agent: String,
    /// The runner that holds it, or held it last.
    pub runner_id: String,
    /// Its project.
    pub project: String,
    /// The node on which its agent keeps it.
    pub node_id: String,
    /// The directory it belongs to.
    pub cwd: String,
    /// The model, as last told.
    pub model: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the last message came.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Prompts and answers so far.
    pub message_count: u64,
    /// Tokens so far, as budgets count them.
    pub tokens_used: u64,
    /// What they cost.
    pub cost: Cost,
    /// How good these figures are.
    pub quality: Quality,
    /// Whether the agent can go on with it.
    pub resumable: bool,
    /// How it began: `started`, `resumed`, `cleared`, `forked`, `imported`.
    pub origin: String,
    /// The conversation it came from.
    pub resumed_from: Option<String>,
    /// The first prompt, cut off.
    pub first_prompt: String,
    /// What it was about; may be empty.
    pub summary: String,
    /// The file in which the agent records it; empty when unknown.
    pub transcript: String,
}

/// What became known of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionNews {
    /// The agent's id for it.
    pub id: String,
    /// It began, or went on after an end, this way (see [`Session::origin`]).
    pub origin: Option<&'static str>,
    /// The conversation it came from.
    pub parent: Option<String>,
    /// Its directory, or empty.
    pub cwd: String,
    /// Its model, or empty.
    pub model: String,
    /// Its file, or empty.
    pub transcript: String,
    /// A prompt, or empty; the first one is kept.
    pub prompt: String,
    /// Messages more.
    pub messages: u64,
    /// Whether it is over.
    pub has_ended: bool,
    /// When.
    pub at: DateTime<Utc>,
}
