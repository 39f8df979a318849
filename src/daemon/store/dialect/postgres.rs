//! PostgreSQL 14 and newer: one writing connection, made anew whenever it is lost, and a pool that
//! only reads.
//!
//! Ids, times, truth values and JSON have types of their own here. Every statement has a limit in the
//! server and one here, and no transaction is ever cancelled half way: what does not answer loses its
//! connection, so that the server undoes it.

use std::{borrow::Cow, str::FromStr as _, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, PgSslMode},
};
use tokio::time::timeout;

pub(in crate::daemon::store) use super::postgres_texts::MIGRATIONS;
use super::{
    Record,
    inline::{call, preparation},
    moment,
    postgres_values::prepare,
};
use crate::{
    config::DatabaseConfig,
    daemon::store::{
        StoreError,
        migrations::{NEWEST, migrator, newest},
        query::Query,
    },
};

/// What it is called in displays.
pub(in crate::daemon::store) const KIND: &str = "PostgreSQL";

/// The oldest server that is supported, as `server_version_num` writes it.
const OLDEST: i32 = 140_000;

/// A reader waits so long for a connection: whoever asks has other sources, or wants to know.
const READING: Duration = Duration::from_secs(3);

/// A reading connection that has been unused for so long is asked whether it is still there.
const UNTRIED: Duration = Duration::from_secs(1);

/// Migrations may take so long; other daemons wait for them.
const MIGRATING: Duration = Duration::from_mins(5);

/// The advisory lock under which one daemon migrates: any number, but always this one.
const MIGRATION_LOCK: i64 = 0x5354_5241_5441;

/// Every statement that writes finds its rows by an index, whatever the tables held when it was planned:
/// a plan that was made for empty tables would read them whole ever after. So it is planned once.
const WRITING: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off";

/// The writing connection, and how to make it anew.
#[derive(Debug)]
pub(in crate::daemon::store) struct Connection {
    server: Server,
    open: Option<PgConnection>,
    /// Statements with which transactions begin, as this connection knows them. There are few.
    prepared: Vec<Cow<'static, str>>,
}

/// The reading connections.
#[derive(Debug, Clone)]
pub(in crate::daemon::store) struct Readers {
    pool: PgPool,
    limit: Duration,
}

/// Where the server is and how long it may take.
#[derive(Debug, Clone)]
pub(in crate::daemon::store) struct Server {
    options: PgConnectOptions,
    /// Its name in messages: host, port and database, never the password.
    name: String,
    connecting: Duration,
    answering: Duration,
    connections: u32,
}

impl Server {
    /// Returns the server that is configured.
    ///
    /// # Errors
    ///
    /// When the URL cannot be understood; its text is not repeated, for it may hold a password.
    pub(in crate::daemon::store) fn of(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let settings = &config.postgresql;
        let options = if config.url.is_empty() {
            let mode = PgSslMode::from_str(&settings.ssl_mode).unwrap_or_default();
            let options = PgConnectOptions::new_without_pgpass()
                .host(&settings.host)
                .port(settings.port.try_into().unwrap_or(5432))
                .database(&settings.database)
                .username(&settings.user)
                .ssl_mode(mode);
            if settings.password.is_empty() {
                options
            } else {
                options.password(settings.password.reveal())
            }
        } else {
            PgConnectOptions::from_str(config.url.reveal()).map_err(|_error| {
                StoreError::Unusable {
                    path: "database.url".into(),
                    why: "it is not like postgres://user:password@host:port/database".into(),
                }
            })?
        };
        let answering = Duration::from_secs(settings.query_timeout);
        let milliseconds = answering.as_millis().to_string();
        let options = options
            .application_name("stratavore")
            .options([
                ("statement_timeout", milliseconds.as_str()),
                ("lock_timeout", milliseconds.as_str()),
                ("idle_in_transaction_session_timeout", milliseconds.as_str()),
                ("timezone", "UTC"),
                // A rollback of what is no transaction is no news, and there are many.
                ("client_min_messages", "error"),
                // A filter that is empty matches all: what is best depends on the values.
                ("plan_cache_mode", "force_custom_plan"),
                ("jit", "off"),
                ("standard_conforming_strings", "on"),
            ])
            .disable_statement_logging();
        let name = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        Ok(Self {
            options,
            name,
            connecting: Duration::from_secs(settings.connection_timeout),
            answering,
            connections: settings.max_connections.try_into().unwrap_or(8),
        })
    }

