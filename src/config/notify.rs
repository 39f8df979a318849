//! The section `notify`: how the dashboard says that somebody is needed.

use serde::{Deserialize, Serialize};

/// What happens when an agent that nobody looks at needs a person, fails or is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// A note on the screen for some seconds.
    pub toasts: bool,
    /// The terminal's bell, for those that need a person or have failed.
    pub bell: bool,
    /// A notification of the desktop through the terminal (OSC 9), where that knows it.
    pub desktop: bool,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { toasts: true, bell: false, desktop: false }
    }
}
