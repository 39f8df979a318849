//! Conversations that agents had before we knew them, or beside us: found and taken in.
//!
//! What was used in them is known and charged to nobody: it is the past of a conversation, and no
//! budget's business. From then on an imported session is one like any other, and can be gone on with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

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
    /// Returns the conversations on this node's disk, of one agent or of all, the newest first; one that has
    /// several files once.
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
        let mut all = merged(all);
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

    /// Takes in a conversation from the disk, all files of it; one that is known already is read on.
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
            let (own, session) = (place.clone(), of.session.clone());
            let files = spawn_blocking(move || files_of(&root, &session, own)).await;
            for place in files.unwrap_or_else(|_| vec![place]) {
                services.take_in_pieces(&place, &of, &[], &facts).await?;
                let inner = spawn_blocking(move || subagents(agent, &place)).await;
                for path in inner.unwrap_or_default() {
                    let of = Followed { is_side: true, ..of.clone() };
                    services.take_in_pieces(&path, &of, &[], &facts).await?;
                }
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

/// Returns the files of a conversation, the first one first, of which one is given: Gemini begins another
/// each time that it goes on.
fn files_of(root: &Root, id: &str, path: PathBuf) -> Vec<PathBuf> {
    // Their names have the id, or its beginning.
    let could = everything(root).into_iter().filter(|it| id.starts_with(&it.conversation));
    let mut all: Vec<_> =
        could.filter_map(|it| of_file(root, &it.path)).filter(|it| it.id == id).collect();
    all.sort_by(in_order);
    let mut files: Vec<_> = all.into_iter().map(|it| PathBuf::from(it.path)).collect();
    if !files.contains(&path) {
        files.push(path);
    }
    files
}

/// Of two files of a conversation, which one comes first: when they were written to, else as they are named.
fn in_order(one: &Conversation, other: &Conversation) -> std::cmp::Ordering {
    one.at.cmp(&other.at).then_with(|| one.path.cmp(&other.path))
}

/// Makes one of all files of a conversation.
fn merged(mut all: Vec<Conversation>) -> Vec<Conversation> {
    all.sort_by(in_order);
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut whole: Vec<Conversation> = Vec::new();
    for file in all {
        let key = (file.agent.clone(), file.id.clone());
        let place = places.get(&key).and_then(|place| whole.get_mut(*place));
        let Some(first) = place.filter(|_| !file.id.is_empty()) else {
            places.insert(key, whole.len());
            whole.push(file);
            continue;
        };
        first.size += file.size;
        first.at = first.at.max(file.at);
        first.is_known &= file.is_known;
        for (known, said) in [
            (&mut first.about, file.about),
            (&mut first.cwd, file.cwd),
            (&mut first.project, file.project),
        ] {
            if known.trim().is_empty() {
                *known = said;
            }
        }
    }
    whole
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(agent: &str, id: &str, (path, size, second): (&str, u64, i64)) -> Conversation {
        Conversation {
            agent: agent.to_owned(),
            id: id.to_owned(),
            path: path.to_owned(),
            cwd: String::new(),
            size,
            at: DateTime::from_timestamp(second, 0),
            about: String::new(),
            project: String::new(),
            is_known: false,
        }
    }

    #[test]
    fn a_conversation_in_several_files_is_one() {
        let begun = file("gemini", "a", ("1", 900, 10));
        let said = Conversation {
            about: "fix it".to_owned(),
            cwd: "/w".to_owned(),
            project: "web".to_owned(),
            is_known: true,
            ..file("gemini", "a", ("2", 80, 20))
        };
        let later = Conversation { about: "go on".to_owned(), ..file("gemini", "a", ("3", 7, 30)) };
        let others = [file("qwen", "a", ("4", 5, 40)), file("gemini", "b", ("5", 6, 50))];
        let nameless = [file("gemini", "", ("6", 1, 60)), file("gemini", "", ("7", 1, 70))];
        let all = [vec![later.clone(), said.clone(), begun], others.to_vec(), nameless.to_vec()];
        // As long as one of its files was not taken in, it is new.
        let whole =
            Conversation { path: "1".to_owned(), size: 987, at: later.at, is_known: false, ..said };
        let wanted = [vec![whole], others.to_vec(), nameless.to_vec()].concat();
        assert_eq!(merged(all.concat()), wanted);
    }

    #[test]
    fn all_files_of_a_conversation_are_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root { agent: Agent::Gemini, path: dir.path().to_owned() };
        let chats = dir.path().join("tmp/work/chats");
        fs::create_dir_all(&chats).unwrap();
        let mut paths = Vec::new();
        for (day, id) in [(1, "1df79b6e-mine"), (2, "1df79b6e-other"), (3, "1df79b6e-mine")] {
            let path = chats.join(format!("session-2026-11-0{day}T10-00-1df79b6e.jsonl"));
            fs::write(&path, format!("{{\"sessionId\":\"{id}\"}}\n")).unwrap();
            let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(day);
            fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
            paths.push(path);
        }
        let files = files_of(&root, "1df79b6e-mine", paths[2].clone());
        assert_eq!(files, [paths[0].clone(), paths[2].clone()]);
        assert_eq!(files_of(&root, "another", paths[1].clone()), [paths[1].clone()]);
    }
}
