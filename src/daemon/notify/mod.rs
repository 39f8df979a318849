//! d0: the ways to people outside: Telegram, ntfy, a webhook, the desktop. Each takes one notification
//! and says what became of it; when to try again is for the caller to decide.
//!
//! Invariant: no way waits for ever, none holds more than it is given, and no error names a secret.

mod desktop;
mod ntfy;
mod telegram;
mod webhook;

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, redirect::Policy};

pub use self::telegram::{Button, Incoming, Telegram, Update, chosen, split};
use self::{desktop::Desktop, ntfy::Ntfy, webhook::Webhook};
use crate::{config::Config, domain::notification::Notification};

/// Until a connection has come about.
const CONNECTING: Duration = Duration::from_secs(5);

/// Until a server has answered.
const ANSWERING: Duration = Duration::from_secs(10);

/// What is to be told.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// In words.
    pub told: &'a Notification,
    /// The runner's screen as PNG.
    pub picture: Option<Bytes>,
    /// The choices of the question that it asks: their numbers and words.
    pub choices: Vec<(u8, String)>,
    /// The same may have arrived before: nobody heard an answer.
    pub is_repeat: bool,
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It may be later.
    Later {
        /// Why not now; names no secret.
        why: String,
        /// Not before so long, when the other side says so: that is no failed try.
        after: Option<Duration>,
    },
    /// It is not until a person has seen to the channel, which is asked about again after so long.
    Shut {
        /// What is the matter and what to do about it; names no secret.
        why: String,
        /// Not before so long: that is no failed try.
        after: Duration,
    },
    /// It never will be, as it is.
    Never(String),
}

impl Fault {
    fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }

    /// Why.
    pub fn why(&self) -> &str {
        match self {
            Self::Later { why, .. } | Self::Shut { why, .. } | Self::Never(why) => why,
        }
    }
}

/// The ways that are configured.
#[derive(Debug, Default)]
pub struct Channels {
    telegram: Option<Telegram>,
    ntfy: Option<Ntfy>,
    webhook: Option<Webhook>,
    desktop: Option<Desktop>,
}

impl Channels {
    /// Returns the ways of a configuration; one that cannot be used is logged and left out.
    pub fn new(config: &Config) -> Self {
        let usable = |name: &str, error: String| {
            tracing::error!(channel = name, error, "a channel for notifications cannot be used");
        };
        let telegram = config.docker.telegram.is_configured().then_some(&config.docker.telegram);
        let telegram = telegram.and_then(|config| {
            Telegram::new(config).map_err(|error| usable("telegram", error)).ok()
        });
        let notify = &config.notify;
        let ntfy = (!notify.ntfy.url.is_empty()).then_some(&notify.ntfy);
        let ntfy =
            ntfy.and_then(|config| Ntfy::new(config).map_err(|error| usable("ntfy", error)).ok());
        let webhook = (!notify.webhook.url.is_empty()).then_some(&notify.webhook);
        let webhook = webhook
            .and_then(|config| Webhook::new(config).map_err(|error| usable("webhook", error)).ok());
        let desktop = if notify.notify_send { Desktop::find() } else { None };
        Self { telegram, ntfy, webhook, desktop }
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            ("telegram", self.telegram.is_some()),
            ("ntfy", self.ntfy.is_some()),
            ("webhook", self.webhook.is_some()),
            ("desktop", self.desktop.is_some()),
        ];
        all.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
    }

    /// The bot, when one is configured.
    pub fn telegram(&self) -> Option<&Telegram> {
        self.telegram.as_ref()
    }

    /// Tells something one way; returns how that names the message, where it does.
    ///
    /// # Errors
    ///
    /// When it was not taken, or nobody knows.
    pub async fn send(&self, name: &str, it: &Outgoing<'_>) -> Result<Option<String>, Fault> {
        match (name, &self.telegram, &self.ntfy, &self.webhook, &self.desktop) {
            ("telegram", Some(telegram), ..) => telegram.send(it).await.map(Some),
            ("ntfy", _, Some(ntfy), ..) => ntfy.send(it).await.map(|()| None),
            ("webhook", _, _, Some(webhook), _) => webhook.send(it).await.map(|()| None),
            ("desktop", .., Some(desktop)) => desktop.send(it).await.map(|()| None),
            _ => Err(Fault::Never(format!("no channel `{name}` is configured"))),
        }
    }
}

/// Returns what speaks HTTP. It follows no redirection: that could carry a secret elsewhere.
fn client(answering: Duration) -> Result<Client, String> {
    Client::builder()
        .connect_timeout(CONNECTING)
        .timeout(answering)
        .redirect(Policy::none())
        .user_agent(concat!("stratavore/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.without_url().to_string())
}

/// Returns what an answer means that has no meaning of its own.
fn judge(response: &reqwest::Response) -> Result<(), Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let why = format!("it answered {status}");
    let after = response.headers().get("retry-after");
    let after = after.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    match status.as_u16() {
        408 | 425 => Err(Fault::later(why)),
        429 => {
            let after = Some(Duration::from_secs(after.unwrap_or(60)));
            Err(Fault::Later { why, after })
        }
        500.. => Err(Fault::Later { why, after: after.map(Duration::from_secs) }),
        _ => Err(Fault::Never(why)),
    }
}

/// Returns why no answer came; the address, which may hold a secret, is not told.
fn unheard(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        why = format!("{why}: {error}");
        source = error.source();
    }
    Fault::later(why)
}
