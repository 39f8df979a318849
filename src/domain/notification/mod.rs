//! What people outside are told: which events are worth it, in which words, where, and when.
//!
//! An event becomes a [`Notification`] by [`compose`]; the [`Policy`] says for each channel whether and
//! when it leaves. Both are rules only: sending is done elsewhere, and may be tried again for hours.

mod ending;
mod policy;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    ending::Ending,
    policy::{Policy, QuietHours, Rule, Summary, Verdict},
    words::{compose, headline, own},
};

/// How much something weighs.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It informs.
    #[default]
    Info,
    /// Somebody should look at it.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl Severity {
    /// The word for people, tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Parses the word; other programs say `error` and `warn`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "info" => Self::Info,
            "warning" | "warn" => Self::Warning,
            "critical" | "error" => Self::Critical,
            _ => return None,
        })
    }
}

/// The question that an agent waits with: an answer is one to this question only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Asks {
    /// permission, question, auth, …; empty when it did not say.
    pub kind: String,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

impl Asks {
    /// Whether yes and no answer it.
    pub fn is_yes_or_no(&self) -> bool {
        matches!(self.kind.as_str(), "permission" | "")
    }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notification {
    /// The event that it tells of, by which repetitions are known.
    pub event_id: Uuid,
    /// Its place in the log.
    pub position: u64,
    /// See [`crate::domain::event::EventType::as_str`].
    pub event_type: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// How much it weighs.
    pub severity: Severity,
    /// One character that says what it is about.
    pub emoji: String,
    /// What happened to whom, in one line.
    pub title: String,
    /// More of it, in lines; may be empty.
    pub body: String,
    /// The project, or empty.
    pub project: String,
    /// The runner's name, or empty.
    pub runner: String,
    /// Its id, or empty.
    pub runner_id: String,
    /// What it is told as long as it is true: the activity since then.
    pub while_since: Option<DateTime<Utc>>,
    /// The question that it is about.
    pub asks: Option<Asks>,
    /// Two with the same key say the same.
    pub key: String,
    /// The only channels it is for; empty for all.
    pub channels: Vec<String>,
    /// The channel that it must not go to: it is about that one's failure.
    pub not_by: String,
    /// The trace of what it tells of, or empty.
    #[serde(default)]
    pub trace_id: String,
}

impl Notification {
    /// All of it as plain text.
    pub fn plain(&self) -> String {
        let head = format!("{} {}", self.emoji, self.title);
        if self.body.is_empty() { head } else { format!("{head}\n{}", self.body) }
    }
}

/// What became of a notification on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent.
    Waiting,
    /// The channel has taken it.
    Sent,
    /// It was given up until somebody decides.
    Parked,
    /// It was not sent, for a reason that is said.
    Suppressed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Parked, Self::Suppressed];

    /// The word for people, tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Parked => "parked",
            Self::Suppressed => "suppressed",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A notification on its way through one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NotificationDelivery)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The channel's name.
    pub channel: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
    /// It is not tried before.
    pub due_at: DateTime<Utc>,
    /// When it was sent, parked, suppressed or, while it waits, put off.
    pub settled_at: Option<DateTime<Utc>>,
    /// Why it was not sent, or not yet; of a question that was sent, how it ended.
    pub error: Option<String>,
    /// How the channel names the message that it became.
    pub reference: Option<String>,
    /// What is told.
    pub notification: Notification,
}

/// How a channel is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChannelCounts {
    /// Deliveries that wait.
    pub waiting: u64,
    /// Those that were given up.
    pub parked: u64,
    /// Since when the oldest that waits does.
    pub oldest: Option<DateTime<Utc>>,
}