    /// Returns what makes connections; none is made yet.
    pub(in crate::daemon::store) fn open(self) -> (Connection, Readers) {
        // Nobody begins a transaction on one of these: each call is one statement. What is written has
        // a connection of its own.
        let pool = PgPoolOptions::new()
            .max_connections(self.connections.saturating_sub(2).max(1))
            .min_connections(0)
            .acquire_timeout(self.connecting.min(READING))
            // Each is asked for a sign of life when it comes back: to ask it again at once would be one
            // more round trip for every read.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for >= UNTRIED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .idle_timeout(Duration::from_mins(1))
            .max_lifetime(Duration::from_mins(5))
            .connect_lazy_with(self.options.clone());
        let limit = self.answering + self.connecting;
        let connection = Connection { server: self, open: None, prepared: Vec::new() };
        (connection, Readers { pool, limit })
    }

    /// Returns what reads everything as it is at one moment; see [`moment::pool`].
    pub(in crate::daemon::store) fn moment(self) -> Readers {
        let pool = moment::pool(self.options, self.connecting);
        Readers { pool, limit: self.answering + self.connecting }
    }

    fn away(&self, why: impl std::fmt::Display) -> StoreError {
        StoreError::Away { name: self.name.clone(), why: why.to_string() }
    }

    fn unusable(&self, why: impl Into<String>) -> StoreError {
        StoreError::Unusable { path: self.name.clone(), why: why.into() }
    }

    /// Its name in messages.
    pub(in crate::daemon::store) fn name(&self) -> &str {
        &self.name
    }

    /// Makes sure that the server answers; nothing more is asked of it.
    pub(in crate::daemon::store) async fn call(&self) -> Result<(), StoreError> {
        let connection = self.dial().await?;
        timeout(self.answering, connection.close()).await.ok();
        Ok(())
    }

    async fn dial(&self) -> Result<PgConnection, StoreError> {
        match timeout(self.connecting, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.away(error)),
            Err(_elapsed) => Err(self.away(format!("no answer within {:?}", self.connecting))),
        }
    }

    /// Connects, and makes sure that the server is one to write to with a schema that we know.
    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.dial().await?;
        let checking = timeout(MIGRATING + self.connecting, self.check(&mut connection));
        checking.await.map_err(|_elapsed| self.away("the schema was not ready in time"))??;
        match timeout(self.answering, connection.execute(WRITING)).await {
            Ok(set) => set?,
            Err(_elapsed) => {
                return Err(self.away(format!("no answer within {:?}", self.answering)));
            }
        };
        Ok(connection)
    }

    async fn check(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let about = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery()";
        let (version, standby): (i32, bool) =
            sqlx::query_as(about).fetch_one(&mut *connection).await?;
        if version < OLDEST {
            return Err(self.unusable(format!(
                "the server is PostgreSQL {}, and 14 or newer is needed",
                version / 10_000
            )));
        }
        if standby {
            return Err(self.away("the server is a standby that only reads"));
        }
        let known = newest(MIGRATIONS);
        let found = newest_migration(connection).await?;
        if found > known {
            return Err(StoreError::Newer { path: self.name.clone(), found, known });
        }
        if found == known {
            return Ok(());
        }
        // The lock has a statement of its own and is waited for without the usual limits.
        connection.execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(MIGRATION_LOCK)
            .execute(&mut *connection)
            .await?;
        let outcome = self.migrate(connection).await;
        sqlx::query("SELECT pg_advisory_unlock($1)")
            .bind(MIGRATION_LOCK)
            .execute(&mut *connection)
            .await?;
        connection.execute("RESET statement_timeout; RESET lock_timeout").await?;
        outcome
    }

    /// Applies what is missing, unless another daemon has meanwhile.
    async fn migrate(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let known = newest(MIGRATIONS);
        let found = newest_migration(connection).await?;
        if found >= known {
            return Ok(());
        }
        migrator(MIGRATIONS)
            .run_direct(None, connection, false)
            .await
            .map_err(|error| self.unusable(format!("migrate from schema {found}: {error}")))?;
        tracing::info!(database = self.name, from = found, to = known, "migrated the database");
        Ok(())
    }
}

