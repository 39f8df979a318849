//! What people outside are told: taken in from the event log, sent by [`deliver`], looked after here;
//! what was asked and is over is said to be so by [`endings`]; how long a channel is left alone is kept
//! by [`rests`].
//!
//! One daemon of those that share a database does it, the one that holds the lease; its channels and
//! rules are in force. Nothing waits for any of this.

mod deliver;
mod endings;
mod rests;
mod summary;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

pub use self::deliver::Step;
pub(super) use self::rests::Way;
use self::{endings::Endings, rests::Rests};
use super::{Component, Services, chat::Keyboards};
use crate::{
    config::NotifyConfig,
    daemon::{
        notify::{Channels, Outgoing},
        store::{NewDelivery, TOGETHER},
    },
    domain::{
        budget::zone,
        event::{Event, EventType},
        failure::Failure,
        id::RunnerId,
        notification::{
            ChannelCounts, Delivery, DeliveryState, Notification, Policy, QuietHours, Severity,
            Summary, Verdict, compose,
        },
    },
};

/// Events read at once.
const BATCH: u32 = 500;

/// Deliveries that may wait on one channel; beyond, only what is critical is still taken in.
const MOST_WAITING: u64 = 1000;

/// Deliveries that are looked at together, and listed, at most.
const MOST_LISTED: u32 = 10_000;

/// The place is written down after so many events that said nothing.
const UNSAID: u64 = 5000;

/// Settled deliveries are kept so long, for whoever asks what became of one.
const KEPT: TimeDelta = TimeDelta::days(14);

/// Characters of one's own words.
const MOST_WORDS: usize = 16_000;

/// A test of a channel may take so long.
const TESTING: Duration = Duration::from_secs(25);

/// Something is late when it waits for so long beyond its time.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// The place up to which the log was taken in.
const CURSOR: &str = "notifier";

/// What is known of people outside.
#[derive(Debug, Clone, Default)]
pub(super) struct Outside {
    pub channels: Arc<Channels>,
    policy: Arc<Policy>,
    summary: Option<Summary>,
    /// Something new waits to be sent.
    ring: Ring,
    /// Before whose screens a person was last.
    presence: Arc<Mutex<HashMap<RunnerId, Instant>>>,
    /// Held while something is sent on a channel, so that two never send the same.
    sending: Arc<HashMap<&'static str, tokio::sync::Mutex<()>>>,
    /// Questions that were pushed, perhaps, and wait no more.
    endings: Endings,
    /// Channels that are left alone.
    pub rests: Rests,
    /// Buttons under messages in a chat.
    pub keyboards: Keyboards,
    /// Questions that were shown in a chat.
    pub shown: Arc<Mutex<HashMap<RunnerId, DateTime<Utc>>>>,
}

