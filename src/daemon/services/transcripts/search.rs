//! Finds what was said, and reads a conversation out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    agents::transcript::{Entry, Message, Role},
    daemon::{
        services::Services,
        transcripts::{Found, Piece, opencode, read_on},
    },
    domain::{
        agent::Agent,
        failure::Failure,
        redact::redact,
        session::{Hit, SearchFilter, Session, Utterance},
    },
};

/// Messages that wait for whoever reads them.
const WAITING: usize = 16;

/// Hits without a limit given, and at most.
const USUAL: u32 = 20;
const MOST: u32 = 1000;

/// What reads a conversation: what was said, or why it could not be read to its end.
pub(crate) type Reading = mpsc::Receiver<Result<Utterance, Failure>>;

impl Services {
    /// Returns what was said with all of some words, the newest first.
    ///
    /// # Errors
    ///
    /// `NO_WORDS`.
    pub async fn search_sessions(&self, mut wanted: SearchFilter) -> Result<Vec<Hit>, Failure> {
        if wanted.words.is_empty() {
            return Err(Failure::usage("NO_WORDS", "there is no word to search for")
                .with_hint("stratavore sessions search WORDS"));
        }
        wanted.limit = if wanted.limit == 0 { USUAL } else { wanted.limit.min(MOST) };
        Ok(self.store.search_messages(&wanted).await?)
    }

    /// Returns a session with what reads what was said in it, without secrets.
    ///
    /// # Errors
    ///
    /// As [`Self::get_session`]; `OTHER_NODE`, `NO_MESSAGES` when nothing was said yet, or
    /// `TRANSCRIPT_GONE` when its file is nowhere.
    pub(crate) async fn read_transcript(&self, word: &str) -> Result<(Session, Reading), Failure> {
        let session = self.get_session(word).await?;
        self.is_here(&session)?;
        let gone = || missing(&session);
        let agent = Agent::of(&session.agent).ok_or_else(gone)?;
        let (sender, reading) = mpsc::channel(WAITING);
        let to = Speaker { sender, pending: None };
        if let Some((database, id)) = session.transcript.rsplit_once('#')
            && agent == Agent::Opencode
        {
            let (database, id) = (PathBuf::from(database), id.to_owned());
            if !database.is_file() {
                return Err(gone());
            }
            tokio::spawn(async move { read_rows(&database, &id, to).await });
            return Ok((session, reading));
        }
        if let Some(path) = self.file_of(agent, &session).await.filter(|path| path.is_file()) {
            spawn_blocking(move || read_file(agent, &path, to));
            return Ok((session, reading));
        }
        let path = self.unpacked(&session).await?.ok_or_else(gone)?;
        spawn_blocking(move || {
            read_file(agent, &path, to);
            // What is left in that directory goes with the daemon's next start.
            fs::remove_file(&path).ok();
        });
        Ok((session, reading))
    }

    /// Refuses a session whose agent keeps it on another node.
    pub(in crate::daemon::services) fn is_here(&self, session: &Session) -> Result<(), Failure> {
        if session.node_id == self.context.origin.node_id {
            return Ok(());
        }
        let id = &session.id;
        let what = format!("session {id} is kept by its agent on node {}", session.node_id);
        Err(Failure::conflict("OTHER_NODE", what)
            .with_hint("stratavore nodes lists the nodes; ask for it there"))
    }
}

/// Returns why a session without a file cannot be read. Agents create theirs with the first message:
/// where none was counted, there never was one. What is said to an agent we do not know nobody counts.
fn missing(session: &Session) -> Failure {
    let id = &session.id;
    if session.message_count > 0 || Agent::of(&session.agent).is_none() {
        let what = format!("the transcript of session {id} is gone");
        return Failure::not_found("TRANSCRIPT_GONE", what)
            .with_hint("stratavore sessions search still finds what was said in it");
    }
    let what = format!("the conversation of session {id} has no messages yet");
    let hint = if session.ended_at.is_none() && !session.runner_id.is_empty() {
        format!("stratavore send {} TEXT says something to its agent", session.runner_id)
    } else {
        "stratavore sessions lists the others".to_owned()
    };
    Failure::not_found("NO_MESSAGES", what).with_hint(hint)
}

