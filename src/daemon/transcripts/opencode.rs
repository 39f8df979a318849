//! opencode's database, read and never written.
//!
//! Opened anew for each look, read-only, and closed again: its owner may replace or move it. A row of
//! `part` that changes comes again with its new time; the last seconds are read twice, because rows are
//! not committed in the order of their times.

use std::{path::Path, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, Row as _, sqlite::SqliteConnectOptions};

use crate::agents::{
    opencode::transcript::{self as rows, Part, Session},
    transcript::Entry,
};

/// The agent may be writing.
const BUSY: Duration = Duration::from_secs(2);

/// So much of what was read is read again, in milliseconds.
const OVERLAP: i64 = 2000;

/// Rows of one look at most.
const PARTS: i64 = 500;

/// Longest text of a column that is read, in bytes.
const LONGEST: i64 = 4 << 20;

const SESSION: &str = "SELECT id, parent_id, directory, title, model, time_created, time_updated, \
     cost, tokens_input, tokens_output, tokens_reasoning, tokens_cache_read, tokens_cache_write \
     FROM session";

const PART: &str = "SELECT p.id, p.session_id, p.time_updated, p.data, m.data AS message FROM part \
     AS p JOIN message AS m ON m.id = p.message_id WHERE p.session_id IN (SELECT id FROM session \
     WHERE id = $1 OR parent_id = $1) AND (p.time_updated > $2 OR (p.time_updated = $2 AND p.id > $3)) \
     AND length(p.data) < $4 ORDER BY p.time_updated, p.id LIMIT $5";

/// A conversation in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// The conversation whose subagent this is.
    pub parent: Option<String>,
    /// Its directory.
    pub directory: String,
    /// What it is called.
    pub title: String,
    /// When it began, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it went on last.
    pub updated_ms: i64,
}

/// What was read of a conversation.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// What it says, with the id of what says it and of the conversation.
    pub found: Vec<(String, String, Entry)>,
    /// The time of the last row that was read.
    pub until_ms: i64,
    /// Its id.
    pub last: String,
    /// Whether there is more.
    pub is_full: bool,
}

async fn open(path: &Path) -> sqlx::Result<sqlx::SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    options.connect().await
}

/// Returns the conversations that went on since a time, the newest first.
///
/// # Errors
///
/// When the database cannot be read or is another one than we know.
pub async fn conversations(path: &Path, since_ms: i64) -> sqlx::Result<Vec<Conversation>> {
    let mut database = open(path).await?;
    let sql = "SELECT id, parent_id, directory, title, time_created, time_updated FROM session \
         WHERE time_updated >= $1 ORDER BY time_created DESC LIMIT 10000";
    let found = sqlx::query(sql).bind(since_ms).fetch_all(&mut database).await;
    // Nothing was written that could be lost.
    database.close().await.ok();
    let conversation = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Conversation {
            id: row.try_get("id")?,
            parent: row.try_get("parent_id")?,
            directory: row.try_get("directory")?,
            title: row.try_get("title")?,
            created_ms: row.try_get("time_created")?,
            updated_ms: row.try_get("time_updated")?,
        })
    };
    found?.iter().map(conversation).collect()
}

/// Returns what a conversation and its subagents say after a time and an id.
///
/// # Errors
///
/// When the database cannot be read or is another one than we know.
pub async fn read_on(path: &Path, id: &str, from_ms: i64, last: &str) -> sqlx::Result<Rows> {
    let mut database = open(path).await?;
    let read = read(&mut database, id, from_ms, last).await;
    database.close().await.ok();
    read
}

/// Where reading begins again after everything up to a time was read.
pub fn again(until_ms: i64) -> i64 {
    until_ms.saturating_sub(OVERLAP)
}

async fn read(
    database: &mut sqlx::SqliteConnection,
    id: &str,
    from_ms: i64,
    last: &str,
) -> sqlx::Result<Rows> {
    let mut all = Rows { until_ms: from_ms, last: last.to_owned(), ..Rows::default() };
    let sql = sqlx::AssertSqlSafe(format!("{SESSION} WHERE id = $1"));
    if let Some(row) = sqlx::query(sql).bind(id).fetch_optional(&mut *database).await? {
        let model: Option<String> = row.try_get("model")?;
        let parent: Option<String> = row.try_get("parent_id")?;
        let (directory, title): (String, String) =
            (row.try_get("directory")?, row.try_get("title")?);
        let count = |name| row.try_get::<i64, _>(name).unwrap_or_default();
        let said = rows::session(&Session {
            id,
            parent_id: parent.as_deref(),
            directory: &directory,
            title: &title,
            model: model.as_deref(),
            created_ms: count("time_created"),
            cost: row.try_get("cost").unwrap_or_default(),
            tokens: [
                count("tokens_input"),
                count("tokens_output"),
                count("tokens_reasoning"),
                count("tokens_cache_read"),
                count("tokens_cache_write"),
            ],
        });
        all.found.extend(said.into_iter().map(|it| (id.to_owned(), id.to_owned(), it)));
    }
    let parts = sqlx::query(PART)
        .bind(id)
        .bind(from_ms)
        .bind(last)
        .bind(LONGEST)
        .bind(PARTS)
        .fetch_all(&mut *database)
        .await?;
    all.is_full = parts.len() >= usize::try_from(PARTS).unwrap_or(usize::MAX);
    for row in &parts {
        let (part, session): (String, String) = (row.try_get("id")?, row.try_get("session_id")?);
        let (data, message): (String, String) = (row.try_get("data")?, row.try_get("message")?);
        let updated_ms: i64 = row.try_get("time_updated")?;
        let said = rows::part(&Part {
            id: &part,
            session_id: &session,
            updated_ms,
            data: &data,
            message: &message,
        });
        all.found.extend(said.into_iter().map(|it| (part.clone(), session.clone(), it)));
        all.until_ms = updated_ms;
        all.last = part;
    }
    Ok(all)
}
