//! Budgets: look at them, set them, begin their next periods, and act when one is used up.
//!
//! What was used is charged where it is recorded (`store/usage`). Here the table is looked at after
//! every such record, and now and then besides: other nodes and people write to it too. What is done
//! to which runner is [`Enforcement`]'s to say. Each node acts upon its own runners.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::timeout,
};

use super::Services;
use crate::{
    agents::hooks,
    domain::{
        activity::ActivityState,
        agent::Agent,
        budget::{Budget, BudgetAction, BudgetChange, BudgetScope, Period, zone},
        enforcement::{Effect, Enforcement, Situation},
        event::{EventType, NewEvent},
        failure::{Failure, FailureKind},
        hook::Hold,
        id::RunnerId,
        runner::{Runner, RunnerStatus},
    },
};

/// Whoever changes a budget waits so long, at most, for what comes of it.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Models without a price that are named.
const MODELS: u32 = 5;

/// What is done to this node's runners, and the bell that says that something was used or set.
#[derive(Debug, Clone, Default)]
pub(super) struct Enforcing(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// By runner and run: a new run begins with nothing done to it.
    runners: Mutex<HashMap<(RunnerId, u32), Enforcement>>,
    bell: Notify,
    /// One look at a time: an older one must not undo what a newer one did.
    looking: AsyncMutex<()>,
}

impl Enforcing {
    /// Has the budgets looked at.
    pub(super) fn ring(&self) {
        self.0.bell.notify_one();
    }
}

impl Services {
    /// Waits until something was used or set.
    pub(crate) async fn budgets_rung(&self) {
        self.enforcing.0.bell.notified().await;
    }

