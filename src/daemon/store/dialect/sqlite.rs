//! SQLite: WAL, durable commits, one writing connection and a few that only read.
//!
//! Ids and times are text here, so that a person with a `sqlite3` shell can read them; times have a
//! fixed form, so that their order is the text's.

use std::{path::Path, str::FromStr as _, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _,
    query::Query as SqlxQuery,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
        SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use uuid::Uuid;

use super::Record;
use crate::daemon::store::{
    StoreError, accounts,
    migrations::{NEWEST, Step, migrator, newest},
    query::{Query, Texts, Value},
};

/// What it is called in displays.
pub(in crate::daemon::store) const KIND: &str = "SQLite";

/// Another process may hold the file for a moment, a backup for example.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that read.
const READERS: u32 = 4;

/// Every migration. Both databases have the same versions and names.
pub(in crate::daemon::store) const MIGRATIONS: &[Step] = &[
    (1, "initial", include_str!("../../../../migrations/sqlite/0001_initial.sql")),
    (2, "chain", include_str!("../../../../migrations/sqlite/0002_chain.sql")),
    (3, "agents", include_str!("../../../../migrations/sqlite/0003_agents.sql")),
    (4, "worktrees", include_str!("../../../../migrations/sqlite/0004_worktrees.sql")),
    (5, "budgets", include_str!("../../../../migrations/sqlite/0005_budgets.sql")),
    (6, "queue", include_str!("../../../../migrations/sqlite/0006_queue.sql")),
    (7, "inbox", include_str!("../../../../migrations/sqlite/0007_inbox.sql")),
    (8, "transcripts", include_str!("../../../../migrations/sqlite/0008_transcripts.sql")),
    (9, "prompts", include_str!("../../../../migrations/sqlite/0009_prompts.sql")),
    (10, "notifications", include_str!("../../../../migrations/sqlite/0010_notifications.sql")),
    (11, "tokens", include_str!("../../../../migrations/sqlite/0011_tokens.sql")),
    (12, "repeats", include_str!("../../../../migrations/sqlite/0012_repeats.sql")),
    (13, "fewer indexes", include_str!("../../../../migrations/sqlite/0013_fewer_indexes.sql")),
    (14, "gaps", include_str!("../../../../migrations/sqlite/0014_gaps.sql")),
];

/// The texts that only this database understands. A JSON array is unpacked by `json_each`.
pub(in crate::daemon::store) const TEXTS: Texts = Texts {
    heartbeats: "UPDATE runners SET \
         cpu_percent = beat.value ->> 'cpu', memory_mb = beat.value ->> 'memory', \
         processes = beat.value ->> 'processes', last_heartbeat = $2 \
         FROM json_each($1) AS beat WHERE runners.id = beat.value ->> 'id'",
    seal_events: "UPDATE events SET position = s.value ->> 'position', \
         sealed_by = s.value ->> 'sealed_by', seal = s.value ->> 'seal' \
         FROM json_each($1) AS s WHERE events.id = s.value ->> 'id'",
    fence: "SELECT (SELECT count(*) FROM events WHERE position IS NULL) AS waiting \
         FROM leases WHERE name = 'sealer' AND holder = $1 AND epoch = $2",
    fence_at_once: None,
    register: "INSERT INTO daemon_state (daemon_id, hostname, version, started_at, \
         last_heartbeat, relays, epoch) \
         VALUES ($1, $2, $3, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), \
         strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), $4, 1) \
         ON CONFLICT (daemon_id) DO UPDATE SET hostname = excluded.hostname, \
         version = excluded.version, started_at = excluded.started_at, \
         last_heartbeat = excluded.last_heartbeat, relays = excluded.relays, left_at = NULL, \
         epoch = daemon_state.epoch + 1 RETURNING epoch",
    beat: "UPDATE daemon_state SET last_heartbeat = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') \
         WHERE daemon_id = $1 AND epoch = $2",
    acquire: "INSERT INTO leases (name, holder, epoch, until) SELECT value, $2, 1, \
         strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', $3 || ' seconds') FROM json_each($1) WHERE TRUE \
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, \
         epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END \
         WHERE leases.holder = excluded.holder \
         OR leases.until < strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') RETURNING name, epoch",
    release: "UPDATE leases SET until = '1970-01-01T00:00:00.000000Z' \
         WHERE holder = $2 AND name IN (SELECT value FROM json_each($1))",
    nodes: "SELECT daemon_id, hostname, version, started_at, last_heartbeat, epoch, relays, left_at, \
         (julianday('now') - julianday(last_heartbeat)) * 86400.0 AS age FROM daemon_state \
         ORDER BY hostname, daemon_id",
    share_budgets: "SELECT 1",
    lock_budgets: "SELECT 1",
    known_requests: concat!(
        "SELECT ",
        accounts::columns!(),
        " FROM usage_requests WHERE key IN (SELECT value FROM json_each($1)) \
         OR (twin <> '' AND twin IN (SELECT value FROM json_each($1)))"
    ),
    put_messages: "INSERT INTO session_messages (session_id, message_key, role, at, body) \
         SELECT $1, value ->> 'key', value ->> 'role', value ->> 'at', value ->> 'body' \
         FROM json_each($2) WHERE TRUE ON CONFLICT (session_id, message_key) DO UPDATE \
         SET body = excluded.body WHERE session_messages.body <> excluded.body",
    search_messages: "SELECT m.session_id, s.project_name, s.agent, s.summary, s.first_prompt, \
         m.role, m.at, \
         snippet(message_words, 0, char(2), char(3), '', 26) AS snippet, \
         substr(m.body, 1, 200) AS head, substr(m.body, -200) AS tail \
         FROM message_words JOIN session_messages AS m ON m.id = message_words.rowid \
         JOIN sessions AS s ON s.id = m.session_id WHERE message_words MATCH $1 \
         AND ($2 = '' OR s.project_name = $2) AND ($3 = '' OR s.agent = $3) AND m.at >= $4 \
         ORDER BY m.at DESC, m.id DESC LIMIT $5",
    day_of_usage: "substr(at, 1, 10)",
    hour_of_usage: "substr(at, 1, 13)",
    deliver: "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1))",
    about: "SELECT sqlite_version() AS version, page_count * page_size AS size, '' AS tls, \
         '' AS pgvector, EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations') \
         AS is_ours FROM pragma_page_count(), pragma_page_size()",
};

/// The writing connection.
#[derive(Debug)]
pub(in crate::daemon::store) struct Connection(SqliteConnection);

/// The reading connections.
#[derive(Debug, Clone)]
pub(in crate::daemon::store) struct Readers(SqlitePool);

/// Opens the file and brings its schema up to date.
pub(in crate::daemon::store) async fn open(
    path: &Path,
) -> Result<(Connection, Readers), StoreError> {
    let unusable = |error: sqlx::Error| StoreError::Unusable {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let mut writer = options.connect().await.map_err(unusable)?;
    migrate(&mut writer, path).await?;
    Ok((Connection(writer), read(path)))
}

/// Returns what reads a file; none of it happens yet.
pub(in crate::daemon::store) fn read(path: &Path) -> Readers {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .acquire_timeout(BUSY)
        .idle_timeout(Duration::from_mins(1))
        .connect_lazy_with(options);
    Readers(readers)
}

/// Applies the migrations that are missing; refuses a file that knows more of them than we do.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let unusable = |why: String| StoreError::Unusable { path: path.display().to_string(), why };
    let known = newest(MIGRATIONS);
    let found = newest_migration(connection).await.map_err(|error| unusable(error.to_string()))?;
    if found > known {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known });
    }
    migrator(MIGRATIONS)
        .run_direct(None, connection, false)
        .await
        .map_err(|error| unusable(error.to_string()))
}

