//! Runners: look at them, end them, pause them.

use std::time::Duration;

use serde_json::json;
use tokio::{
    sync::broadcast,
    time::{Instant, timeout},
};

use super::{Change, Services};
use crate::{
    daemon::{fleet::FleetError, store::RunnerChange},
    domain::{
        event::EventType,
        failure::Failure,
        id::RunnerId,
        runner::{FORCED, Heartbeat, Runner, RunnerStatus, SUPERVISOR_LOST},
    },
};

/// Between a supervisor's answer to a stop and the record of the end.
const SETTLING: Duration = Duration::from_secs(5);

/// Somebody else may be looking for the same supervisor, and then for its row in a database that is
/// slow; by then it is linked.
const LINKING: Duration = Duration::from_secs(1);

impl Services {
    /// Returns runners, newest first: of one project unless it is empty, of one status (or `live`)
    /// unless it is empty.
    ///
    /// # Errors
    ///
    /// For a word that is no status.
    pub async fn list_runners(
        &self,
        project: &str,
        status: &str,
        limit: u32,
    ) -> Result<Vec<Runner>, Failure> {
        if !matches!(status, "" | "live") && RunnerStatus::parse(status).is_none() {
            let all = RunnerStatus::ALL.map(RunnerStatus::as_str).join(", ");
            let what = format!("`{}` is no status: live, {all}", status.escape_debug());
            return Err(Failure::usage("BAD_STATUS", what));
        }
        self.looked_around().await;
        let is_wanted = |runner: &Runner| {
            (project.is_empty() || runner.project == project)
                && (matches!(status, "" | "live") || runner.status.as_str() == status)
        };
        self.runners_or_linked(self.store.runner_list(project, status, limit), is_wanted).await
    }

