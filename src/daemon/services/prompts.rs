//! Prompts: typed when the agent is at rest, submitted, and watched until a turn starts; those that wait
//! are kept in the queue, over the death of the daemon.
//!
//! Invariants: what is typed was checked under the runner's lock, so that its occupant is the one that
//! was meant; nothing is typed twice: whether it arrived is told, not tried again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, sleep, timeout_at},
};
use uuid::Uuid;

use super::{
    Change, Services,
    drafts::LeftText,
    prompt_refusals::{Obstacle, asks, busy, check_occupant},
    terminal::MAX_TEXT,
    turn_start::Typed,
};
use crate::{
    domain::{
        agent::Agent,
        event::EventType,
        failure::Failure,
        id::RunnerId,
        prompt::{
            Delivery, PromptState, PromptWish, QueuedPrompt, Readiness, Started, When, readiness,
            tells,
        },
        runner::{Runner, RunnerStatus},
    },
    proto::link::v1::Type,
};

/// After a failure of the database, and as often as an agent is looked at whose prompt waits to be typed; as
/// often as the queue is looked at without any news.
const PAUSE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(30);

/// Who has prompts that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompts {
    waiting: Arc<Mutex<Waiting>>,
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    runners: HashSet<RunnerId>,
    /// One is being typed for these.
    busy: HashSet<RunnerId>,
    /// The last one began no turn: the next waits until what the agent does has changed since then.
    stalled: HashMap<RunnerId, Option<DateTime<Utc>>>,
    /// What was typed last began no turn, as far as is known: it may stand in the input box still.
    left: HashMap<RunnerId, LeftText>,
}

impl Prompts {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may stand in the input box of a runner.
    pub(super) fn left(&self, id: RunnerId) -> Option<LeftText> {
        self.lock().left.get(&id).cloned()
    }

    /// Forgets what may stand there: a turn began with it, or the runner is not linked any more.
    pub(super) fn forget_left(&self, id: RunnerId) {
        self.lock().left.remove(&id);
    }
}

impl Services {
    /// Sends a prompt to a runner; returns what is known of it.
    ///
    /// # Errors
    ///
    /// `OCCUPANT_CHANGED`, `AGENT_BUSY` or `AGENT_ASKS`: then nothing was typed. `TEXT_TOO_LONG`,
    /// `RUNNER_ENDED`, `BUDGET_EXHAUSTED`, `QUEUE_FULL`, or `INPUT_BLOCKED` when it does not read.
    pub async fn send_prompt(&self, word: &str, wish: PromptWish) -> Result<Delivery, Failure> {
        if wish.text.len() > MAX_TEXT {
            let what =
                format!("the text has {} bytes, at most {MAX_TEXT} can be sent", wish.text.len());
            return Err(Failure::usage("TEXT_TOO_LONG", what));
        }
        self.look_at_budgets().await;
        let runner = self.live_runner(word).await?;
        let id = runner.id;
        // Who is meant is settled now: a later occupant is another one.
        let wish = PromptWish { run: Some(wish.run.unwrap_or(runner.run)), ..wish };
        let until = match wish.when {
            When::AtRest(patience) => Instant::now() + patience,
            When::Now | When::Queued => Instant::now(),
        };
        let mut changes = self.changes.subscribe();
        loop {
            let waits = wish.when == When::Queued && self.prompts.lock().runners.contains(&id);
            let outcome = if waits {
                Err(Obstacle::Busy)
            } else {
                let (services, wish) = (self.clone(), wish.clone());
                self.detached(async move { Ok(services.type_prompt(id, &wish).await) }).await?
            };
            match outcome {
                Ok((delivery, typed)) => {
                    let delivery = self.watch_start(id, delivery, typed).await?;
                    self.tell_delivery(id, &delivery).await?;
                    self.watch_on(id, &delivery, typed, None);
                    return Ok(delivery);
                }
                Err(Obstacle::Refused(failure)) if failure.reason != "AGENT_ASKS" => {
                    return Err(failure);
                }
                Err(_) if wish.when == When::Queued => return self.queue(&runner, &wish).await,
                Err(Obstacle::Refused(failure)) => return Err(failure),
                Err(Obstacle::Busy) => {}
            }
            // That an input box does not come is told by nobody.
            let look = until.min(Instant::now() + PAUSE);
            if timeout_at(look, next_of(&mut changes, id)).await.is_err() && Instant::now() >= until
            {
                let now = self.store.runner_get(id).await?;
                return Err(busy(now.as_ref().unwrap_or(&runner)));
            }
        }
    }