impl Outside {
    /// Returns what a configuration makes of it.
    pub(super) fn new(channels: Channels, config: &NotifyConfig) -> Self {
        // Both were checked when the configuration was read.
        let zone = zone(&config.time_zone).unwrap_or(chrono_tz::UTC);
        let seconds =
            |value: u64| TimeDelta::seconds(i64::try_from(value).unwrap_or(i64::from(u32::MAX)));
        let policy = Policy {
            rules: config.rules.clone(),
            min_severity: config.min_severity,
            quiet: QuietHours::parse(&config.quiet_hours, zone).unwrap_or_default(),
            dwell: seconds(config.dwell_seconds),
            cooldown: seconds(config.cooldown_seconds),
        };
        let sending =
            channels.names().into_iter().map(|name| (name, tokio::sync::Mutex::default()));
        Self {
            sending: Arc::new(sending.collect()),
            channels: Arc::new(channels),
            policy: Arc::new(policy),
            summary: Summary::parse(&config.summary, zone).unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// Counts what was put in the way of the senders, so that none of it is missed between two looks.
#[derive(Debug, Clone)]
struct Ring(Arc<watch::Sender<u64>>);

impl Default for Ring {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Ring {
    fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// Up to where the log was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotifyPlace {
    /// As it is written down; `None` until that is known.
    written: Option<u64>,
    read: u64,
}

impl Services {
    /// The names of the channels that are configured.
    pub fn notify_channels(&self) -> Vec<&'static str> {
        self.outside.channels.names()
    }

    /// How often something new was to be sent.
    pub fn notify_rings(&self) -> u64 {
        *self.outside.ring.0.borrow()
    }

    /// Waits until something is to be sent that is not among the first so many.
    pub async fn notify_rung(&self, rings: u64) {
        let mut ring = self.outside.ring.0.subscribe();
        // The sender lives as long as we do.
        ring.wait_for(|count| *count != rings).await.ok();
    }

    /// How often somebody wanted everything to be tried at once.
    pub fn notify_retries(&self) -> u64 {
        self.outside.rests.ended()
    }

    /// Leaves a channel alone for so long, or until everything is to be tried that is not among the
    /// first so many times.
    pub async fn notify_rest(&self, pause: Duration, retries: u64) {
        self.outside.rests.rest(pause, retries).await;
    }

    /// Takes in the next part of the event log; returns whether there may be more.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notify_take_in(&self, place: &mut NotifyPlace) -> Result<bool, Failure> {
        let now = self.context.clock.now();
        let written = if let Some(written) = place.written {
            written
        } else {
            let written = self.notify_begin(now).await?;
            *place = NotifyPlace { written: Some(written), read: written };
            written
        };
        let events = self.store.event_after(place.read, BATCH).await?;
        let Some(last) = events.last().map(|event| event.position) else { return Ok(false) };
        if events.iter().any(|event| event.event_type == EventType::NotificationRetried.as_str()) {
            // It may have been asked for on another node.
            self.outside.rests.end();
            self.outside.ring.ring();
        }
        let news = self.notify_news(&events, now).await?;
        if news.is_empty() && last - written < UNSAID {
            // What said nothing is read again after a crash, and says nothing again.
            place.read = last;
            self.note_endings(&events);
            return Ok(true);
        }
        let taken = self.store.notification_take_in(CURSOR, (written, last), news, now).await;
        if let Err(error) = taken {
            *place = NotifyPlace::default();
            return Err(error.into());
        }
        *place = NotifyPlace { written: Some(last), read: last };
        self.outside.ring.ring();
        self.note_endings(&events);
        Ok(true)
    }

    /// Takes note of questions that have ended; without a chat there are no buttons under any.
    fn note_endings(&self, events: &[Event]) {
        if self.chats() {
            self.outside.endings.note(events);
        }
    }

    /// Decides anew about what waits for the end of quiet hours: they may have been set differently
    /// since, and what waits for the old ones would wait in vain.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notify_decide_anew(&self) -> Result<(), Failure> {
        let now = self.context.clock.now();
        let waiting =
            self.store.notification_list(Some(DeliveryState::Waiting), MOST_LISTED).await?;
        let due = |it: &Delivery| self.outside.policy.due_anew(it, now).map(|due| (it.id, due));
        let due: Vec<_> = waiting.iter().filter_map(due).collect();
        if !due.is_empty() {
            self.store.notification_put_off(&due).await?;
            tracing::info!(count = due.len(), "what waited for quiet hours was decided anew");
            self.outside.ring.ring();
        }
        Ok(())
    }

    /// Returns up to where the log was taken in: at first, up to where this daemon began.
    async fn notify_begin(&self, now: DateTime<Utc>) -> Result<u64, Failure> {
        if let Some(written) = self.store.cursor(CURSOR).await? {
            return Ok(written);
        }
        let beginning = self.store.event_before(self.context.started_at).await?;
        Ok(self.store.cursor_begin(CURSOR, beginning, now).await?)
    }

    /// Returns what events say on each channel.
    async fn notify_news(
        &self,
        events: &[Event],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, Failure> {
        let mut news: Vec<NewDelivery> = Vec::new();
        let mut waiting = HashMap::new();
        for told in events.iter().filter_map(compose) {
            for channel in self.notify_channels() {
                let is_same = |new: &&NewDelivery| {
                    new.channel == channel && new.notification.key == told.key && new.due.is_ok()
                };
                let last = match news.iter().rev().find(is_same) {
                    Some(_) => Some(now),
                    None => self.store.notification_last(channel, &told.key, now).await?,
                };
                let mut due = match self.outside.policy.decide(&told, channel, now, last) {
                    Verdict::Ignore => continue,
                    Verdict::Send(due) => Ok(due),
                    Verdict::Suppress(why) => Err(why),
                };
                if due.is_ok() {
                    let waiting = match waiting.entry(channel) {
                        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                        std::collections::hash_map::Entry::Vacant(entry) => {
                            entry.insert(self.store.notification_counts(channel).await?.waiting)
                        }
                    };
                    *waiting += 1;
                    if *waiting > MOST_WAITING && told.severity < Severity::Critical {
                        due = Err(format!("{MOST_WAITING} others wait already"));
                    }
                }
                let notification = told.clone();
                news.push(NewDelivery { channel: channel.to_owned(), due, notification });
            }
        }
        Ok(news)
    }

    /// Has words of one's own told, on one channel or all.
    ///
    /// # Errors
    ///
    /// `NO_CHANNEL` when none is configured so, `BAD_TEXT` for none or too many words.
    pub async fn notify_say(
        &self,
        text: &str,
        severity: Severity,
        channel: &str,
    ) -> Result<(), Failure> {
        let length = text.chars().count();
        if text.trim().is_empty() || length > MOST_WORDS {
            let what = format!("the text has {length} characters, 1 to {MOST_WORDS} can be told");
            return Err(Failure::usage("BAD_TEXT", what));
        }
        self.notify_known(channel).await?;
        let data = serde_json::json!({
            "text": text.trim(), "severity": severity.as_str(), "channel": channel,
        });
        self.record(EventType::NotificationRequested, data).await
    }

    /// Makes sure that a channel is configured, any for an empty name.
    async fn notify_known(&self, channel: &str) -> Result<(), Failure> {
        let names = self.notify_channels();
        // Another node may have channels that this one does not know.
        let is_elsewhere =
            names.is_empty() && self.store.is_shared() && self.nodes().await.len() > 1;
        if names.contains(&channel) || (channel.is_empty() && !names.is_empty()) || is_elsewhere {
            return Ok(());
        }
        let what = if names.is_empty() {
            "no channel is configured".to_owned()
        } else {
            format!("`{}` is none of {}", channel.escape_debug(), names.join(", "))
        };
        Err(Failure::not_found("NO_CHANNEL", what)
            .with_hint(
                "stratavore setup telegram; or set notify.ntfy.url or notify.webhook.url, then stratavore daemon restart",
            ))
    }

    /// Sends a test at once, on one channel or all; returns what came of it.
    ///
    /// # Errors
    ///
    /// `NO_CHANNEL` when none is configured so.
    pub async fn notify_test(
        &self,
        channel: &str,
    ) -> Result<Vec<(String, Result<(), String>)>, Failure> {
        self.notify_known(channel).await?;
        let now = self.context.clock.now();
        let told = Notification {
            event_id: uuid::Uuid::now_v7(),
            position: 0,
            event_type: "notification.test".to_owned(),
            at: now,
            severity: Severity::Info,
            emoji: "👋".to_owned(),
            title: format!("Stratavore on {} can reach you", self.context.origin.hostname),
            body: format!("A test, version {}.", env!("CARGO_PKG_VERSION")),
            project: String::new(),
            runner: String::new(),
            runner_id: String::new(),
            while_since: None,
            asks: None,
            key: String::new(),
            channels: Vec::new(),
            not_by: String::new(),
            trace_id: String::new(),
        };
        let names = self.notify_channels().into_iter();
        let mut outcomes = Vec::new();
        for name in names.filter(|name| channel.is_empty() || *name == channel) {
            let outgoing =
                Outgoing { told: &told, picture: None, choices: Vec::new(), is_repeat: false };
            let sent = timeout(TESTING, self.outside.channels.send(name, &outgoing)).await;
            let outcome = match sent {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(fault)) => Err(fault.why().to_owned()),
                Err(_elapsed) => Err("no answer in time".to_owned()),
            };
            outcomes.push((name.to_owned(), outcome));
        }
        Ok(outcomes)
    }

    /// Returns the newest deliveries, of one state or all, oldest first; limit 0 means 50.
    ///
    /// # Errors
    ///
    /// `BAD_STATE`, or when the database fails.
    pub async fn notify_list(&self, state: &str, limit: u32) -> Result<Vec<Delivery>, Failure> {
        let limit = if limit == 0 { 50 } else { limit.min(MOST_LISTED) };
        let wanted = DeliveryState::parse(state);
        if wanted.is_none() && !state.is_empty() {
            let all = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
            let what = format!("`{}` is no state: {all}", state.escape_debug());
            return Err(Failure::usage("BAD_STATE", what));
        }
        Ok(self.store.notification_list(wanted, limit).await?)
    }

    /// Lets a delivery that is parked or waits, or all that were not taken, be tried again now, and ends
    /// the rest of every channel; returns how many. That none waits is no error: a channel may be at rest
    /// because of what it hears.
    ///
    /// # Errors
    ///
    /// `NOTIFICATION_NOT_FOUND` when there is none of that id.
    pub async fn notify_retry(&self, id: Option<i64>) -> Result<u64, Failure> {
        let data = serde_json::json!({ "id": id });
        let caused = self.context.system_event(EventType::NotificationRetried, data);
        let (services, now) = (self.clone(), self.context.clock.now());
        self.detached(async move {
            let retried = services.store.notification_retry(id, now, caused).await;
            // Only now: who wakes must find what is due again.
            services.outside.rests.end();
            services.outside.ring.ring();
            match retried.map_err(Failure::from) {
                Err(failure) if id.is_none() && failure.reason == "NOTIFICATION_NOT_FOUND" => Ok(0),
                retried => retried,
            }
        })
        .await
    }

    /// Gives up a delivery that waits or is parked, or all of them; returns how many.
    ///
    /// # Errors
    ///
    /// `NOTIFICATION_NOT_FOUND` when there is none.
    pub async fn notify_discard(&self, id: Option<i64>) -> Result<u64, Failure> {
        let data = serde_json::json!({ "id": id });
        let caused = self.context.system_event(EventType::NotificationDiscarded, data);
        let (services, now) = (self.clone(), self.context.clock.now());
        self.detached(
            async move { Ok(services.store.notification_discard(id, now, caused).await?) },
        )
        .await
    }

    /// Removes what was settled long ago; returns how many deliveries went.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notify_prune(&self) -> Result<u64, Failure> {
        let before = self.context.clock.now() - KEPT;
        let mut gone = 0;
        loop {
            let some = self.store.notification_prune(before, TOGETHER).await?;
            gone += some;
            if some < u64::from(TOGETHER) {
                return Ok(gone);
            }
        }
    }

