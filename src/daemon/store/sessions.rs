//! Sessions in the database.

use super::{
    Store, StoreError,
    query::{Query, Record},
};
use crate::domain::session::Session;

impl Store {
    /// Returns the newest sessions, of one project if it is not empty.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_list(
        &self,
        project: &str,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let query = Query::new(
            "SELECT id, runner_id, project_name, started_at, ended_at, message_count, \
             tokens_used, resumable, summary FROM sessions WHERE $1 = '' OR project_name = $1 \
             ORDER BY started_at DESC LIMIT $2",
        );
        let rows = self.fetch(query.bind(project).bind(limit)).await?;
        rows.iter().map(decode).collect()
    }

    /// Returns a session.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_get(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let query = Query::new(
            "SELECT id, runner_id, project_name, started_at, ended_at, message_count, \
             tokens_used, resumable, summary FROM sessions WHERE id = $1",
        );
        self.fetch(query.bind(id)).await?.first().map(decode).transpose()
    }
}

fn decode(row: &Record) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.text("id")?,
        runner_id: row.text("runner_id")?,
        project: row.text("project_name")?,
        started_at: row.time("started_at")?,
        ended_at: row.optional_time("ended_at")?,
        message_count: row.count("message_count")?,
        tokens_used: row.count("tokens_used")?,
        resumable: row.truth("resumable")?,
        summary: row.text("summary")?,
    })
}