/// Returns the newest migration that the database has, 0 for a fresh one.
async fn newest_migration(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(0);
    }
    sqlx::query_scalar(NEWEST).fetch_one(connection).await
}

impl Connection {
    /// Makes sure that there is a connection; true when it is a new one.
    pub(in crate::daemon::store) async fn ensure(&mut self) -> Result<bool, StoreError> {
        if self.open.is_some() {
            return Ok(false);
        }
        self.open = Some(self.server.connect().await?);
        self.prepared.clear();
        Ok(true)
    }

    /// Begins a transaction whose commit waits for the disk or not.
    pub(in crate::daemon::store) async fn begin(
        &mut self,
        is_flushed: bool,
    ) -> Result<(), StoreError> {
        self.plain(beginning(is_flushed)).await
    }

    /// Begins one and runs the first of these statements with it, as many as change something and have simple
    /// values: all in one round trip. Returns how many rows each touched and those that it returned.
    pub(in crate::daemon::store) async fn begin_with<'a>(
        &mut self,
        is_flushed: bool,
        first: impl Iterator<Item = &'a Query>,
    ) -> Result<Vec<(u64, Vec<Record>)>, StoreError> {
        let (mut text, before) = (beginning(is_flushed).to_owned(), 1 + usize::from(!is_flushed));
        let changes =
            |query: &&Query| ["UPDATE ", "INSERT "].iter().any(|w| query.sql.starts_with(w));
        for query in first.take_while(changes) {
            let place = self.prepared.iter().position(|sql| *sql == query.sql);
            let name = format!("first_{}", place.unwrap_or(self.prepared.len()));
            let (Some(call), Some(preparation)) =
                (call(&name, &query.values), preparation(&name, query))
            else {
                break;
            };
            if place.is_none() {
                self.send(preparation).await?;
                self.prepared.push(query.sql.clone());
            }
            text.extend(["; ", &call]);
        }
        let mut done = self.send(text).await?;
        Ok(done.split_off(before.min(done.len())))
    }

    /// Runs a text made here; returns for each statement how many rows it touched and those it returned.
    async fn send(&mut self, text: String) -> Result<Vec<(u64, Vec<Record>)>, StoreError> {
        use futures_util::TryStreamExt as _;
        let limit = self.server.answering;
        let connection = self.get()?;
        let running = async {
            let (mut done, mut rows) = (Vec::new(), Vec::new());
            let mut results = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(text)));
            while let Some(result) = results.try_next().await? {
                match result {
                    sqlx::Either::Left(end) => {
                        done.push((end.rows_affected(), std::mem::take(&mut rows)));
                    }
                    sqlx::Either::Right(row) => rows.push(Record::Postgres(row)),
                }
            }
            Ok(done)
        };
        let outcome = timeout(limit, running).await;
        self.judge(outcome)
    }

    /// Runs a text without values.
    pub(in crate::daemon::store) async fn plain(
        &mut self,
        sql: &'static str,
    ) -> Result<(), StoreError> {
        self.send(sql.to_owned()).await.map(drop)
    }

    /// Runs a statement; returns how many rows it touched and those it returned.
    pub(in crate::daemon::store) async fn run(
        &mut self,
        query: Query,
    ) -> Result<(u64, Vec<Record>), StoreError> {
        use futures_util::TryStreamExt as _;
        let limit = self.server.answering;
        let connection = self.get()?;
        // For a query the server reports the rows it returned.
        let counts = !query.sql.trim_start().starts_with("SELECT");
        let running = async {
            let mut touched = 0;
            let mut rows = Vec::new();
            let mut results = connection.fetch_many(prepare(query));
            while let Some(result) = results.try_next().await? {
                match result {
                    sqlx::Either::Left(done) if counts => touched += done.rows_affected(),
                    sqlx::Either::Left(_) => {}
                    sqlx::Either::Right(row) => rows.push(Record::Postgres(row)),
                }
            }
            Ok((touched, rows))
        };
        let outcome = timeout(limit, running).await;
        self.judge(outcome)
    }

    /// Whether there is a connection.
    pub(in crate::daemon::store) fn ensure_alive(&self) -> Result<(), StoreError> {
        match &self.open {
            Some(_) => Ok(()),
            None => Err(self.server.away("the connection was lost")),
        }
    }

    /// Takes leave of the server.
    pub(in crate::daemon::store) async fn close(self) {
        if let Some(connection) = self.open {
            timeout(self.server.answering, connection.close()).await.ok();
        }
    }

    fn get(&mut self) -> Result<&mut PgConnection, StoreError> {
        let away = self.server.away("the connection was lost");
        self.open.as_mut().ok_or(away)
    }

    /// Drops a connection of which nobody knows how it stands: the server undoes what it was at.
    fn judge<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error @ sqlx::Error::Database(_))) if !is_parting(&error) => Err(error.into()),
            Ok(Err(error)) => {
                self.open = None;
                Err(self.server.away(error))
            }
            Err(_elapsed) => {
                self.open = None;
                Err(self.server.away(format!("no answer within {:?}", self.server.answering)))
            }
        }
    }
}

