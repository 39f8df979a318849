//! Projects in the database.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
    quotas,
};
use crate::domain::{
    event::NewEvent,
    failure::Failure,
    project::{NewProject, Project, ProjectStatus},
};

const COLUMNS_OF_ALL: &str = "SELECT name, path, status, description, tags, total_runners, \
     active_runners, total_sessions, total_tokens, created_at, last_accessed_at FROM projects \
     WHERE $1 = '' OR status = $1 ORDER BY name";

const COLUMNS_OF_ONE: &str = "SELECT name, path, status, description, tags, total_runners, \
     active_runners, total_sessions, total_tokens, created_at, last_accessed_at FROM projects \
     WHERE name = $1";

/// Brings a project's counts up to date after something happened to one of its runners.
const RECOUNT: &str = "UPDATE projects SET \
     active_runners = (SELECT count(*) FROM runners WHERE project_name = $1 \
                       AND status NOT IN ('terminated', 'failed')), \
     status = CASE WHEN status = 'archived' THEN status \
                   WHEN EXISTS (SELECT 1 FROM runners WHERE project_name = $1 \
                                AND status NOT IN ('terminated', 'failed')) THEN 'active' \
                   ELSE 'idle' END, \
     updated_at = $2 WHERE name = $1";

impl Store {
    /// Registers a project, with quotas if it is to have any.
    ///
    /// # Errors
    ///
    /// `PROJECT_EXISTS` when the name is taken.
    pub async fn project_create(
        &self,
        new: &NewProject,
        now: DateTime<Utc>,
        events: Vec<NewEvent>,
    ) -> Result<Project, StoreError> {
        let insert = Query::new(
            "INSERT INTO projects (name, path, description, tags, last_runner, created_at, \
             last_accessed_at, updated_at) VALUES ($1, $2, $3, $4, \
             coalesce((SELECT last_runner FROM project_numbers WHERE project_name = $1), 0), \
             $5, $5, $5) ON CONFLICT (name) DO NOTHING RETURNING name, path, status, description, \
             tags, total_runners, active_runners, total_sessions, total_tokens, created_at, \
             last_accessed_at",
        )
        .bind(new.name.as_str())
        .bind(new.path.to_string_lossy().into_owned())
        .bind(new.description.as_str())
        .bind(new.tags.clone())
        .bind(now);
        let taken = Failure::conflict("PROJECT_EXISTS", format!("project `{}` exists", new.name))
            .with_hint(format!("stratavore projects show {}", new.name));
        let mut write = Write::causing(events).require(insert, taken);
        if !new.quotas.is_empty() {
            write = write.run(quotas::set(&new.name, &new.quotas, now));
        }
        let rows = self.write(write).await?;
        decode_first(&rows)?.ok_or_else(|| StoreError::Garbled("answer to an insert".into()))
    }

    /// Returns a project, `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn project_get(&self, name: &str) -> Result<Option<Project>, StoreError> {
        decode_first(&self.fetch(Query::new(COLUMNS_OF_ONE).bind(name)).await?)
    }

    /// Returns all projects, or those of one status.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn project_list(
        &self,
        status: Option<ProjectStatus>,
    ) -> Result<Vec<Project>, StoreError> {
        let status = status.map_or("", ProjectStatus::as_str);
        self.list(Query::new(COLUMNS_OF_ALL).bind(status), decode).await
    }

    /// Makes sure that a project's next runner gets a higher number than this, whether the project
    /// exists or comes back later.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn project_remember_number(&self, name: &str, number: u32) -> Result<(), StoreError> {
        let remember = Query::new(
            "INSERT INTO project_numbers (project_name, last_runner) VALUES ($1, $2) \
             ON CONFLICT (project_name) DO UPDATE SET last_runner = excluded.last_runner \
             WHERE project_numbers.last_runner < excluded.last_runner",
        );
        let raise =
            Query::new("UPDATE projects SET last_runner = $2 WHERE name = $1 AND last_runner < $2");
        let write = Write::default()
            .run(remember.bind(name).bind(number))
            .run(raise.bind(name).bind(number));
        self.write(write).await?;
        Ok(())
    }

    /// Removes a project and the rows of its ended runners; its numbers are remembered.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `PROJECT_BUSY` while it has live runners.
    pub async fn project_delete(&self, name: &str, event: NewEvent) -> Result<(), StoreError> {
        let missing = Failure::not_found("PROJECT_NOT_FOUND", format!("no project `{name}`"));
        let busy = Failure::conflict("PROJECT_BUSY", format!("project `{name}` has live runners"))
            .with_hint(format!("stratavore projects delete {name} --force ends them first"));
        let remember = Query::new(
            "INSERT INTO project_numbers (project_name, last_runner) \
             SELECT name, last_runner FROM projects WHERE name = $1 \
             ON CONFLICT (project_name) DO UPDATE SET last_runner = excluded.last_runner",
        );
        let idle = Query::new(
            "SELECT 1 FROM projects WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM runners \
             WHERE project_name = $1 AND status NOT IN ('terminated', 'failed'))",
        );
        let now = event.at;
        let write = Write::causing(vec![event.clone()])
            .locking_or(name, now, missing)
            .run(remember.bind(name))
            .require(idle.bind(name), busy)
            .run(Query::new("DELETE FROM runners WHERE project_name = $1").bind(name))
            .run(Query::new("DELETE FROM projects WHERE name = $1").bind(name))
            .forgetting_items_of(name, &event);
        self.write(write).await?;
        Ok(())
    }
}

/// Returns the statement that locks a project's row until the end of the transaction, in words that
/// both databases understand.
pub(super) fn lock(project: &str, now: DateTime<Utc>) -> Query {
    Query::new("UPDATE projects SET updated_at = $2 WHERE name = $1").bind(project).bind(now)
}

/// Returns the statement that recounts a project's runners. It must not be the one that waits for the
/// project's row: what it counts would be what there was before the wait.
pub(super) fn recount(project: &str, now: DateTime<Utc>) -> Query {
    Query::new(RECOUNT).bind(project).bind(now)
}

fn decode_first(rows: &[Record]) -> Result<Option<Project>, StoreError> {
    rows.first().map(decode).transpose()
}

fn decode(row: &Record) -> Result<Project, StoreError> {
    let status = row.text("status")?;
    Ok(Project {
        name: row.text("name")?,
        path: row.text("path")?.into(),
        status: ProjectStatus::parse(&status).ok_or(StoreError::Garbled(status))?,
        description: row.text("description")?,
        tags: row.texts("tags")?,
        total_runners: row.count("total_runners")?,
        active_runners: row.count("active_runners")?,
        total_sessions: row.count("total_sessions")?,
        total_tokens: row.count("total_tokens")?,
        created_at: row.time("created_at")?,
        last_accessed_at: row.time("last_accessed_at")?,
    })
}
