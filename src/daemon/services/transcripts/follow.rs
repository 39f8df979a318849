//! Which files are followed, and when they are read on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message as _;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until},
};

use super::{Followed, Stamp};
use crate::{
    config::environment,
    daemon::{
        services::Services,
        transcripts::{Root, conversation, opencode, subagents},
    },
    domain::{
        agent::Agent,
        failure::Failure,
        launch::Environment,
        runner::Runner,
        session::{Session, SessionNews},
    },
    proto::link::v1::LaunchSpec,
};

/// Between two looks at everything.
const LOOK: Duration = Duration::from_secs(7);

/// An agent writes several lines at once, and its telemetry is on the way.
const TOGETHER: Duration = Duration::from_millis(400);

/// A session's file is looked at for so long after its end: its agent may write a last line.
const AFTER: TimeDelta = TimeDelta::minutes(10);

/// At the start also those that ended while no daemon lived.
const BEFORE_START: TimeDelta = TimeDelta::days(14);

impl Services {
    /// Takes in what agents write down, until it is cancelled.
    pub(crate) async fn follow_transcripts(&self) {
        let mut back = BEFORE_START;
        loop {
            let since = self.context.clock.now() - back;
            match self.look_at_transcripts(since).await {
                Ok(()) => back = AFTER,
                Err(error) => tracing::debug!(%error, "failed to look at transcripts"),
            }
            let next = Instant::now() + LOOK;
            loop {
                tokio::select! {
                    () = self.transcripts.0.watch.changed() => {
                        sleep(TOGETHER).await;
                        self.take_in_changed().await;
                    }
                    () = self.transcripts.0.bell.notified() => {
                        sleep(TOGETHER).await;
                        break;
                    }
                    () = sleep_until(next) => break,
                }
            }
        }
    }