/// Returns the newest migration that the file has, 0 for a fresh one.
async fn newest_migration(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar(NEWEST).fetch_one(connection).await
}

impl Connection {
    /// Begins a transaction that takes the write lock at once, and whose commit waits for the disk or
    /// not.
    pub(in crate::daemon::store) async fn begin(
        &mut self,
        is_flushed: bool,
    ) -> Result<(), StoreError> {
        // With a write-ahead log, NORMAL leaves out the flush of the commit and nothing else.
        self.plain(if is_flushed {
            "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
        } else {
            "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE"
        })
        .await
    }

    /// Closes the file.
    pub(in crate::daemon::store) async fn close(self) {
        if let Err(error) = self.0.close().await {
            tracing::warn!(%error, "failed to close the database in order");
        }
    }

    /// Runs a statement; returns how many rows it touched and those it returned.
    pub(in crate::daemon::store) async fn run(
        &mut self,
        query: Query,
    ) -> Result<(u64, Vec<Record>), StoreError> {
        use futures_util::TryStreamExt as _;
        // For a query the library reports what the statement before it touched.
        let counts = !query.sql.trim_start().starts_with("SELECT");
        let mut touched = 0;
        let mut rows = Vec::new();
        let mut results = self.0.fetch_many(prepare(query));
        while let Some(result) = results.try_next().await? {
            match result {
                sqlx::Either::Left(done) if counts => touched += done.rows_affected(),
                sqlx::Either::Left(_) => {}
                sqlx::Either::Right(row) => rows.push(Record::Sqlite(row)),
            }
        }
        Ok((touched, rows))
    }

