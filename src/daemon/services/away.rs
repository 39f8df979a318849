//! What can be done while the database is away: the supervisors are known, and what they say is
//! true, so that agents can be listed, attached to, stopped and killed. Nothing here is recorded;
//! what happened meanwhile is settled when the database is back.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::DateTime;

use super::Services;
use crate::{
    daemon::{fleet::Known, store::StoreError},
    domain::{
        activity::Activity,
        failure::Failure,
        project::{Project, ProjectStatus},
        runner::{Runner, RunnerStatus},
        usage::{Cost, Quality},
    },
    proto::link::v1::Status,
};

impl Services {
    /// Returns runners by a query or, while the database is away, those that answer.
    pub(super) async fn runners_or_linked(
        &self,
        query: impl Future<Output = Result<Vec<Runner>, StoreError>>,
        is_wanted: impl Fn(&Runner) -> bool,
    ) -> Result<Vec<Runner>, Failure> {
        match query.await {
            Ok(mut runners) => {
                self.mark_unreachable(&mut runners);
                Ok(runners)
            }
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%error, "answering with the runners that are linked");
                Ok(self.linked_runners(is_wanted))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the runners that a word may mean or, while the database is away, those that answer.
    /// That there is none is known only with the database: without, it is not said.
    pub(super) async fn found_or_linked(
        &self,
        query: impl Future<Output = Result<Vec<Runner>, StoreError>>,
        is_meant: impl Fn(&Runner) -> bool,
    ) -> Result<Vec<Runner>, Failure> {
        match query.await {
            Ok(runners) => Ok(runners),
            Err(error) if error.is_unavailable() => {
                let linked = self.linked_runners(is_meant);
                if linked.is_empty() { Err(error.into()) } else { Ok(linked) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the runners whose supervisors answer and have not told of an end, newest first.
    fn linked_runners(&self, is_wanted: impl Fn(&Runner) -> bool) -> Vec<Runner> {
        let mut runners: Vec<_> =
            self.fleet.at_work().iter().map(|known| self.runner_of(known)).collect();
        runners.retain(is_wanted);
        runners.sort_by(|a, b| (b.created_at, &b.name).cmp(&(a.created_at, &a.name)));
        runners
    }

    /// Returns projects by a query or, while the database is away, those whose runners answer.
    pub(super) async fn projects_or_linked(
        &self,
        query: impl Future<Output = Result<Vec<Project>, StoreError>>,
    ) -> Result<Vec<Project>, Failure> {
        match query.await {
            Ok(projects) => Ok(projects),
            Err(error) if error.is_unavailable() => {
                let mut projects = BTreeMap::new();
                for known in self.fleet.at_work() {
                    let project = projects
                        .entry(known.spec.project.clone())
                        .or_insert_with(|| project_of(&known));
                    project.active_runners += 1;
                    project.total_runners += 1;
                }
                Ok(projects.into_values().collect())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns a runner as its supervisor knows it.
    fn runner_of(&self, known: &Known) -> Runner {
        let (spec, identity) = (&known.spec, &known.identity);
        let status = self.fleet.last_status(known.id);
        let created_at = DateTime::from_timestamp_micros(spec.created_at_us).unwrap_or_default();
        let paused = status.as_ref().is_some_and(|status| status.paused);
        let command = spec.asked();
        Runner {
            id: known.id,
            name: spec.name.clone(),
            project: spec.project.clone(),
            project_path: PathBuf::from(&spec.project_path),
            agent: spec.agent.clone(),
            command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            cwd: spec.working_directory(),
            checkout: None,
            status: if paused { RunnerStatus::Paused } else { RunnerStatus::Running },
            reason: None,
            activity: status.as_ref().map_or_else(Activity::default, Status::to_activity),
            title: status.map(|status| status.title).unwrap_or_default(),
            node_id: self.context.origin.node_id.clone(),
            run: identity.run,
            pid: Some(identity.pid),
            supervisor_pid: Some(identity.supervisor_pid),
            exit_code: None,
            exit_signal: None,
            cpu_percent: 0.0,
            memory_mb: 0,
            processes: 0,
            restart: spec.restart.clone(),
            restart_attempts: 0,
            max_restart_attempts: spec.max_restart_attempts,
            tokens_used: 0,
            cost: Cost::default(),
            usage_quality: Quality::default(),
            unpriced: 0,
            max_tokens: None,
            hold: None,
            session_id: None,
            adopted: false,
            survivors: Vec::new(),
            created_at,
            started_at: created_at,
            last_heartbeat: None,
            terminated_at: None,
            updated_at: self.context.clock.now(),
        }
    }
}

/// Returns what is known of a project by one of its runners.
fn project_of(known: &Known) -> Project {
    let created_at = DateTime::from_timestamp_micros(known.spec.created_at_us).unwrap_or_default();
    Project {
        name: known.spec.project.clone(),
        path: PathBuf::from(&known.spec.project_path),
        status: ProjectStatus::Active,
        description: String::new(),
        tags: Vec::new(),
        total_runners: 0,
        active_runners: 0,
        total_sessions: 0,
        total_tokens: 0,
        created_at,
        last_accessed_at: created_at,
    }
}
