//! Conversations that agents had before we knew them, or beside us: found and taken in.
//!
//! What was used in them is known and charged to nobody: it is the past of a conversation, and no
//! budget's business. From then on an imported session is one like any other, and can be gone on with.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;

use super::Followed;
use crate::{
    agents::transcript::{Entry, Reader, Role},
    config::environment,
    daemon::{
        services::Services,
        store::SessionFacts,
        transcripts::{
            Root, everything, find::directory_of_gemini, opencode, read::head, subagents,
        },
    },
    domain::{
        agent::Agent,
        failure::Failure,
        launch::Environment,
        project::Project,
        redact::redact,
        session::{Conversation, Session},
    },
};

/// Longest text that tells what a conversation is about, in characters.
const LONGEST_ABOUT: usize = 200;

impl Services {
    /// Returns the conversations on this node's disk, of one agent or of all, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_conversations_on_disk(
        &self,
        agent: Option<Agent>,
        environment: Environment,
    ) -> Result<Vec<Conversation>, Failure> {
        let projects = self.store.project_list(None).await?;
        let mut all = Vec::new();
        for agent in agent.map_or(Agent::ALL.to_vec(), |agent| vec![agent]) {
            let Some(root) = Root::of(agent, &with_own(environment.clone())) else { continue };
            if let Some(database) = root.database() {
                all.extend(of_database(agent, &database).await);
            } else {
                let found = spawn_blocking(move || of_files(&root)).await.unwrap_or_default();
                all.extend(found);
            }
        }
        for conversation in &mut all {
            let of = project_of(&projects, &conversation.cwd);
            conversation.project = of.map(|it| it.name.clone()).unwrap_or_default();
            conversation.is_known = self.is_recorded(conversation).await?;
        }
        all.sort_by_key(|conversation| std::cmp::Reverse(conversation.at));
        Ok(all)
    }

    /// Whether all of a conversation is recorded. One that no runner of ours held is followed by nobody, and
    /// may have gone on; whether one in a database has is not known.
    async fn is_recorded(&self, conversation: &Conversation) -> Result<bool, Failure> {
        let Some(known) = self.store.session_follow(&conversation.id).await? else {
            return Ok(false);
        };
        if !known.holders.is_empty() || conversation.size == 0 {
            return Ok(true);
        }
        let node = &self.context.origin.node_id;
        let read = self.store.transcript_file(node, &conversation.path).await?;
        Ok(read.is_some_and(|read| read.position >= conversation.size))
    }

    /// Takes in a conversation from the disk; one that is known already is read on.
    ///
    /// # Errors
    ///
    /// `NOT_A_CONVERSATION` when the path is none of the agent's, `PROJECT_NOT_FOUND`, or
    /// `SESSION_KNOWN` when a runner of ours held it.
    pub async fn import_conversation(
        &self,
        agent: Agent,
        path: &str,
        project: &str,
        environment: Environment,
    ) -> Result<Session, Failure> {
        let project = self.get_project(project).await?;
        let none = || {
            let what = format!("`{path}` is no conversation of {}", agent.as_str());
            Failure::usage("NOT_A_CONVERSATION", what)
                .with_hint("stratavore sessions import --dry-run")
        };
        let root = Root::of(agent, &with_own(environment)).ok_or_else(none)?;
        let (place, id) = match path.rsplit_once('#') {
            Some((database, id)) if root.database().as_deref() == Some(Path::new(database)) => {
                (PathBuf::from(database), id.to_owned())
            }
            _ => {
                let file = PathBuf::from(path);
                let own = root.clone();
                let found = spawn_blocking(move || of_file(&own, &file)).await.ok().flatten();
                (PathBuf::from(path), found.ok_or_else(none)?.id)
            }
        };
        let known = self.store.session_follow(&id).await?;
        if let Some(follow) = &known
            && !follow.holders.is_empty()
        {
            let what = format!("session {id} is one of {}'s", follow.session.project);
            return Err(Failure::conflict("SESSION_KNOWN", what)
                .with_hint(format!("stratavore sessions show {id}")));
        }
        let facts = SessionFacts {
            id: id.clone(),
            project: known.map_or(project.name, |it| it.session.project),
            origin: "imported",
            ..SessionFacts::default()
        };
        let (services, of) =
            (self.clone(), Followed { agent, session: id.clone(), is_side: false });
        self.detached(async move {
            if agent == Agent::Opencode {
                services.take_in_all_rows(&place, &of.session, &[], &facts, None).await?;
                return Ok(());
            }
            services.take_in_pieces(&place, &of, &[], &facts).await?;
            let inner = spawn_blocking(move || subagents(agent, &place)).await.unwrap_or_default();
            for path in inner {
                let of = Followed { is_side: true, ..of.clone() };
                services.take_in_pieces(&path, &of, &[], &facts).await?;
            }
            Ok::<_, Failure>(())
        })
        .await?;
        self.get_session(&id).await
    }
}

