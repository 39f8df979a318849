//! Sessions in the database.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    agent::Agent,
    event::{EventType, NewEvent},
    session::{Session, SessionNews},
    usage::{Cost, Quality},
};

/// Every column that makes a [`Session`].
macro_rules! columns {
    () => {
        "id, agent, runner_id, project_name, node_id, cwd, model, started_at, ended_at, \
         last_message_at, message_count, tokens_used, cost_nanos, usage_quality, unpriced, resumable, \
         origin, resumed_from, first_prompt, summary, transcript_path"
    };
}

pub(super) use columns;

/// Makes or changes a session: what is empty or NULL says nothing, the first prompt stays. It has not ended where
/// another runner that lives holds it, too.
const NOTE: &str = "INSERT INTO sessions (id, runner_id, project_name, node_id, agent, started_at, \
     created_at, updated_at, origin, resumed_from, cwd, model, transcript_path, first_prompt, \
     message_count, last_message_at, ended_at, resumable) \
     VALUES ($1, $2, $3, $4, $5, $6, $6, $6, coalesce($7, 'started'), $8, $9, $10, $11, $12, $13, \
     CASE WHEN $13 > 0 THEN $6 END, CASE WHEN $14 THEN $6 END, $15) \
     ON CONFLICT (id) DO UPDATE SET \
     runner_id = CASE WHEN excluded.runner_id <> '' THEN excluded.runner_id \
                      ELSE sessions.runner_id END, \
     origin = CASE WHEN sessions.origin IN ('cleared', 'forked') THEN sessions.origin \
         ELSE coalesce($7, sessions.origin) END, \
     resumed_from = coalesce(sessions.resumed_from, excluded.resumed_from), \
     cwd = CASE WHEN excluded.cwd <> '' THEN excluded.cwd ELSE sessions.cwd END, \
     model = CASE WHEN excluded.model <> '' THEN excluded.model ELSE sessions.model END, \
     transcript_path = CASE WHEN excluded.transcript_path <> '' THEN excluded.transcript_path \
                            ELSE sessions.transcript_path END, \
     first_prompt = CASE WHEN sessions.first_prompt = '' THEN excluded.first_prompt \
                         ELSE sessions.first_prompt END, \
     message_count = CASE WHEN EXISTS (SELECT 1 FROM session_messages AS m \
                          WHERE m.session_id = sessions.id) THEN sessions.message_count \
                          ELSE sessions.message_count + excluded.message_count END, \
     last_message_at = coalesce(excluded.last_message_at, sessions.last_message_at), \
     ended_at = CASE WHEN $14 AND NOT EXISTS (SELECT 1 FROM runners AS o \
                     WHERE o.session_id = sessions.id AND CAST(o.id AS TEXT) <> $2 \
                     AND o.status NOT IN ('terminated', 'failed')) THEN excluded.ended_at \
                     WHEN $7 IS NOT NULL OR $13 > 0 THEN NULL ELSE sessions.ended_at END, \
     resumable = sessions.resumable OR excluded.resumable, updated_at = excluded.updated_at";

/// Remembers that a runner held a session.
pub(super) const HELD: &str = "INSERT INTO session_runners (session_id, runner_id, since) VALUES ($1, $2, $3) \
     ON CONFLICT (session_id, runner_id) DO NOTHING";

/// Counts a project's sessions anew.
const RECOUNT: &str = "UPDATE projects SET total_sessions = \
     (SELECT count(*) FROM sessions WHERE project_name = $1) WHERE name = $1";

/// Which sessions are wanted; empty fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// A project's name.
    pub project: String,
    /// The id of a runner that held it.
    pub runner: String,
    /// So many at most; 0 means all.
    pub limit: u32,
}

