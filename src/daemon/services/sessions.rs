//! Sessions: look at them.

use super::Services;
use crate::domain::{failure::Failure, session::Session};

impl Services {
    /// Returns the newest sessions, of one project if it is not empty.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_sessions(&self, project: &str, limit: u32) -> Result<Vec<Session>, Failure> {
        let limit = if limit == 0 { 100 } else { limit };
        Ok(self.store.session_list(project, limit).await?)
    }

    /// Returns a session.
    ///
    /// # Errors
    ///
    /// `SESSION_NOT_FOUND`.
    pub async fn get_session(&self, id: &str) -> Result<Session, Failure> {
        let missing = || {
            Failure::not_found("SESSION_NOT_FOUND", format!("no session `{}`", id.escape_debug()))
        };
        self.store.session_get(id).await?.ok_or_else(missing)
    }
}
