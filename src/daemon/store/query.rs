//! Statements and writes as data, independent of the database.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

pub(super) use super::dialect::Record;
use super::{StoreError, dialect::Kind, projects};
use crate::domain::{event::NewEvent, failure::Failure};

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
    OptionalJson(Option<Json>),
    /// A JSON value as text.
    JsonText(String),
    Texts(Vec<String>),
    /// Many of one kind, for a server.
    List(Kind, Vec<Value>),
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
    Json => Json, Option<Json> => OptionalJson, Vec<String> => Texts,
}

/// The statements for which the databases have no common text.
#[derive(Debug)]
pub(super) struct Texts {
    /// Applies the samples of one tick ($1, a JSON array) at a time ($2).
    pub heartbeats: &'static str,
    /// Seals events ($1, a JSON array as text).
    pub seal_events: &'static str,
    /// Locks the sealer's lease while it is $1's at epoch $2; returns how many events `waiting`.
    pub fence: &'static str,
    /// The same, without a row when any wait; `None` where there is no such lease.
    pub fence_at_once: Option<&'static str>,
    /// Registers node $1 with host $2, version $3, whether it relays $4; returns its new epoch.
    pub register: &'static str,
    /// Node $1 at epoch $2 lives.
    pub beat: &'static str,
    /// Takes or renews for $2, for $3 seconds, those leases ($1, a JSON array of names) that are free
    /// or its own; returns name and epoch of each.
    pub acquire: &'static str,
    /// Gives back $2's leases ($1, a JSON array of names).
    pub release: &'static str,
    /// Every node, with the age of its last sign of life by the database's clock.
    pub nodes: &'static str,
    /// Removes delivered outbox rows ($1, a list of ids).
    pub deliver: &'static str,
    /// Holds the lock of budgets with others, and alone, to the end of the transaction.
    pub share_budgets: &'static str,
    pub lock_budgets: &'static str,
    /// What is known of model requests with these keys ($1, a JSON array).
    pub known_requests: &'static str,
    /// Keeps messages ($2, a JSON array) of a session ($1).
    pub put_messages: &'static str,
    /// Finds messages with words ($1) in a project ($2), of an agent ($3), since a time ($4), $5 at most.
    pub search_messages: &'static str,
    /// The day, and the hour, in UTC of a column `at`.
    pub day_of_usage: &'static str,
    pub hour_of_usage: &'static str,
    /// Tells `version` and `size` of the database, its `tls`, its `pgvector`, and whether it `is_ours`.
    pub about: &'static str,
}

/// A statement with its values; the text is common to all databases.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub sql: Cow<'static, str>,
    pub values: Vec<Value>,
}

/// Replaces what PostgreSQL cannot keep in a text; both databases keep the same.
pub(super) fn storable(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{2400}");
    }
}

/// The same for every text in a JSON value.
pub(super) fn storable_json(value: &mut Json) {
    match value {
        Json::String(text) => storable(text),
        Json::Array(items) => items.iter_mut().for_each(storable_json),
        Json::Object(fields) => {
            if fields.keys().any(|name| name.contains('\0')) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(mut name, value)| {
                        storable(&mut name);
                        (name, value)
                    })
                    .collect();
            }
            fields.values_mut().for_each(storable_json);
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

impl Value {
    /// Returns the value as every database keeps it.
    fn storable(mut self) -> Self {
        match &mut self {
            Self::Text(text) | Self::OptionalText(Some(text)) => storable(text),
            Self::Json(value) | Self::OptionalJson(Some(value)) => storable_json(value),
            Self::Texts(texts) => texts.iter_mut().for_each(storable),
            _ => {}
        }
        self
    }
}

impl Query {
    /// Returns a statement without values.
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// Binds the next placeholder.
    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into().storable());
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
    /// It touched or returned at least one row; otherwise these tell why not, and everything is undone
    /// with the refusal of the first that is not met.
    RowsOr(Vec<(Query, Expect)>),
    /// It returned no row; otherwise everything is undone with the refusal that the row tells.
    NoRow(fn(&Record) -> Result<Failure, StoreError>),
    /// Nothing; each row that it returned causes an event, made of this one and the row.
    Causes(Box<NewEvent>, Completing),
}

