//! Sends what is due, one at a time on each channel, and writes down what came of it.
//!
//! At least once: what was sent and not written down is sent again. Not at all what is not true any
//! more, and later what a person is looking at.

use std::{sync::PoisonError, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry::trace::SpanKind;
use tokio::time::timeout;

use super::{
    super::Services,
    Step::{Nothing, Rest, Went},
    rests::Way,
};
use crate::{
    daemon::{
        notify::{Fault, Outgoing},
        store::Settled,
        trace::{self, Span, Trace},
    },
    domain::{
        event::EventType,
        failure::Failure,
        id::RunnerId,
        inbox::{Class, ItemState},
        notification::{Delivery, DeliveryState, Notification, Severity, own},
        runner::RunnerStatus,
    },
    terminal::picture,
};

/// Looked at together.
const TOGETHER: u32 = 50;

/// From so many on they are told in one message.
const DIGEST: usize = 5;

/// One that was not taken so often is parked: about two hours.
const MOST_TRIES: u32 = 16;

/// Pauses after failures grow from this, by doubling, to the other.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(15);

/// One that fails so often lets others go before it.
const STUBBORN: u32 = 3;

/// Whatever a channel does, it is over then.
const SENDING: Duration = Duration::from_mins(2);

/// A screen that cannot be had in so long is not sent.
const LOOKING: Duration = Duration::from_secs(2);

/// What came of a look at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due, and when something will be.
    Nothing(Option<DateTime<Utc>>),
    /// Something was settled; there may be more.
    Went,
    /// The channel is to be left alone for so long.
    Rest(Duration),
}