    /// Returns the budgets that are in force.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_budgets(&self) -> Result<Vec<Budget>, Failure> {
        Ok(self.store.budget_list(self.context.clock.now()).await?)
    }

    /// Sets a budget.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND` or `RUNNER_NOT_FOUND` for whom it is for, `BAD_TIME_ZONE`.
    pub async fn set_budget(&self, change: BudgetChange) -> Result<(), Failure> {
        let scope = self.known_scope(change.scope).await?;
        let change = BudgetChange { scope, ..change };
        let name = change.time_zone.clone().unwrap_or_default();
        let zone = zone(&name).ok_or_else(|| {
            let what = format!("`{}` is no time zone", name.escape_debug());
            Failure::usage("BAD_TIME_ZONE", what).with_hint("use a name such as Europe/Berlin")
        })?;
        let services = self.clone();
        self.detached(async move {
            let now = services.context.clock.now();
            let bounds = change.period.bounds(now, &zone);
            let known = services.store.budget_list(now).await?;
            let is_it = |it: &&Budget| (&it.scope, it.period) == (&change.scope, change.period);
            let data = json!({
                "what": "set", "scope": change.scope.to_string(), "period": change.period.as_str(),
                "limit": change.limit, "action": change.action,
                "before": known.iter().find(is_it).map(|it| it.limit),
            });
            let event = services.budget_event(EventType::BudgetChanged, &change.scope, data);
            services.store.budget_set(&change, bounds, event).await?;
            services.look_after_change().await;
            Ok(())
        })
        .await
    }

    /// Removes the budgets of a scope, of one period or of all.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn remove_budget(
        &self,
        scope: BudgetScope,
        period: Option<Period>,
    ) -> Result<(), Failure> {
        let services = self.clone();
        self.detached(async move {
            let event = services.change_event("removed", &scope, period);
            services.store.budget_remove(&scope, period, event).await?;
            services.look_after_change().await;
            Ok(())
        })
        .await
    }

    /// Lets the budgets of a scope, of one period or of all, begin anew.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn reset_budget(
        &self,
        scope: BudgetScope,
        period: Option<Period>,
    ) -> Result<(), Failure> {
        let services = self.clone();
        self.detached(async move {
            let event = services.change_event("reset", &scope, period);
            services.store.budget_reset(&scope, period, event).await?;
            services.look_after_change().await;
            Ok(())
        })
        .await
    }

    /// Has the budgets looked at before somebody is answered: whoever is told that a budget has room again
    /// may prompt at once. What fails is tried again.
    async fn look_after_change(&self) {
        self.look_at_budgets().await;
        self.enforcing.ring();
    }

    /// Has the budgets looked at before a prompt is typed: a row that was written by hand counts already.
    /// What takes longer is done all the same.
    pub(super) async fn look_at_budgets(&self) {
        let services = self.clone();
        let looking = tokio::spawn(async move {
            if let Err(error) = services.keep_budgets().await {
                tracing::debug!(%error, "failed to look at the budgets");
            }
        });
        timeout(AT_ONCE, looking).await.ok();
    }

    /// Returns a scope that names something there is: a runner by its id, whatever word it was.
    async fn known_scope(&self, scope: BudgetScope) -> Result<BudgetScope, Failure> {
        match &scope {
            BudgetScope::Global => {}
            BudgetScope::Project(name) => {
                self.get_project(name).await?;
            }
            BudgetScope::Runner(word) => {
                return Ok(BudgetScope::Runner(self.resolve(word).await?.name));
            }
        }
        Ok(scope)
    }

    fn change_event(&self, what: &str, scope: &BudgetScope, period: Option<Period>) -> NewEvent {
        let period = period.map(Period::as_str);
        let data = json!({ "what": what, "scope": scope.to_string(), "period": period });
        self.budget_event(EventType::BudgetChanged, scope, data)
    }

    fn budget_event(
        &self,
        event_type: EventType,
        scope: &BudgetScope,
        data: serde_json::Value,
    ) -> NewEvent {
        let project = match scope {
            BudgetScope::Project(name) => name.as_str(),
            _ => "",
        };
        self.context.budget_event(event_type, &scope.to_string(), project, data)
    }

    /// Begins the periods that have come, tells what share is used, and acts; false when there is
    /// nothing to come back for before something is used or set.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(crate) async fn keep_budgets(&self) -> Result<bool, Failure> {
        let _looking = self.enforcing.0.looking.lock().await;
        let now = self.context.clock.now();
        for ended in self.store.budget_ended(now).await? {
            let zone = zone(&ended.time_zone).unwrap_or(chrono_tz::UTC);
            let bounds = ended.period.bounds(now, &zone);
            let data = json!({
                "what": "began", "scope": ended.scope.to_string(),
                "period": ended.period.as_str(), "from": bounds.0, "to": bounds.1,
                "used_before": ended.used,
            });
            let event = self.budget_event(EventType::BudgetChanged, &ended.scope, data);
            self.store.budget_roll(&ended, bounds, event).await?;
        }
        let mut budgets = self.store.budget_list(now).await?;
        if budgets.iter().any(|budget| !budget.is_counted) {
            for budget in budgets.iter().filter(|budget| !budget.is_counted) {
                self.store.budget_count(budget, now).await?;
            }
            budgets = self.store.budget_list(now).await?;
        }
        for budget in &budgets {
            if let Some(share) = budget.to_tell() {
                self.tell_share(budget, share).await?;
            }
            if budget.is_to_tell_unpriced() {
                self.tell_unpriced(budget).await?;
            }
        }
        self.enforce(&budgets).await?;
        Ok(!budgets.is_empty())
    }

    /// Tells once that a share of a budget is used.
    async fn tell_share(&self, budget: &Budget, share: u8) -> Result<(), Failure> {
        let is_over = share >= 100;
        let event_type =
            if is_over { EventType::BudgetExhausted } else { EventType::BudgetWarning };
        let text = if is_over {
            budget.exhaustion()
        } else {
            format!(
                "{share} % of the {} budget for {} is used: {} of {}",
                budget.period.as_str(),
                budget.scope,
                budget.used_text(),
                budget.limit.show(budget.limit.amount()),
            )
        };
        let data = json!({
            "scope": budget.scope.to_string(), "period": budget.period.as_str(), "share": share,
            "used": budget.used, "limit": budget.limit, "action": budget.action, "text": text,
        });
        let event = self.budget_event(event_type, &budget.scope, data);
        let severity = if is_over { "critical" } else { "warning" };
        let alert = self.budget_alert((severity, "budget"), &text);
        if self.store.budget_tell(budget, share, vec![event, alert]).await? {
            tracing::info!(budget = %budget.scope, share, "a share of a budget is used");
        }
        Ok(())
    }

    /// Tells once that a budget of money cannot count a part of what is used: nothing is stopped by it.
    async fn tell_unpriced(&self, budget: &Budget) -> Result<(), Failure> {
        let models = self.store.budget_unpriced_models(budget, MODELS).await?;
        let models = models.iter().map(|it| it.escape_debug().to_string()).collect::<Vec<_>>();
        let text = format!(
            "the {} budget for {} cannot count what {} uses: its price is not known; set one under \
             `prices` in the configuration, or a budget in tokens",
            budget.period.as_str(),
            budget.scope,
            if models.is_empty() { "a model".to_owned() } else { models.join(", ") },
        );
        let component = budget.scope.component(Some(budget.period));
        let alert = self.budget_alert(("warning", &component), &text);
        if self.store.budget_tell_unpriced(budget, alert).await? {
            tracing::warn!(budget = %budget.scope, ?models, "prices of models are not known");
        }
        Ok(())
    }

    fn budget_alert(&self, (severity, component): (&str, &str), text: &str) -> NewEvent {
        let alert = json!({ "severity": severity, "component": component, "message": text });
        self.context.system_event(EventType::SystemAlert, alert)
    }

    /// Does to each live runner of this node what its budgets want.
    async fn enforce(&self, budgets: &[Budget]) -> Result<(), Failure> {
        let exhausted: Vec<_> = budgets
            .iter()
            .filter(|budget| budget.is_exhausted() && budget.action > BudgetAction::Warn)
            .collect();
        let is_quiet = {
            let runners = self.enforcing.0.runners.lock().unwrap_or_else(PoisonError::into_inner);
            runners.is_empty()
        };
        let mut live = Vec::new();
        if !exhausted.is_empty() || !is_quiet {
            live = self.store.runner_list("", "live", 0).await?;
            live.retain(|runner| runner.node_id == self.context.origin.node_id);
        }
        let now = self.context.clock.now();
        let mut due = Vec::new();
        for runner in &live {
            let worst = exhausted
                .iter()
                .filter(|budget| is_for(&budget.scope, runner))
                .max_by_key(|budget| budget.action);
            let situation = Situation {
                is_working: runner.activity.state == ActivityState::Working,
                ends_turns: has_hooks(runner)
                    && Agent::of(&runner.agent).is_some_and(hooks::ends_turns),
                is_paused: runner.status == RunnerStatus::Paused,
            };
            let mut effects = {
                let mut runners =
                    self.enforcing.0.runners.lock().unwrap_or_else(PoisonError::into_inner);
                let one = runners.entry((runner.id, runner.run)).or_default();
                if one.is_idle() && worst.is_none() && runner.hold.is_some() {
                    // An earlier daemon held it.
                    one.adopt();
                }
                one.step(worst.map(|budget| budget.action), situation, now)
            };
            // Another budget may be the cause by now; that more is used of the same is no news.
            if let (Some(budget), Some(hold)) = (worst, &runner.hold)
                && effects.is_empty()
                && cause(&hold.reason) != cause(&budget.exhaustion())
            {
                effects.push(Effect::Hold(hold.level));
            }
            if !effects.is_empty() {
                let reason = worst.map(|budget| budget.exhaustion()).unwrap_or_default();
                due.push((runner, effects, reason));
            }
        }
        // One whose interface hangs must not hold up the others.
        let enforcing = due.into_iter().map(async |(runner, effects, reason)| {
            for effect in effects {
                if let Err(error) = self.apply(runner, effect, &reason).await {
                    tracing::warn!(runner.id = %runner.id, ?effect, %error, "failed to enforce a budget");
                }
            }
        });
        join_all(enforcing).await;
        let mut runners = self.enforcing.0.runners.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = |key| live.iter().any(|runner| (runner.id, runner.run) == key);
        runners.retain(|key, one| !one.is_idle() && lives(*key));
        Ok(())
    }

    /// Does one thing to a runner and writes it down.
    async fn apply(&self, runner: &Runner, effect: Effect, reason: &str) -> Result<(), Failure> {
        let id = runner.id;
        let what = match effect {
            Effect::Hold(level) => {
                let hold = Hold { level, reason: reason.to_owned() };
                if has_hooks(runner) {
                    self.fleet.hold(id, Some(&hold)).await?;
                }
                return self.note_hold(runner, Some(hold)).await;
            }
            Effect::Release => {
                if has_hooks(runner) {
                    self.fleet.hold(id, None).await?;
                }
                return self.note_hold(runner, None).await;
            }
            Effect::Interrupt => {
                self.interrupt_turn(runner).await?;
                "interrupted"
            }
            Effect::Pause => {
                self.set_paused(&id.to_string(), true).await?;
                "paused"
            }
            Effect::Resume => {
                self.set_paused(&id.to_string(), false).await?;
                "resumed"
            }
            Effect::Stop => {
                let services = self.clone();
                let (runner, reason) = (runner.clone(), reason.to_owned());
                // Its grace period must not hold up the others.
                tokio::spawn(async move {
                    if let Err(error) = services.stop(&runner, None, false, Some(&reason)).await {
                        tracing::warn!(runner.id = %runner.id, %error, "failed to stop a runner");
                    }
                });
                "stopped"
            }
        };
        let data = json!({ "what": what, "reason": reason });
        let event = self.context.runner_event(EventType::RunnerHeld, runner, data);
        self.store.event_append(vec![event]).await?;
        Ok(())
    }

    async fn note_hold(&self, runner: &Runner, hold: Option<Hold>) -> Result<(), Failure> {
        let (level, reason) = hold
            .as_ref()
            .map_or(("", ""), |hold: &Hold| (hold.level.as_str(), hold.reason.as_str()));
        let what = if hold.is_some() { "held" } else { "released" };
        let data = json!({ "what": what, "level": level, "reason": reason });
        let event = self.context.runner_event(EventType::RunnerHeld, runner, data);
        self.store.runner_set_hold(runner, (level, reason), event).await?;
        if let Some(runner) = self.store.runner_get(runner.id).await? {
            self.changes.runner(&runner);
        }
        Ok(())
    }

    /// Refuses a prompt to a runner that is held.
    pub(super) fn check_hold(runner: &Runner) -> Result<(), Failure> {
        match runner.held_by() {
            Some(why) => {
                let what = format!("{} is held: {why}", runner.name);
                Err(Failure::new(FailureKind::Limit, "BUDGET_EXHAUSTED", what)
                    .with_hint("stratavore budget show lists the budgets; budget set raises one"))
            }
            None => Ok(()),
        }
    }
}

/// Which budget a reason names: what stands before the figures.
fn cause(reason: &str) -> &str {
    reason.split_once(':').map_or(reason, |(cause, _)| cause)
}

/// Whether a budget counts what a runner uses.
fn is_for(scope: &BudgetScope, runner: &Runner) -> bool {
    match scope {
        BudgetScope::Global => true,
        BudgetScope::Project(name) => *name == runner.project,
        BudgetScope::Runner(word) => *word == runner.name || *word == runner.id.to_string(),
    }
}

/// Whether the agent's hooks can refuse.
fn has_hooks(runner: &Runner) -> bool {
    matches!(Agent::of(&runner.agent), Some(Agent::Claude | Agent::Codex | Agent::Qwen))
}
