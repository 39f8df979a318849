//! What the user has configured, as far as the dashboard acts on it.

use chrono::TimeDelta;

use crate::config::{Config, NotifyConfig};

/// Settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Settings {
    /// How it is said that somebody is needed.
    pub(in crate::ui) notify: NotifyConfig,
    /// How long an agent may take to leave before it is killed.
    pub(in crate::ui) stop_grace: TimeDelta,
}

impl Settings {
    /// Returns those of a configuration.
    pub(in crate::ui) fn new(config: &Config) -> Self {
        let grace = i64::try_from(config.runner.stop_grace_seconds).unwrap_or(0);
        Self { notify: config.notify.clone(), stop_grace: TimeDelta::seconds(grace) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&Config::default())
    }
}