    /// Takes note that a person is before these screens.
    pub fn note_looking(&self, runners: &[RunnerId]) {
        let mut presence = self.outside.presence.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // What is long ago is not asked for any more.
        presence.retain(|_, at| now - *at < Duration::from_hours(1));
        presence.extend(runners.iter().map(|id| (*id, now)));
    }

    /// How it stands with people outside; `None` when nobody is to be told anything.
    pub(super) async fn notify_component(&self) -> Option<Component> {
        let names = self.notify_channels();
        if names.is_empty() {
            return None;
        }
        let mut healthy = true;
        let mut words = Vec::new();
        for name in names {
            let counts = self.store.notification_counts(name).await.unwrap_or_default();
            let ChannelCounts { waiting, parked, .. } = counts;
            let next = self.store.notification_next(name).await.ok().flatten();
            let is_late = next.is_some_and(|due| self.context.clock.now() - due > LATE);
            // Who does not hold the lease has used no channel for long.
            let shut = self.outside.rests.shut(name).filter(|_| self.is_notifier());
            healthy &= parked == 0 && !is_late && shut.is_none();
            let told = match (waiting, parked) {
                (0, 0) => name.to_owned(),
                (1, 0) => format!("{name}: 1 waits"),
                (waiting, 0) => format!("{name}: {waiting} wait"),
                (1, parked) => format!("{name}: 1 waits, {parked} parked"),
                (waiting, parked) => format!("{name}: {waiting} wait, {parked} parked"),
            };
            words.push(match shut {
                None => told,
                Some(why) => format!("{told}: {why}; stratavore notify retry tries at once"),
            });
        }
        let detail = words.join("; ");
        Some(Component::extra("notifications", if healthy { Ok(detail) } else { Err(detail) }))
    }
}
