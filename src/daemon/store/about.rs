//! What a database is and holds, told without changing anything in it; and its migration by hand.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{
    Location, StoreError,
    dialect::{Connection, Readers, postgres, sqlite},
    migrations::{NEWEST, newest},
    query::Query,
};

/// The events are counted by their positions, which have no gaps: millions need no time.
const HOLDINGS: &str = "SELECT (SELECT count(*) FROM projects) AS projects, \
     (SELECT count(*) FROM runners) AS runners, \
     (SELECT count(*) FROM runners WHERE status NOT IN ('terminated', 'failed')) AS live, \
     coalesce((SELECT max(position) FROM events) - (SELECT min(position) FROM events) + 1, 0) \
     + (SELECT count(*) FROM events WHERE position IS NULL) AS events, \
     (SELECT count(*) FROM outbox WHERE delivered = FALSE) AS waiting, \
     (SELECT count(*) FROM outbox WHERE delivered = FALSE AND parked_at IS NOT NULL) AS parked, \
     (SELECT created_at FROM outbox WHERE delivered = FALSE ORDER BY id LIMIT 1) AS oldest";

/// What a database is and holds.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The version of `SQLite` or of the server.
    pub version: String,
    /// Protocol and cipher, `off`, or empty where there is no connection to encrypt.
    pub tls: String,
    /// Whether pgvector is installed or available, with its version; empty for `SQLite`.
    pub pgvector: String,
    /// Its bytes on disk.
    pub size_bytes: u64,
    /// The version of its schema, 0 for none.
    pub schema: i64,
    /// What it holds; `None` while its schema is not the one that this program knows.
    pub holdings: Option<Holdings>,
}

/// How much a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Projects.
    pub projects: u64,
    /// Runners, ended ones included.
    pub runners: u64,
    /// Runners that have not ended.
    pub live: u64,
    /// Events.
    pub events: u64,
    /// Events that wait for the broker, parked ones included.
    pub waiting: u64,
    /// Events given up until somebody decides.
    pub parked: u64,
    /// Since when the oldest waits.
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns the name of a database in messages: a path, or host, port and database.
///
/// # Errors
///
/// When the URL cannot be understood.
pub fn name_of(location: Location<'_>) -> Result<String, StoreError> {
    match location {
        Location::File(path) => Ok(path.display().to_string()),
        Location::Server(config) => Ok(postgres::Server::of(config)?.name().to_owned()),
    }
}

/// Returns the newest schema that this program knows.
pub fn known_schema() -> i64 {
    newest(sqlite::MIGRATIONS)
}

/// Looks at a database; it must exist.
///
/// # Errors
///
/// When it cannot be reached or read.
pub async fn about(location: Location<'_>) -> Result<About, StoreError> {
    let readers = look(location).await?;
    let about = about_through(&readers).await;
    readers.close().await;
    about
}

/// Returns what only reads a database; one that cannot be reached is told with the reason.
pub(super) async fn look(location: Location<'_>) -> Result<Readers, StoreError> {
    match location {
        Location::File(path) => Ok(Readers::Sqlite(sqlite::read(path))),
        Location::Server(config) => {
            let server = postgres::Server::of(config)?;
            server.call().await?;
            Ok(Readers::Postgres(server.open().1))
        }
    }
}

/// Returns what reads a server as it is at one moment, whatever is written meanwhile.
pub(super) async fn look_at_once(location: Location<'_>) -> Result<Readers, StoreError> {
    match location {
        Location::File(_) => look(location).await,
        Location::Server(config) => {
            let server = postgres::Server::of(config)?;
            server.call().await?;
            Ok(Readers::Postgres(server.moment()))
        }
    }
}

async fn about_through(readers: &Readers) -> Result<About, StoreError> {
    let rows = readers.fetch(Query::new(readers.texts().about)).await?;
    let row = rows.first().ok_or_else(|| StoreError::Garbled("answer about itself".into()))?;
    let schema = if row.truth("is_ours")? { schema(readers).await? } else { 0 };
    let holdings = if schema == known_schema() { Some(holdings(readers).await?) } else { None };
    Ok(About {
        version: row.text("version")?,
        tls: row.text("tls")?,
        pgvector: row.text("pgvector")?,
        size_bytes: row.count("size")?,
        schema,
        holdings,
    })
}

async fn schema(readers: &Readers) -> Result<i64, StoreError> {
    let rows = readers.fetch(Query::new(NEWEST)).await?;
    Ok(rows.first().map(|row| row.optional_integer("version")).transpose()?.flatten().unwrap_or(0))
}

async fn holdings(readers: &Readers) -> Result<Holdings, StoreError> {
    let rows = readers.fetch(Query::new(HOLDINGS)).await?;
    let row = rows.first().ok_or_else(|| StoreError::Garbled("answer about rows".into()))?;
    Ok(Holdings {
        projects: row.count("projects")?,
        runners: row.count("runners")?,
        live: row.count("live")?,
        events: row.count("events")?,
        waiting: row.count("waiting")?,
        parked: row.count("parked")?,
        oldest: row.optional_time("oldest")?,
    })
}

/// Brings a schema up to date, creating the file where there is none; on a server under the advisory
/// lock that daemons take too. Returns the version that was found, 0 for none.
///
/// # Errors
///
/// When the database cannot be reached or migrated, or its schema is newer.
pub async fn migrate(location: Location<'_>) -> Result<i64, StoreError> {
    let is_new = matches!(location, Location::File(path) if !path.exists());
    let found = if is_new { 0 } else { about(location).await?.schema };
    open(location).await?.close().await;
    Ok(found)
}

/// Returns the connection that writes to a database, whose schema is then up to date.
pub(super) async fn open(location: Location<'_>) -> Result<Connection, StoreError> {
    match location {
        Location::File(path) => open_file(path).await,
        Location::Server(config) => {
            let (connection, _) = postgres::Server::of(config)?.open();
            let mut connection = Connection::Postgres(Box::new(connection));
            connection.ensure().await?;
            Ok(connection)
        }
    }
}

async fn open_file(path: &Path) -> Result<Connection, StoreError> {
    let (connection, readers) = sqlite::open(path).await?;
    readers.close().await;
    Ok(Connection::Sqlite(connection))
}
