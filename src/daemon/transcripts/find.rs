//! Finds transcripts in the directories of agents.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use crate::{
    agents::{
        gemini,
        place::{self, Place},
    },
    domain::{agent::Agent, launch::Environment},
};

/// Folders below an agent's directory that are gone into.
const DEPTH: usize = 7;

/// Files of an agent that are looked at, at most.
const MOST: usize = 200_000;

/// Of a first line, in bytes.
const HEAD: u64 = 64 << 10;

/// An agent's directory on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The agent.
    pub agent: Agent,
    /// The directory.
    pub path: PathBuf,
}

/// A transcript that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The file.
    pub path: PathBuf,
    /// The conversation, as far as its name tells.
    pub conversation: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Root {
    /// Returns where an agent keeps its conversations in an environment; `None` for one that writes
    /// into projects.
    pub fn of(agent: Agent, environment: &Environment) -> Option<Self> {
        let home = place::home(agent)?;
        let variable = |name: &str| {
            let set = environment.iter().rev().find(|(key, _)| key == name);
            set.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        let moved = home.variable.and_then(|(name, below)| {
            let path = variable(name)?;
            Some(if below.is_empty() { path } else { path.join(below) })
        });
        let path = moved.or_else(|| Some(variable("HOME")?.join(home.default)))?;
        Some(Self { agent, path })
    }

    /// The database of an agent that has one.
    pub fn database(&self) -> Option<PathBuf> {
        (self.agent == Agent::Opencode).then(|| self.path.join("opencode.db"))
    }

    /// Returns what a path is by the agent's own names.
    pub fn place(&self, path: &Path) -> Option<Place> {
        let below = path.strip_prefix(&self.path).ok()?.to_str()?;
        place::place(self.agent, below)
    }
}

/// Returns every conversation's own file, subagents' left out.
pub fn everything(root: &Root) -> Vec<Transcript> {
    let found = files(root).filter_map(|(path, size)| match root.place(&path)? {
        Place::Conversation(conversation) => Some(Transcript { path, conversation, size }),
        Place::Subagent { .. } | Place::Database => None,
    });
    found.collect()
}

/// Returns the file of a conversation.
pub fn conversation(root: &Root, id: &str) -> Option<PathBuf> {
    let mut named = files(root).filter(|(path, _)| {
        let Some(Place::Conversation(name)) = root.place(path) else { return false };
        match root.agent {
            // The name has the beginning of the id alone.
            Agent::Gemini => !name.is_empty() && id.starts_with(&name) && says(path, id),
            _ => name == id,
        }
    });
    named.next().map(|(path, _)| path)
}

/// Returns the files of the subagents of a conversation whose file this is.
pub fn subagents(agent: Agent, path: &Path) -> Vec<PathBuf> {
    if agent != Agent::Claude {
        return Vec::new();
    }
    let folder = path.with_extension("").join("subagents");
    let files = WalkDir::new(folder).max_depth(3).sort_by_file_name().into_iter().flatten();
    let files = files.filter(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.file_type().is_file() && name.starts_with("agent-") && name.ends_with(".jsonl")
    });
    files.map(walkdir::DirEntry::into_path).take(MOST).collect()
}

/// Returns the directory to which a chat of Gemini's belongs: its files do not say.
pub fn directory_of_gemini(root: &Root, path: &Path) -> Option<String> {
    let folder = path.strip_prefix(root.path.join("tmp")).ok()?.iter().next()?.to_str()?;
    let mut text = String::new();
    let file = File::open(root.path.join("projects.json")).ok()?;
    file.take(4 << 20).read_to_string(&mut text).ok()?;
    gemini::transcript::directory(&text, folder)
}

fn files(root: &Root) -> impl Iterator<Item = (PathBuf, u64)> + use<> {
    let folders = place::home(root.agent).map_or(&[][..], |home| home.folders);
    let path = root.path.clone();
    let walks = folders.iter().map(move |folder| WalkDir::new(path.join(folder)));
    // A link might lead anywhere, also back.
    let walks = walks.map(|walk| walk.max_depth(DEPTH).follow_links(false).same_file_system(true));
    let entries = walks.flat_map(|walk| walk.into_iter().flatten());
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.take(MOST).filter_map(|entry| {
        let size = entry.metadata().ok()?.len();
        Some((entry.into_path(), size))
    })
}

/// Whether the first line of a file has a word.
fn says(path: &Path, word: &str) -> bool {
    let mut line = Vec::new();
    let read = File::open(path)
        .and_then(|file| BufReader::new(file.take(HEAD)).read_until(b'\n', &mut line));
    read.is_ok() && memchr::memmem::find(&line, word.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn conversations_are_found_where_the_environment_says() {
        let dir = tempfile::tempdir().unwrap();
        let home: Environment = vec![("HOME".into(), dir.path().into())];
        let claude = Root::of(Agent::Claude, &home).unwrap();
        assert_eq!(claude.path, dir.path().join(".claude"));
        let own = claude.path.join("projects/-a/one.jsonl");
        let inner = claude.path.join("projects/-a/one/subagents/agent-x.jsonl");
        for path in [&own, &inner] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}\n").unwrap();
        }
        assert_eq!(conversation(&claude, "one"), Some(own.clone()));
        assert_eq!(conversation(&claude, "two"), None);
        let all = everything(&claude);
        assert_eq!(all, [Transcript { path: own.clone(), conversation: "one".into(), size: 3 }]);
        assert_eq!(subagents(Agent::Claude, &own), [inner]);
        let moved: Environment = vec![("CLAUDE_CONFIG_DIR".into(), "/elsewhere".into())];
        assert_eq!(Root::of(Agent::Claude, &moved).unwrap().path, Path::new("/elsewhere"));
        assert_eq!(Root::of(Agent::Claude, &Vec::new()), None);
        assert_eq!(Root::of(Agent::Aider, &home), None);
    }

    #[test]
    fn a_chat_of_geminis_is_known_by_its_first_line_and_its_folder_by_its_list() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root { agent: Agent::Gemini, path: dir.path().to_owned() };
        let chats = dir.path().join("tmp/work/chats");
        fs::create_dir_all(&chats).unwrap();
        for (name, id) in [("a", "1df79b6e-other"), ("b", "1df79b6e-mine")] {
            let path = chats.join(format!("session-2026-{name}-1df79b6e.jsonl"));
            fs::write(path, format!("{{\"sessionId\":\"{id}\"}}\n")).unwrap();
        }
        let path = conversation(&root, "1df79b6e-mine").unwrap();
        assert!(path.ends_with("session-2026-b-1df79b6e.jsonl"), "{path:?}");
        fs::write(dir.path().join("projects.json"), r#"{"projects":{"/w":"work"}}"#).unwrap();
        assert_eq!(directory_of_gemini(&root, &path).as_deref(), Some("/w"));
    }
}
