//! The section `logging`.

use serde::{Deserialize, Serialize};

/// What the daemon logs, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoggingConfig {
    /// error, warn, info, debug or trace.
    pub level: String,
    /// Daily files kept, 1…365.
    pub max_files: u32,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), max_files: 7 }
    }
}
