//! A session: an agent's conversation, which can outlive runners and be resumed.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The agent's own id for it, or ours.
    pub id: String,
    /// The runner that holds or held it.
    pub runner_id: String,
    /// Its project.
    pub project: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<DateTime<Utc>>,
    /// Messages so far.
    pub message_count: u64,
    /// Tokens so far.
    pub tokens_used: u64,
    /// Whether the agent can go on with it.
    pub resumable: bool,
    /// What it was about; may be empty.
    pub summary: String,
}