impl Services {
    /// Sends what is due first on a channel. It is carried through even when nobody waits for it any
    /// more.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notify_deliver(&self, channel: &'static str) -> Result<Step, Failure> {
        let services = self.clone();
        self.detached(async move { services.deliver(channel).await }).await
    }

    async fn deliver(&self, channel: &'static str) -> Result<Step, Failure> {
        // The last word of a daemon that leaves comes beside what is still under way.
        let sending = self.outside.sending.get(channel).map(tokio::sync::Mutex::try_lock);
        let Some(Ok(_sending)) = sending else { return Ok(Nothing(None)) };
        let now = self.context.clock.now();
        let due = self.store.notification_due(channel, now, TOGETHER).await?;
        let Some(first) = due.first() else {
            return Ok(Nothing(self.store.notification_next(channel).await?));
        };
        let plain: Vec<_> = due.iter().filter(|delivery| is_plain(delivery)).collect();
        if channel != "webhook" && plain.len() >= DIGEST && is_plain(first) {
            let ids: Vec<_> = plain.iter().map(|delivery| delivery.id).collect();
            let told = digest(&plain);
            let tries = plain.iter().map(|delivery| delivery.attempts).max().unwrap_or(0);
            return self.send(channel, (&ids, tries, false), &told, (None, Vec::new())).await;
        }
        let told = &self.with_last_words(&first.notification).await?;
        if !self.is_still_true(told).await? {
            let settled = Settled {
                state: DeliveryState::Suppressed,
                was_tried: false,
                due_at: None,
                error: Some("it was over before it was told".to_owned()),
                reference: None,
            };
            self.store.notification_settle(&[first.id], &settled, now, None).await?;
            return Ok(Went);
        }
        if let Some(left) = self.present_for(told) {
            // A question is told when they have left without an answer; what has happened they have seen.
            let waits = told.while_since.is_some();
            let settled = Settled {
                state: if waits { DeliveryState::Waiting } else { DeliveryState::Suppressed },
                was_tried: false,
                due_at: waits.then_some(now + left),
                error: Some("somebody is before its screen".to_owned()),
                reference: None,
            };
            self.store.notification_settle(&[first.id], &settled, now, None).await?;
            return Ok(Went);
        }
        let wants_picture =
            channel == "telegram" && told.asks.is_some() && self.context.config.notify.pictures;
        let picture = match told.runner_id.parse() {
            Ok(id) if wants_picture => self.picture(id).await,
            _ => None,
        };
        let choices = match (&told.asks, told.runner_id.parse()) {
            (Some(asks), Ok(id)) if channel == "telegram" && asks.kind == "question" => {
                self.inbox_choices(id, asks.at).await
            }
            _ => Vec::new(),
        };
        let unheard = first.error.as_deref().is_some_and(|why| why.contains("no answer"));
        let which = (&[first.id][..], first.attempts, unheard);
        let step = self.send(channel, which, told, (picture, choices)).await?;
        if let (Went, Some(asks), Ok(id)) = (step, &told.asks, told.runner_id.parse()) {
            let mut shown = self.outside.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.insert(id, asks.at);
        }
        Ok(step)
    }

    /// Sends one message and settles the deliveries that it stands for.
    async fn send(
        &self,
        channel: &'static str,
        (ids, tries, is_repeat): (&[i64], u32, bool),
        told: &Notification,
        (picture, choices): (Option<Bytes>, Vec<(u8, String)>),
    ) -> Result<Step, Failure> {
        let outgoing = Outgoing { told, picture, choices, is_repeat };
        let about = [("channel", channel), ("event.type", &*told.event_type)];
        let trace = Trace::of(&told.trace_id);
        let (mut span, trace) = Span::begin(trace, "notify", SpanKind::Client, &about);
        let sending = timeout(SENDING, self.outside.channels.send(channel, &outgoing));
        let sent = trace::within(trace, sending).await;
        let unheard = Fault::Later { why: "no answer in time".to_owned(), after: None };
        let outcome = sent.unwrap_or(Err(unheard));
        self.outside.rests.note(channel, Way::Telling, &outcome);
        if outcome.is_err() {
            span.fail("not taken");
        }
        drop(span);
        let now = self.context.clock.now();
        let mut settled = Settled {
            state: DeliveryState::Waiting,
            was_tried: true,
            due_at: None,
            error: outcome.as_ref().err().map(|fault| fault.why().to_owned()),
            reference: None,
        };
        let mut step = Went;
        let mut caused = None;
        match outcome {
            Ok(reference) => {
                settled = Settled { state: DeliveryState::Sent, reference, ..settled };
            }
            Err(Fault::Later { why, after: Some(after) } | Fault::Shut { why, after }) => {
                tracing::info!(channel, why, seconds = after.as_secs(), "a channel asks for time");
                let pause = TimeDelta::from_std(after).unwrap_or(TimeDelta::hours(1));
                settled.was_tried = false;
                settled.due_at = Some(now + pause);
                step = Rest(after);
            }
            Err(Fault::Later { why, after: None }) if tries + 1 < MOST_TRIES => {
                let pause = pause_after(tries + 1, chance());
                tracing::debug!(channel, why, ?pause, "a notification was not taken");
                if tries + 1 >= STUBBORN {
                    settled.due_at = TimeDelta::from_std(pause).ok().map(|pause| now + pause);
                }
                step = Rest(pause.min(Duration::from_secs(30)));
            }
            Err(fault) => {
                settled.state = DeliveryState::Parked;
                let message = format!("{channel} does not take a notification: {}", fault.why());
                let data = serde_json::json!({
                    "severity": "warning", "component": "notifications", "message": message,
                    "channel": channel,
                });
                tracing::warn!(channel, why = fault.why(), "a notification is parked");
                caused = Some(self.context.system_event(EventType::SystemAlert, data));
            }
        }
        self.store.notification_settle(ids, &settled, now, caused).await?;
        Ok(step)
    }

    /// Whether what is told only while it is true still is.
    async fn is_still_true(&self, told: &Notification) -> Result<bool, Failure> {
        let (Some(since), Ok(id)) = (told.while_since, told.runner_id.parse()) else {
            return Ok(true);
        };
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(false) };
        if runner.status != RunnerStatus::Running || runner.activity.since != Some(since) {
            return Ok(false);
        }
        // Put away or put off is as good as answered.
        let item = match told.asks {
            Some(_) => self.store.inbox_of(id, Class::Ask).await?,
            None => return Ok(true),
        };
        Ok(item.is_some_and(|item| item.state == ItemState::Open))
    }

    /// Returns what is told with the agent's last words, where they came after the event that it tells of.
    async fn with_last_words(&self, told: &Notification) -> Result<Notification, Failure> {
        let mut told = told.clone();
        if told.body.is_empty()
            && let (Some(since), Ok(id)) = (told.while_since, told.runner_id.parse::<RunnerId>())
            && let Some(runner) = self.store.runner_get(id).await?
            && runner.activity.since == Some(since)
            && let Some(words) = &runner.activity.message
        {
            told.body = own(words);
        }
        Ok(told)
    }

    /// How long a person counts as being before the screen that something is about.
    fn present_for(&self, told: &Notification) -> Option<TimeDelta> {
        let id: RunnerId = told.runner_id.parse().ok()?;
        let presence = self.outside.presence.lock().unwrap_or_else(PoisonError::into_inner);
        let span = Duration::from_secs(self.context.config.notify.presence_seconds);
        let left = span.checked_sub(presence.get(&id)?.elapsed())?;
        (!left.is_zero()).then(|| TimeDelta::from_std(left).unwrap_or_default())
    }

    /// Returns what a runner's screen shows as PNG, if it can be had soon.
    pub(in crate::daemon::services) async fn picture(&self, id: RunnerId) -> Option<Bytes> {
        let frame = async {
            let mut frames = self.fleet.watch_frames(id, 10).await.ok()?;
            frames.next().await
        };
        let (size, _, bytes) = timeout(LOOKING, frame).await.ok()??;
        let drawn = tokio::task::spawn_blocking(move || picture(&bytes, size)).await;
        drawn.ok().map(Bytes::from)
    }
}

