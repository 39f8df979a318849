//! What was pushed as a question and waits no more: its message says how that ended, and its buttons
//! go, wherever the answer came from.
//!
//! Best effort: it is done once, by the daemon that pushes, and a message that cannot be edited stays
//! as it is; a press of its buttons is refused all the same.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::super::Services;
use crate::{
    daemon::notify::{Fault, Telegram},
    domain::{
        event::Event,
        notification::{Delivery, Ending},
    },
};

/// The channel whose messages have buttons.
const CHANNEL: &str = "telegram";

/// Endings that wait; of more the oldest are forgotten.
const MOST: usize = 100;

/// Messages of one question, which may have been asked again.
const MOST_MESSAGES: u32 = 20;

/// Clocks of several nodes differ, and a question is pushed after it is opened.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// A message is given up after so many tries, with such a pause, and whatever happens after so long.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const FINISHING: Duration = Duration::from_mins(2);

/// Questions that have ended and may have been pushed.
#[derive(Debug, Clone, Default)]
pub(super) struct Endings {
    waiting: Arc<Mutex<VecDeque<Ending>>>,
    bell: Arc<Notify>,
}

impl Endings {
    /// Takes note of what events end.
    pub(super) fn note(&self, events: &[Event]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(events.iter().filter_map(Ending::of));
        let excess = waiting.len().saturating_sub(MOST);
        waiting.drain(..excess);
        if !waiting.is_empty() {
            self.bell.notify_one();
        }
    }

    async fn next(&self) -> Ending {
        loop {
            if let Some(ending) = self.take() {
                return ending;
            }
            self.bell.notified().await;
        }
    }

    fn take(&self) -> Option<Ending> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Services {
    /// Waits for the next question that has ended, and says so where it was pushed; returns whether
    /// any message was edited.
    pub async fn notify_finish(&self) -> bool {
        let ending = self.outside.endings.next().await;
        let channels = Arc::clone(&self.outside.channels);
        let Some(bot) = channels.telegram() else { return false };
        if let Some(sending) = self.outside.sending.get(CHANNEL) {
            // What is just being sent has a number only when it was.
            drop(sending.lock().await);
            // Who wanted to send meanwhile looks again.
            self.outside.ring.ring();
        }
        let mut was_edited = self.chat_ended(bot, &ending).await;
        let since = ending.opened_at - SKEW;
        let found =
            self.store.notification_pushed(CHANNEL, ending.runner_id, since, MOST_MESSAGES).await;
        let pushed = match found {
            Ok(pushed) => pushed,
            Err(error) => {
                tracing::debug!(%error, "failed to look for messages about a question that ended");
                return was_edited;
            }
        };
        let is_meant = |it: &&Delivery| {
            it.notification.asks.as_ref().is_some_and(|asks| ending.is_of(asks.at))
        };
        for delivery in pushed.iter().filter(is_meant) {
            was_edited = true;
            if timeout(FINISHING, finish(bot, delivery, &ending)).await.is_err() {
                tracing::warn!(
                    id = delivery.id,
                    "a message about a question takes too long to edit"
                );
            }
            // Whatever came of it: it is not tried again with every start.
            if let Err(error) = self.store.notification_end(delivery.id, &ending.words).await {
                tracing::debug!(%error, "failed to write down how a question ended");
            }
        }
        was_edited
    }
}

/// Says in a message how its question ended.
async fn finish(bot: &Telegram, delivery: &Delivery, ending: &Ending) {
    let message = delivery.reference.as_deref().and_then(|number| number.parse().ok());
    let Some(message) = message else { return };
    for tried in 1..=TRIES {
        match bot.finish(message, &delivery.notification, &ending.words).await {
            Ok(()) => return,
            Err(Fault::Later { after, .. }) if tried < TRIES => {
                sleep(after.unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
            }
            Err(Fault::Shut { .. }) if tried < TRIES => sleep(LONGEST_PAUSE).await,
            Err(fault) => {
                let why = fault.why();
                tracing::warn!(id = delivery.id, why, "failed to edit a message about a question");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn closed(number: usize) -> Event {
        Event {
            position: 0,
            event_id: String::new(),
            timestamp: DateTime::default(),
            event_type: "inbox.closed".into(),
            entity_type: "runner".into(),
            entity_id: "0190a0a0-0000-7000-8000-000000000002".into(),
            sequence: 1,
            project: String::new(),
            runner: String::new(),
            user_id: String::new(),
            hostname: String::new(),
            node_id: String::new(),
            trace_id: String::new(),
            data: json!({
                "class": "ask", "state": "resolved", "resolution": number.to_string(),
                "asked_at": "2026-11-30T12:00:00Z", "opened_at": "2026-11-30T12:00:00Z",
            }),
        }
    }

    #[tokio::test]
    async fn the_oldest_endings_are_forgotten_and_the_others_come_in_order() {
        let endings = Endings::default();
        let events: Vec<_> = (0..MOST + 2).map(closed).collect();
        endings.note(&events);
        endings.note(&[Event { event_type: "runner.started".into(), ..closed(0) }]);
        for number in 2..MOST + 2 {
            assert_eq!(endings.next().await.words, number.to_string());
        }
        assert_eq!(endings.take(), None);
    }
}
