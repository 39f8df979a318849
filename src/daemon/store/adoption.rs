//! Runners that are found alive without a row: another daemon's database, or an older copy of it.

use chrono::{DateTime, Utc};

use super::{
    NewRunner, Store, StoreError, projects,
    query::{Expect, Query, Write},
    runners::{columns, first},
};
use crate::domain::{event::NewEvent, runner::Runner};

/// A runner found alive without a row.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// What is known of it.
    pub runner: NewRunner,
    /// Its name, which its agent may already have told people.
    pub name: String,
    /// Its present run.
    pub run: u32,
    /// The agent's process.
    pub pid: u32,
    /// The supervisor's process.
    pub supervisor_pid: u32,
    /// When it was first launched.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Inserts a runner that was found alive, its project too where that is missing.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_adopt(
        &self,
        adoption: &Adoption,
        event: NewEvent,
    ) -> Result<Runner, StoreError> {
        let new = &adoption.runner;
        let number = adoption.name.rsplit('-').next().and_then(|n| n.parse::<i64>().ok());
        let project = Query::new(
            "INSERT INTO projects (name, path, total_runners, last_runner, created_at, \
             last_accessed_at, updated_at) VALUES ($1, $2, 1, \
             coalesce((SELECT last_runner FROM project_numbers WHERE project_name = $1), 0), \
             $3, $3, $3) \
             ON CONFLICT (name) DO UPDATE SET total_runners = projects.total_runners + 1",
        )
        .bind(new.project.as_str())
        .bind(new.project_path.as_str())
        .bind(new.at);
        // Names in use must not be given out again although the count was lost.
        let count =
            Query::new("UPDATE projects SET last_runner = $2 WHERE name = $1 AND last_runner < $2");
        let runner = Query::new(concat!(
            "INSERT INTO runners (id, name, node_id, project_name, project_path, agent, command, \
             cwd, status, run, pid, supervisor_pid, restart, max_restart_attempts, adopted, \
             started_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             'running', $9, $10, $11, $12, $13, $14, $15, $16, $15) \
             ON CONFLICT (id) DO UPDATE SET status = 'running', run = excluded.run, \
             pid = excluded.pid, supervisor_pid = excluded.supervisor_pid, adopted = excluded.adopted, \
             reason = NULL, exit_code = NULL, exit_signal = NULL, terminated_at = NULL, \
             updated_at = excluded.updated_at RETURNING ",
            columns!()
        ))
        .bind(new.id.as_uuid())
        .bind(adoption.name.as_str())
        .bind(new.node_id.as_str())
        .bind(new.project.as_str())
        .bind(new.project_path.as_str())
        .bind(new.agent.as_str())
        .bind(serde_json::json!(new.command))
        .bind(new.cwd.as_str())
        .bind(adoption.run)
        .bind(adoption.pid)
        .bind(adoption.supervisor_pid)
        .bind(new.restart.as_str())
        .bind(new.max_restart_attempts)
        .bind(true)
        .bind(new.at)
        .bind(adoption.created_at);
        let write = Write::causing(vec![event])
            .first_locking(&new.project, project, Expect::Anything)
            .run(count.bind(new.project.as_str()).bind(number.unwrap_or(0)))
            .run(runner)
            .run(projects::recount(&new.project, new.at));
        first(&self.write(write).await?)
    }
}