/// Hands on what is said; a message that comes again under its id is said once, whole.
struct Speaker {
    sender: mpsc::Sender<Result<Utterance, Failure>>,
    pending: Option<Message>,
}

impl Speaker {
    /// Takes an entry; returns what is to be said before it.
    fn take(&mut self, entry: Entry) -> Option<Utterance> {
        let Entry::Message(message) = entry else { return None };
        let is_again = |it: &Message| !it.id.is_empty() && it.id == message.id;
        let before = self.pending.take().filter(|it| !is_again(it));
        self.pending = Some(message);
        before.as_ref().map(utterance)
    }

    fn last(&mut self) -> Option<Utterance> {
        self.pending.take().as_ref().map(utterance)
    }
}

fn utterance(message: &Message) -> Utterance {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    Utterance { role: role.to_owned(), at: message.at, text: redact(&message.text).into_owned() }
}

fn read_file(agent: Agent, path: &Path, mut to: Speaker) {
    let mut place = None;
    loop {
        let read = read_on(path, agent, place);
        let Piece { found, place: behind, is_last } = match read {
            Ok(Some(piece)) => piece,
            Ok(None) => return,
            Err(error) => {
                let what = format!("read {}: {error}", path.display());
                // Whoever asked may have left.
                to.sender.blocking_send(Err(Failure::unavailable("TRANSCRIPT_GONE", what))).ok();
                return;
            }
        };
        let mut behind = behind;
        let mut found: Vec<_> = found.into_iter().map(|Found { entry, .. }| entry).collect();
        if is_last {
            behind.reader.end(&mut |entry| found.push(entry));
        }
        for entry in found {
            if let Some(said) = to.take(entry)
                && to.sender.blocking_send(Ok(said)).is_err()
            {
                return;
            }
        }
        if is_last {
            if let Some(said) = to.last() {
                to.sender.blocking_send(Ok(said)).ok();
            }
            return;
        }
        place = Some(behind);
    }
}

async fn read_rows(database: &Path, id: &str, mut to: Speaker) {
    let (mut from, mut last) = (0, String::new());
    loop {
        let rows = match opencode::read_on(database, id, from, &last).await {
            Ok(rows) => rows,
            Err(error) => {
                let what = format!("read {}: {error}", database.display());
                to.sender.send(Err(Failure::unavailable("TRANSCRIPT_GONE", what))).await.ok();
                return;
            }
        };
        for (_, session, entry) in rows.found {
            if session == id
                && let Some(said) = to.take(entry)
                && to.sender.send(Ok(said)).await.is_err()
            {
                return;
            }
        }
        if !rows.is_full {
            if let Some(said) = to.last() {
                to.sender.send(Ok(said)).await.ok();
            }
            return;
        }
        (from, last) = (rows.until_ms, rows.last);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::usage::{Cost, Quality};

    fn session(message_count: u64, is_over: bool) -> Session {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Session {
            id: "s-1".to_owned(),
            agent: "claude".to_owned(),
            runner_id: "r-1".to_owned(),
            project: "api".to_owned(),
            node_id: String::new(),
            cwd: String::new(),
            model: String::new(),
            started_at: at,
            ended_at: is_over.then_some(at),
            last_message_at: None,
            message_count,
            tokens_used: 0,
            cost: Cost::default(),
            quality: Quality::default(),
            unpriced: 0,
            resumable: true,
            origin: "started".to_owned(),
            resumed_from: None,
            first_prompt: String::new(),
            summary: String::new(),
            transcript: String::new(),
        }
    }

    #[test]
    fn what_never_was_is_not_gone() {
        let gone = missing(&session(2, false));
        assert!(gone.reason == "TRANSCRIPT_GONE" && gone.message.ends_with("is gone"));
        let empty = missing(&session(0, false));
        assert!(empty.reason == "NO_MESSAGES" && empty.message.contains("no messages yet"));
        assert!(empty.hint.starts_with("stratavore send r-1"), "{}", empty.hint);
        assert!(missing(&session(0, true)).hint.contains("lists the others"));
    }
}
