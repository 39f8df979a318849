//! What becomes of a prompt that was submitted: whether a turn starts with it, in time or later.
//!
//! Nothing is typed here. Invariant: what was told as "no turn started" is put right when one is seen to start
//! after all, as long as it is the same run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{Services, prompts::next_of};
use crate::domain::{
    event::EventType,
    failure::Failure,
    id::RunnerId,
    prompt::{Delivery, PromptState, QueuedPrompt, START, Started, started_since},
};

/// A turn that starts so late is still told: on a machine that is busy, an agent took ten seconds.
const LATE: Duration = Duration::from_mins(2);

/// When a prompt was typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Typed {
    /// Its first letter: what starts before it has another cause.
    pub began: DateTime<Utc>,
    /// Enter.
    pub submitted: DateTime<Utc>,
}

impl Services {
    /// Waits until a turn has started with a prompt that was submitted, if that can be told.
    pub(super) async fn watch_start(
        &self,
        id: RunnerId,
        delivery: Delivery,
        typed: Typed,
    ) -> Result<Delivery, Failure> {
        let mut delivery = delivery;
        if matches!(delivery.started, Started::No { .. }) {
            let turn = self.turn_since(id, &delivery, typed, Instant::now() + START).await?;
            delivery.started = if let Some(started) = turn {
                started
            } else {
                Started::No { stands: self.stands_in_box(id, delivery.run).await }
            };
        }
        // Where nothing tells of a turn's start, Enter is believed.
        if delivery.is_settled() {
            self.prompts.forget_left(id);
        }
        Ok(delivery)
    }

    /// Watches on for a turn that had not started in time, and tells of it: beside the prompt in the queue, or
    /// as an event of its own.
    pub(super) fn watch_on(
        &self,
        id: RunnerId,
        delivery: &Delivery,
        typed: Typed,
        queued: Option<QueuedPrompt>,
    ) {
        if !delivery.submitted || delivery.is_settled() {
            return;
        }
        let (services, mut delivery) = (self.clone(), delivery.clone());
        tokio::spawn(async move {
            let until = Instant::now() + LATE;
            let told = async {
                let started = services.turn_since(id, &delivery, typed, until).await?;
                let Some(started) = started else { return Ok(()) };
                delivery.started = started;
                services.prompts.forget_left(id);
                match &queued {
                    None => services.tell_delivery(id, &delivery).await,
                    Some(prompt) => {
                        let change = (PromptState::Delivered, PromptState::Delivered);
                        services.settle_prompt(prompt, change, &delivery.sentence()).await
                    }
                }
            };
            if let Err(error) = told.await {
                tracing::debug!(runner.id = %id, %error, "failed to tell of a turn that started late");
            }
        });
    }

    /// Waits for the start of a turn in the run of a delivery; `None` when none has started until then.
    async fn turn_since(
        &self,
        id: RunnerId,
        delivery: &Delivery,
        typed: Typed,
        until: Instant,
    ) -> Result<Option<Started>, Failure> {
        let mut changes = self.changes.subscribe();
        loop {
            let runner = self.store.runner_get(id).await?;
            let Some(runner) = runner.filter(|runner| runner.run == delivery.run) else {
                return Ok(None);
            };
            if let Some((source, at)) = started_since(&runner.activity, typed.began) {
                let after_ms =
                    u64::try_from((at - typed.submitted).num_milliseconds()).unwrap_or(0);
                return Ok(Some(Started::Yes { source, after_ms }));
            }
            if timeout_at(until, next_of(&mut changes, id)).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Whether the text that was typed last is seen to stand in the input box; false where that cannot be told.
    async fn stands_in_box(&self, id: RunnerId, run: u32) -> bool {
        let Some(left) = self.prompts.left(id) else { return false };
        let runner = self.store.runner_get(id).await.ok().flatten();
        let Some(runner) = runner.filter(|runner| runner.run == run) else { return false };
        self.still_stands(&runner, &left).await.unwrap_or(false)
    }

    pub(super) async fn tell_delivery(
        &self,
        id: RunnerId,
        delivery: &Delivery,
    ) -> Result<(), Failure> {
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(()) };
        let data = json!({
            "typed_bytes": delivery.typed_bytes, "submitted": delivery.submitted,
            "started": delivery.started,
        });
        let event = self.context.runner_event(EventType::PromptDelivered, &runner, data);
        self.store.event_append(vec![event]).await?;
        Ok(())
    }
}
