//! Runners that have ended, removed: the row with its event first, then the directory.
//!
//! Invariant: a directory goes only after its row has gone for good and nothing lives in it. Whatever
//! is interrupted in between leaves a directory without a row, which the next start of the daemon
//! finds. One that this database never heard of is kept: its row may be in another one. (A copy writes
//! rows before events, so one that was cut short does not look like a removal.)

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Change, Services};
use crate::{
    daemon::fleet::Found,
    domain::{event::EventType, failure::Failure, id::RunnerId, runner::Runner},
};

/// A supervisor whose agent has ended drains, sweeps and leaves; that takes so long at most.
const LEAVING: Duration = Duration::from_secs(8);

/// Between two looks whether it has left.
const LOOK: Duration = Duration::from_millis(50);

impl Services {
    /// Removes an ended runner with its recorded output; returns it as it was.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND`, `RUNNER_LIVE`, or `OTHER_NODE` with the name of the node where it is.
    pub async fn remove_runner(&self, word: &str) -> Result<Runner, Failure> {
        let runner = self.resolve(word).await?;
        self.may_remove(&runner).await?;
        let services = self.clone();
        self.detached(async move { services.remove(runner).await }).await
    }

    /// A runner is removed where it ran, or anywhere once its node was forgotten.
    async fn may_remove(&self, runner: &Runner) -> Result<(), Failure> {
        let Err(refusal) = self.here(runner).await else { return Ok(()) };
        let nodes = self.store.node_list().await?;
        let is_known = nodes.iter().any(|node| node.id == runner.node_id);
        if is_known { Err(refusal) } else { Ok(()) }
    }

    async fn remove(&self, runner: Runner) -> Result<Runner, Failure> {
        let live = || {
            Failure::conflict("RUNNER_LIVE", format!("{} has not ended", runner.name))
                .with_hint(format!("stratavore kill {}", runner.name))
        };
        if runner.status.is_live() {
            return Err(live());
        }
        // Its row has ended a moment before its supervisor leaves. Without the lock: what the
        // supervisor says last needs it.
        let begun = Instant::now();
        while !matches!(self.fleet.find(runner.id).await, Found::Nobody) {
            if begun.elapsed() > LEAVING {
                let what = format!("the supervisor of {} has not left", runner.name);
                return Err(Failure::conflict("SUPERVISOR_STAYS", what)
                    .with_hint(format!("stratavore kill --force {}", runner.name)));
            }
            sleep(LOOK).await;
        }
        let _guard = self.locks.lock(runner.id).await;
        let missing =
            || Failure::not_found("RUNNER_NOT_FOUND", format!("no runner `{}`", runner.name));
        let now = self.store.runner_get(runner.id).await?.ok_or_else(missing)?;
        if now.status.is_live() {
            return Err(live());
        }
        let data = serde_json::json!({ "run": now.run, "status": now.status.as_str() });
        let event = self.context.runner_event(EventType::RunnerRemoved, &now, data);
        self.store.runner_remove(&now, event).await?;
        self.unrecorded.forget(now.id);
        self.changes.announce(Change::Removed(vec![now.id]));
        self.clear_directory(now.id).await;
        self.forget_launch(&now).await;
        Ok(now)
    }

    /// Removes the directories of runners that this database had and has no longer, once nothing
    /// lives in them; returns how many were removed.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn clear_orphans(&self) -> Result<usize, Failure> {
        let (mut removed, mut unknown) = (0_usize, 0_usize);
        for id in self.fleet.directories() {
            // Whoever launches holds the lock from before its row is there.
            let _guard = self.locks.lock(id).await;
            if self.store.runner_get(id).await?.is_some() {
                continue;
            }
            if !self.store.runner_was_known(id).await? {
                unknown += 1;
            } else if matches!(self.fleet.find(id).await, Found::Nobody)
                && self.clear_directory(id).await
            {
                removed += 1;
            }
        }
        if removed + unknown > 0 {
            tracing::info!(removed, unknown, "looked at directories of runners without a row");
        }
        Ok(removed)
    }

    /// Removes a runner's directory; what is left over is found at the next start. Returns whether
    /// nothing is.
    async fn clear_directory(&self, id: RunnerId) -> bool {
        let path = self.context.places.runner(id);
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(path)).await;
        match removed.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => {
                tracing::warn!(runner.id = %id, %error, "failed to remove a runner's directory");
                false
            }
        }
    }
}
