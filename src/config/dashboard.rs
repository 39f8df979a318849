//! The section `dashboard`: how it looks.

use serde::{Deserialize, Serialize};

/// How the dashboard looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct DashboardConfig {
    /// The theme's name; empty for the one that was chosen in the dashboard last.
    pub theme: String,
    /// Plain ASCII, every state a word, nothing that moves: for screen readers.
    pub accessible: bool,
}
