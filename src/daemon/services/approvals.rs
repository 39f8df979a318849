//! What agents want to do and ask about through their own channel: decided by the policy first, then
//! by a person.
//!
//! The channel is a hook of the agent's that is held open by its supervisor (`supervisor/meter`): the
//! agent's own dialog stays usable meanwhile, and whoever answers first wins. Invariant: an item of the
//! inbox is paired with a wish only where both are about the same, so that a yes to what was shown is
//! never a yes to something else.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use tokio::task::spawn_blocking;

use super::Services;
use crate::{
    config::approvals,
    domain::{
        activity::{Activity, ActivityState},
        approval::{BY_POLICY, Decision, Verdict, Wish},
        event::EventType,
        failure::Failure,
        hook::{Decided, HookReport},
        id::RunnerId,
        inbox::{Class, Consequence, Reason, clean, is_about},
        redact::redact,
        runner::Runner,
    },
};

/// Wishes of one runner that wait for an answer, at most; the oldest go.
const MOST: usize = 16;

/// Wishes that wait, as far as this daemon has heard of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes(Arc<Mutex<HashMap<RunnerId, VecDeque<Waiting>>>>);

/// What is wrong with the policy of each project, so that it is told once.
#[derive(Debug, Clone, Default)]
pub(super) struct Misread(Arc<Mutex<HashMap<String, String>>>);

impl Misread {
    /// Takes note of what is wrong for a project, if anything is; returns that where nobody was told yet.
    fn note(&self, project: &str, wrong: Option<String>) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wrong) = wrong else {
            all.remove(project);
            return None;
        };
        // The user's own file is that of every project.
        let is_news = !all.values().any(|known| *known == wrong);
        all.insert(project.to_owned(), wrong.clone());
        is_news.then_some(wrong)
    }
}

/// A wish that waits.
#[derive(Debug, Clone)]
struct Waiting {
    /// The name of the held hook.
    ask: String,
    /// The tool with its argument, without secrets, as the question is told.
    tool: String,
}