/// Completes an event by the row that causes it.
pub(super) type Completing = fn(&Record, NewEvent) -> Result<NewEvent, StoreError>;

/// A change: statements in order, then the events they cause. All or nothing.
#[derive(Debug, Clone, Default)]
pub struct Write {
    pub(super) steps: Vec<(Query, Expect)>,
    pub(super) events: Vec<NewEvent>,
    /// The project whose row it locks before anything else.
    pub(super) project: Option<String>,
    /// It survives the death of the daemon at once, that of the machine with the next commit.
    pub(super) is_unflushed: bool,
}

impl Write {
    /// Returns a write that causes these events.
    pub(super) fn causing(events: Vec<NewEvent>) -> Self {
        Self { events, ..Self::default() }
    }

    /// Lets the commit return before the disk has it: for what means nothing after a loss of power,
    /// and is followed by a commit that has.
    #[must_use]
    pub(super) fn unflushed(mut self) -> Self {
        self.is_unflushed = true;
        self
    }

    /// Whether it may be refused after it has changed something.
    pub(super) fn is_refused_late(&self) -> bool {
        let is_sure = |expect: &Expect| matches!(expect, Expect::Anything | Expect::Causes(..));
        self.steps.iter().skip(1).any(|(_, expect)| !is_sure(expect))
    }

    /// The statements with which its transaction may begin: the lock, and with it what looks by itself whether
    /// it may do something, and so does nothing where the lock found nothing.
    pub(super) fn first_steps(&self) -> impl Iterator<Item = &Query> {
        let is_first = |(at, expect): (usize, &Expect)| match at {
            0 => matches!(expect, Expect::Anything | Expect::Rows(_)),
            1 => matches!(expect, Expect::RowsOr(_)),
            _ => false,
        };
        let steps = self.steps.iter().enumerate();
        steps
            .take_while(move |(at, (_, expect))| is_first((*at, expect)))
            .map(|(_, (query, _))| query)
    }

    /// Locks the project's row in a statement of its own, so that every later one sees what was
    /// committed by whoever had the lock before. Must come first: all daemons lock the project, then
    /// runners, then the rest.
    #[must_use]
    pub(super) fn locking(self, project: &str, now: DateTime<Utc>) -> Self {
        self.first_locking(project, projects::lock(project, now), Expect::Anything)
    }

    /// The same, refused when there is no such project.
    #[must_use]
    pub(super) fn locking_or(self, project: &str, now: DateTime<Utc>, refusal: Failure) -> Self {
        self.first_locking(project, projects::lock(project, now), Expect::Rows(refusal))
    }

    /// The same by a statement that locks the project's row while it does something else to it.
    #[must_use]
    pub(super) fn first_locking(mut self, project: &str, query: Query, expect: Expect) -> Self {
        self.project = Some(project.to_owned());
        self.steps.push((query, expect));
        self
    }

    /// Adds a statement.
    #[must_use]
    pub(super) fn run(mut self, query: Query) -> Self {
        self.steps.push((query, Expect::Anything));
        self
    }

    /// Adds a statement whose rows cause an event each, which the rows complete.
    #[must_use]
    pub(super) fn run_causing(
        mut self,
        query: Query,
        event: NewEvent,
        complete: Completing,
    ) -> Self {
        self.steps.push((query, Expect::Causes(Box::new(event), complete)));
        self
    }

    /// Adds a statement that must find a row.
    #[must_use]
    pub(super) fn require(mut self, query: Query, refusal: Failure) -> Self {
        self.steps.push((query, Expect::Rows(refusal)));
        self
    }

    /// Adds a statement that must find a row; when it does not, further ones tell why.
    #[must_use]
    pub(super) fn require_or_tell(mut self, query: Query, why: Vec<(Query, Expect)>) -> Self {
        self.steps.push((query, Expect::RowsOr(why)));
        self
    }

    /// Adds a statement that must find no row; one that it finds tells the refusal.
    #[must_use]
    pub(super) fn forbid(
        mut self,
        query: Query,
        refusal: fn(&Record) -> Result<Failure, StoreError>,
    ) -> Self {
        self.steps.push((query, Expect::NoRow(refusal)));
        self
    }
}
