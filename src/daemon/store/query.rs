//! Statements and writes as data, independent of the database.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::domain::{event::NewEvent, failure::Failure};

pub(super) use super::dialect::sqlite::Record;

/// A value bound to a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    OptionalText(Option<String>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Real(f64),
    Bool(bool),
    Id(Uuid),
    OptionalId(Option<Uuid>),
    Time(DateTime<Utc>),
    OptionalTime(Option<DateTime<Utc>>),
    Json(Json),
}

/// Lets plain values be bound.
macro_rules! value_from {
    ($($from:ty => $to:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$to(value.into())
            }
        }
    )*};
}

value_from! {
    &str => Text, String => Text, Option<String> => OptionalText, i64 => Integer, u32 => Integer,
    Option<i64> => OptionalInteger, f64 => Real, bool => Bool, Uuid => Id,
    Option<Uuid> => OptionalId, DateTime<Utc> => Time, Option<DateTime<Utc>> => OptionalTime,
    Json => Json,
}

/// A statement with its values; the text is common to all databases.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub sql: &'static str,
    pub values: Vec<Value>,
}

impl Query {
    /// Returns a statement without values.
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// Binds the next placeholder.
    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// What must be true of a statement for the write to go on.
#[derive(Debug, Clone)]
pub(super) enum Expect {
    /// Nothing.
    Anything,
    /// It touched or returned at least one row; otherwise everything is undone with this refusal.
    Rows(Failure),
}

/// A change: statements in order, then the events they cause. All or nothing.
#[derive(Debug, Clone, Default)]
pub struct Write {
    pub(super) steps: Vec<(Query, Expect)>,
    pub(super) events: Vec<NewEvent>,
    /// It survives the death of the daemon at once, that of the machine with the next commit.
    pub(super) is_unflushed: bool,
}

impl Write {
    /// Returns a write that causes these events.
    pub(super) fn causing(events: Vec<NewEvent>) -> Self {
        Self { steps: Vec::new(), events, is_unflushed: false }
    }

    /// Lets the commit return before the disk has it: for what means nothing after a loss of power,
    /// and is followed by a commit that has.
    #[must_use]
    pub(super) fn unflushed(mut self) -> Self {
        self.is_unflushed = true;
        self
    }

    /// Adds a statement.
    #[must_use]
    pub(super) fn run(mut self, query: Query) -> Self {
        self.steps.push((query, Expect::Anything));
        self
    }

    /// Adds a statement that must find a row.
    #[must_use]
    pub(super) fn require(mut self, query: Query, refusal: Failure) -> Self {
        self.steps.push((query, Expect::Rows(refusal)));
        self
    }
}
