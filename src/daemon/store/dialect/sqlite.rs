//! SQLite: WAL, durable commits, one writing connection and a few that only read.
//!
//! Ids and times are text here, so that a person with a `sqlite3` shell can read them; times have a
//! fixed form, so that their order is the text's.

use std::{path::Path, str::FromStr as _, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _,
    migrate::{Migration, MigrationType, Migrator},
    query::Query as SqlxQuery,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
        SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use uuid::Uuid;

use crate::daemon::store::{
    StoreError,
    query::{Query, Value},
};

/// What it is called in displays.
pub(in crate::daemon::store) const KIND: &str = "SQLite";

/// Another process may hold the file for a moment, a backup for example.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that read.
const READERS: u32 = 4;

/// Every migration: version, name, text. Both databases have the same versions and names.
const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "initial", include_str!("../../../../migrations/sqlite/0001_initial.sql"))];

/// Applies all samples of one tick: a JSON array of objects, unpacked by the database.
pub(in crate::daemon::store) const HEARTBEATS: &str = "UPDATE runners SET \
     cpu_percent = beat.value ->> 'cpu', memory_mb = beat.value ->> 'memory', \
     processes = beat.value ->> 'processes', last_heartbeat = $2 \
     FROM json_each($1) AS beat WHERE runners.id = beat.value ->> 'id'";

/// The writing connection.
#[derive(Debug)]
pub(in crate::daemon::store) struct Connection(SqliteConnection);

/// The reading connections.
#[derive(Debug, Clone)]
pub(in crate::daemon::store) struct Readers(SqlitePool);

/// A row.
#[derive(Debug)]
pub(in crate::daemon::store) struct Record(SqliteRow);

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
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .acquire_timeout(BUSY)
        .idle_timeout(Duration::from_mins(1))
        .connect_lazy_with(options.create_if_missing(false).read_only(true));
    Ok((Connection(writer), Readers(readers)))
}

/// Applies the migrations that are missing; refuses a file that knows more of them than we do.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let unusable = |why: String| StoreError::Unusable { path: path.display().to_string(), why };
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    let found = newest_migration(connection).await.map_err(|error| unusable(error.to_string()))?;
    if found > known {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known });
    }
    let migrations = MIGRATIONS.iter().map(|&(version, name, text)| {
        let text = sqlx::SqlStr::from_static(text);
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    migrator.run_direct(None, connection, false).await.map_err(|error| unusable(error.to_string()))
}

/// Returns the newest migration that the file has, 0 for a fresh one.
async fn newest_migration(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
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

    /// Commits.
    pub(in crate::daemon::store) async fn commit(&mut self) -> Result<(), StoreError> {
        self.plain("COMMIT").await
    }

    /// Undoes the transaction, if one is open.
    pub(in crate::daemon::store) async fn rollback(&mut self) {
        // There is none when BEGIN itself failed.
        self.plain("ROLLBACK").await.ok();
    }

    /// Begins a part that can be undone by itself.
    pub(in crate::daemon::store) async fn savepoint(&mut self) -> Result<(), StoreError> {
        self.plain("SAVEPOINT unit").await
    }

    /// Keeps the part.
    pub(in crate::daemon::store) async fn release(&mut self) -> Result<(), StoreError> {
        self.plain("RELEASE unit").await
    }

    /// Undoes the part.
    pub(in crate::daemon::store) async fn undo(&mut self) -> Result<(), StoreError> {
        self.plain("ROLLBACK TO unit; RELEASE unit").await
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
                sqlx::Either::Right(row) => rows.push(Record(row)),
            }
        }
        Ok((touched, rows))
    }

    async fn plain(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.0.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    }
}

impl Readers {
    /// Runs a query.
    pub(in crate::daemon::store) async fn fetch(
        &self,
        query: Query,
    ) -> Result<Vec<Record>, StoreError> {
        let rows = prepare(query).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(Record).collect())
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
        Value::Text(text) => prepared.bind(text),
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
    })
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Record {
    /// Returns a text.
    pub(in crate::daemon::store) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Returns a text that may be missing.
    pub(in crate::daemon::store) fn optional_text(
        &self,
        column: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Returns a number that may be missing.
    pub(in crate::daemon::store) fn optional_integer(
        &self,
        column: &str,
    ) -> Result<Option<i64>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Returns a count; a negative one is garbled.
    pub(in crate::daemon::store) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let number: i64 = self.0.try_get(column)?;
        number.try_into().map_err(|_negative| StoreError::Garbled(format!("`{column}`: {number}")))
    }

    /// Returns a real number.
    pub(in crate::daemon::store) fn real(&self, column: &str) -> Result<f64, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Returns a truth value.
    pub(in crate::daemon::store) fn truth(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Returns an id.
    pub(in crate::daemon::store) fn id(&self, column: &str) -> Result<Uuid, StoreError> {
        let text = self.text(column)?;
        Uuid::from_str(&text).map_err(|_error| StoreError::Garbled(format!("`{column}`: {text}")))
    }

    /// Returns a time.
    pub(in crate::daemon::store) fn time(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        self.optional_time(column)?
            .ok_or_else(|| StoreError::Garbled(format!("`{column}`: missing")))
    }

    /// Returns a time that may be missing.
    pub(in crate::daemon::store) fn optional_time(
        &self,
        column: &str,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Some(text) = self.optional_text(column)? else { return Ok(None) };
        let parsed = DateTime::parse_from_rfc3339(&text);
        let time = parsed.map_err(|_error| StoreError::Garbled(format!("`{column}`: {text}")))?;
        Ok(Some(time.to_utc()))
    }

    /// Returns a JSON value.
    pub(in crate::daemon::store) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_str(&text)
            .map_err(|error| StoreError::Garbled(format!("`{column}`: {error}")))
    }
}
