//! What callers inside runners were refused, as it is written down: of each caller a few a minute, each
//! call once, and at the minute's end how many more there were.
//!
//! Invariant: no caller's refusals take a place in the log from those of another.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::Services;
use crate::{
    daemon::fleet::Caller,
    domain::{event::EventType, redact::redact},
};

/// The same refusal is written down once in so long.
const QUIET: Duration = Duration::from_mins(1);

/// Different calls of one caller that are written down in that time.
const MOST: usize = 30;

/// Characters of what a caller says of itself that are written down.
const LONGEST_SAID: usize = 160;

/// How calls that do not exist are written down, whatever they are called.
const OTHER: &str = "something that is not there";

/// What was refused lately. Callers are the runners that live, and everybody who is unknown together.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<HashMap<Caller, Minute>>>);

/// What one caller was refused since its first refusal.
#[derive(Debug, Default)]
struct Minute {
    calls: HashSet<String>,
    /// Refusals that found no place.
    further: u64,
}

/// What is to be done about a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is written down, and a minute of this caller begins.
    First,
    /// It is written down.
    New,
    /// It is written down already, or counted.
    Known,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, HashMap<Caller, Minute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a refusal.
    fn note(&self, caller: Caller, call: &str) -> Verdict {
        let mut minutes = self.lock();
        let is_first = !minutes.contains_key(&caller);
        let minute = minutes.entry(caller).or_default();
        if minute.calls.contains(call) {
            return Verdict::Known;
        }
        if minute.calls.len() >= MOST {
            minute.further = minute.further.saturating_add(1);
            return Verdict::Known;
        }
        minute.calls.insert(call.to_owned());
        if is_first { Verdict::First } else { Verdict::New }
    }

    /// Ends a caller's minute; returns how many refusals found no place in it.
    fn end(&self, caller: Caller) -> u64 {
        self.lock().remove(&caller).map_or(0, |minute| minute.further)
    }
}

impl Services {
    /// Logs that something inside a runner was refused a call, and writes it down as an event; a call
    /// that does not exist has no name. `said` is what the caller says of itself, which may be anything: a
    /// command of ours asks before it does something, and only that names what it was about to do.
    pub fn note_refusal(&self, caller: Caller, call: Option<&str>, said: &str) {
        let call = call.unwrap_or(OTHER);
        let said: String = redact(said).chars().take(LONGEST_SAID).collect();
        let verdict = self.refusals.note(caller, &format!("{call} {said}"));
        if verdict == Verdict::Known {
            return;
        }
        tracing::warn!(?caller, call, said, "a process inside a runner was refused a call");
        let mut data = json!({ "call": call });
        if !said.is_empty() {
            data["said"] = json!(said);
        }
        let services = self.clone();
        tokio::spawn(async move {
            services.record_refusal(caller, data).await;
            if verdict != Verdict::First {
                return;
            }
            tokio::time::sleep(QUIET).await;
            let further = services.refusals.end(caller);
            if further > 0 {
                tracing::warn!(?caller, further, "further calls from inside a runner were refused");
                let data =
                    json!({ "call": format!("{further} further calls"), "further": further });
                services.record_refusal(caller, data).await;
            }
        });
    }

    async fn record_refusal(&self, caller: Caller, data: Value) {
        let runner = match caller {
            Caller::Runner(id) => self.store.runner_get(id).await.ok().flatten(),
            Caller::User | Caller::Unknown => None,
        };
        let event = match runner {
            Some(runner) => self.context.runner_event(EventType::CallDenied, &runner, data),
            None => self.context.system_event(EventType::CallDenied, data),
        };
        if let Err(error) = self.store.event_append(vec![event]).await {
            tracing::warn!(%error, "failed to record a refused call");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RunnerId;

    #[test]
    fn one_that_calls_a_thousand_things_hides_nothing_of_another() {
        let refusals = Refusals::default();
        let one = Caller::Runner(RunnerId::from(uuid::Uuid::from_u128(1)));
        assert_eq!(refusals.note(one, "GET /a"), Verdict::First);
        assert_eq!(refusals.note(one, "GET /a"), Verdict::Known);
        let written = (0..1000).filter(|n| refusals.note(one, &n.to_string()) == Verdict::New);
        assert_eq!(written.count(), MOST - 1);
        for other in [Caller::Unknown, Caller::Runner(RunnerId::from(uuid::Uuid::from_u128(2)))] {
            assert_eq!(refusals.note(other, "POST /kill"), Verdict::First);
            assert_eq!(refusals.note(other, "POST /launch"), Verdict::New);
            assert_eq!(refusals.end(other), 0);
        }
        assert_eq!(refusals.end(one), 1001 - MOST as u64, "what found no place is counted");
        assert_eq!(refusals.note(one, "GET /a"), Verdict::First, "the next minute begins anew");
    }
}
