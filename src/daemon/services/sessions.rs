//! Sessions: look at them, go on with them.
//!
//! Invariant: an agent is told to go on with a conversation only where something was said in it; of one
//! in which nothing was it keeps nothing, and its runner is started anew.

use std::ffi::OsString;

use super::Services;
use crate::{
    agents::abilities::{DIRECTORY, abilities},
    daemon::store::{Counted, SessionFilter, TakenIn},
    domain::{
        agent::Agent,
        agent_command::Wishes,
        event::NewEvent,
        failure::Failure,
        id::RunnerId,
        launch::{Environment, LaunchRequest, RestartPolicy},
        runner::Runner,
        session::{Session, SessionNews},
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

    /// Goes on with a session: in the runner that held it last, or in a new one. Where nothing was said in
    /// it, the runner's own command begins a new conversation.
    ///
    /// # Errors
    ///
    /// `SESSION_NOT_FOUND`, `SESSION_HELD` while a runner holds it, `OTHER_NODE`, or `NOT_RESUMABLE`
    /// when its agent cannot go on with it.
    pub async fn resume_session(&self, word: &str, resume: Resume) -> Result<Runner, Failure> {
        let session = match self.get_session(word).await {
            Ok(session) => session,
            Err(failure) => {
                let Some(runner) = self.never_began(word, &failure).await? else {
                    return Err(failure);
                };
                return self.begin_anew(runner).await;
            }
        };
        self.is_here(&session)?;
        let session = self.caught_up(session).await?;
        let id = &session.id;
        let has_begun = session.has_begun();
        let holds = |runner: &Runner| runner.session_id.as_deref() == Some(id);
        self.check_free(id, None).await?;
        if has_begun && !session.resumable {
            let what = format!("nothing is known of where the agent keeps session {id}");
            return Err(Failure::conflict("NOT_RESUMABLE", what)
                .with_hint("stratavore launch begins a new one"));
        }
        if has_begun {
            self.restore_transcript(&session).await?;
        }
        let last = match session.runner_id.parse() {
            Ok(runner) => self.store.runner_get(runner).await?,
            Err(_) => None,
        };
        // One that held another conversation since goes on with that one, not with this.
        let last = last.filter(|runner| holds(runner) && !resume.is_new);
        let (services, session) = (self.clone(), session.clone());
        self.detached(async move {
            let conversation = Some(session.id.clone()).filter(|_| has_begun);
            if let Some(last) = last {
                return Box::pin(services.next_run(last.id, 0, conversation.as_deref())).await;
            }
            let request = LaunchRequest {
                request_id: None,
                project: session.project.clone(),
                name: String::new(),
                command: services.command_of(&session.agent)?,
                cwd: (!session.cwd.is_empty()).then(|| session.cwd.clone().into()),
                worktree: None,
                environment: resume.environment,
                size: resume.size,
                restart: RestartPolicy::Never,
                umask: resume.umask,
                max_tokens: None,
            };
            Ok(Box::pin(services.launch_in(request, conversation)).await?.runner)
        })
        .await
    }

    /// Returns the live runner that holds a session, but for one.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(super) async fn holder_of(
        &self,
        session: &str,
        but: Option<RunnerId>,
    ) -> Result<Option<Runner>, Failure> {
        let live = self.store.runner_list("", "live", 0).await?;
        Ok(live
            .into_iter()
            .find(|runner| runner.session_id.as_deref() == Some(session) && Some(runner.id) != but))
    }

    /// Refuses a session that a live runner holds, but for one: two agents would write over each other.
    pub(super) async fn check_free(
        &self,
        session: &str,
        but: Option<RunnerId>,
    ) -> Result<(), Failure> {
        let Some(holder) = self.holder_of(session, but).await? else { return Ok(()) };
        let what = format!("{} holds session {session}", holder.name);
        Err(Failure::conflict("SESSION_HELD", what)
            .with_hint(format!("stratavore attach {}", holder.name)))
    }

    /// Returns the conversation that the next run of a runner can go on with, its directory for an agent that
    /// keeps one there: none where nothing was said in it, as its agent would not know it.
    pub(super) async fn conversation_of(&self, runner: &Runner) -> Result<Option<String>, Failure> {
        if Agent::of(&runner.agent).is_some_and(|it| abilities(it, None).resume == DIRECTORY) {
            self.check_directory(runner).await?;
            return Ok(Some(runner.cwd.to_string_lossy().into_owned()));
        }
        // The id may have been given at the launch, to a conversation that never began.
        let known = match &runner.session_id {
            Some(id) => self.store.session_find(id).await?.into_iter().find(|it| it.id == *id),
            None => None,
        };
        let Some(known) = known else {
            let what = format!("no session of {} is known", runner.name);
            return Err(Failure::not_found("NO_SESSION", what)
                .with_hint(format!("stratavore restart {} begins a new one", runner.name)));
        };
        let session = self.caught_up(known).await?;
        if !session.has_begun() {
            return Ok(None);
        }
        self.check_free(&session.id, Some(runner.id)).await?;
        Ok(Some(session.id))
    }

    /// Refuses to go on in a directory's conversation while another runner of the same agent does.
    async fn check_directory(&self, runner: &Runner) -> Result<(), Failure> {
        let live = self.store.runner_list("", "live", 0).await?;
        let is_in_it = |other: &&Runner| {
            (&other.agent, &other.node_id, &other.cwd)
                == (&runner.agent, &runner.node_id, &runner.cwd)
                && other.id != runner.id
        };
        let Some(holder) = live.iter().find(is_in_it) else { return Ok(()) };
        let what = format!("{} is in the conversation of {}", holder.name, runner.cwd.display());
        Err(Failure::conflict("SESSION_HELD", what)
            .with_hint(format!("stratavore attach {}", holder.name)))
    }

    /// Returns the command that runs an agent of this name: one of the user's own by its template.
    fn command_of(&self, agent: &str) -> Result<Vec<OsString>, Failure> {
        let Some(own) = self.context.config.agents.named(agent) else {
            return Ok(vec![agent.into()]);
        };
        // Its conversation gets its id when it is started.
        own.fill(&Wishes::default(), "{session_id}")
            .map_err(|why| Failure::usage("BAD_WISH", format!("{agent} {why}")))
    }

    /// Returns the ended runner of ours that was given a conversation of which nothing was ever heard, where
    /// that is why no session was found.
    async fn never_began(&self, word: &str, why: &Failure) -> Result<Option<Runner>, Failure> {
        if why.reason != "SESSION_NOT_FOUND" {
            return Ok(None);
        }
        let node = &self.context.origin.node_id;
        let runners = self.store.runner_list("", "", 0).await?;
        Ok(runners.into_iter().find(|runner| {
            runner.session_id.as_deref() == Some(word)
                && runner.node_id == *node
                && !runner.status.is_live()
        }))
    }

    async fn begin_anew(&self, runner: Runner) -> Result<Runner, Failure> {
        let services = self.clone();
        self.detached(async move { Box::pin(services.next_run(runner.id, 0, None)).await }).await
    }

    /// Writes down the conversation of a runner of the user's own agent, where its template says how to go on
    /// with it: nobody else tells of it.
    pub(super) async fn note_own_session(&self, runner: &Runner) {
        let own = self.context.config.agents.named(&runner.agent);
        let is_meant =
            Agent::of(&runner.agent).is_none() && own.is_some_and(|own| !own.resume.is_empty());
        let Some(id) = runner.session_id.clone().filter(|_| is_meant) else { return };
        if let Err(error) = Box::pin(self.write_own_session(runner, id)).await {
            tracing::warn!(runner.id = %runner.id, %error, "failed to record a conversation");
        }
    }

    async fn write_own_session(&self, runner: &Runner, id: String) -> Result<(), Failure> {
        let is_known = self.store.session_exists(&id).await?;
        let news = SessionNews {
            id,
            origin: Some(if is_known { "resumed" } else { "started" }),
            cwd: runner.cwd.to_string_lossy().into_owned(),
            is_resumable: true,
            at: runner.started_at,
            ..SessionNews::default()
        };
        self.write_session(runner, news.clone()).await?;
        // One that ended meanwhile has ended its sessions before there was this one.
        let now = self.store.runner_get(runner.id).await?;
        let ended = now.filter(|now| now.run == runner.run && !now.status.is_live());
        if let Some(ended) = ended {
            let at = ended.terminated_at.unwrap_or(runner.started_at);
            let over = SessionNews { origin: None, has_ended: true, at, ..news };
            self.write_session(&ended, over).await?;
        }
        Ok(())
    }

    async fn write_session(&self, runner: &Runner, news: SessionNews) -> Result<(), Failure> {
        let events = self.session_event(runner, &news).into_iter().collect();
        let taken = TakenIn { sessions: vec![news], ..TakenIn::default() };
        let guard = self.transcripts.accounts().await;
        self.store.take_in(runner, &taken, |_| events, self.context.clock.now()).await?;
        drop(guard);
        Ok(())
    }

    /// What a request of telemetry tells of another conversation than the one that is held, for agents of which
    /// nothing else tells.
    pub(super) async fn named_by(
        &self,
        runner: &Runner,
        request: &Counted,
        held: Option<&str>,
    ) -> Result<Option<SessionNews>, Failure> {
        let agent = Agent::of(&runner.agent);
        let id = &request.record.conversation;
        let is_named = agent.is_some_and(Agent::names_conversations_in_telemetry);
        if !is_named || id.is_empty() || held.is_none_or(|held| held == id) {
            return Ok(None);
        }
        let is_known = self.store.session_exists(id).await?;
        Ok(Some(SessionNews {
            id: id.clone(),
            origin: Some(if is_known { "resumed" } else { "started" }),
            cwd: runner.cwd.to_string_lossy().into_owned(),
            model: request.record.model.clone(),
            is_resumable: true,
            at: request.record.at,
            ..SessionNews::default()
        }))
    }

    /// Lets a runner go over to the conversation that is told of, and returns what follows from that; `noted` is
    /// what the same reports have told before.
    pub(super) async fn go_over(
        &self,
        runner: &Runner,
        session: &mut Option<String>,
        news: SessionNews,
        noted: &[SessionNews],
    ) -> Result<(Vec<SessionNews>, Vec<NewEvent>), Failure> {
        let held = session.clone();
        // That another one has ended does not make it the runner's.
        if held.is_none() || !news.has_ended {
            *session = Some(news.id.clone());
        }
        // What is known to have ended is held by nobody.
        let is_over = |id: &&str| noted.iter().any(|it| it.id == **id && it.has_ended);
        let held = held.as_deref().filter(|id| !is_over(id));
        self.follow_news(runner, held, news).await
    }

    /// Returns what becomes known of conversations when a runner that held one tells of one, and what is told of
    /// that. Who goes over to another one has ended the first, unless another runner holds that, too.
    pub(super) async fn follow_news(
        &self,
        runner: &Runner,
        held: Option<&str>,
        mut news: SessionNews,
    ) -> Result<(Vec<SessionNews>, Vec<NewEvent>), Failure> {
        let mut all = Vec::new();
        let (store, own) = (&self.store, runner.id);
        if let Some(held) = held.filter(|held| *held != news.id && !news.has_ended) {
            if news.origin == Some("forked") && store.session_exists(&news.id).await? {
                (news.origin, news.parent) = (Some("resumed"), None);
            }
            if store.session_exists(held).await? && store.session_ends_with(held, own).await? {
                // That it was begun in place of the other one, not every agent says.
                if news.origin == Some("started") {
                    (news.origin, news.parent) = (Some("cleared"), Some(held.to_owned()));
                }
                let (id, at) = (held.to_owned(), news.at);
                all.push(SessionNews { id, has_ended: true, at, ..SessionNews::default() });
            }
        }
        // The end of its runner may have been its end, or it may go on in another.
        let is_told = !news.has_ended || store.session_ends_with(&news.id, own).await?;
        let told = is_told.then(|| news.clone());
        let events = all.iter().chain(&told).filter_map(|news| self.session_event(runner, news));
        let events = events.collect();
        all.push(news);
        Ok((all, events))
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
