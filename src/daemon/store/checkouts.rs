//! What was checked out where a runner works: columns of its row.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
    runners::{columns, first},
};
use crate::domain::{checkout::RunnerCheckout, failure::Failure, runner::Runner};

impl Store {
    /// Records where a runner that is being launched will work.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_set_checkout(
        &self,
        runner: &Runner,
        cwd: &str,
        checkout: &RunnerCheckout,
        now: DateTime<Utc>,
    ) -> Result<Runner, StoreError> {
        let query = Query::new(concat!(
            "UPDATE runners SET cwd = $2, updated_at = $3, repository = $4, worktree = $5, \
             branch = $6, base_branch = $7, base_commit = $8, launch_commit = $9, \
             launch_snapshot = $10 WHERE id = $1 RETURNING ",
            columns!()
        ))
        .bind(runner.id.as_uuid())
        .bind(cwd)
        .bind(now);
        let query = bind(query, Some(checkout));
        let gone = Failure::not_found("RUNNER_NOT_FOUND", format!("no runner {}", runner.name));
        first(&self.write(Write::default().require(query, gone).unflushed()).await?)
    }
}

/// Where a live runner works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workplace {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub cwd: PathBuf,
    /// The repository that it is in, empty without one.
    pub repository: PathBuf,
}

impl Store {
    /// Returns where the live runners of a node work: each launch asks for it, so it is no more than
    /// that.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn workplaces(&self, node: &str) -> Result<Vec<Workplace>, StoreError> {
        let query = Query::new(
            "SELECT name, cwd, repository FROM runners \
             WHERE node_id = $1 AND status NOT IN ('terminated', 'failed') ORDER BY started_at",
        );
        let rows = self.fetch(query.bind(node)).await?;
        let place = |row: &Record| {
            Ok(Workplace {
                name: row.text("name")?,
                cwd: row.text("cwd")?.into(),
                repository: row.text("repository")?.into(),
            })
        };
        rows.iter().map(place).collect()
    }
}

/// Binds what is checked out, in the order of the columns.
pub(super) fn bind(query: Query, checkout: Option<&RunnerCheckout>) -> Query {
    let none = RunnerCheckout::default();
    let checkout = checkout.unwrap_or(&none);
    let worktree = checkout.worktree.as_deref().unwrap_or(Path::new(""));
    query
        .bind(checkout.repository.to_string_lossy().into_owned())
        .bind(worktree.to_string_lossy().into_owned())
        .bind(checkout.branch.as_str())
        .bind(checkout.base_branch.as_str())
        .bind(checkout.base_commit.as_str())
        .bind(checkout.launch_commit.as_str())
        .bind(checkout.launch_snapshot.as_str())
}

/// Returns what a row says of it.
pub(super) fn decode(row: &Record) -> Result<Option<RunnerCheckout>, StoreError> {
    let repository = row.text("repository")?;
    if repository.is_empty() {
        return Ok(None);
    }
    let worktree = row.text("worktree")?;
    Ok(Some(RunnerCheckout {
        repository: repository.into(),
        worktree: (!worktree.is_empty()).then(|| worktree.into()),
        branch: row.text("branch")?,
        base_branch: row.text("base_branch")?,
        base_commit: row.text("base_commit")?,
        launch_commit: row.text("launch_commit")?,
        launch_snapshot: row.text("launch_snapshot")?,
    }))
}