/// The environment of whoever asks above our own.
fn with_own(asked: Environment) -> Environment {
    let mut all = environment::all();
    all.extend(asked);
    all
}

/// The project in whose directory another one lies; of several the innermost.
fn project_of<'a>(projects: &'a [Project], directory: &str) -> Option<&'a Project> {
    let holds = |project: &&Project| {
        !directory.is_empty() && Path::new(directory).starts_with(&project.path)
    };
    projects.iter().filter(holds).max_by_key(|project| project.path.as_os_str().len())
}

fn of_files(root: &Root) -> Vec<Conversation> {
    let all = everything(root).into_iter();
    all.filter_map(|transcript| of_file(root, &transcript.path)).collect()
}

/// Returns what the beginning of a file tells of its conversation.
fn of_file(root: &Root, path: &Path) -> Option<Conversation> {
    let crate::agents::place::Place::Conversation(named) = root.place(path)? else { return None };
    let meta = path.metadata().ok()?;
    let mut reader = Reader::new(root.agent)?;
    let (mut id, mut cwd, mut about, mut is_inner) = (named, String::new(), String::new(), false);
    head(path, |line| {
        reader.line(line, &mut |entry| match entry {
            Entry::Opened(opened) => {
                is_inner |= opened.parent.is_some();
                if root.agent == Agent::Gemini && !opened.conversation.is_empty() {
                    id = opened.conversation;
                }
                if cwd.is_empty() {
                    cwd = opened.cwd;
                }
            }
            Entry::Message(message) if message.role == Role::User && about.is_empty() => {
                about = redact(&message.text).chars().take(LONGEST_ABOUT).collect();
            }
            _ => {}
        });
        about.is_empty() || cwd.is_empty()
    })
    .ok()?;
    // A subagent's belongs to its parent.
    if is_inner {
        return None;
    }
    if root.agent == Agent::Gemini {
        cwd = directory_of_gemini(root, path).unwrap_or_default();
    }
    Some(Conversation {
        agent: root.agent.as_str().to_owned(),
        id,
        path: path.to_string_lossy().into_owned(),
        cwd,
        size: meta.len(),
        at: meta.modified().ok().map(DateTime::<Utc>::from),
        about,
        project: String::new(),
        is_known: false,
    })
}

async fn of_database(agent: Agent, database: &Path) -> Vec<Conversation> {
    if !database.is_file() {
        return Vec::new();
    }
    let found = opencode::conversations(database, 0).await.unwrap_or_else(|error| {
        tracing::warn!(path = %database.display(), %error, "failed to read conversations");
        Vec::new()
    });
    let own = found.into_iter().filter(|it| it.parent.is_none());
    own.map(|it| Conversation {
        agent: agent.as_str().to_owned(),
        path: format!("{}#{}", database.display(), it.id),
        id: it.id,
        cwd: it.directory,
        size: 0,
        at: DateTime::from_timestamp_millis(it.updated_ms),
        about: redact(&it.title).chars().take(LONGEST_ABOUT).collect(),
        project: String::new(),
        is_known: false,
    })
    .collect()
}
