//! Transcripts in the database: up to where each is read, what was said, what became known.
//!
//! Invariant: what a piece of a file tells and the place behind it are written in one transaction, so
//! that a daemon that dies in between reads the piece again and counts nothing twice.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};

use super::{
    Added, Counted, Store, StoreError,
    accounts::Payer,
    query::{Query, Record, Write},
    sessions,
};
use crate::domain::{
    event::NewEvent,
    id::RunnerId,
    runner::Runner,
    session::{Hit, SearchFilter, Session},
    snippet::whole,
};

/// Makes or completes a session by what its transcript says: what hooks told stays.
const FACTS: &str = "INSERT INTO sessions (id, runner_id, project_name, node_id, agent, started_at, \
     created_at, updated_at, origin, resumed_from, cwd, model, transcript_path, first_prompt, \
     summary, last_message_at, ended_at, resumable) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, TRUE) \
     ON CONFLICT (id) DO UPDATE SET \
     started_at = CASE WHEN sessions.runner_id = '' AND excluded.started_at < sessions.started_at \
                       THEN excluded.started_at ELSE sessions.started_at END, \
     origin = CASE WHEN sessions.origin = 'started' AND excluded.resumed_from IS NOT NULL \
                   THEN 'forked' ELSE sessions.origin END, \
     resumed_from = coalesce(sessions.resumed_from, excluded.resumed_from), \
     cwd = CASE WHEN sessions.cwd = '' THEN excluded.cwd ELSE sessions.cwd END, \
     model = CASE WHEN excluded.model <> '' THEN excluded.model ELSE sessions.model END, \
     transcript_path = CASE WHEN sessions.transcript_path = '' THEN excluded.transcript_path \
                            ELSE sessions.transcript_path END, \
     first_prompt = CASE WHEN sessions.first_prompt = '' THEN excluded.first_prompt \
                         ELSE sessions.first_prompt END, \
     summary = CASE WHEN excluded.summary <> '' THEN excluded.summary ELSE sessions.summary END, \
     last_message_at = CASE WHEN sessions.last_message_at IS NULL \
                            OR excluded.last_message_at > sessions.last_message_at \
                            THEN excluded.last_message_at ELSE sessions.last_message_at END, \
     ended_at = CASE WHEN sessions.runner_id = '' THEN excluded.ended_at \
                     ELSE sessions.ended_at END, \
     resumable = TRUE, updated_at = excluded.updated_at";

const COUNT: &str = "UPDATE sessions SET message_count = (SELECT count(*) FROM session_messages \
     WHERE session_id = $1 AND role <> 'subagent') WHERE id = $1";

const PLACE: &str = "INSERT INTO transcript_files (node_id, path, agent, session_id, identity, \
     position, reader, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (node_id, path) DO UPDATE SET session_id = excluded.session_id, \
     identity = excluded.identity, position = excluded.position, reader = excluded.reader, \
     updated_at = excluded.updated_at";

/// A file, or a session of a database, and up to where it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptFile {
    /// Its path on this node.
    pub path: String,
    /// The agent that writes it.
    pub agent: String,
    /// The session it belongs to.
    pub session: String,
    /// What it was when it was read.
    pub identity: String,
    /// Up to where.
    pub position: u64,
    /// What the reader needs of what it has read.
    pub reader: Json,
}

/// What a transcript says of its session; what is empty says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The agent's id for it.
    pub id: String,
    /// Its project.
    pub project: String,
    /// How a session that is not known yet is said to have begun.
    pub origin: &'static str,
    /// The conversation it came from.
    pub parent: Option<String>,
    /// Its directory.
    pub cwd: String,
    /// Its model.
    pub model: String,
    /// Its file.
    pub transcript: String,
    /// Its first prompt.
    pub prompt: String,
    /// What it is called or was about.
    pub summary: String,
    /// When it began, as far as the file says.
    pub started_at: Option<DateTime<Utc>>,
    /// When something was said last.
    pub last_message_at: Option<DateTime<Utc>>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What tells it from all others of the session.
    pub key: String,
    /// Who: user, assistant, subagent.
    pub role: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// What, without secrets.
    pub body: String,
}