    /// Returns the live runner that a word names.
    async fn live_runner(&self, word: &str) -> Result<Runner, Failure> {
        let runner = self.resolve_here(word).await?;
        if runner.status.is_live() {
            return Ok(runner);
        }
        let what = format!("{} has ended ({})", runner.name, runner.status.as_str());
        Err(Failure::conflict("RUNNER_ENDED", what)
            .with_hint(format!("stratavore restart {} starts it again", runner.name)))
    }

    /// Types a prompt, if it may be typed now; returns what is known, and when it was typed.
    async fn type_prompt(
        &self,
        id: RunnerId,
        wish: &PromptWish,
    ) -> Result<(Delivery, Typed), Obstacle> {
        let _guard = self.locks.lock(id).await;
        let refused = |failure: Failure| Obstacle::Refused(failure);
        let found = self.store.runner_get(id).await.map_err(|error| refused(error.into()))?;
        let runner = found.ok_or_else(|| {
            refused(Failure::not_found("RUNNER_NOT_FOUND", format!("no runner {id}")))
        })?;
        check_occupant(&runner, wish).map_err(refused)?;
        Self::check_hold(&runner).map_err(refused)?;
        if wish.when != When::Now && wish.submit {
            match self.readiness(&runner) {
                Readiness::Ready if !self.has_box(&runner).await.map_err(refused)? => {
                    return Err(Obstacle::Busy);
                }
                Readiness::Ready => {}
                Readiness::Busy => return Err(Obstacle::Busy),
                Readiness::Asks => return Err(refused(asks(&runner))),
            }
        }
        let was_at_work = self.readiness(&runner) != Readiness::Ready;
        if wish.submit && !was_at_work {
            let left = self.prompts.left(id);
            self.clear_draft(&runner, left.as_ref()).await.map_err(refused)?;
            if self.asks_unsaid(&runner).await.map_err(refused)? {
                return Err(refused(asks(&runner)));
            }
        }
        let began = self.context.clock.now();
        // One at work draws all the time.
        let awaits_paste =
            !was_at_work && Agent::of(&runner.agent).is_some_and(Agent::takes_pastes);
        let (text, submit) = (wish.text.clone(), wish.submit);
        let input = Type { text, submit, awaits_paste, ..Type::default() };
        let took = self.fleet.submit(id, input).await.map_err(|error| refused(error.into()))?;
        if wish.submit {
            // Until it is known better.
            self.prompts.lock().left.insert(id, LeftText::new(runner.run, &wish.text));
        }
        let tells = tells(&runner, self.context.is_screen_read(&runner.agent));
        let is_watched = took.submitted && tells && !was_at_work && wish.when != When::Now;
        let started = if is_watched { Started::No { stands: false } } else { Started::Unknown };
        let delivery = Delivery {
            runner: runner.name,
            run: runner.run,
            typed_bytes: took.bytes,
            submitted: took.submitted,
            started,
            queued: None,
        };
        let typed = Typed { began, submitted: self.context.clock.now() };
        Ok((delivery, typed))
    }

    fn readiness(&self, runner: &Runner) -> Readiness {
        let tells = tells(runner, self.context.is_screen_read(&runner.agent));
        if runner.status != RunnerStatus::Running {
            return Readiness::Busy;
        }
        readiness(&runner.activity, tells)
    }

    /// Puts a prompt into the queue.
    async fn queue(&self, runner: &Runner, wish: &PromptWish) -> Result<Delivery, Failure> {
        let is_named = !wish.session.is_empty();
        let session = runner.session_id.clone().unwrap_or_default();
        let prompt = QueuedPrompt {
            id: Uuid::now_v7(),
            runner_id: runner.id.as_uuid(),
            runner: runner.name.clone(),
            // A conversation that was named is meant in whatever run.
            run: if is_named { 0 } else { wish.run.unwrap_or(runner.run) },
            session: if is_named { wish.session.clone() } else { session },
            text: wish.text.clone(),
            state: PromptState::Queued,
            note: String::new(),
            created_at: self.context.clock.now(),
            settled_at: None,
        };
        let data = json!({ "id": prompt.id, "bytes": prompt.text.len() });
        let event = self.context.runner_event(EventType::PromptQueued, runner, data);
        self.store.prompt_add(&prompt, event).await?;
        self.prompts.lock().runners.insert(runner.id);
        self.prompts.bell.notify_one();
        Ok(Delivery {
            runner: runner.name.clone(),
            run: runner.run,
            typed_bytes: 0,
            submitted: false,
            started: Started::Unknown,
            queued: Some(prompt.id),
        })
    }

