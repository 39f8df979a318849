//! What supervisors say, written down; and what follows from their silence.

use chrono::{DateTime, Utc};

use super::Services;
use crate::{
    daemon::{
        fleet::{Found, Notice},
        store::{Counted, RunnerChange, TakenIn},
    },
    domain::{
        activity::{Activity, ActivityState},
        agent::Agent,
        clock::to_micros,
        event::EventType,
        failure::{Failure, FailureKind},
        id::RunnerId,
        runner::{Exit, LONGEST_PAUSE, RESTORED, Runner, RunnerStatus, SUPERVISOR_LOST},
        usage::{INTERRUPTED, Quality, UsageRecord, UsageSource},
    },
};

/// So long behind a turn an agent that asks its model on may be about it.
const BEHIND: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

impl Services {
    /// Takes note of what a supervisor said.
    pub async fn notice(&self, notice: Notice) {
        let (id, outcome) = match notice {
            Notice::Status { id, run, status } => (id, self.on_status(id, run, &status).await),
            Notice::Spooled { id, end } => {
                self.intake.ring(id, end);
                return;
            }
            Notice::Exited { id, run, exit } => {
                let outcome = self.on_exit(id, run, exit.clone()).await;
                if outcome.is_err() {
                    // On a full disk the supervisor could not write it down either.
                    self.unrecorded.keep(id, run, exit);
                }
                (id, outcome)
            }
            Notice::Unlinked { id, run, exited } => {
                let services = self.clone();
                // Clearing away a lost tree takes seconds; other runners' news must not wait.
                tokio::spawn(async move {
                    if let Err(error) = services.on_unlinked(id, run, exited).await {
                        tracing::error!(runner.id = %id, %error, "failed to settle a runner");
                    }
                });
                return;
            }
        };
        if let Err(error) = outcome {
            tracing::error!(runner.id = %id, %error, "failed to record what a supervisor said");
        }
    }

    /// Returns the row of a runner while it is at this run.
    pub(super) async fn at_run(&self, id: RunnerId, run: u32) -> Result<Option<Runner>, Failure> {
        Ok(self.store.runner_get(id).await?.filter(|runner| runner.run == run))
    }

    /// Makes a row say what its supervisor says: a daemon that died, or a database that was lost,
    /// must not leave a paused runner looking like one that runs, or the other way round.
    pub(super) async fn follow_pause(
        &self,
        runner: Runner,
        paused: bool,
    ) -> Result<Runner, Failure> {
        let (to, event_type) = match (runner.status, paused) {
            (RunnerStatus::Running, true) => (RunnerStatus::Paused, EventType::RunnerPaused),
            (RunnerStatus::Paused, false) => (RunnerStatus::Running, EventType::RunnerResumed),
            _ => return Ok(runner),
        };
        let event = self.context.runner_event(event_type, &runner, serde_json::json!({}));
        match self.store.runner_move(&runner, to, RunnerChange::default(), event).await {
            Ok(moved) => {
                self.changes.runner(&moved);
                Ok(moved)
            }
            // Somebody else moved it meanwhile.
            Err(_) => Ok(runner),
        }
    }

    /// Records how an agent ended.
    pub(super) async fn on_exit(&self, id: RunnerId, run: u32, exit: Exit) -> Result<(), Failure> {
        self.sources.close(id, run);
        let Some(runner) = self.at_run(id, run).await? else { return Ok(()) };
        if !runner.status.is_live() {
            return Ok(());
        }
        let (status, reason) = exit.outcome();
        let reason = self.killed_for_memory(&runner.project, &exit).await.or(reason);
        // Who had it stopped may have said why.
        let why = runner.reason.clone().filter(|_| runner.status == RunnerStatus::Stopping);
        let reason = reason.or(why);
        let event_type = match status {
            RunnerStatus::Terminated => EventType::RunnerStopped,
            _ => EventType::RunnerFailed,
        };
        let data = serde_json::json!({
            "exit_code": exit.code, "signal": exit.signal, "reason": reason,
            "stopped": exit.stopped, "survivors": exit.survivors,
        });
        let event = self.context.runner_event(event_type, &runner, data);
        let is_floor = Agent::of(&runner.agent).is_some_and(|it| cuts(it, &runner.activity, &exit));
        let at = exit.at;
        let change = RunnerChange { reason, exit: Some(exit), ..RunnerChange::default() };
        let runner = self.store.runner_move(&runner, status, change, event).await?;
        self.changes.runner(&runner);
        self.keep_last_lines(&runner).await;
        self.transcripts.look();
        if is_floor {
            self.note_floor(&runner, at).await;
        }
        Ok(())
    }