    /// Runs a text without values.
    pub(in crate::daemon::store) async fn plain(
        &mut self,
        sql: &'static str,
    ) -> Result<(), StoreError> {
        self.0.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    }
}

impl Readers {
    /// Runs a query and returns what a function makes of each of its rows, as they come.
    pub(in crate::daemon::store) async fn take<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(Record) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let rows =
            prepare(query).map(move |row| make(Record::Sqlite(row))).fetch_all(&self.0).await?;
        rows.into_iter().collect()
    }

    /// Closes the connections.
    pub(in crate::daemon::store) async fn close(&self) {
        self.0.close().await;
    }
}

/// Binds the values of a query.
fn prepare(query: Query) -> SqlxQuery<'static, sqlx::Sqlite, SqliteArguments> {
    let sql = AssertSqlSafe(query.sql);
    query.values.into_iter().fold(sqlx::query(sql), |prepared, value| match value {
        Value::Text(text) | Value::JsonText(text) => prepared.bind(text),
        Value::OptionalText(text) => prepared.bind(text),
        Value::Integer(number) => prepared.bind(number),
        Value::OptionalInteger(number) => prepared.bind(number),
        Value::Real(number) => prepared.bind(number),
        Value::Bool(truth) => prepared.bind(truth),
        Value::Id(id) => prepared.bind(id.to_string()),
        Value::OptionalId(id) => prepared.bind(id.map(|id| id.to_string())),
        Value::Time(time) => prepared.bind(to_text(time)),
        Value::OptionalTime(time) => prepared.bind(time.map(to_text)),
        Value::Json(json) => prepared.bind(json.to_string()),
        Value::OptionalJson(json) => prepared.bind(json.map(|json| json.to_string())),
        Value::Texts(texts) => prepared.bind(serde_json::json!(texts).to_string()),
        // Only numbers are given so: everything else has a statement that takes values.
        Value::List(_, list) => prepared.bind(numbers(&list)),
    })
}

/// Returns numbers as a JSON array.
fn numbers(list: &[Value]) -> String {
    let numbers = list.iter().map(|value| match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    });
    serde_json::json!(numbers.collect::<Vec<_>>()).to_string()
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Returns an id, which is a text here.
pub(super) fn id(row: &SqliteRow, column: &str) -> Result<Uuid, StoreError> {
    let text: String = row.try_get(column)?;
    Uuid::from_str(&text).map_err(|_error| StoreError::Garbled(format!("`{column}`: {text}")))
}

/// Returns a time, which is a text here.
pub(super) fn optional_time(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let Some(text) = row.try_get::<Option<String>, _>(column)? else { return Ok(None) };
    let parsed = DateTime::parse_from_rfc3339(&text);
    let time = parsed.map_err(|_error| StoreError::Garbled(format!("`{column}`: {text}")))?;
    Ok(Some(time.to_utc()))
}

/// Returns a JSON value, which is a text here.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Garbled(format!("`{column}`: {error}")))
}
