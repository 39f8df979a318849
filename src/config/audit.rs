//! The section `audit`: what makes the event log tamper-evident, beyond the database itself.

use serde::{Deserialize, Serialize};

/// Keys and checkpoints of the event log's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// The file with this node's key; empty for `keys/audit.key` in the root directory.
    pub key_file: String,
    /// The file that checkpoints are appended to, best on another machine; empty for none. A broker
    /// gets them too.
    pub checkpoint_file: String,
    /// Seconds between two checkpoints while events come, 1…3600.
    pub checkpoint_seconds: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { key_file: String::new(), checkpoint_file: String::new(), checkpoint_seconds: 60 }
    }
}