/// What begins a transaction whose commit waits for the disk or not.
fn beginning(is_flushed: bool) -> &'static str {
    if is_flushed { "BEGIN" } else { "BEGIN; SET LOCAL synchronous_commit = off" }
}

/// Whether the server says that it, or the connection, is about to end, or that it cannot take writes
/// now: SQLSTATE classes 08 (connection), 57P (operator intervention) and 25006 (read only).
fn is_parting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "25006")
}

/// Whether the connection is no more, which says nothing about the server.
fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) || is_parting(error)
}

impl Readers {
    /// Runs a query and returns what a function makes of each of its rows, as they come.
    pub(in crate::daemon::store) async fn take<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(Record) -> Result<T, StoreError> + Copy + Send,
    ) -> Result<Vec<T>, StoreError> {
        let make = move |row| make(Record::Postgres(row));
        let running = async {
            match prepare(query.clone()).map(make).fetch_all(&self.pool).await {
                // The others may be lost like this one: so the next is a new one.
                Err(error) if is_lost(&error) => Box::pin(self.take_anew(query, make)).await,
                outcome => outcome,
            }
        };
        match timeout(self.limit, running).await {
            Ok(Ok(rows)) => rows.into_iter().collect(),
            Ok(Err(error @ sqlx::Error::Database(_))) if !is_parting(&error) => Err(error.into()),
            Ok(Err(error)) => Err(StoreError::Away { name: KIND.into(), why: error.to_string() }),
            Err(_elapsed) => Err(StoreError::Away {
                name: KIND.into(),
                why: format!("no answer within {:?}", self.limit),
            }),
        }
    }

    /// Does it on a connection of its own.
    async fn take_anew<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(PgRow) -> T + Send,
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut fresh = self.pool.connect_options().connect().await?;
        prepare(query).map(make).fetch_all(&mut fresh).await
    }

    /// The connections themselves.
    pub(in crate::daemon::store) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes the connections.
    pub(in crate::daemon::store) async fn close(&self) {
        self.pool.close().await;
    }
}
