//! What agents are doing: takes in what every source says, and writes down what follows.
//!
//! Sources are the supervisor (its agent's own reports, the title, the screen) and hooks. Who of them
//! is believed is [`Evidence`]'s to say. Invariant: one at a time, so that what is written last was
//! said last.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::Services;
use crate::{
    agents::{
        claude,
        screens::{On, Seen, tail},
    },
    daemon::fleet::LookFor,
    domain::{
        activity::{Activity, ActivitySource, ActivityState},
        agent::Agent,
        event::EventType,
        evidence::{Evidence, Explanation, Shown, Word},
        failure::Failure,
        id::RunnerId,
        inbox, question,
        redact::redact,
        runner::{Runner, RunnerStatus},
    },
    proto::link::v1::Status,
};

/// So long the input box of an agent that is at rest is waited for.
const BOX: TimeDelta = TimeDelta::seconds(20);

/// For so long the input box of an agent that starts must have been there: Gemini (0.61) shows it for half a second
/// before it asks whether a folder is trusted, and Enter would trust it.
const STEADY: TimeDelta = TimeDelta::milliseconds(1500);

/// The evidence of this node's runners, and which screen of each was looked at last.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) all: Arc<tokio::sync::Mutex<HashMap<RunnerId, Evidence>>>,
    screens: Arc<Mutex<HashMap<RunnerId, u64>>>,
}

/// What stands on the screen of an agent that asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// A dialog that its rules know.
    pub(super) is_dialog: bool,
    /// Another dialog than the one that the answer is meant for.
    pub(super) is_another: bool,
    /// How many choices it has that a key stands for; 0 where none are found.
    pub(super) choices: usize,
}

/// Something that a source says: `None` withdraws what it said.
type Said = (ActivitySource, Option<Word>);

impl Services {
    /// Takes in how a supervisor says that its agent is.
    pub(super) async fn on_status(
        &self,
        id: RunnerId,
        run: u32,
        status: &Status,
    ) -> Result<(), Failure> {
        let Some(runner) = self.at_run(id, run).await? else { return Ok(()) };
        self.follow_interface(&runner).await?;
        let runner = self.follow_pause(runner, status.paused).await?;
        let now = self.context.clock.now();
        let mut told = status.to_activity();
        if Agent::of(&runner.agent) == Some(Agent::Claude) {
            told.kind = claude::kind_of(told.kind, told.message.as_deref());
        }
        let own = (told.source == ActivitySource::Osc7501)
            .then(|| Word::new((told.state, told.kind, told.message), told.since.unwrap_or(now)));
        let mut said = vec![(ActivitySource::Osc7501, own)];
        let title = redact(&status.title);
        if title != runner.title {
            let name = self.context.screens_of(&runner.agent);
            let seen = self.context.screens.look(&name, On::Title, &title);
            said.push((ActivitySource::Title, seen.map(|seen| word(seen, None, now))));
        }
        self.say(&runner, said, &title).await?;
        self.look_at_screen(&runner, status.screens);
        Ok(())
    }

    /// Takes in what hooks say; `begins` where a turn has begun with it.
    pub(super) async fn on_hook(
        &self,
        runner: &Runner,
        word: Word,
        begins: bool,
    ) -> Result<(), Failure> {
        let Some(runner) = self.at_run(runner.id, runner.run).await? else { return Ok(()) };
        let title = runner.title.clone();
        let mut said = vec![(ActivitySource::Hook, Some(word))];
        if begins {
            // Of a turn that was broken off hooks said the same: this one must not be as old as that one.
            said.insert(0, (ActivitySource::Hook, None));
        }
        self.say(&runner, said, &title).await
    }

    /// Looks at a screen that has changed, unless a better source speaks.
    fn look_at_screen(&self, runner: &Runner, number: u64) {
        let before = {
            let mut screens = self.told.screens.lock().unwrap_or_else(PoisonError::into_inner);
            screens.insert(runner.id, number)
        };
        if before == Some(number) {
            return;
        }
        if self.is_taught(runner) {
            // Also the first time, when the supervisor has not been told yet to tell of changes.
            self.look_now(runner);
        } else if number > 0
            && runner.activity.source != ActivitySource::Osc7501
            && self.context.is_screen_read(&runner.agent)
        {
            self.look_now(runner);
        }
    }

