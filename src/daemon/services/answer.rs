//! Answers the question that an agent waits with: one answer to one question, whoever sends it.
//!
//! Which keys give the answer is said in `domain::answer`. Invariant: an answer reaches the agent
//! only while it waits with the question the answer was meant for, and only the first one does; the
//! supervisor, behind which nobody can come, has the last word on that.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Services, evidence::Standing};
use crate::{
    daemon::{sources::SourceError, store::ItemAct},
    domain::{
        activity::{ActivitySource, ActivityState},
        agent::Agent,
        answer::{self, Answer, Step},
        approval::Decision,
        failure::Failure,
        hook::Decided,
        id::RunnerId,
        inbox::{Class, Item},
        runner::{Runner, RunnerStatus},
    },
    proto::link::v1::Type,
};

/// An agent that asks the same for so long after an answer has not taken it (`supervisor::commands` takes
/// another one then).
const TAKEN: Duration = Duration::from_secs(3);

/// So long the dialog of a question is waited for that its agent has told of, and how often it is looked for.
const DRAWN: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

/// Time for an agent whose dialog was refused to show its prompt again.
const SETTLE: Duration = Duration::from_millis(400);

/// A reply is a line or two; what is longer belongs into a file.
const MAX_REPLY: usize = 1 << 20;

impl Services {
    /// Answers the question that the runner has asked at this time.
    ///
    /// # Errors
    ///
    /// `NOT_ASKED` when it asks something else by now or was answered already, `NOT_AN_ANSWER` when
    /// that is no answer to it, or when the agent does not read its input.
    pub async fn answer(
        &self,
        word: &str,
        asked: DateTime<Utc>,
        answer: Answer,
        by: &str,
    ) -> Result<(), Failure> {
        if matches!(&answer, Answer::Reply(text) if text.len() > MAX_REPLY) {
            let what = format!("the reply is longer than {MAX_REPLY} bytes");
            return Err(Failure::usage("TEXT_TOO_LONG", what));
        }
        let id = self.resolve_here(word).await?.id;
        let (services, by) = (self.clone(), self.named(by));
        self.detached(async move {
            // Another answer waits until this one is all typed, and is refused then.
            let _guard = services.locks.lock(id).await;
            let runner = services.resolve(&id.to_string()).await?;
            if !is_asking(&runner, asked) {
                return Err(not_asked(&runner));
            }
            let item = services.claim(&runner, asked, &answer, &by).await;
            let outcome = services.give(&runner, (asked, item.as_ref()), &answer, &by).await;
            if let Some(Item { id: item, .. }) = item {
                services.settle_claim(item, &answer, &by, outcome.is_ok()).await;
                if outcome.is_ok() {
                    tokio::spawn(services.clone().look_whether_taken(id, asked, item));
                }
            }
            outcome
        })
        .await
    }

    /// Opens an item again whose agent stands there as before the answer: keys can come before a dialog
    /// takes any.
    async fn look_whether_taken(self, id: RunnerId, asked: DateTime<Utc>, item: Uuid) {
        sleep(TAKEN).await;
        let runner = self.store.runner_get(id).await.ok().flatten();
        if runner.is_some_and(|runner| is_asking(&runner, asked)) {
            let event = self.inbox_event();
            match self.store.inbox_act(&[item], &ItemAct::Reopened, "", &event).await {
                Ok(_) => self.keep_lines_of(id, Class::Ask, false),
                Err(error) => tracing::warn!(%item, %error, "failed to open an item again"),
            }
        }
    }

    /// Gives an answer: over the agent's own interface where it has one, else by keys.
    async fn give(
        &self,
        runner: &Runner,
        (asked, item): (DateTime<Utc>, Option<&Item>),
        answer: &Answer,
        by: &str,
    ) -> Result<(), Failure> {
        if self.answer_over_interface(runner, answer).await? {
            return Ok(());
        }
        let channel = item.map(|item| item.channel.as_str()).filter(|channel| !channel.is_empty());
        if let (Some(channel), Some(decided)) = (channel, decided(answer, by))
            && self.answer_channel(runner.id, channel, &decided).await
        {
            return Ok(());
        }
        // Whoever holds the channel may be gone while the dialog still stands.
        let kind = runner.activity.kind.as_deref().unwrap_or_default();
        let steps = answer::steps(&runner.agent, kind, answer)
            .map_err(|why| Failure::conflict("NOT_AN_ANSWER", format!("{} {why}", runner.name)))?;
        let choice = if let Answer::Choose(number) = answer { Some(*number) } else { None };
        self.type_steps(runner, (asked, item.map(|item| item.id)), choice, steps).await
    }

    /// Answers over the agent's own interface; false where it must be done by keys: there is none, or it
    /// is not plain which of several questions is meant.
    async fn answer_over_interface(
        &self,
        runner: &Runner,
        answer: &Answer,
    ) -> Result<bool, Failure> {
        let asks = self.sources.asks(runner.id);
        let [ask] = asks.as_slice() else { return Ok(false) };
        match self.sources.answer(runner.id, &ask.id, answer).await {
            Ok(()) => Ok(true),
            Err(SourceError::NotAsked) => Err(not_asked(runner)),
            Err(SourceError::NotAnAnswer(why)) => {
                Err(Failure::conflict("NOT_AN_ANSWER", format!("{} {why}", runner.name)))
            }
            // It may have been taken: keys after it could answer the next question.
            Err(error @ SourceError::Silent) => {
                Err(Failure::unavailable("SOURCE_SILENT", format!("{}: {error}", runner.name)))
            }
            Err(SourceError::Absent | SourceError::Refused(_)) => Ok(false),
        }
    }

