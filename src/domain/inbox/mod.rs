//! The attention inbox: what a person should see to, and which change of a runner opens, refines or
//! resolves it.
//!
//! ```text
//!             ┌────────── wake ─────────┐
//!             ▼                         │
//!  change ▶ open ───────── snooze ──▶ snoozed
//!             │                         │
//!             ├─ answer ──▶ answered ◀──┤
//!             ├─ dismiss ─▶ dismissed ◀─┤
//!             └─ change ──▶ resolved ◀──┘
//! ```
//!
//! Invariant: an item stands for exactly one thing: another question is another item, so that an answer
//! to the one never answers the other.

mod policy;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::policy::{
    Consequence, Opening, after_activity, after_hold, after_move, cause, clean, is_about,
    last_lines, last_words,
};
use super::{
    id::RunnerId,
    usage::{Cost, Quality},
};

/// Defines an enum whose values are words for people, tables and the wire.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident => $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $value),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The word for people, tables and the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),* }
            }

            /// Parses the word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)* _ => None }
            }
        }
    };
}

words! {
    /// Why a person should look; the order is that of urgency.
    Reason {
        /// The agent wants to do something.
        Permission => "permission",
        /// It asks something.
        Question => "question",
        /// It wants a sign-in.
        Auth => "auth",
        /// It asks whether a directory is to be trusted.
        Trust => "trust",
        /// It shows its first-run dialogs.
        Onboarding => "onboarding",
        /// A budget holds it.
        Budget => "budget",
        /// It failed: its last turn, or the runner itself.
        Failed => "failed",
        /// Something needs an operator.
        Alert => "alert",
        /// A turn has ended and nobody has looked.
        Finished => "finished",
    }
}

words! {
    /// What is resolved together: a runner has at most one open item of a class, but for alerts.
    Class {
        /// Its agent waits for an answer.
        Ask => "ask",
        /// How its last turn ended.
        Turn => "turn",
        /// How the runner ended.
        End => "end",
        /// A budget holds it.
        Budget => "budget",
        /// Something about the daemon.
        Alert => "alert",
    }
}

words! {
    /// Where an item stands.
    ItemState {
        /// It waits for a person.
        Open => "open",
        /// Put off.
        Snoozed => "snoozed",
        /// Somebody answered it, here or elsewhere.
        Answered => "answered",
        /// Somebody put it away.
        Dismissed => "dismissed",
        /// Its cause is gone.
        Resolved => "resolved",
    }
}

impl ItemState {
    /// Whether it is not over.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Snoozed)
    }
}

impl Reason {
    /// Whether an agent stands still until a person acts.
    pub fn needs_person(self) -> bool {
        !matches!(self, Self::Finished | Self::Alert)
    }

    /// The reason that a blocked agent's kind tells.
    pub(super) fn of_kind(kind: Option<&str>) -> Self {
        match kind {
            Some("permission") => Self::Permission,
            Some("auth") => Self::Auth,
            Some("trust") => Self::Trust,
            Some("onboarding") => Self::Onboarding,
            _ => Self::Question,
        }
    }
}

/// An item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Item {
    /// Its id; a unique beginning names it too.
    pub id: Uuid,
    /// What it is resolved with.
    pub class: Class,
    /// Why a person should look.
    pub reason: Reason,
    /// Where it stands.
    pub state: ItemState,
    /// The runner; all zeros for what is about none.
    pub runner_id: RunnerId,
    /// Its name, or empty.
    pub runner: String,
    /// Its project, or empty.
    pub project: String,
    /// The node it is on.
    pub node_id: String,
    /// The program's short name.
    pub agent: String,
    /// What the agent says, without secrets.
    pub message: String,
    /// The last lines of the screen, without secrets.
    pub lines: Vec<String>,
    /// Under which id the agent's own channel waits for an answer; empty without one.
    pub channel: String,
    /// When the agent asked; an answer is bound to it.
    pub asked_at: DateTime<Utc>,
    /// What the runner had cost by then.
    pub cost_then: Cost,
    /// What it has cost by now.
    pub cost: Cost,
    /// How good these figures are.
    pub quality: Quality,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Put off until then.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// When it was over.
    pub closed_at: Option<DateTime<Utc>>,
    /// Who answered or dismissed it, or empty.
    pub closed_by: String,
    /// With what it was answered, or empty.
    pub answer: String,
    /// Why it is over, or empty.
    pub resolution: String,
}

impl Item {
    /// The beginning of the id that people are shown.
    pub fn short(&self) -> String {
        self.id.simple().to_string().chars().take(8).collect()
    }

    /// Whether a word names it: its id, or the beginning of it.
    pub fn is_meant(&self, word: &str) -> bool {
        let word = word.replace('-', "").to_lowercase();
        word.len() >= 3 && self.id.simple().to_string().starts_with(&word)
    }

    /// What comes first in a list: who stands still, the most urgent, who has waited longest.
    pub fn order(&self) -> impl Ord + use<> {
        (!self.reason.needs_person(), self.reason, self.opened_at, self.id)
    }
}