    /// Subscribes to changes of runners.
    pub fn watch_runners(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Ends the runner that a word names; returns it, and whether it had ended before.
    ///
    /// # Errors
    ///
    /// When there is none, or its supervisor does not answer.
    pub async fn stop_runner(
        &self,
        word: &str,
        grace_ms: Option<u32>,
        force: bool,
    ) -> Result<(Runner, bool), Failure> {
        let runner = self.resolve_here(word).await?;
        let services = self.clone();
        self.detached(async move { services.stop(&runner, grace_ms, force, None).await }).await
    }

    /// Ends a runner, for a reason that is not its user's own word. Nothing the database does keeps an agent alive: the supervisor is told first.
    pub(super) async fn stop(
        &self,
        runner: &Runner,
        grace_ms: Option<u32>,
        force: bool,
        why: Option<&str>,
    ) -> Result<(Runner, bool), Failure> {
        // What another node runs looks dead from here.
        self.here(runner).await?;
        let now;
        let runner = if runner.status == RunnerStatus::Starting || !runner.status.is_live() {
            // A launch in progress is waited for: there is nobody to stop before. Not so a set-up. What has
            // ended may be starting again by itself at this moment.
            self.worktrees.give_up(runner.id);
            let _launching = self.locks.lock(runner.id).await;
            now = self.store.runner_get(runner.id).await?.unwrap_or_else(|| runner.clone());
            if !now.status.is_live() {
                // What waits for its next automatic start must not come back after a stop.
                self.store.runner_stay_ended(runner.id).await?;
                return Ok((now, true));
            }
            &now
        } else {
            runner
        };
        let configured = Duration::from_secs(self.context.config.runner.stop_grace_seconds);
        let asked = grace_ms.map_or(configured, |ms| Duration::from_millis(ms.into()));
        let grace = if force { Duration::ZERO } else { asked };
        let mut changes = self.changes.subscribe();
        let (recorded, stopped) =
            tokio::join!(self.mark_stopping(runner, why), self.end_linked(runner.id, grace));
        match stopped {
            Err(FleetError::NoLink | FleetError::Silent) if force => {
                self.end_silent(runner).await?;
            }
            // It ended while we asked: the link is gone, and what became of it is being recorded.
            Ok(_) | Err(FleetError::NoLink) => {}
            Err(error) => {
                let hint = format!("stratavore kill --force {}", runner.name);
                return Err(Failure::from(error).with_hint(hint));
            }
        }
        if let Err(error) = recorded {
            // The agent has ended, which is what was asked for; the row is settled when the
            // database is back.
            tracing::warn!(runner.id = %runner.id, %error, "failed to record a stop");
            return Ok((Runner { status: RunnerStatus::Terminated, ..runner.clone() }, false));
        }
        let ended = timeout(SETTLING, self.wait_for_end(runner, &mut changes)).await;
        match ended {
            Ok(runner) => Ok((runner?, false)),
            Err(_elapsed) => {
                let now = self.store.runner_get(runner.id).await?;
                if let Some(now) = now.filter(|now| now.status.is_live()) {
                    self.settle_unlinked(&now, Vec::new(), SUPERVISOR_LOST).await?;
                }
                let now = self.resolve(&runner.name).await?;
                if now.status.is_live() {
                    let what = format!("{} does not end", now.name);
                    return Err(Failure::unavailable("STOP_UNFINISHED", what)
                        .with_hint(format!("stratavore kill --force {}", now.name)));
                }
                Ok((now, false))
            }
        }
    }

    /// Has a supervisor end its agent. One that is not linked is looked for before anybody believes
    /// that there is none: a daemon that has just started may not have come to it.
    async fn end_linked(&self, id: RunnerId, grace: Duration) -> Result<Vec<String>, FleetError> {
        match self.fleet.stop(id, grace).await {
            Err(FleetError::NoLink) => {}
            outcome => return outcome,
        }
        if let Ok(_guard) = timeout(LINKING, self.locks.lock(id)).await {
            self.fleet.find(id).await;
        }
        self.fleet.stop(id, grace).await
    }

    /// Ends a runner whose supervisor lives but does not answer, or has just died.
    async fn end_silent(&self, runner: &Runner) -> Result<(), Failure> {
        // Whoever sees its link go meanwhile waits, and does not call it lost; nobody holds up the force.
        let early = timeout(LINKING, self.locks.lock(runner.id)).await.ok();
        if self.fleet.kill_supervisor(runner.id).await {
            let _guard = match early {
                Some(guard) => guard,
                None => self.locks.lock(runner.id).await,
            };
            if let Some(now) = self.store.runner_get(runner.id).await?
                && now.status.is_live()
            {
                self.settle_unlinked(&now, Vec::new(), FORCED).await?;
            }
        }
        Ok(())
    }

    async fn mark_stopping(&self, runner: &Runner, why: Option<&str>) -> Result<(), Failure> {
        let data = why.map_or_else(|| json!({}), |why| json!({ "reason": why }));
        let event = self.context.runner_event(EventType::RunnerStopping, runner, data);
        let change = RunnerChange { reason: why.map(str::to_owned), ..RunnerChange::default() };
        let moved = self.store.runner_move(runner, RunnerStatus::Stopping, change, event).await;
        match moved {
            Ok(runner) => {
                self.changes.runner(&runner);
                Ok(())
            }
            Err(error) => {
                let failure = Failure::from(error);
                // It is stopping already, or has just ended: what was asked for happens.
                if failure.reason == "ILLEGAL_TRANSITION" { Ok(()) } else { Err(failure) }
            }
        }
    }

    /// Waits until a runner's row says that it has ended.
    async fn wait_for_end(
        &self,
        runner: &Runner,
        changes: &mut broadcast::Receiver<Change>,
    ) -> Result<Runner, Failure> {
        loop {
            let now = self.store.runner_get(runner.id).await?;
            match now {
                Some(now) if !now.status.is_live() || now.run != runner.run => return Ok(now),
                Some(_) => {}
                None => return Ok(runner.clone()),
            }
            // A lagging receiver has missed changes: looking again is what it needs.
            changes.recv().await.ok();
        }
    }

    /// Stops a runner's processes where they stand, or lets them go on.
    ///
    /// # Errors
    ///
    /// `ILLEGAL_TRANSITION` when it is not running or not paused.
    pub async fn set_paused(&self, word: &str, paused: bool) -> Result<Runner, Failure> {
        let runner = self.resolve_here(word).await?;
        let services = self.clone();
        self.detached(async move {
            let _guard = services.locks.lock(runner.id).await;
            let (to, event_type) = if paused {
                (RunnerStatus::Paused, EventType::RunnerPaused)
            } else {
                (RunnerStatus::Running, EventType::RunnerResumed)
            };
            if !runner.status.may_become(to) || runner.status == RunnerStatus::Starting {
                let verb = if paused { "paused" } else { "resumed" };
                let what =
                    format!("{} is {} and cannot be {verb}", runner.name, runner.status.as_str());
                return Err(Failure::conflict("ILLEGAL_TRANSITION", what));
            }
            services.fleet.set_paused(runner.id, paused).await?;
            let event = services.context.runner_event(event_type, &runner, json!({}));
            let change = RunnerChange::default();
            let moved = match services.store.runner_move(&runner, to, change, event).await {
                Ok(moved) => moved,
                // The supervisor's own word may have been written down first.
                Err(error) => {
                    let now = services.store.runner_get(runner.id).await?;
                    now.filter(|now| now.status == to).ok_or(error)?
                }
            };
            services.changes.runner(&moved);
            Ok(moved)
        })
        .await
    }

    /// Samples all process trees once and stores what was found in one statement.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn heartbeat(&self) -> Result<Vec<Heartbeat>, Failure> {
        if self.fleet.linked().is_empty() {
            self.watch_quotas().await?;
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let fleet = self.fleet.clone();
        let scan = move || fleet.sample(&crate::process::Table::scan());
        let samples = tokio::task::spawn_blocking(scan)
            .await
            .map_err(|error| Failure::internal(format!("sample the processes: {error}")))?;
        let beats: Vec<Heartbeat> = samples.iter().map(|sample| sample.heartbeat).collect();
        self.store.runner_heartbeats(&beats, self.context.clock.now()).await?;
        self.figures.beat(began.elapsed());
        if self.changes.is_watched() {
            self.changes.announce(Change::All);
        }
        self.watch_quotas().await?;
        Ok(beats)
    }
}
