//! Sessions: look at them.

use super::Services;
use crate::{
    daemon::store::SessionFilter,
    domain::{
        failure::Failure,
        launch::{Environment, LaunchRequest, RestartPolicy},
        runner::Runner,
        session::Session,
        size::TerminalSize,
    },
};

/// How a session is gone on with.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// In a new runner also where the one that held it last could go on.
    pub is_new: bool,
    /// For a new runner: the launching client's environment.
    pub environment: Environment,
    /// Its terminal's size.
    pub size: TerminalSize,
    /// Its file mode creation mask.
    pub umask: u32,
}

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

    /// Goes on with a session: in the runner that held it last, or in a new one.
    ///
    /// # Errors
    ///
    /// `SESSION_NOT_FOUND`, `SESSION_HELD` while a runner holds it, `OTHER_NODE`, or `NOT_RESUMABLE`
    /// when its agent cannot go on with it.
    pub async fn resume_session(&self, word: &str, resume: Resume) -> Result<Runner, Failure> {
        let session = self.get_session(word).await?;
        let id = &session.id;
        self.is_here(&session)?;
        let holds = |runner: &Runner| runner.session_id.as_deref() == Some(id);
        let live = self.store.runner_list(&session.project, "live", 0).await?;
        if let Some(holder) = live.iter().find(|runner| holds(runner)) {
            let what = format!("{} holds session {id}", holder.name);
            return Err(Failure::conflict("SESSION_HELD", what)
                .with_hint(format!("stratavore attach {}", holder.name)));
        }
        if !session.resumable {
            let what = format!("nothing is known of where the agent keeps session {id}");
            return Err(Failure::conflict("NOT_RESUMABLE", what)
                .with_hint("stratavore launch begins a new one"));
        }
        self.restore_transcript(&session).await?;
        let last = match session.runner_id.parse() {
            Ok(runner) => self.store.runner_get(runner).await?,
            Err(_) => None,
        };
        // One that held another conversation since goes on with that one, not with this.
        let last = last.filter(|runner| holds(runner) && !resume.is_new);
        let (services, session) = (self.clone(), session.clone());
        self.detached(async move {
            if let Some(last) = last {
                return Box::pin(services.next_run(last.id, 0, Some(&session.id))).await;
            }
            let request = LaunchRequest {
                request_id: None,
                project: session.project.clone(),
                name: String::new(),
                command: vec![session.agent.clone().into()],
                cwd: (!session.cwd.is_empty()).then(|| session.cwd.clone().into()),
                worktree: None,
                environment: resume.environment,
                size: resume.size,
                restart: RestartPolicy::Never,
                umask: resume.umask,
                max_tokens: None,
            };
            Ok(Box::pin(services.launch_in(request, Some(session.id))).await?.runner)
        })
        .await
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