impl Store {
    /// Returns sessions, the one that went on last first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_list(&self, filter: &SessionFilter) -> Result<Vec<Session>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE ($1 = '' OR project_name = $1) AND ($2 = '' OR EXISTS \
             (SELECT 1 FROM session_runners AS h WHERE h.session_id = sessions.id \
              AND h.runner_id = $2)) \
             ORDER BY coalesce(last_message_at, started_at) DESC, id LIMIT $3"
        ));
        let limit = if filter.limit == 0 { i64::MAX } else { filter.limit.into() };
        let query = query.bind(filter.project.as_str()).bind(filter.runner.as_str()).bind(limit);
        self.list(query, decode).await
    }

    /// Returns the sessions whose id is this word or begins with it, three at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_find(&self, word: &str) -> Result<Vec<Session>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE id = $1 OR substr(id, 1, length($1)) = $1 \
             ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, started_at LIMIT 3"
        ));
        let found: Vec<_> = self.list(query.bind(word), decode).await?;
        match found.first() {
            Some(exact) if exact.id == word => Ok(vec![exact.clone()]),
            _ => Ok(found),
        }
    }
}

/// Whose a session is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'a> {
    pub runner: Option<Uuid>,
    pub project: &'a str,
    pub node: &'a str,
    pub agent: &'a str,
}

/// Returns the statements that write down what became known of a session.
pub(super) fn note(news: &SessionNews, holder: Holder<'_>) -> Vec<Query> {
    let runner = holder.runner.map(|id| id.to_string()).unwrap_or_default();
    let mut queries = vec![
        Query::new(NOTE)
            .bind(news.id.as_str())
            .bind(runner.as_str())
            .bind(holder.project)
            .bind(holder.node)
            .bind(holder.agent)
            .bind(news.at)
            .bind(news.origin.map(str::to_owned))
            .bind(news.parent.clone())
            .bind(news.cwd.as_str())
            .bind(news.model.as_str())
            .bind(news.transcript.as_str())
            .bind(news.prompt.as_str())
            .bind(i64::try_from(news.messages).unwrap_or(i64::MAX))
            .bind(news.has_ended)
            .bind(is_resumable(news, holder.agent)),
    ];
    if holder.runner.is_some() {
        queries.push(Query::new(HELD).bind(news.id.as_str()).bind(runner).bind(news.at));
    }
    if news.origin.is_some() {
        queries.push(recount(holder.project));
    }
    queries
}

/// Whether an agent can go on with a conversation: by its id, or by the file that holds it.
fn is_resumable(news: &SessionNews, agent: &str) -> bool {
    let by_id = Agent::of(agent).is_some_and(|agent| agent != Agent::Aider);
    by_id || news.is_resumable || !news.transcript.is_empty()
}

/// Makes a write open the session that a runner is started to go on with, where it is known: its agent may
/// tell of it much later, with the first prompt.
pub(super) fn taken_up(write: Write, session: &str, runner: Uuid, at: DateTime<Utc>) -> Write {
    let open = "UPDATE sessions SET ended_at = NULL, runner_id = $2, updated_at = $3, \
         origin = CASE WHEN origin IN ('cleared', 'forked') THEN origin ELSE 'resumed' END \
         WHERE id = $1";
    let held = "INSERT INTO session_runners (session_id, runner_id, since) \
         SELECT id, $2, $3 FROM sessions WHERE id = $1 \
         ON CONFLICT (session_id, runner_id) DO NOTHING";
    [open, held].into_iter().fold(write, |write, query| {
        write.run(Query::new(query).bind(session).bind(runner.to_string()).bind(at))
    })
}

/// Which sessions end with a runner ($1 as text, $2): those that it holds, but for what another one that lives
/// holds, too.
const ENDING: &str = "ended_at IS NULL \
     AND (runner_id = $1 OR id = (SELECT r.session_id FROM runners AS r WHERE r.id = $2)) \
     AND NOT EXISTS (SELECT 1 FROM runners AS o WHERE o.session_id = sessions.id AND o.id <> $2 \
     AND o.status NOT IN ('terminated', 'failed'))";