/// What is taken in of one transcript, together or not at all.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The file, with the place behind this.
    pub file: TranscriptFile,
    /// What became known of the session.
    pub facts: SessionFacts,
    /// What was said; each key once.
    pub messages: Vec<Said>,
    /// Requests, and the runner whose each is; `None` for what is charged to nobody.
    pub requests: Vec<(Option<&'a Runner>, Counted)>,
    /// The runner that turned out to hold the session.
    pub holder: Option<&'a Runner>,
}

/// A session whose transcript is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The session.
    pub session: Session,
    /// The runners that held it, and since when each.
    pub holders: Vec<(RunnerId, DateTime<Utc>)>,
}

impl Store {
    /// Returns what is known of a file on a node.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn transcript_file(
        &self,
        node: &str,
        path: &str,
    ) -> Result<Option<TranscriptFile>, StoreError> {
        let query = Query::new(
            "SELECT path, agent, session_id, identity, position, reader FROM transcript_files \
             WHERE node_id = $1 AND path = $2",
        );
        let rows = self.fetch(query.bind(node).bind(path)).await?;
        rows.first().map(decode).transpose()
    }

    /// Returns the files of a session on a node.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn transcript_files(
        &self,
        node: &str,
        session: &str,
    ) -> Result<Vec<TranscriptFile>, StoreError> {
        let query = Query::new(
            "SELECT path, agent, session_id, identity, position, reader FROM transcript_files \
             WHERE node_id = $1 AND session_id = $2 ORDER BY path",
        );
        self.list(query.bind(node).bind(session), decode).await
    }

    /// Returns a node's sessions that runners hold, or held until a time.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn sessions_followed(
        &self,
        node: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<Session>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            sessions::columns!(),
            " FROM sessions WHERE node_id = $1 AND runner_id <> '' \
             AND (ended_at IS NULL OR ended_at >= $2) ORDER BY started_at DESC LIMIT 2000"
        ));
        self.list(query.bind(node).bind(since), sessions::decode).await
    }

    /// Returns a session with those who held it, the first one first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_follow(&self, id: &str) -> Result<Option<Follow>, StoreError> {
        let Some(session) = self.session_find(id).await?.into_iter().find(|it| it.id == id) else {
            return Ok(None);
        };
        let query = Query::new(
            "SELECT runner_id, since FROM session_runners WHERE session_id = $1 ORDER BY since",
        );
        let mut holders = Vec::new();
        for row in self.fetch(query.bind(id)).await? {
            if let Ok(runner) = row.text("runner_id")?.parse() {
                holders.push((runner, row.time("since")?));
            }
        }
        Ok(Some(Follow { session, holders }))
    }

    /// Returns messages that have all of some words, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn search_messages(&self, wanted: &SearchFilter) -> Result<Vec<Hit>, StoreError> {
        let words: Vec<_> = wanted.words.iter().map(|word| quoted(word)).collect();
        let query = Query::new(self.readers.texts().search_messages)
            .bind(words.join(" "))
            .bind(wanted.project.as_str())
            .bind(wanted.agent.as_str())
            .bind(wanted.since.unwrap_or(DateTime::UNIX_EPOCH))
            .bind(wanted.limit);
        let hit = |row: &Record| {
            Ok(Hit {
                session: row.text("session_id")?,
                project: row.text("project_name")?,
                agent: row.text("agent")?,
                summary: row.text("summary")?,
                first_prompt: row.text("first_prompt")?,
                role: row.text("role")?,
                at: row.time("at")?,
                snippet: whole(&row.text("snippet")?, &row.text("head")?, &row.text("tail")?),
            })
        };
        self.list(query, hit).await
    }

    /// Writes down what a transcript says; returns what it added to what is charged. `events` makes of
    /// that what is told.
    ///
    /// # Errors
    ///
    /// When the database fails: then nothing is taken in.
    pub async fn take_in_transcript(
        &self,
        node: &str,
        reading: &Reading<'_>,
        events: impl FnOnce(&BTreeMap<RunnerId, Added>) -> Vec<NewEvent>,
        now: DateTime<Utc>,
    ) -> Result<Added, StoreError> {
        let Reading { file, facts, messages, requests, holder } = reading;
        let nobody = Payer { runner: None, project: &facts.project, node, agent: &file.agent };
        let reports: Vec<_> = requests
            .iter()
            .map(|(runner, request)| (runner.map_or(nobody, Payer::of), request))
            .collect();
        let accounted = self.account(&reports, now).await?;
        let mut write = Write::causing(events(&accounted.by_runner)).locking(&facts.project, now);
        write = write.run(Query::new(self.readers.texts().share_budgets));
        for query in accounted.first {
            write = write.run(query);
        }
        let parent = facts.parent.clone().or(accounted.elsewhere);
        let whole = SessionFacts { parent, ..facts.clone() };
        write = write.run(complete(node, &file.agent, &whole, *holder, now));
        if let Some(runner) = holder {
            let id = runner.id.to_string();
            let since = facts.started_at.unwrap_or(now);
            let held = Query::new(sessions::HELD).bind(facts.id.as_str()).bind(id).bind(since);
            let holds = Query::new(
                "UPDATE runners SET session_id = $2, updated_at = $3 WHERE id = $1 \
                 AND (session_id IS NULL OR session_id <> $2)",
            );
            write = write
                .run(held)
                .run(holds.bind(runner.id.as_uuid()).bind(facts.id.as_str()).bind(now));
        }
        if !messages.is_empty() {
            let rows: Vec<_> = messages
                .iter()
                .map(|it| {
                    let at = it.at.to_rfc3339_opts(SecondsFormat::Micros, true);
                    json!({ "key": it.key, "role": it.role, "at": at, "body": it.body })
                })
                .collect();
            let put = Query::new(self.readers.texts().put_messages);
            write = write
                .run(put.bind(facts.id.as_str()).bind(Json::Array(rows)))
                .run(Query::new(COUNT).bind(facts.id.as_str()));
        }
        for query in accounted.afterwards {
            write = write.run(query);
        }
        write = write.run(sessions::recount(&facts.project));
        write = write.run(
            Query::new(PLACE)
                .bind(node)
                .bind(file.path.as_str())
                .bind(file.agent.as_str())
                .bind(file.session.as_str())
                .bind(file.identity.as_str())
                .bind(i64::try_from(file.position).unwrap_or(i64::MAX))
                .bind(file.reader.clone())
                .bind(now),
        );
        self.write(write).await?;
        Ok(accounted.added)
    }
}