    /// Looks at a screen and takes in what it says.
    pub(super) fn look_now(&self, runner: &Runner) {
        let (services, runner) = (self.clone(), runner.clone());
        let is_taught = self.is_taught(&runner);
        let query = if is_taught { LookFor::ScreenAndChanges } else { LookFor::Screen };
        // A supervisor that hangs must not hold up the news of the others.
        tokio::spawn(async move {
            let Ok(reply) = services.fleet.look(runner.id, query).await else { return };
            let screen = reply.screen.unwrap_or_default();
            let (rules, text) = (&services.context.screens, tail(&screen.lines));
            let name = services.context.screens_of(&runner.agent);
            let asked = (question::on_screen(&screen.lines), question::mark(&screen.lines));
            let now = services.context.clock.now();
            let words = |seen: Seen| {
                let is_blocked = seen.state == ActivityState::Blocked;
                let (question, dialog) = if is_blocked { asked.clone() } else { (None, None) };
                word(seen, question, now).with_dialog(dialog)
            };
            let mut said = Vec::new();
            if is_taught {
                said.push((ActivitySource::Taught, rules.taught(&name, &text).map(&words)));
            }
            // Of an agent that reports by itself nothing else is read.
            if runner.activity.source != ActivitySource::Osc7501 {
                let seen = rules.look(&name, On::Screen, &text);
                said.push((ActivitySource::Screen, seen.map(&words)));
            }
            let outcome = async {
                let Some(runner) = services.at_run(runner.id, runner.run).await? else {
                    return Ok(());
                };
                let title = runner.title.clone();
                services.say(&runner, said, &title).await
            };
            if let Err(error) = outcome.await {
                tracing::debug!(runner.id = %runner.id, %error, "failed to record what a screen says");
            }
        });
    }

    /// Whether the input box of an agent at rest is there, as far as that can be told. Hooks, titles and
    /// interfaces tell of rest seconds before a program that starts reads its input: what is typed then is
    /// lost, or Enter is. A box that does not come within [`BOX`] is not waited for any longer: rules may
    /// not know it.
    pub(super) async fn has_box(&self, runner: &Runner) -> Result<bool, Failure> {
        let activity = &runner.activity;
        let tells_itself =
            matches!(activity.source, ActivitySource::Osc7501 | ActivitySource::Taught);
        let since = activity.since.unwrap_or(runner.started_at);
        if activity.state != ActivityState::Idle
            || tells_itself
            || self.context.clock.now() - since >= BOX
            || !self.context.screens.know_rest(&self.context.screens_of(&runner.agent))
        {
            return Ok(true);
        }
        if Agent::of(&runner.agent).is_some_and(Agent::reports_itself) {
            return Ok(activity.source == ActivitySource::Api);
        }
        let now = self.context.clock.now();
        let is_box = |evidence: &Evidence| {
            let seen = evidence.words.get(&ActivitySource::Screen);
            let stands = |it: &Word| it.state == ActivityState::Idle && now - it.at >= STEADY;
            evidence.run == runner.run && seen.is_some_and(stands)
        };
        if let Some(evidence) = self.told.all.lock().await.get(&runner.id) {
            return Ok(is_box(evidence));
        }
        Ok(is_box(&self.store.runner_evidence(runner.id).await?))
    }

    /// Whether an agent that is said to be at rest has a dialog on its screen: a text would answer it. One that tells
    /// of rest itself tells of what comes before any turn, and of permissions, too; one whose rest is read may have
    /// changed since that was read.
    pub(super) async fn asks_unsaid(&self, runner: &Runner) -> Result<bool, Failure> {
        let is_read = match runner.activity.source {
            ActivitySource::Osc7501 => false,
            ActivitySource::Title | ActivitySource::Screen => true,
            _ => return Ok(false),
        };
        let screen = self.fleet.look(runner.id, LookFor::Screen).await?.screen.unwrap_or_default();
        let name = self.context.screens_of(&runner.agent);
        let seen = self.context.screens.look(&name, On::Screen, &tail(&screen.lines));
        let asks = seen.filter(|seen| seen.state == ActivityState::Blocked);
        Ok(asks.is_some_and(|seen| is_read || seen.kind.as_deref() == Some("question")))
    }

    /// Returns what stands on the screen of an agent that asks what an item tells of.
    pub(super) async fn standing(
        &self,
        runner: &Runner,
        item: Option<Uuid>,
    ) -> Result<Standing, Failure> {
        let screen = self.fleet.look(runner.id, LookFor::Screen).await?.screen.unwrap_or_default();
        let (rules, text) = (&self.context.screens, tail(&screen.lines));
        let name = self.context.screens_of(&runner.agent);
        let taught = rules.taught(&name, &text);
        let seen = taught.or_else(|| rules.look(&name, On::Screen, &text));
        let is_dialog = seen.is_some_and(|seen| seen.state == ActivityState::Blocked);
        let evidence = match self.told.all.lock().await.get(&runner.id) {
            Some(evidence) => evidence.clone(),
            // An agent is answered also while the database is away.
            None => self.store.runner_evidence(runner.id).await.unwrap_or_default(),
        };
        let evidence = evidence.of_run(runner.run);
        let is_another = match (evidence.dialog_of(item), question::mark(&screen.lines)) {
            (Some(meant), Some(now)) => now != meant,
            _ => false,
        };
        Ok(Standing { is_dialog, is_another, choices: question::choices(&screen.lines).len() })
    }

