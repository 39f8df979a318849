//! The section `daemon`.

use serde::{Deserialize, Serialize};

/// How the daemon behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonConfig {
    /// Seconds between two samples of the runners' process trees, 1…3600.
    pub heartbeat_interval_seconds: u64,
    /// Seconds between two comparisons of the rows with what really runs, 1…3600.
    pub reconcile_interval_seconds: u64,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self { heartbeat_interval_seconds: 10, reconcile_interval_seconds: 30 }
    }
}
