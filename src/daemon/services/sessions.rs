//! Sessions: look at them.

use super::Services;
use crate::{
    daemon::store::SessionFilter,
    domain::{failure::Failure, session::Session},
};

impl Services {
    /// Returns the newest sessions: of one project, and of one runner, unless they are empty.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND`.
    pub async fn list_sessions(
        &self,
        project: &str,
        runner: &str,
        limit: u32,
    ) -> Result<Vec<Session>, Failure> {
        let runner = if runner.is_empty() {
            String::new()
        } else {
            self.resolve(runner).await?.id.to_string()
        };
        let limit = if limit == 0 { 100 } else { limit };
        let filter = SessionFilter { project: project.to_owned(), runner, limit };
        Ok(self.store.session_list(&filter).await?)
    }

    /// Returns the session that a word names: its id or a unique prefix of it.
    ///
    /// # Errors
    ///
    /// `SESSION_NOT_FOUND`, or `SESSION_AMBIGUOUS`.
    pub async fn get_session(&self, word: &str) -> Result<Session, Failure> {
        let shown = word.escape_debug();
        let hint = "stratavore sessions lists them";
        let mut found =
            if word.len() < 3 { Vec::new() } else { self.store.session_find(word).await? };
        if found.len() > 1 {
            let what = format!("`{shown}` begins the ids of several sessions");
            return Err(Failure::not_found("SESSION_AMBIGUOUS", what).with_hint(hint));
        }
        found.pop().ok_or_else(|| {
            Failure::not_found("SESSION_NOT_FOUND", format!("no session `{shown}`")).with_hint(hint)
        })
    }
}