/// A word or a phrase, as both databases take it.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', " "))
}

/// The statement that makes or completes a session.
fn complete(
    node: &str,
    agent: &str,
    facts: &SessionFacts,
    holder: Option<&Runner>,
    now: DateTime<Utc>,
) -> Query {
    let last = facts.last_message_at;
    let started = facts.started_at.or(last).unwrap_or(now);
    Query::new(FACTS)
        .bind(facts.id.as_str())
        .bind(holder.map(|runner| runner.id.to_string()).unwrap_or_default())
        .bind(facts.project.as_str())
        .bind(node)
        .bind(agent)
        .bind(started)
        .bind(now)
        .bind(facts.origin)
        .bind(facts.parent.clone())
        .bind(facts.cwd.as_str())
        .bind(facts.model.as_str())
        .bind(facts.transcript.as_str())
        .bind(facts.prompt.as_str())
        .bind(facts.summary.as_str())
        .bind(last)
        .bind(if holder.is_none() { Some(last.unwrap_or(started)) } else { None })
}

fn decode(row: &Record) -> Result<TranscriptFile, StoreError> {
    Ok(TranscriptFile {
        path: row.text("path")?,
        agent: row.text("agent")?,
        session: row.text("session_id")?,
        identity: row.text("identity")?,
        position: row.count("position")?,
        reader: row.json("reader")?,
    })
}