/// Returns the statements that end the sessions of a runner that has ended, and leave those that another one
/// holds to that one; none ends before it begins, whatever was done to the clock.
pub(super) fn end_of(runner: Uuid, at: DateTime<Utc>) -> [Query; 2] {
    let end = format!(
        "UPDATE sessions SET updated_at = $3, \
         ended_at = CASE WHEN $3 < started_at THEN started_at ELSE $3 END WHERE {ENDING}"
    );
    let other = "FROM runners AS o WHERE o.session_id = sessions.id AND o.id <> $2 \
         AND o.status NOT IN ('terminated', 'failed')";
    let leave = format!(
        "UPDATE sessions SET updated_at = $3, runner_id = \
         (SELECT CAST(o.id AS TEXT) {other} ORDER BY o.started_at DESC LIMIT 1) \
         WHERE runner_id = $1 AND EXISTS (SELECT 1 {other})"
    );
    [end, leave].map(|sql| Query::new(sql).bind(runner.to_string()).bind(runner).bind(at))
}

impl Store {
    /// Returns what is told of the sessions that end with a runner, given what is told of itself. One that
    /// begins or ends at this very moment is told of by whoever takes note of it.
    pub(super) async fn endings(
        &self,
        runner: Uuid,
        event: &NewEvent,
    ) -> Result<Vec<NewEvent>, StoreError> {
        let query = Query::new(format!("SELECT id, agent, model FROM sessions WHERE {ENDING}"))
            .bind(runner.to_string())
            .bind(runner);
        let ended = |row: &Record| {
            Ok(NewEvent {
                id: Uuid::now_v7(),
                event_type: EventType::SessionEnded,
                entity_type: "session",
                entity_id: row.text("id")?,
                data: json!({ "agent": row.text("agent")?, "model": row.text("model")? }),
                is_first: false,
                ..event.clone()
            })
        };
        self.list(query, ended).await
    }
}

/// Returns the statement that counts a project's sessions anew.
pub(super) fn recount(project: &str) -> Query {
    Query::new(RECOUNT).bind(project)
}

/// Returns the statement that tells whether there is a session.
pub(super) fn known(id: &str) -> Query {
    Query::new("SELECT id FROM sessions WHERE id = $1").bind(id)
}

/// Returns the statement that tells whether a session does not end now with a runner: it has ended, or another one
/// that lives holds it, too.
pub(super) fn not_ending(id: &str, runner: Uuid) -> Query {
    let query = "SELECT id FROM sessions WHERE id = $1 AND (ended_at IS NOT NULL \
         OR EXISTS (SELECT 1 FROM runners AS o WHERE o.session_id = sessions.id AND o.id <> $2 \
         AND o.status NOT IN ('terminated', 'failed')))";
    Query::new(query).bind(id).bind(runner)
}

pub(super) fn decode(row: &Record) -> Result<Session, StoreError> {
    let ended_at: Option<DateTime<Utc>> = row.optional_time("ended_at")?;
    Ok(Session {
        id: row.text("id")?,
        agent: row.text("agent")?,
        runner_id: row.text("runner_id")?,
        project: row.text("project_name")?,
        node_id: row.text("node_id")?,
        cwd: row.text("cwd")?,
        model: row.text("model")?,
        started_at: row.time("started_at")?,
        ended_at,
        last_message_at: row.optional_time("last_message_at")?,
        message_count: row.count("message_count")?,
        tokens_used: row.count("tokens_used")?,
        cost: Cost(row.optional_integer("cost_nanos")?.unwrap_or(0)),
        quality: Quality::parse(&row.text("usage_quality")?),
        unpriced: row.count("unpriced")?,
        resumable: row.truth("resumable")?,
        origin: row.text("origin")?,
        resumed_from: row.optional_text("resumed_from")?,
        first_prompt: row.text("first_prompt")?,
        summary: row.text("summary")?,
        transcript: row.text("transcript_path")?,
    })
}