    /// Takes note of who is about to answer: what the agent says next may resolve the item first.
    async fn claim(
        &self,
        runner: &Runner,
        asked: DateTime<Utc>,
        answer: &Answer,
        by: &str,
    ) -> Option<Item> {
        // An agent is answered also while the database is away.
        let item = self.store.inbox_of(runner.id, Class::Ask).await.ok().flatten()?;
        if item.asked_at != asked {
            return None;
        }
        self.store.inbox_claim(item.id, &answer.to_string(), by).await.ok();
        Some(item)
    }

    /// Writes down that an item was answered, or that it was not.
    async fn settle_claim(&self, item: Uuid, answer: &Answer, by: &str, is_answered: bool) {
        let written = if is_answered {
            let (act, event) = (ItemAct::Answered(answer.to_string()), self.inbox_event());
            self.store.inbox_act(&[item], &act, by, &event).await.map(drop)
        } else {
            self.store.inbox_claim(item, "", "").await
        };
        if let Err(error) = written {
            tracing::warn!(%item, %error, "failed to record an answer");
        }
    }

    /// Waits for the dialog of a question to be on the screen: what is typed before goes elsewhere.
    async fn await_dialog(
        &self,
        runner: &Runner,
        (asked, item): (DateTime<Utc>, Option<Uuid>),
    ) -> Result<Standing, Failure> {
        // What was seen on the screen is there, or gone.
        let is_seen =
            matches!(runner.activity.source, ActivitySource::Screen | ActivitySource::Taught);
        let until = Instant::now() + DRAWN;
        loop {
            let standing = self.standing(runner, item).await?;
            if standing.is_another {
                return Err(self.asks_something_else(runner));
            }
            if standing.is_dialog {
                return Ok(standing);
            }
            let now = self.resolve(&runner.id.to_string()).await?;
            if is_seen || !is_asking(&now, asked) {
                return Err(not_asked(&now));
            }
            if Instant::now() >= until {
                return Err(not_drawn(&now));
            }
            sleep(LOOK).await;
        }
    }

    /// Refuses an answer that was meant for another dialog than the one that stands on the screen by now, and
    /// has that one told.
    fn asks_something_else(&self, runner: &Runner) -> Failure {
        self.look_now(runner);
        let name = &runner.name;
        let what = format!("the screen of {name} shows another question by now; nothing was sent");
        Failure::conflict("NOT_ASKED", what).with_hint(format!("stratavore attach {name}"))
    }

    async fn type_steps(
        &self,
        runner: &Runner,
        (asked, item): (DateTime<Utc>, Option<Uuid>),
        choice: Option<u8>,
        steps: Vec<Step>,
    ) -> Result<(), Failure> {
        // What is typed first ends the question; nobody can ask for it again after that. The supervisor
        // knows of questions that its agent reported; for others the screen has the last word.
        let activity = &runner.activity;
        let is_reported = activity.source == ActivitySource::Osc7501;
        // One that has told no more than that it waits may be about to draw its dialog.
        let is_bare = activity.message.is_none();
        let is_kept_back = activity.kind.as_deref() == Some("permission")
            && Agent::of(&runner.agent).is_some_and(Agent::keeps_dialogs_back);
        let is_read = self.context.is_screen_read(&runner.agent);
        let standing = if !is_reported || (is_bare || is_kept_back) && is_read {
            self.await_dialog(runner, (asked, item)).await?
        } else {
            let standing = self.standing(runner, item).await?;
            if standing.is_another {
                return Err(self.asks_something_else(runner));
            }
            standing
        };
        if let Some(choice) = choice
            && standing.choices > 0
            && usize::from(choice) > standing.choices
        {
            let (name, choices) = (&runner.name, standing.choices);
            let what = format!("{name} gives the choices 1 to {choices}; nothing was sent");
            let hint = format!("stratavore attach {name}");
            return Err(Failure::conflict("NOT_AN_ANSWER", what).with_hint(hint));
        }
        let mut asked_us = is_reported.then(|| asked.timestamp_micros());
        for step in steps {
            let input = match step {
                Step::Settle => {
                    sleep(SETTLE).await;
                    continue;
                }
                Step::Keys(keys) => Type { raw: keys.into(), ..Type::default() },
                Step::Line(text) => Type { text, submit: true, ..Type::default() },
            };
            let input = Type { asked_us: asked_us.take(), ..input };
            self.fleet.type_text(runner.id, input).await.map_err(|error| {
                let failure = Failure::from(error);
                if failure.reason == "NOT_ASKED" { not_asked(runner) } else { failure }
            })?;
        }
        Ok(())
    }
}

/// What the agent's own channel is told, for the answers that it knows.
fn decided(answer: &Answer, by: &str) -> Option<Decided> {
    let (decision, reason) = match answer {
        Answer::Approve => (Decision::Allow, String::new()),
        Answer::Deny => (Decision::Deny, format!("refused by the user ({by})")),
        Answer::Choose(_) | Answer::Reply(_) => return None,
    };
    Some(Decided { decision, reason })
}

fn is_asking(runner: &Runner, asked: DateTime<Utc>) -> bool {
    runner.status == RunnerStatus::Running
        && runner.activity.state == ActivityState::Blocked
        && runner.activity.since == Some(asked)
}

fn not_drawn(runner: &Runner) -> Failure {
    let name = &runner.name;
    let what = format!("{name} asks, but its dialog is not on its screen; nothing was sent");
    Failure::conflict("DIALOG_NOT_DRAWN", what).with_hint(format!("stratavore attach {name}"))
}

fn not_asked(runner: &Runner) -> Failure {
    let name = &runner.name;
    let what = format!("{name} no longer asks that, or was answered already; nothing was sent");
    Failure::conflict("NOT_ASKED", what).with_hint(format!("stratavore runners show {name}"))
}
