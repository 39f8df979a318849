//! The section `notify`: how the dashboard, and the world outside of it, is told that somebody is
//! needed.

use serde::{Deserialize, Serialize};

use super::{Secret, layers::nearest, secret::secret_address, telegram::check_url};
use crate::domain::{
    budget::zone,
    event::EventType,
    notification::{QuietHours, Rule, Severity, Summary},
};

/// What happens when an agent that nobody looks at needs a person, fails or is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// In the dashboard: a note on the screen for some seconds.
    pub toasts: bool,
    /// In the dashboard: the terminal's bell, for those that need a person or have failed.
    pub bell: bool,
    /// In the dashboard: a notification of the desktop through the terminal (OSC 9), where that knows
    /// it.
    pub desktop: bool,
    /// Outside of the dashboard: a notification of the desktop by `notify-send`, where that is found.
    pub notify_send: bool,
    /// What is pushed where; the first rule that fits an event decides. An event that none fits is pushed
    /// everywhere from `min_severity` up. See Keys with a structure.
    pub rules: Vec<Rule>,
    /// info, warning or critical: what weighs less is not pushed.
    pub min_severity: Severity,
    /// `22:00-07:00`: what is not critical waits until they are over; what only informs is left out.
    pub quiet_hours: String,
    /// The zone of quiet hours and summaries, as `Europe/Berlin`; empty for the system's.
    pub time_zone: String,
    /// An agent that waits for a person, or is done, is told of when it still is after so many
    /// seconds, 0…3600.
    pub dwell_seconds: u64,
    /// The same is not pushed again within so many seconds, 0…86400.
    pub cooldown_seconds: u64,
    /// Nothing is pushed of a runner before whose screen a person was within so many seconds, 0…3600.
    pub presence_seconds: u64,
    /// Whether a picture of its screen goes with the question of an agent.
    pub pictures: bool,
    /// When a summary of what ran and what it cost is pushed: `0 8 * * *` as crontab has it, or empty.
    pub summary: String,
    /// A program of your own that is told by HTTP.
    pub webhook: WebhookConfig,
    /// A topic of ntfy.
    pub ntfy: NtfyConfig,
}

/// Told by POST with JSON, signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where it listens; empty for none.
    #[serde(serialize_with = "secret_address")]
    pub url: String,
    /// What requests are signed with (HMAC-SHA256); empty for no signature.
    pub secret: Secret,
}

/// A topic of ntfy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NtfyConfig {
    /// `https://ntfy.sh/my-secret-topic`; empty for none.
    #[serde(serialize_with = "secret_address")]
    pub url: String,
    /// The access token, where the topic needs one.
    pub token: Secret,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            toasts: true,
            bell: false,
            desktop: false,
            notify_send: false,
            rules: Vec::new(),
            min_severity: Severity::Info,
            quiet_hours: String::new(),
            time_zone: String::new(),
            dwell_seconds: 5,
            cooldown_seconds: 60,
            presence_seconds: 60,
            pictures: true,
            summary: String::new(),
            webhook: WebhookConfig::default(),
            ntfy: NtfyConfig::default(),
        }
    }
}

impl NotifyConfig {
    /// Says what is wrong, with the key it is wrong at.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Some(zone) = zone(&self.time_zone) else {
            let why = format!("`{}` is no time zone like Europe/Berlin", self.time_zone);
            return Err(("notify.time_zone", why));
        };
        QuietHours::parse(&self.quiet_hours, zone).map_err(|why| ("notify.quiet_hours", why))?;
        Summary::parse(&self.summary, zone).map_err(|why| ("notify.summary", why))?;
        for (key, url) in
            [("notify.webhook.url", &self.webhook.url), ("notify.ntfy.url", &self.ntfy.url)]
        {
            if !url.is_empty() {
                check_url(url).map_err(|why| (key, why))?;
            }
        }
        let has_topic = self.ntfy.url.splitn(4, '/').nth(3).is_some_and(|topic| !topic.is_empty());
        if !self.ntfy.url.is_empty() && !has_topic {
            return Err(("notify.ntfy.url", "it ends with the topic's name".to_owned()));
        }
        for rule in &self.rules {
            rule.check()
                .and_then(|()| check_event(&rule.event))
                .map_err(|why| ("notify.rules", why))?;
        }
        Ok(())
    }
}

/// Says what is wrong with the type of event that a rule names: one that there never is would push and mute
/// nothing, in silence.
fn check_event(word: &str) -> Result<(), String> {
    // An activity is named with its state.
    const STATES: [&str; 3] =
        ["runner.activity.blocked", "runner.activity.done", "runner.activity.error"];
    let is_state =
        |state: &&str| *state == word || (word.ends_with('.') && state.starts_with(word));
    if word.is_empty() || EventType::is_there(word) || STATES.iter().any(is_state) {
        return Ok(());
    }
    let mut names = EventType::names();
    names.extend(STATES.map(str::to_owned));
    let what = format!("no event is of the type `{}`", word.escape_debug());
    Err(match nearest(word, &names) {
        Some(near) => format!("{what}; did you mean `{near}`?"),
        None => what,
    })
}
