//! Rows as JSON, for what is carried from one database to another: the same form for both.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Connection, Record};
use crate::daemon::store::StoreError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon::store) enum Kind {
    Text,
    Integer,
    Real,
    Truth,
    Id,
    Time,
    Json,
    Texts,
    Bytes,
}

impl Kind {
    /// Its type in `PostgreSQL`.
    pub(super) fn in_postgres(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "bigint",
            Self::Real => "double precision",
            Self::Truth => "boolean",
            Self::Id => "uuid",
            Self::Time => "timestamptz",
            Self::Json => "jsonb",
            Self::Texts => "text[]",
            Self::Bytes => "bytea",
        }
    }

    /// How `SQLite` takes a column of it out of a JSON object.
    fn in_sqlite(self, column: &str) -> String {
        match self {
            Self::Json | Self::Texts => format!("value -> '{column}' AS {column}"),
            Self::Bytes => format!("unhex(substr(value ->> '{column}', 3)) AS {column}"),
            _ => format!("value ->> '{column}' AS {column}"),
        }
    }
}

impl Connection {
    /// Returns what stands in a `FROM` for the rows `r` of a JSON array ($1).
    pub(in crate::daemon::store) fn rows(&self, columns: &[(&str, Kind)]) -> String {
        let list = |one: &dyn Fn(&str, Kind) -> String| {
            let all: Vec<_> = columns.iter().map(|&(column, kind)| one(column, kind)).collect();
            all.join(", ")
        };
        match self {
            Self::Sqlite(_) => {
                let columns = list(&|column, kind| kind.in_sqlite(column));
                format!("(SELECT {columns} FROM json_each($1)) AS r")
            }
            Self::Postgres(_) => {
                let columns = list(&|column, kind| format!("{column} {}", kind.in_postgres()));
                format!("jsonb_to_recordset($1) AS r ({columns})")
            }
        }
    }
}

impl Record {
    /// Returns a column in the form that [`Connection::rows`] understands.
    pub(in crate::daemon::store) fn value(
        &self,
        column: &str,
        kind: Kind,
    ) -> Result<Json, StoreError> {
        Ok(match kind {
            Kind::Text => json!(self.optional_text(column)?),
            Kind::Integer => json!(self.optional_integer(column)?),
            Kind::Real => json!(self.real(column)?),
            Kind::Truth => json!(self.truth(column)?),
            Kind::Id => match self {
                Self::Sqlite(_) => json!(self.optional_text(column)?),
                Self::Postgres(row) => json!(row.try_get::<Option<Uuid>, _>(column)?),
            },
            Kind::Time => json!(self.optional_time(column)?.map(to_text)),
            // PostgreSQL would take the null of JSON for its own.
            Kind::Json => match self.json(column)? {
                Json::Null => json!({}),
                value => value,
            },
            Kind::Texts => json!(self.texts(column)?),
            Kind::Bytes => json!(self.bytes(column)?.map(|bytes| to_hex(&bytes))),
        })
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// As `PostgreSQL` writes bytes.
fn to_hex(bytes: &[u8]) -> String {
    format!("\\x{}", hex::encode(bytes))
}
