//! Compares what really runs with the rows, both ways.
//!
//! What lives without a row is adopted; what has a row without living is settled. The socket is the
//! proof of life: neither age nor a missing row ever ends or starts an agent.

use std::sync::atomic::Ordering;

use chrono::DateTime;
use futures_util::{StreamExt as _, stream};
use prost::Message as _;

use super::{Services, system::Reconciled};
use crate::{
    daemon::{
        fleet::{Found, Known},
        store::{Adoption, NewRunner},
    },
    domain::{
        event::EventType,
        failure::Failure,
        id::RunnerId,
        runner::{Runner, RunnerStatus, SUPERVISOR_LOST},
    },
    proto::link::v1::LaunchSpec,
};

/// Supervisors looked at together: some may be hung, and each of those takes its limit.
const TOGETHER: usize = 64;

impl Services {
    /// Settles every row of this node against what really runs.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn reconcile(&self) -> Result<Reconciled, Failure> {
        let mut result = Reconciled::default();
        let directories = self.fleet.directories();
        // Before anything is launched; while the database is away nothing is.
        let numbered = if self.numbered.load(Ordering::Relaxed) {
            Ok(())
        } else {
            // Linked first of all: a stop needs the supervisor, and no database.
            self.link_all(&directories).await;
            self.remember_numbers(&directories).await
        };
        self.numbered.store(numbered.is_ok(), Ordering::Relaxed);
        let mut looks = stream::iter(directories)
            .map(|id| async move { self.look_for(id).await })
            .buffer_unordered(TOGETHER);
        while let Some(adopted) = looks.next().await {
            result.checked += 1;
            match adopted {
                Ok(name) => result.adopted.extend(name),
                Err(error) => tracing::error!(%error, "failed to adopt a runner"),
            }
        }
        drop(looks);
        // Linked is what counts for a list; the rows may take longer, or be out of reach.
        self.looked.send_replace(true);
        numbered?;
        result.failed = self.settle_all("live").await?;
        Ok(result)
    }

    /// Links every supervisor that lives.
    async fn link_all(&self, directories: &[RunnerId]) {
        stream::iter(directories)
            .for_each_concurrent(TOGETHER, |id| async {
                let _guard = self.locks.lock(*id).await;
                self.fleet.find(*id).await;
            })
            .await;
    }

    /// Settles what nobody is launching any more: its daemon died, or could not write down how the
    /// launch ended. Its slot in the project's quota is free with that.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn settle_launches(&self) -> Result<Vec<String>, Failure> {
        self.settle_all(RunnerStatus::Starting.as_str()).await
    }

    /// Settles the rows of this node with this status; returns the names of those that have ended.
    async fn settle_all(&self, status: &str) -> Result<Vec<String>, Failure> {
        let own = &self.context.origin.node_id;
        let mut rows = self.store.runner_list("", status, 0).await?;
        // Whoever launches holds the lock of the runner from before its row is there.
        rows.retain(|runner| {
            let is_launched = runner.status == RunnerStatus::Starting;
            runner.node_id == *own && !(is_launched && self.locks.is_held(runner.id))
        });
        let mut failed = Vec::new();
        let mut settling = stream::iter(rows)
            .map(async |runner| (self.settle(&runner).await, runner.name))
            .buffer_unordered(TOGETHER);
        while let Some((ended, name)) = settling.next().await {
            match ended {
                Ok(true) => failed.push(name),
                Ok(false) => {}
                Err(error) => tracing::error!(runner = name, %error, "failed to settle a runner"),
            }
        }
        Ok(failed)
    }

    /// Makes sure that the numbers of runners whose rows were lost are not given out again.
    async fn remember_numbers(&self, directories: &[RunnerId]) -> Result<(), Failure> {
        let mut highest = std::collections::BTreeMap::new();
        for id in directories {
            if self.store.runner_get(*id).await?.is_some() {
                continue;
            }
            let spec = self.fleet.dir(*id).read_spec().ok();
            let Some(spec) = spec.and_then(|bytes| LaunchSpec::decode(bytes.as_slice()).ok())
            else {
                continue;
            };
            let number = spec.name.rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
            let highest = highest.entry(spec.project).or_insert(0);
            *highest = number.unwrap_or(0).max(*highest);
        }
        for (project, number) in highest {
            self.store.project_remember_number(&project, number).await?;
        }
        Ok(())
    }

    /// Settles one live row; true when it has ended.
    async fn settle(&self, runner: &Runner) -> Result<bool, Failure> {
        let linked = self.fleet.linked();
        let mine = linked.iter().find(|known| known.id == runner.id);
        if mine.is_some_and(|known| known.identity.run == runner.run) {
            // What it said while the database was away.
            if let Some(status) = self.fleet.last_status(runner.id)
                && (status.to_activity() != runner.activity || status.title != runner.title)
            {
                self.on_status(runner.id, runner.run, &status).await?;
            }
            return Ok(false);
        }
        let _guard = self.locks.lock(runner.id).await;
        // A launch may have come to its end since the row was read.
        match self.store.runner_get(runner.id).await? {
            Some(now) if now.run == runner.run && now.status.is_live() => {
                self.settle_unlinked(&now, Vec::new(), SUPERVISOR_LOST).await
            }
            _ => Ok(false),
        }
    }

    /// Looks for the supervisor in a runner's directory; returns the name of one that was adopted.
    async fn look_for(&self, id: RunnerId) -> Result<Option<String>, Failure> {
        let _guard = self.locks.lock(id).await;
        let Found::Linked(known) = self.fleet.find(id).await else { return Ok(None) };
        let row = self.store.runner_get(id).await?;
        match row {
            Some(row) if row.run == known.identity.run && row.status.is_live() => {
                if row.status == RunnerStatus::Starting {
                    self.mark_running(&row, &known.identity).await?;
                }
                Ok(None)
            }
            // An ended row for this run, while the supervisor is still leaving: it has written down how
            // its agent ended or, on a full disk, only told it.
            Some(row) if self.fleet.dir(id).read_exit(row.run).is_some() => Ok(None),
            Some(row)
                if row.run == known.identity.run
                    && (row.exit_code.is_some() || row.exit_signal.is_some()) =>
            {
                Ok(None)
            }
            // The row is missing, or from an older copy of the database.
            _ => {
                let name = self.adopt(&known).await?;
                // What it said while it had no row.
                if let Some(status) = self.fleet.last_status(id) {
                    self.on_status(id, known.identity.run, &status).await?;
                }
                Ok(Some(name))
            }
        }
    }

    /// Records a runner that lives and is not known.
    async fn adopt(&self, known: &Known) -> Result<String, Failure> {
        let spec = &known.spec;
        let command = spec.asked();
        let adoption = Adoption {
            name: spec.name.clone(),
            run: known.identity.run,
            pid: known.identity.pid,
            supervisor_pid: known.identity.supervisor_pid,
            created_at: DateTime::from_timestamp_micros(spec.created_at_us).unwrap_or_default(),
            runner: NewRunner {
                name: None,
                id: known.id,
                project: spec.project.clone(),
                project_path: spec.project_path.clone(),
                node_id: self.context.origin.node_id.clone(),
                agent: spec.agent.clone(),
                command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
                cwd: spec.working_directory().to_string_lossy().into_owned(),
                checkout: None,
                restart: spec.restart.clone(),
                max_restart_attempts: spec.max_restart_attempts,
                request_id: None,
                request_digest: String::new(),
                session_id: None,
                takes_up: false,
                max_tokens: None,
                at: self.context.clock.now(),
            },
        };
        let data = serde_json::json!({ "pid": known.identity.pid, "run": known.identity.run });
        let event = crate::domain::event::NewEvent {
            runner: spec.name.clone(),
            ..self.context.new_runner_event(EventType::RunnerAdopted, &adoption.runner, data)
        };
        let runner = self.store.runner_adopt(&adoption, event).await?;
        self.changes.runner(&runner);
        Ok(runner.name)
    }
}
