//! The section `events`: how long the event log is kept.

use serde::{Deserialize, Serialize};

/// Retention of the log. What is not yet published, or is the tail of the chain, is always kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Days that an event is kept, 0 for ever.
    pub retention_days: u64,
    /// Events that are kept at most, the newest; 0 for all.
    pub retention_rows: u64,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { retention_days: 365, retention_rows: 10_000_000 }
    }
}