    /// Takes note of the dialog that is shown with an item: an answer to the item is meant for it.
    pub(super) async fn note_shown(&self, id: RunnerId, shown: Shown) -> Result<(), Failure> {
        let mut all = self.told.all.lock().await;
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(()) };
        let known = match all.remove(&id) {
            Some(known) => known,
            None => self.store.runner_evidence(id).await?,
        };
        let evidence = Evidence { shown: Some(shown), ..known.of_run(runner.run) };
        let (told, now) = ((&runner.activity, &*runner.title), self.context.clock.now());
        let written =
            self.store.runner_set_activity(&runner, told, &evidence, (None, &[]), now).await;
        all.insert(id, evidence);
        written?;
        Ok(())
    }

    /// Takes note of what sources say, without secrets, and writes down what follows from it.
    pub(super) async fn say(
        &self,
        runner: &Runner,
        said: Vec<Said>,
        title: &str,
    ) -> Result<(), Failure> {
        let mut all = self.told.all.lock().await;
        let known = match all.remove(&runner.id) {
            Some(known) => known,
            None => self.store.runner_evidence(runner.id).await?,
        };
        let mut evidence = known.of_run(runner.run);
        let mut has_changed = false;
        for (source, mut word) in said {
            if let Some(message) = word.as_mut().and_then(|word| word.message.as_mut())
                && let Cow::Owned(clean) = redact(message)
            {
                *message = clean;
            }
            has_changed |= evidence.note(source, word);
        }
        // Read under the lock: another source may have written meanwhile.
        let before = self.store.runner_get(runner.id).await?.unwrap_or_else(|| runner.clone());
        let now = self.context.clock.now();
        let starts = Agent::of(&runner.agent).is_some_and(Agent::works_at_its_start);
        let unproven = evidence.unproven(now).filter(|_| starts);
        // An agent that is being ended tells of its end: what it was at before says whether that cuts off a turn.
        // What one that has ended said is taken in later, and is no news.
        let is_ending = before.status == RunnerStatus::Stopping || !before.status.is_live();
        let activity = if unproven.is_some() || is_ending {
            before.activity.clone()
        } else {
            evidence.verdict(&before.activity, now)
        };
        if let Some(at) = unproven.or_else(|| evidence.due(now)) {
            self.look_again(runner, at - now);
        }
        if evidence.is_in_doubt() {
            self.look_now(&before);
        }
        let outcome = if has_changed || title != before.title || activity != before.activity {
            self.write_activity(&before, &activity, title, &evidence).await
        } else {
            Ok(())
        };
        all.insert(runner.id, evidence);
        outcome
    }

    /// Takes note that an agent has begun another conversation: the turns of the one before are not its own,
    /// and nobody may say so.
    pub(super) async fn forget_turns(&self, runner: &Runner) -> Result<(), Failure> {
        let mut all = self.told.all.lock().await;
        let known = match all.remove(&runner.id) {
            Some(known) => known,
            None => self.store.runner_evidence(runner.id).await?,
        };
        let evidence = known.of_run(runner.run);
        let before = self.store.runner_get(runner.id).await?.unwrap_or_else(|| runner.clone());
        let outcome = if before.activity.state == ActivityState::Done {
            let since = Some(self.context.clock.now());
            let rest = Activity { state: ActivityState::Idle, since, ..before.activity.clone() };
            let title = before.title.clone();
            self.write_activity(&before, &rest, &title, &evidence).await
        } else {
            Ok(())
        };
        all.insert(runner.id, evidence);
        outcome
    }

    /// Takes note that somebody has looked at what had ended by then: an agent that is done rests.
    pub(super) async fn note_looked(&self, id: RunnerId, at: DateTime<Utc>) -> Result<(), Failure> {
        let mut all = self.told.all.lock().await;
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(()) };
        let is_ours = runner.node_id == self.context.origin.node_id && runner.status.is_live();
        let has_ended = runner.activity.since.is_some_and(|since| since <= at);
        if !is_ours || runner.activity.state != ActivityState::Done || !has_ended {
            return Ok(());
        }
        let known = match all.remove(&id) {
            Some(known) => known,
            None => self.store.runner_evidence(id).await?,
        };
        let evidence = Evidence { looked: Some(at), ..known.of_run(runner.run) };
        let activity = evidence.verdict(&runner.activity, self.context.clock.now());
        let outcome = if activity == runner.activity {
            Ok(())
        } else {
            self.write_activity(&runner, &activity, &runner.title, &evidence).await
        };
        all.insert(id, evidence);
        outcome
    }

    /// Judges what was said once more after a time: nobody may say anything until then.
    fn look_again(&self, runner: &Runner, after: TimeDelta) {
        let (services, id, run) = (self.clone(), runner.id, runner.run);
        tokio::spawn(async move {
            tokio::time::sleep(after.to_std().unwrap_or_default()).await;
            let outcome = async {
                let runner = services.at_run(id, run).await?;
                let Some(runner) = runner.filter(|it| it.status.is_live()) else { return Ok(()) };
                let title = runner.title.clone();
                Box::pin(services.say(&runner, Vec::new(), &title)).await
            };
            if let Err(error) = outcome.await {
                tracing::debug!(runner.id = %id, %error, "failed to record what follows from silence");
            }
        });
    }

    async fn write_activity(
        &self,
        runner: &Runner,
        activity: &Activity,
        title: &str,
        evidence: &Evidence,
    ) -> Result<(), Failure> {
        let mut event = None;
        let before = &runner.activity;
        // Another question in the same words is another one: the answer to the first must not be its.
        let is_asked_anew =
            activity.state == ActivityState::Blocked && activity.since != before.since;
        let is_news = is_asked_anew
            || (activity.state, &activity.kind, &activity.message)
                != (before.state, &before.kind, &before.message);
        if is_news && activity.state != ActivityState::Starting {
            let mut data = json!({
                "state": activity.state.as_str(),
                "kind": activity.kind,
                "message": activity.message,
                "source": activity.source.as_str(),
                // An answer is bound to the question by this.
                "since": activity.since,
            });
            if activity.is_told_better(before) {
                // Nobody is told of one turn twice.
                data["is_again"] = json!(true);
            }
            event = Some(self.context.runner_event(EventType::RunnerActivity, runner, data));
        }
        let is_at_it =
            |it: &Activity| matches!(it.state, ActivityState::Working | ActivityState::Blocked);
        let has_ended = is_at_it(before) && !is_at_it(activity);
        let now = self.context.clock.now();
        let viewers = self.fleet.last_status(runner.id).map_or(0, |status| status.viewers);
        let items = inbox::after_activity(runner, activity, viewers > 0);
        self.release(runner, activity);
        let runner = self
            .store
            .runner_set_activity(runner, (activity, title), evidence, (event, &items), now)
            .await?;
        self.changes.runner(&runner);
        self.keep_lines(&runner, &items);
        self.pair_opened(&runner, &items).await;
        if let Some(session) = runner.session_id.as_deref().filter(|_| has_ended) {
            self.transcripts.turn_ended(session);
        }
        // A turn that begins under a budget that is used up is not waited for.
        if runner.hold.is_some() {
            self.enforcing.ring();
        }
        Ok(())
    }

    /// Says why a runner's state is what it is.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND`.
    pub async fn explain(&self, word: &str) -> Result<Explanation, Failure> {
        let runner = self.resolve(word).await?;
        let evidence = self.store.runner_evidence(runner.id).await?.of_run(runner.run);
        let author = evidence.author(self.context.clock.now());
        let rules = self.rules_of(&runner).await;
        Ok(Explanation { runner, words: evidence.words.into_iter().collect(), author, rules })
    }

    /// The rules that match what a runner shows now; none where nobody can look.
    async fn rules_of(&self, runner: &Runner) -> Vec<(ActivitySource, String)> {
        if !runner.status.is_live() || !self.context.is_screen_read(&runner.agent) {
            return Vec::new();
        }
        let Ok(reply) = self.fleet.look(runner.id, LookFor::Screen).await else {
            return Vec::new();
        };
        let screen = tail(&reply.screen.unwrap_or_default().lines);
        let name = self.context.screens_of(&runner.agent);
        self.context.screens.patterns(&name, &runner.title, &screen)
    }

    /// Forgets what was said of a runner that is not linked any more: it is in its row.
    pub(super) async fn forget_told(&self, id: RunnerId) {
        self.told.screens.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.told.all.lock().await.remove(&id);
        self.wishes.forget(id);
        self.prompts.forget_left(id);
    }
}

fn word(seen: Seen, message: Option<String>, at: DateTime<Utc>) -> Word {
    Word::new((seen.state, seen.kind, message), at)
}