    /// Records that a response may have been cut off by the end of its runner; a failure to do so is logged.
    async fn note_floor(&self, runner: &Runner, at: DateTime<Utc>) {
        if let Err(error) = self.mark_floor(runner, "cut", at).await {
            tracing::warn!(runner.id = %runner.id, %error, "failed to record that usage may be missing");
        }
    }

    /// Records that what a runner used is at least what is known: nobody tells what a response used that was
    /// on its way when its agent was ended, or its turn; `which` tells that one from the others of the run.
    pub(super) async fn mark_floor(
        &self,
        runner: &Runner,
        which: &str,
        at: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let record = UsageRecord {
            key: format!("{}:{}:{}:{which}", runner.agent, runner.id, runner.run),
            purpose: INTERRUPTED.to_owned(),
            at: to_micros(at),
            source: UsageSource::Transcript,
            quality: Quality::Floor,
            ..UsageRecord::default()
        };
        let session = runner.session_id.clone().unwrap_or_default();
        let request = Counted { record, session, list: None, is_placed: false };
        let taken = TakenIn { requests: vec![request], ..TakenIn::default() };
        let guard = self.transcripts.accounts().await;
        self.store.take_in(runner, &taken, |_| Vec::new(), self.context.clock.now()).await?;
        drop(guard);
        if let Some(changed) = self.store.runner_get(runner.id).await? {
            self.changes.runner(&changed);
        }
        Ok(())
    }

    /// Records that a runner never began, or is lost.
    pub(super) async fn mark_failed(&self, runner: &Runner, reason: &str) -> Result<(), Failure> {
        let data = serde_json::json!({ "reason": reason });
        let event = self.context.runner_event(EventType::RunnerFailed, runner, data);
        let change = RunnerChange { reason: Some(reason.to_owned()), ..RunnerChange::default() };
        let runner = self.store.runner_move(runner, RunnerStatus::Failed, change, event).await?;
        self.changes.runner(&runner);
        Ok(())
    }

    /// A link is gone: the supervisor left in order, dropped us, or died.
    async fn on_unlinked(&self, id: RunnerId, run: u32, exited: bool) -> Result<(), Failure> {
        let tree = self.fleet.forget(id, run);
        self.sources.close(id, run);
        self.forget_told(id).await;
        let tree = if exited { Vec::new() } else { tree };
        let _guard = self.locks.lock(id).await;
        let Some(runner) = self.at_run(id, run).await? else { return Ok(()) };
        if runner.status.is_live() {
            self.settle_unlinked(&runner, tree, SUPERVISOR_LOST).await?;
        } else {
            // Its end may have been told before it was on record.
            self.keep_last_lines(&runner).await;
        }
        Ok(())
    }

    /// Settles a live row whose supervisor is not linked; true when it has ended. Where nobody tells how,
    /// `lost` says what is known.
    pub(super) async fn settle_unlinked(
        &self,
        runner: &Runner,
        tree: Vec<crate::process::ProcessId>,
        lost: &str,
    ) -> Result<bool, Failure> {
        let dir = self.fleet.dir(runner.id);
        if let Some(record) = dir.read_exit(runner.run) {
            // A record may be there while the supervisor still sweeps; what it tells stands.
            if let Some(exit) = record.exit {
                self.on_exit(runner.id, runner.run, exit).await?;
            } else {
                let reason = record.launch_error.unwrap_or_else(|| "launch failed".to_owned());
                self.mark_failed(runner, &reason).await?;
            }
            return Ok(true);
        }
        if let Some(exit) = self.unrecorded.get(runner.id, runner.run) {
            self.on_exit(runner.id, runner.run, exit).await?;
            self.unrecorded.forget(runner.id);
            return Ok(true);
        }
        match self.fleet.find(runner.id).await {
            Found::Linked(known) if known.identity.run == runner.run => {
                if runner.status == RunnerStatus::Starting {
                    self.mark_running(runner, &known.identity).await?;
                }
                return Ok(false);
            }
            Found::Linked(_) | Found::Silent => return Ok(false),
            Found::Nobody => {}
        }
        if self.context.restored_at.is_some_and(|at| runner.started_at < at) {
            // It ran in the root that was saved, where it may still run: nothing of it is ours to end.
            self.mark_failed(runner, RESTORED).await?;
            return Ok(true);
        }
        if runner.status == RunnerStatus::Starting {
            // Whoever claims the run decides: if we do, no agent will ever start.
            let given_up = dir.path().is_dir() && dir.claim(runner.run).unwrap_or(false);
            if given_up || !dir.path().is_dir() {
                self.mark_failed(runner, "the launch was interrupted").await?;
                return Ok(true);
            }
        }
        let survivors = self.fleet.clear_away(runner.id, tree).await;
        if !survivors.is_empty() {
            tracing::error!(runner.id = %runner.id, ?survivors, "processes of a lost runner survived");
        }
        // The end may have been told while we looked.
        let now = self.at_run(runner.id, runner.run).await?.filter(|now| now.status.is_live());
        if let Some(now) = now {
            self.mark_failed(runner, lost).await?;
            self.transcripts.look();
            // Nobody saw its end; it lived when it was heard of last.
            let at = now.last_heartbeat.unwrap_or_else(|| self.context.clock.now());
            if Agent::of(&now.agent).is_some_and(|it| is_at_it(it, &now.activity, at)) {
                self.note_floor(&now, at).await;
            }
        }
        Ok(true)
    }