    /// Takes in the files that the kernel told of.
    async fn take_in_changed(&self) {
        let changed = self.transcripts.0.watch.take();
        let followed: Vec<_> = {
            let followed = self.transcripts.followed();
            let one = |path: PathBuf| Some((path.clone(), followed.get(&path)?.clone()));
            changed.iter().cloned().filter_map(one).collect()
        };
        for (path, followed) in followed {
            self.take_in_if_changed(&path, &followed).await;
        }
        let is_database = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"opencode.db"))
        };
        if changed.iter().any(is_database)
            && let Err(error) = self.look_at_databases(self.context.clock.now() - AFTER).await
        {
            tracing::debug!(%error, "failed to look at a database of conversations");
        }
    }

    /// Looks at every file of the sessions that are followed.
    async fn look_at_transcripts(&self, since: DateTime<Utc>) -> Result<(), Failure> {
        let node = &self.context.origin.node_id;
        let sessions = self.store.sessions_followed(node, since).await?;
        self.find_begun(&sessions).await?;
        let mut followed = BTreeMap::new();
        for session in &sessions {
            let Some(agent) = Agent::of(&session.agent).filter(|it| *it != Agent::Opencode) else {
                continue;
            };
            let Some(path) = self.file_of(agent, session).await else { continue };
            let of_session = |is_side| Followed { agent, session: session.id.clone(), is_side };
            let own = path.clone();
            let inner = spawn_blocking(move || subagents(agent, &own)).await.unwrap_or_default();
            followed.extend(inner.into_iter().map(|path| (path, of_session(true))));
            followed.insert(path, of_session(false));
        }
        let mut directories: BTreeSet<PathBuf> =
            followed.keys().filter_map(|path| Some(path.parent()?.to_owned())).collect();
        directories.extend(self.look_at_databases(since).await?);
        self.transcripts.followed().clone_from(&followed);
        self.transcripts.stamps().retain(|path, _| {
            followed.contains_key(path) || path.extension().is_some_and(|it| it == "db")
        });
        for directory in &directories {
            self.transcripts.0.watch.directory(directory);
        }
        self.transcripts.0.watch.keep(&directories);
        for (path, followed) in &followed {
            self.take_in_if_changed(path, followed).await;
            Box::pin(self.note_unanswered(path, followed)).await?;
        }
        Ok(())
    }

    /// Notes the conversations that runners have begun and of which nothing but their files tells: those of
    /// agents without hooks whose telemetry is the user's own.
    async fn find_begun(&self, known: &[Session]) -> Result<(), Failure> {
        let node = &self.context.origin.node_id;
        for runner in self.store.runner_list("", "live", 0).await? {
            let agent = Agent::of(&runner.agent).filter(|it| *it != Agent::Opencode);
            let id = runner.session_id.clone().filter(|_| runner.node_id == *node);
            let (Some(agent), Some(id)) = (agent, id) else { continue };
            let is_known = known.iter().any(|session| session.id == id);
            if is_known || !self.transcripts.may_search_for(&id) {
                continue;
            }
            let root = Root::of(agent, &self.environment_of(&runner.id.to_string()));
            let Some(root) = root else { continue };
            let searched = id.clone();
            let file = spawn_blocking(move || conversation(&root, &searched)).await.ok().flatten();
            let Some(file) = file else { continue };
            let news = SessionNews {
                id,
                origin: Some("started"),
                cwd: runner.cwd.to_string_lossy().into_owned(),
                transcript: file.to_string_lossy().into_owned(),
                at: runner.started_at,
                ..SessionNews::default()
            };
            self.hear_session(&runner, news).await?;
        }
        Ok(())
    }

    async fn take_in_if_changed(&self, path: &Path, followed: &Followed) {
        let Some(stamp) = stamp(path) else { return };
        if self.transcripts.stamps().get(path) == Some(&stamp) {
            return;
        }
        match self.take_in_file(path, followed).await {
            Ok(()) => {
                self.transcripts.stamps().insert(path.to_owned(), stamp);
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "failed to take in a transcript");
            }
        }
    }

    /// Returns a session with what its agent has written of it by now, where it seems that nothing was said in
    /// it: files are read a moment after they grow, and telemetry may tell of a conversation before.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(in crate::daemon::services) async fn caught_up(
        &self,
        session: Session,
    ) -> Result<Session, Failure> {
        let agent = Agent::of(&session.agent).filter(|_| !session.has_begun());
        let Some(agent) = agent else { return Ok(session) };
        if agent == Agent::Opencode {
            self.look_at_databases(self.context.clock.now() - AFTER).await?;
        } else {
            self.transcripts.turn_ended(&session.id);
            let Some(path) = self.file_of(agent, &session).await else { return Ok(session) };
            let followed = Followed { agent, session: session.id.clone(), is_side: false };
            self.take_in_if_changed(&path, &followed).await;
        }
        let found = self.store.session_find(&session.id).await?;
        Ok(found.into_iter().find(|it| it.id == session.id).unwrap_or(session))
    }

    /// Returns the file of a session: as its agent told, or found by its id.
    pub(super) async fn file_of(&self, agent: Agent, session: &Session) -> Option<PathBuf> {
        if !session.transcript.is_empty() {
            return Some(PathBuf::from(&session.transcript));
        }
        if !self.transcripts.may_search_for(&session.id) {
            return None;
        }
        let root = Root::of(agent, &self.environment_of(&session.runner_id))?;
        let id = session.id.clone();
        spawn_blocking(move || conversation(&root, &id)).await.ok().flatten()
    }

    /// Returns the environment that a runner's agent was started with, or else our own.
    pub(super) fn environment_of(&self, runner: &str) -> Environment {
        let spec = runner.parse().ok().and_then(|id| self.fleet.dir(id).read_spec().ok());
        let spec = spec.and_then(|bytes| LaunchSpec::decode(bytes.as_slice()).ok());
        let mut all = environment::all();
        all.extend(spec.map(|spec| spec.asked_environment()).unwrap_or_default());
        all
    }

    /// Looks at the databases of agents that keep one; returns their directories.
    async fn look_at_databases(&self, since: DateTime<Utc>) -> Result<BTreeSet<PathBuf>, Failure> {
        let node = &self.context.origin.node_id;
        let is_ours = |runner: &Runner| {
            Agent::of(&runner.agent) == Some(Agent::Opencode) && runner.node_id == *node
        };
        let mut runners = self.store.runner_list("", "live", 0).await?;
        runners.retain(is_ours);
        let sessions = self.store.sessions_followed(node, since).await?;
        let sessions: Vec<_> =
            sessions.into_iter().filter(|it| it.agent == Agent::Opencode.as_str()).collect();
        let mut databases: BTreeSet<PathBuf> = BTreeSet::new();
        let holders = runners.iter().map(|runner| runner.id.to_string());
        for holder in holders.chain(sessions.iter().map(|it| it.runner_id.clone())) {
            let root = Root::of(Agent::Opencode, &self.environment_of(&holder));
            databases.extend(root.and_then(|root| root.database()));
        }
        for database in &databases {
            let Some(stamp) = stamp_of_database(database) else { continue };
            if self.transcripts.stamps().get(database) == Some(&stamp) {
                continue;
            }
            self.find_conversations(database, &runners).await?;
            for session in self.store.sessions_followed(node, since).await? {
                if session.agent == Agent::Opencode.as_str() {
                    self.take_in_rows(database, &session.id, None).await?;
                }
            }
            self.transcripts.stamps().insert(database.clone(), stamp);
        }
        Ok(databases.iter().filter_map(|path| Some(path.parent()?.to_owned())).collect())
    }

    /// Finds whose the new conversations of a database are. One that several runners could have begun
    /// is nobody's: a wrong one would be charged for it, and gone on with.
    async fn find_conversations(&self, database: &Path, runners: &[Runner]) -> Result<(), Failure> {
        let Some(first) = runners.iter().map(|runner| runner.started_at).min() else {
            return Ok(());
        };
        let found = opencode::conversations(database, first.timestamp_millis() - 1000).await;
        let Ok(found) = found else { return Ok(()) };
        for conversation in found {
            let is_new = conversation.parent.is_none()
                && conversation.created_ms >= first.timestamp_millis() - 1000
                && !self.store.session_exists(&conversation.id).await?;
            if !is_new {
                continue;
            }
            let could = |runner: &&Runner| {
                runner.cwd == Path::new(&conversation.directory)
                    && runner.started_at.timestamp_millis() - 1000 <= conversation.created_ms
            };
            let all: Vec<_> = runners.iter().filter(could).collect();
            let free: Vec<_> = all.iter().filter(|it| it.session_id.is_none()).copied().collect();
            let holder = match (&*all, &*free) {
                ([one], _) | (_, [one]) => *one,
                _ => {
                    tracing::debug!(conversation.id, "nobody knows whose conversation this is");
                    continue;
                }
            };
            self.take_in_rows(database, &conversation.id, Some(holder)).await?;
        }
        Ok(())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((meta.len(), meta.modified().ok()))
}

/// A database with what was written and is not in its own file yet.
fn stamp_of_database(path: &Path) -> Option<Stamp> {
    let own = stamp(path)?;
    let log = stamp(&path.with_extension("db-wal")).unwrap_or((0, None));
    Some((own.0 + log.0, own.1.max(log.1)))
}