impl Wishes {
    fn add(&self, id: RunnerId, waiting: Waiting) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(id).or_default();
        if own.len() >= MOST {
            own.pop_front();
        }
        own.push_back(waiting);
    }

    fn about(&self, id: RunnerId, message: &str) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest first: one that is asked again is another one.
        let found = all.get(&id)?.iter().rev().find(|one| is_about(message, &one.tool))?;
        Some(found.ask.clone())
    }

    fn remove(&self, id: RunnerId, ask: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&id) {
            own.retain(|one| one.ask != ask);
        }
    }

    /// Takes those that nobody waits with any more: the one that is about this, or all at the end of a turn.
    fn take(&self, id: RunnerId, message: &str, is_turn_over: bool) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = all.get_mut(&id) else { return Vec::new() };
        let is_gone = |one: &Waiting| is_turn_over || is_about(message, &one.tool);
        let (gone, left): (Vec<_>, Vec<_>) = own.drain(..).partition(is_gone);
        own.extend(left);
        gone.into_iter().map(|one| one.ask).collect()
    }

    /// Forgets those of a runner that is not linked any more.
    pub(super) fn forget(&self, id: RunnerId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Services {
    /// Takes in what a hook told of a wish: one that it has decided itself, or one that waits. True when the
    /// policy has decided one that waited.
    pub(super) async fn on_wish(
        &self,
        runner: &Runner,
        told: &HookReport,
    ) -> Result<bool, Failure> {
        if let Some(decision) = Decision::parse(&told.decision) {
            let rule = Some(told.rule.clone());
            self.record_decision(runner, told, &Verdict { decision, rule }).await?;
            return Ok(false);
        }
        if told.ask.is_empty() {
            return Ok(false);
        }
        let verdict = self.decide(runner, told).await;
        let decided = match verdict.decision {
            Decision::Ask => None,
            decision => {
                let reason = verdict.rule.clone().unwrap_or_default();
                Some(Decided { decision, reason: format!("by the approval policy: {reason}") })
            }
        };
        match decided {
            Some(decided) => {
                // Said first: the agent goes on at once, and whoever resolves the item tells by whom.
                let item = self.store.inbox_of(runner.id, Class::Ask).await?;
                let paired = item.filter(|item| is_about(&item.message, &clean(&told.tool)));
                let answer = if decided.decision == Decision::Allow { "yes" } else { "no" };
                if let Some(item) = &paired {
                    self.store.inbox_claim(item.id, answer, BY_POLICY).await?;
                }
                // One that was answered on the screen meanwhile is not decided here.
                if self.fleet.decide(runner.id, &told.ask, Some(&decided)).await.is_ok() {
                    self.record_decision(runner, told, &verdict).await?;
                    return Ok(true);
                }
                if let Some(item) = &paired {
                    self.store.inbox_claim(item.id, "", "").await?;
                }
            }
            None if told.is_brief => {
                // Its dialog comes only after this answer.
                self.fleet.decide(runner.id, &told.ask, None).await.ok();
            }
            None => {
                let tool = redact(&told.tool).into_owned();
                let waiting = Waiting { ask: told.ask.clone(), tool };
                self.wishes.add(runner.id, waiting);
                self.pair(runner.id).await?;
            }
        }
        // That a rule wants a person to be asked is its decision too. Without a rule none was made.
        if verdict.decision == Decision::Ask && verdict.rule.is_some() {
            self.record_decision(runner, told, &verdict).await?;
        }
        Ok(false)
    }

    /// What the policy says.
    async fn decide(&self, runner: &Runner, told: &HookReport) -> Verdict {
        let project = runner.project_path.clone();
        let loaded = spawn_blocking(move || approvals::in_force(&project)).await;
        let (policy, wrong) = loaded.unwrap_or_default();
        let wrong = wrong.map(|error| error.to_string());
        if let Some(news) = self.misread.note(&runner.project, wrong) {
            tracing::warn!(error = news, "the approval policy cannot be read");
            let what = format!(
                "the approval policy: {news}; nothing is allowed by that file, and what it denies holds \
                 only as far as it can be read: stratavore doctor"
            );
            self.alert("warning", "approvals", &what).await;
        }
        policy.decide(&wish(runner, told))
    }

    async fn record_decision(
        &self,
        runner: &Runner,
        told: &HookReport,
        verdict: &Verdict,
    ) -> Result<(), Failure> {
        let data = json!({
            "decision": verdict.decision, "rule": verdict.rule, "tool": told.name,
            "argument": clean(&told.argument), "by": "policy", "event": told.event,
        });
        let event = self.context.runner_event(EventType::ApprovalDecided, runner, data);
        Ok(self.store.event_append(vec![event]).await?)
    }

    /// Pairs the open question of a runner with the wish that is about the same.
    pub(super) async fn pair(&self, id: RunnerId) -> Result<(), Failure> {
        let Some(item) = self.store.inbox_of(id, Class::Ask).await? else { return Ok(()) };
        if item.reason != Reason::Permission || !item.channel.is_empty() {
            return Ok(());
        }
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(()) };
        // The agent's own words: the item's may be cut.
        let is_same = runner.activity.since == Some(item.asked_at);
        let message = runner.activity.message.filter(|_| is_same).unwrap_or_default();
        if let Some(ask) = self.wishes.about(id, &message) {
            self.store.inbox_channel(item.id, item.asked_at, &ask).await?;
        }
        Ok(())
    }

    /// Pairs what has just been opened or told better.
    pub(super) async fn pair_opened(&self, runner: &Runner, consequences: &[Consequence]) {
        let is_ask = |one: &Consequence| match one {
            Consequence::Open(opening) => opening.class == Class::Ask,
            Consequence::Refine(class, ..) => *class == Class::Ask,
            Consequence::Resolve(..) => false,
        };
        if consequences.iter().any(is_ask)
            && let Err(error) = self.pair(runner.id).await
        {
            tracing::debug!(runner.id = %runner.id, %error, "failed to pair a question");
        }
    }

    /// Lets hooks go whose question was answered on the agent's screen: it does not end them itself.
    pub(super) fn release(&self, runner: &Runner, after: &Activity) {
        let before = &runner.activity;
        if before.state != ActivityState::Blocked || after.state == ActivityState::Blocked {
            return;
        }
        let is_turn_over = after.state != ActivityState::Working;
        let message = before.message.as_deref().unwrap_or_default();
        let gone = self.wishes.take(runner.id, message, is_turn_over);
        if gone.is_empty() {
            return;
        }
        let (services, id) = (self.clone(), runner.id);
        tokio::spawn(async move {
            for ask in gone {
                // One that was answered over it has gone already.
                services.fleet.decide(id, &ask, None).await.ok();
            }
        });
    }

    /// Answers through the agent's own channel; false when nobody waits there any more.
    pub(super) async fn answer_channel(&self, id: RunnerId, ask: &str, decided: &Decided) -> bool {
        let is_told = self.fleet.decide(id, ask, Some(decided)).await.is_ok();
        self.wishes.remove(id, ask);
        is_told
    }
}

fn wish<'a>(runner: &'a Runner, told: &'a HookReport) -> Wish<'a> {
    Wish {
        agent: &runner.agent,
        tool: &told.name,
        argument: &told.argument,
        is_cut: told.is_cut,
        cwd: &told.cwd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_policy_is_told_once_and_again_after_it_was_right() {
        let misread = Misread::default();
        let wrong = || Some("`alow` is no decision".to_owned());
        assert_eq!(misread.note("api", wrong()), wrong());
        assert_eq!(misread.note("api", wrong()), None);
        assert_eq!(misread.note("web", wrong()), None, "it is the same file");
        assert_eq!(misread.note("web", Some("another".to_owned())).as_deref(), Some("another"));
        assert_eq!((misread.note("api", None), misread.note("web", None)), (None, None));
        assert_eq!(misread.note("web", wrong()), wrong());
    }
}
