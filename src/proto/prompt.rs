//! Prompts on the wire.

use std::time::Duration;

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    activity::ActivitySource,
    failure::Failure,
    prompt::{Delivery, PromptState, PromptWish, QueuedPrompt, REST, Started, When},
};

/// The longest that a call may wait for an agent to be at rest.
const LONGEST: Duration = Duration::from_hours(1);

impl From<v1::SendPromptRequest> for PromptWish {
    fn from(wire: v1::SendPromptRequest) -> Self {
        let patience = match wire.patience_ms {
            0 => REST,
            ms => Duration::from_millis(ms.into()).min(LONGEST),
        };
        let when = match wire.when() {
            v1::PromptWhen::AtRest => When::AtRest(patience),
            v1::PromptWhen::Queued => When::Queued,
            v1::PromptWhen::Now => When::Now,
        };
        Self {
            text: wire.text,
            submit: !wire.no_submit,
            run: (wire.run > 0).then_some(wire.run),
            session: wire.session,
            when,
        }
    }
}

/// Returns the request for what is wished.
pub fn send_prompt_request(runner: &str, wish: &PromptWish) -> v1::SendPromptRequest {
    let (when, patience) = match wish.when {
        When::AtRest(patience) => (v1::PromptWhen::AtRest, patience),
        When::Queued => (v1::PromptWhen::Queued, Duration::ZERO),
        When::Now => (v1::PromptWhen::Now, Duration::ZERO),
    };
    v1::SendPromptRequest {
        runner: runner.to_owned(),
        text: wish.text.clone(),
        no_submit: !wish.submit,
        when: when.into(),
        // 0 means what is usual.
        patience_ms: u32::try_from(patience.as_millis().max(1)).unwrap_or(u32::MAX),
        run: wish.run.unwrap_or(0),
        session: wish.session.clone(),
    }
}

impl From<&Delivery> for v1::SendPromptResponse {
    fn from(delivery: &Delivery) -> Self {
        let (started, source, after_ms) = match delivery.started {
            Started::Unknown => (v1::TurnStart::Unknown, "", 0),
            Started::No { .. } => (v1::TurnStart::No, "", 0),
            Started::Yes { source, after_ms } => (v1::TurnStart::Yes, source.as_str(), after_ms),
        };
        Self {
            runner: delivery.runner.clone(),
            run: delivery.run,
            typed_bytes: delivery.typed_bytes,
            submitted: delivery.submitted,
            started: started.into(),
            started_source: source.to_owned(),
            started_after_ms: after_ms,
            stands_in_input: delivery.started == Started::No { stands: true },
            queued_id: delivery.queued.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<v1::SendPromptResponse> for Delivery {
    fn from(wire: v1::SendPromptResponse) -> Self {
        let started = match wire.started() {
            v1::TurnStart::Unknown => Started::Unknown,
            v1::TurnStart::No => Started::No { stands: wire.stands_in_input },
            v1::TurnStart::Yes => Started::Yes {
                source: ActivitySource::parse(&wire.started_source),
                after_ms: wire.started_after_ms,
            },
        };
        Self {
            runner: wire.runner,
            run: wire.run,
            typed_bytes: wire.typed_bytes,
            submitted: wire.submitted,
            started,
            queued: wire.queued_id.parse().ok(),
        }
    }
}

impl From<&QueuedPrompt> for v1::QueuedPrompt {
    fn from(prompt: &QueuedPrompt) -> Self {
        Self {
            id: prompt.id.to_string(),
            runner_id: prompt.runner_id.to_string(),
            runner: prompt.runner.clone(),
            run: prompt.run,
            session: prompt.session.clone(),
            text: prompt.text.clone(),
            state: prompt.state.as_str().to_owned(),
            note: prompt.note.clone(),
            created_at: Some(to_timestamp(prompt.created_at)),
            settled_at: prompt.settled_at.map(to_timestamp),
        }
    }
}

impl TryFrom<v1::QueuedPrompt> for QueuedPrompt {
    type Error = Failure;

    fn try_from(wire: v1::QueuedPrompt) -> Result<Self, Failure> {
        let id = |text: &str| {
            text.parse().map_err(|_garbled| Failure::internal(format!("read the id `{text}`")))
        };
        Ok(Self {
            id: id(&wire.id)?,
            runner_id: id(&wire.runner_id)?,
            runner: wire.runner,
            run: wire.run,
            session: wire.session,
            text: wire.text,
            state: PromptState::parse(&wire.state),
            note: wire.note,
            created_at: or_epoch(wire.created_at.as_ref()),
            settled_at: wire.settled_at.as_ref().and_then(from_timestamp),
        })
    }
}