    /// Returns prompts of the queue, the oldest first; of one runner unless the word is empty.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn list_prompts(&self, word: &str, all: bool) -> Result<Vec<QueuedPrompt>, Failure> {
        let runner = if word.is_empty() { None } else { Some(self.resolve(word).await?.id) };
        let mut prompts = self.store.prompt_list(runner, !all).await?;
        for prompt in prompts.iter_mut().filter(|it| it.state == PromptState::Queued) {
            let runner = self.store.runner_get(prompt.runner_id.into()).await?;
            if runner.is_some_and(|runner| !runner.status.is_live()) {
                "the runner has ended: it waits until the conversation goes on there"
                    .clone_into(&mut prompt.note);
            }
        }
        Ok(prompts)
    }

    /// Takes a prompt back that waits.
    ///
    /// # Errors
    ///
    /// `PROMPT_NOT_FOUND`, or `NOT_QUEUED` when it is typed already.
    pub async fn cancel_prompt(&self, word: &str) -> Result<QueuedPrompt, Failure> {
        let all = self.store.prompt_list(None, false).await?;
        let mut found = all.into_iter().filter(|prompt| {
            let id = prompt.id.to_string();
            // The ends of ids differ, their beginnings are the time.
            word.len() >= 4 && (id == word || id.ends_with(word))
        });
        let missing = || {
            let what = format!("no prompt `{}` waits", word.escape_debug());
            Failure::not_found("PROMPT_NOT_FOUND", what).with_hint("stratavore send --list")
        };
        let prompt = found.next().ok_or_else(missing)?;
        if found.next().is_some() {
            return Err(missing());
        }
        let services = self.clone();
        self.detached(async move {
            services
                .settle_prompt(&prompt, (PromptState::Queued, PromptState::Cancelled), "")
                .await?;
            Ok(QueuedPrompt { state: PromptState::Cancelled, ..prompt })
        })
        .await
    }

    /// Settles a prompt with its event.
    pub(super) async fn settle_prompt(
        &self,
        prompt: &QueuedPrompt,
        change: (PromptState, PromptState),
        note: &str,
    ) -> Result<(), Failure> {
        let event_type = match change.1 {
            PromptState::Cancelled => EventType::PromptCancelled,
            PromptState::Failed => EventType::PromptFailed,
            _ => EventType::PromptDelivered,
        };
        let data = json!({ "id": prompt.id, "note": note });
        let id = RunnerId::from(prompt.runner_id);
        let event = match self.store.runner_get(id).await? {
            Some(runner) => self.context.runner_event(event_type, &runner, data),
            None => self.context.system_event(event_type, data),
        };
        Ok(self.store.prompt_settle(prompt.id, change, note, event).await?)
    }

    /// Types what waits, each when its agent is at rest, until it is cancelled.
    pub(crate) async fn deliver_prompts(&self) {
        let mut changes = self.changes.subscribe();
        while let Err(error) = self.take_up_prompts().await {
            tracing::debug!(%error, "failed to read the prompts that wait");
            sleep(PAUSE).await;
        }
        loop {
            let runners: Vec<_> = self.prompts.lock().runners.iter().copied().collect();
            for id in runners {
                if !self.prompts.lock().busy.insert(id) {
                    continue;
                }
                let services = self.clone();
                // A turn's start is waited for; other runners' prompts must not wait for that.
                tokio::spawn(async move {
                    let outcome = services.deliver_first(id).await;
                    services.prompts.lock().busy.remove(&id);
                    match outcome {
                        Ok(true) => services.prompts.bell.notify_one(),
                        Ok(false) => {}
                        Err(error) => {
                            tracing::warn!(runner.id = %id, %error, "failed to deliver a prompt");
                        }
                    }
                });
            }
            let is_empty = self.prompts.lock().runners.is_empty();
            let look = if is_empty { Duration::from_hours(1) } else { LOOK };
            tokio::select! {
                () = self.prompts.bell.notified() => {}
                () = self.news_for_prompts(&mut changes) => {}
                () = sleep(look) => {}
            }
        }
    }

    /// Waits for news of a runner with prompts that wait.
    async fn news_for_prompts(&self, changes: &mut broadcast::Receiver<Change>) {
        loop {
            match changes.recv().await {
                Ok(Change::Runner(runner)) if self.prompts.lock().runners.contains(&runner.id) => {
                    return;
                }
                Ok(_) => {}
                // What was missed is looked at.
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Learns what waits. What an earlier daemon was typing may have arrived or not: that is told, and it
    /// is not typed again.
    async fn take_up_prompts(&self) -> Result<(), Failure> {
        for prompt in self.store.prompt_list(None, true).await? {
            let id = RunnerId::from(prompt.runner_id);
            let runner = self.store.runner_get(id).await?;
            if runner.is_some_and(|runner| runner.node_id != self.context.origin.node_id) {
                continue;
            }
            if prompt.state == PromptState::Delivering {
                let note = "the daemon ended while it was typed: whether it arrived is not known";
                let change = (PromptState::Delivering, PromptState::Failed);
                self.settle_prompt(&prompt, change, note).await?;
            } else {
                self.prompts.lock().runners.insert(id);
            }
        }
        Ok(())
    }

    /// Types the first prompt that waits for a runner, if its agent takes it now; true when there may be
    /// another one to be typed.
    async fn deliver_first(&self, id: RunnerId) -> Result<bool, Failure> {
        let waiting = self.store.prompt_list(Some(id), true).await?;
        let Some(prompt) = waiting.into_iter().find(|it| it.state == PromptState::Queued) else {
            let mut all = self.prompts.lock();
            all.runners.remove(&id);
            all.stalled.remove(&id);
            return Ok(false);
        };
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(false) };
        let is_meant = prompt.run == runner.run
            || (!prompt.session.is_empty()
                && runner.session_id.as_deref() == Some(prompt.session.as_str()));
        // A next start is another run; a conversation may be gone on with.
        let is_over = !runner.status.is_live();
        if is_over && !prompt.session.is_empty() {
            return Ok(false);
        }
        if is_over || !is_meant {
            let change = (PromptState::Queued, PromptState::Failed);
            let note = if is_over {
                "the runner ended before it was at rest; it was not typed"
            } else {
                "the runner went on with another run or conversation; it was not typed"
            };
            self.settle_prompt(&prompt, change, note).await?;
            return Ok(true);
        }
        let stalled = self.prompts.lock().stalled.get(&id).copied();
        let is_ready = self.readiness(&runner) == Readiness::Ready
            && runner.hold.is_none()
            && stalled != Some(runner.activity.since);
        if !is_ready || !self.store.prompt_claim(prompt.id).await? {
            return Ok(false);
        }
        let wish = PromptWish {
            text: prompt.text.clone(),
            submit: true,
            run: Some(runner.run),
            session: String::new(),
            when: When::Queued,
        };
        let (delivery, typed) = match self.type_prompt(id, &wish).await {
            Ok(typed) => typed,
            Err(Obstacle::Busy) => {
                self.store.prompt_unclaim(prompt.id).await?;
                // An input box comes, and stands, without any news.
                sleep(PAUSE).await;
                return Ok(true);
            }
            Err(Obstacle::Refused(failure))
                if ["AGENT_ASKS", "BUDGET_EXHAUSTED"].contains(&&*failure.reason) =>
            {
                self.store.prompt_unclaim(prompt.id).await?;
                return Ok(false);
            }
            Err(Obstacle::Refused(failure)) => {
                let change = (PromptState::Delivering, PromptState::Failed);
                self.settle_prompt(&prompt, change, &failure.message).await?;
                return Ok(true);
            }
        };
        let delivery = self.watch_start(id, delivery, typed).await?;
        if matches!(delivery.started, Started::No { .. })
            && let Some(now) = self.store.runner_get(id).await?
        {
            self.prompts.lock().stalled.insert(id, now.activity.since);
        }
        let change = (PromptState::Delivering, PromptState::Delivered);
        self.settle_prompt(&prompt, change, &delivery.sentence()).await?;
        self.watch_on(id, &delivery, typed, Some(prompt));
        Ok(true)
    }
}

/// Waits for news of a runner.
pub(super) async fn next_of(changes: &mut broadcast::Receiver<Change>, id: RunnerId) {
    loop {
        match changes.recv().await {
            Ok(Change::Runner(runner)) if runner.id == id => return,
            Ok(Change::Runner(_)) => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