/// Whether it can be told beside others in one message.
fn is_plain(delivery: &Delivery) -> bool {
    let told = &delivery.notification;
    told.while_since.is_none()
        && told.severity < Severity::Critical
        && told.event_type != "notification.requested"
}

/// Returns several as one.
fn digest(all: &[&Delivery]) -> Notification {
    let line = |delivery: &&Delivery| {
        let told = &delivery.notification;
        let body = told.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let body: String = body.chars().take(160).collect();
        let colon = if body.is_empty() { "" } else { ": " };
        format!("{} {}{colon}{body}", told.emoji, told.title)
    };
    let body = all.iter().map(line).collect::<Vec<_>>().join("\n");
    let last = all.iter().map(|delivery| &delivery.notification).next_back();
    let severity = all.iter().map(|delivery| delivery.notification.severity).max();
    Notification {
        event_id: last.map(|told| told.event_id).unwrap_or_default(),
        position: last.map(|told| told.position).unwrap_or_default(),
        event_type: "notification.digest".to_owned(),
        at: last.map(|told| told.at).unwrap_or_default(),
        severity: severity.unwrap_or_default(),
        emoji: "🗂️".to_owned(),
        title: format!("{} notifications", all.len()),
        body,
        project: String::new(),
        runner: String::new(),
        runner_id: String::new(),
        while_since: None,
        asks: None,
        key: String::new(),
        channels: Vec::new(),
        not_by: String::new(),
        trace_id: String::new(),
    }
}

/// Returns a number by chance.
fn chance() -> u8 {
    uuid::Uuid::new_v4().as_bytes().first().copied().unwrap_or(0)
}

/// Returns the pause after so many failures; up to a quarter less by a chance of 0…255, so that many
/// do not come back together.
fn pause_after(failures: u32, chance: u8) -> Duration {
    let doubled = SHORTEST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let pause = doubled.min(LONGEST);
    pause.saturating_sub(pause * u32::from(chance) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_last_two_hours_together() {
        assert_eq!(pause_after(1, 0), SHORTEST);
        assert_eq!(pause_after(3, 0), SHORTEST * 4);
        assert_eq!(pause_after(40, 0), LONGEST);
        assert!(pause_after(40, 255) >= LONGEST * 3 / 4);
        let all: Duration = (1..MOST_TRIES).map(|tries| pause_after(tries, 255)).sum();
        assert!(all > Duration::from_hours(1), "{all:?}");
    }
}
