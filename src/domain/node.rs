//! A node: one machine with a daemon, as the others know it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A node that has not given a sign of life for so many seconds cannot be reached.
const UNREACHABLE: f64 = 15.0;

/// A daemon among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub hostname: String,
    /// The version it runs.
    pub version: String,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// Its last sign of life.
    pub last_heartbeat: DateTime<Utc>,
    /// How many seconds ago that was, by the database's clock.
    pub age_seconds: f64,
    /// Counts its starts.
    pub epoch: u64,
    /// Whether it publishes to a broker.
    pub relays: bool,
    /// When it left in order.
    pub left_at: Option<DateTime<Utc>>,
}

impl Node {
    /// Whether it gives signs of life.
    pub fn is_reachable(&self) -> bool {
        self.left_at.is_none() && self.age_seconds < UNREACHABLE
    }

    /// up, left or unreachable.
    pub fn state(&self) -> &'static str {
        match (self.left_at, self.is_reachable()) {
            (_, true) => "up",
            (Some(_), _) => "left",
            (None, false) => "unreachable",
        }
    }

    /// Its name for people: two nodes may have one host name.
    pub fn name(&self) -> String {
        format!("{} ({})", self.hostname, short(&self.id))
    }

    /// Whether a word means it: its host name, its id or the beginning of that.
    pub fn is_meant(&self, word: &str) -> bool {
        self.hostname == word || (word.len() >= 4 && self.id.starts_with(word))
    }
}

/// The beginning of a node's id, by which people tell nodes apart.
pub fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
