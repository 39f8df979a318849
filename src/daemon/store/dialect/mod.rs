//! What differs between the databases: connecting, binding, decoding, transactions, and the few
//! texts that no one text could be. One file each; this one only chooses.

mod bulk;
mod inline;
mod moment;
pub(super) mod postgres;
mod postgres_texts;
mod postgres_values;
mod rows;
pub(super) mod sqlite;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use uuid::Uuid;

pub(super) use self::{bulk::Bulk, rows::Kind};
use super::{
    StoreError,
    query::{Query, Texts},
};

/// A connection that writes.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// Connections that read.
#[derive(Debug, Clone)]
pub(super) enum Readers {
    Sqlite(sqlite::Readers),
    Postgres(postgres::Readers),
}

/// A row.
#[derive(Debug)]
pub(super) enum Record {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

/// Does the same with either connection.
macro_rules! either {
    ($self:expr, $inner:ident => $body:expr) => {
        match $self {
            Self::Sqlite($inner) => $body,
            Self::Postgres($inner) => $body,
        }
    };
}

impl Connection {
    /// The texts of this database.
    pub(super) fn texts(&self) -> &'static Texts {
        match self {
            Self::Sqlite(_) => &sqlite::TEXTS,
            Self::Postgres(_) => &postgres_texts::TEXTS,
        }
    }

    /// Makes sure that there is a connection; true when it is a new one.
    pub(super) async fn ensure(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(connection) => connection.ensure().await,
        }
    }

    /// Begins a transaction, whose commit waits for the disk or not.
    pub(super) async fn begin(&mut self, is_flushed: bool) -> Result<(), StoreError> {
        either!(self, c => c.begin(is_flushed).await)
    }

    /// Begins one and runs the first of these statements with it, as many as can go together; returns how many
    /// rows each of them touched and those that it returned.
    pub(super) async fn begin_with<'a>(
        &mut self,
        is_flushed: bool,
        first: impl Iterator<Item = &'a Query> + Send,
    ) -> Result<Vec<(u64, Vec<Record>)>, StoreError> {
        match self {
            Self::Sqlite(connection) => connection.begin(is_flushed).await.map(|()| Vec::new()),
            Self::Postgres(connection) => connection.begin_with(is_flushed, first).await,
        }
    }

    /// Commits.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        either!(self, c => c.plain("COMMIT").await)
    }

    /// Undoes the transaction, if one is open.
    pub(super) async fn rollback(&mut self) {
        // There is none when BEGIN itself failed, and no connection to undo it on when that was lost.
        either!(self, c => c.plain("ROLLBACK").await.ok());
    }

    /// Begins a part that can be undone by itself.
    pub(super) async fn savepoint(&mut self) -> Result<(), StoreError> {
        either!(self, c => c.plain("SAVEPOINT unit").await)
    }

    /// Keeps the part.
    pub(super) async fn release(&mut self) -> Result<(), StoreError> {
        either!(self, c => c.plain("RELEASE SAVEPOINT unit").await)
    }

    /// Undoes the part.
    pub(super) async fn undo(&mut self) -> Result<(), StoreError> {
        either!(self, c => c.plain("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit").await)
    }

    /// Runs a statement; returns how many rows it touched and those it returned.
    pub(super) async fn run(&mut self, query: Query) -> Result<(u64, Vec<Record>), StoreError> {
        either!(self, c => c.run(query).await)
    }

    /// Whether there is a connection.
    ///
    /// # Errors
    ///
    /// That it was lost.
    pub(super) fn ensure_alive(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => connection.ensure_alive(),
        }
    }

    /// Closes it.
    pub(super) async fn close(self) {
        either!(self, c => c.close().await);
    }
}

impl Readers {
    /// What kind of database it is, for display.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite::KIND,
            Self::Postgres(_) => postgres::KIND,
        }
    }

    /// Whether other daemons may use it too.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The texts of this database.
    pub(super) fn texts(&self) -> &'static Texts {
        match self {
            Self::Sqlite(_) => &sqlite::TEXTS,
            Self::Postgres(_) => &postgres_texts::TEXTS,
        }
    }

    /// Runs a query.
    pub(super) async fn fetch(&self, query: Query) -> Result<Vec<Record>, StoreError> {
        self.take(query, Ok).await
    }

    /// Runs a query and returns what a function makes of each of its rows, as they come.
    pub(super) async fn take<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(Record) -> Result<T, StoreError> + Copy + Send,
    ) -> Result<Vec<T>, StoreError> {
        either!(self, readers => readers.take(query, make).await)
    }

    /// Closes the connections.
    pub(super) async fn close(&self) {
        either!(self, readers => readers.close().await);
    }
}

/// Reads a column that both libraries decode alike.
macro_rules! column {
    ($self:expr, $column:expr) => {
        match $self {
            Self::Sqlite(row) => row.try_get($column)?,
            Self::Postgres(row) => row.try_get($column)?,
        }
    };
}

impl Record {
    /// Returns a text.
    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(column!(self, column))
    }

    /// Returns a text that may be missing.
    pub(super) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(column!(self, column))
    }

    /// Returns a number that may be missing.
    pub(super) fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(column!(self, column))
    }

    /// Returns a count; a negative one is garbled.
    pub(super) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let number: i64 = column!(self, column);
        number.try_into().map_err(|_negative| StoreError::Garbled(format!("`{column}`: {number}")))
    }

    /// Returns a real number.
    pub(super) fn real(&self, column: &str) -> Result<f64, StoreError> {
        Ok(column!(self, column))
    }

    /// Returns a truth value.
    pub(super) fn truth(&self, column: &str) -> Result<bool, StoreError> {
        Ok(column!(self, column))
    }

    /// Returns an id.
    pub(super) fn id(&self, column: &str) -> Result<Uuid, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::id(row, column),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Returns a time.
    pub(super) fn time(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        self.optional_time(column)?
            .ok_or_else(|| StoreError::Garbled(format!("`{column}`: missing")))
    }

    /// Returns a time that may be missing.
    pub(super) fn optional_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::optional_time(row, column),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Returns a list of texts.
    pub(super) fn texts(&self, column: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::json(row, column),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Returns a JSON value.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::json(row, column),
            Self::Postgres(row) => {
                let value: serde_json::Value = row.try_get(column)?;
                serde_json::from_value(value)
                    .map_err(|error| StoreError::Garbled(format!("`{column}`: {error}")))
            }
        }
    }
}