    /// Restarts every failed runner whose pause is over; returns when to look again.
    ///
    /// # Errors
    ///
    /// When the database fails; one that cannot be restarted is logged.
    pub async fn restart_failed(&self) -> Result<Option<DateTime<Utc>>, Failure> {
        let now = self.context.clock.now();
        let mut next = None;
        for runner in self.store.runner_list("", "failed", 0).await? {
            if runner.node_id != self.context.origin.node_id {
                continue;
            }
            let Some((due, attempts)) = runner.next_start() else { continue };
            if due > now {
                next = Some(next.map_or(due, |next: DateTime<Utc>| next.min(due)));
                continue;
            }
            tracing::info!(runner.id = %runner.id, attempts, "restarting a runner that failed");
            if let Err(error) = self.next_run(runner.id, attempts, None).await {
                if error.kind == FailureKind::Limit || error.reason == "DISK_FULL" {
                    // A slot, room or the next period may come without news of this runner.
                    let due = now + LONGEST_PAUSE;
                    next = Some(next.map_or(due, |next: DateTime<Utc>| next.min(due)));
                }
                tracing::warn!(runner.id = %runner.id, %error, "failed to restart a runner");
            }
        }
        Ok(next)
    }
}

/// Whether an end may have cut off a response.
fn cuts(agent: Agent, activity: &Activity, exit: &Exit) -> bool {
    let is_forced = exit.stopped || exit.cut_off || exit.signal.is_some();
    is_forced && is_at_it(agent, activity, exit.at)
}

/// Whether a response may be under way, or not told of yet, at a time: in a turn or, where an agent asks behind
/// them, right behind.
fn is_at_it(agent: Agent, activity: &Activity, at: DateTime<Utc>) -> bool {
    let is_just_over = activity.since.is_some_and(|since| at - since < BEHIND);
    // A turn must have begun: its rest is not the agent's first.
    let is_behind =
        agent.asks_behind_turns() && activity.state == ActivityState::Done && is_just_over;
    let is_untold = agent.tells_after_tools() && activity.state == ActivityState::Blocked;
    activity.state == ActivityState::Working || is_behind || is_untold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_in_a_turn_or_right_behind_one_may_cut_off_a_response() {
        use ActivityState::{Blocked, Done, Idle, Working};
        let at = |second: i64| DateTime::from_timestamp(1000 + second, 0).unwrap();
        let exit = Exit {
            code: Some(0),
            signal: None,
            at: at(10),
            stopped: true,
            cut_off: false,
            survivors: Vec::new(),
        };
        let cut = |agent, state, second, exit: &Exit| {
            let since = Some(at(second));
            cuts(agent, &Activity { state, since, ..Activity::default() }, exit)
        };
        assert!(cut(Agent::Claude, Working, 0, &exit));
        assert!(!cut(Agent::Claude, Done, 9, &exit));
        assert!(!cut(Agent::Claude, Blocked, 9, &exit));
        assert!(cut(Agent::Qwen, Done, 9, &exit));
        assert!(
            cut(Agent::Opencode, Blocked, 1, &exit),
            "what it used is told when its tools are done"
        );
        assert!(!cut(Agent::Qwen, Done, 5, &exit));
        assert!(!cut(Agent::Qwen, Idle, 9, &exit));
        let by_itself = Exit { stopped: false, ..exit };
        assert!(!cut(Agent::Qwen, Done, 9, &by_itself), "it has waited for what it asked");
    }
}
