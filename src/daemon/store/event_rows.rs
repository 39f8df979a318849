//! Events as rows: of the log, and of the queue to the broker.

use std::{
    collections::HashMap,
    fmt::Write as _,
    mem,
    sync::{Arc, OnceLock},
};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    StoreError,
    dialect::{Bulk, Connection, Kind},
    query::{Query, Record, Value as Bound},
};
use crate::domain::{
    event::{Event, partition_of},
    outbox::QueuedEvent,
};

/// An event with its signature.
#[derive(Debug)]
pub(super) struct Signed {
    pub event: Event,
    /// Its id, which an event holds as text.
    pub id: Uuid,
    /// What its codes cover.
    pub covered: Vec<u8>,
    pub signature: String,
    pub routing_key: Option<String>,
    pub metadata: Value,
    /// Its entity begins with it, and has yet to be counted.
    pub is_first: bool,
}

/// An event with its place.
#[derive(Debug)]
pub(super) struct Sealed {
    pub signed: Signed,
    pub by: String,
    pub seal: String,
}

impl Sealed {
    /// Takes its place back.
    pub(super) fn unsealed(self) -> Signed {
        let mut signed = self.signed;
        signed.event.position = 0;
        signed
    }
}

const EVENTS: Bulk = Bulk {
    table: "events",
    columns: &[
        ("event_id", Kind::Id),
        ("timestamp", Kind::Time),
        ("event_type", Kind::Text),
        ("entity_type", Kind::Text),
        ("entity_id", Kind::Text),
        ("sequence", Kind::Integer),
        ("project_name", Kind::Text),
        ("runner_name", Kind::Text),
        ("data", Kind::Json),
        ("metadata", Kind::Json),
        ("user_id", Kind::Text),
        ("hostname", Kind::Text),
        ("node_id", Kind::Text),
        ("trace_id", Kind::Text),
        ("signature", Kind::Text),
        ("routing_key", Kind::Text),
        ("position", Kind::Integer),
        ("sealed_by", Kind::Text),
        ("seal", Kind::Text),
    ],
    tail: "",
};

/// Entities that begin.
const BEGUN: Bulk = Bulk {
    table: "aggregates",
    columns: &[("entity_type", Kind::Text), ("entity_id", Kind::Text), ("sequence", Kind::Integer)],
    tail: "",
};

const QUEUE: Bulk = Bulk {
    table: "outbox",
    columns: &[
        ("created_at", Kind::Time),
        ("event_id", Kind::Id),
        ("aggregate_type", Kind::Text),
        ("aggregate_id", Kind::Text),
        ("event_type", Kind::Text),
        ("payload", Kind::Json),
        ("routing_key", Kind::Text),
        ("trace_id", Kind::Text),
        ("sequence", Kind::Integer),
        ("position", Kind::Integer),
        ("partition", Kind::Integer),
    ],
    tail: "RETURNING id, position",
};

/// How often the broker may refuse an event: what the column says, too.
const TRIES: u32 = 8;

/// Inserts events.
pub(super) async fn insert(
    connection: &mut Connection,
    rows: Vec<Vec<Bound>>,
) -> Result<(), StoreError> {
    connection.insert(&EVENTS, rows).await.map(drop)
}

/// Counts the first events of their entities, of which nobody else knows yet.
pub(super) async fn begin(
    connection: &mut Connection,
    events: impl Iterator<Item = &Signed>,
) -> Result<(), StoreError> {
    connection.insert(&BEGUN, begun(events)).await.map(drop)
}

/// Returns the entities that begin with these events, as rows.
fn begun<'a>(events: impl Iterator<Item = &'a Signed>) -> Vec<Vec<Bound>> {
    let firsts = events.filter(|signed| signed.is_first).map(|signed| &signed.event);
    let row = |event: &Event| {
        let key = [event.entity_type.as_str(), event.entity_id.as_str()].map(Bound::from);
        key.into_iter().chain([whole(event.sequence)]).collect()
    };
    firsts.map(row).collect()
}

/// Events that go to the broker: as rows, and as the relay takes them.
#[derive(Debug, Default)]
struct Queueing {
    rows: Vec<Vec<Bound>>,
    entries: Vec<QueuedEvent>,
    /// Which entry has which position.
    places: HashMap<u64, usize>,
}

impl Queueing {
    fn of(sealed: &[Sealed]) -> Result<Self, StoreError> {
        let mut queueing = Self::default();
        for Sealed { signed, .. } in sealed {
            let (Some(routing_key), event) = (&signed.routing_key, &signed.event) else { continue };
            let payload = text(event)?;
            queueing.rows.push(vec![
                event.timestamp.into(),
                Bound::Id(signed.id),
                event.entity_type.as_str().into(),
                event.entity_id.as_str().into(),
                event.event_type.as_str().into(),
                Bound::JsonText(payload.clone()),
                routing_key.as_str().into(),
                event.trace_id.as_str().into(),
                whole(event.sequence),
                whole(event.position),
                whole(partition_of(&event.entity_type, &event.entity_id)),
            ]);
            queueing.places.insert(event.position, queueing.entries.len());
            queueing.entries.push(QueuedEvent {
                id: 0,
                event_id: signed.id,
                event_type: event.event_type.clone(),
                aggregate: Arc::new((event.entity_type.clone(), event.entity_id.clone())),
                routing_key: routing_key.clone(),
                payload: payload.into(),
                trace_id: event.trace_id.clone(),
                attempts: 0,
                max_attempts: TRIES,
                created_at: event.timestamp,
                next_retry_at: None,
                is_parked: false,
            });
        }
        Ok(queueing)
    }

    /// Returns the entries with the places in the queue that the database gave them. The order in
    /// which a statement returns rows is not promised.
    fn placed(mut self, returned: &[Record]) -> Result<Vec<QueuedEvent>, StoreError> {
        for row in returned {
            let place = self.places.get(&row.count("position")?);
            if let Some(entry) = place.and_then(|place| self.entries.get_mut(*place)) {
                entry.id = row.optional_integer("id")?.unwrap_or(0);
            }
        }
        Ok(self.entries)
    }
}

/// Queues those that go to the broker, and returns them as they stand in the queue.
pub(super) async fn queue(
    connection: &mut Connection,
    sealed: &[Sealed],
) -> Result<Vec<QueuedEvent>, StoreError> {
    let mut queueing = Queueing::of(sealed)?;
    let returned = connection.insert(&QUEUE, mem::take(&mut queueing.rows)).await?;
    queueing.placed(&returned)
}

/// Inserts and queues sealed events in one statement, if the lease is still this holder's and nothing
/// waits to be sealed; otherwise it does nothing, and returns `None`. Must come after the statement
/// that counted the events: it sees what was committed by whoever counted before. First events are
/// counted by it, too: a round trip less for a launch.
pub(super) async fn insert_at_once(
    connection: &mut Connection,
    sealed: &[Sealed],
    (holder, epoch): (&str, u64),
) -> Result<Option<Vec<QueuedEvent>>, StoreError> {
    let Some(fence) = connection.texts().fence_at_once else { return Ok(None) };
    let mut queueing = Queueing::of(sealed)?;
    let begun = begun(sealed.iter().map(|sealed| &sealed.signed));
    let queued = mem::take(&mut queueing.rows);
    let (begins, queues, count) = (!begun.is_empty(), !queued.is_empty(), queued.len().max(1));
    let mut values = vec![Bound::from(holder), Bound::from(i64::try_from(epoch).unwrap_or(0))];
    values.extend(EVENTS.lists(sealed.iter().map(|it| row(&it.signed, Some(it))).collect()));
    if begins {
        values.extend(BEGUN.lists(begun));
    }
    if queues {
        values.extend(QUEUE.lists(queued));
    }
    let sql = at_once(fence, begins, queues).into();
    let (_, returned) = connection.run(Query { sql, values }).await?;
    match returned.len() {
        0 => Ok(None),
        // Without a broker nothing is queued, and the row only says that it was done.
        _ if queueing.entries.is_empty() => Ok(Some(Vec::new())),
        all if all == count => queueing.placed(&returned).map(Some),
        part => Err(StoreError::Garbled(format!("answer: {part} of {count} events are queued"))),
    }
}

/// Returns the text of that statement, of which there are four: for each, the same whenever it is wanted.
fn at_once(fence: &str, begins: bool, queues: bool) -> &'static str {
    static TEXTS: [OnceLock<String>; 4] = [const { OnceLock::new() }; 4];
    let made = || {
        let mut first = 3;
        let mut next = |bulk: &Bulk| {
            let text = bulk.taking_lists(Some("fence"), first);
            first += bulk.columns.len();
            text
        };
        let mut sql = format!(
            "WITH fence AS MATERIALIZED ({fence}), logged AS ({} RETURNING 1)",
            next(&EVENTS)
        );
        if begins {
            write!(sql, ", begun AS ({})", next(&BEGUN)).ok();
        }
        if queues {
            write!(sql, " {} {}", next(&QUEUE), QUEUE.tail).ok();
        } else {
            sql.push_str(" SELECT 1 AS done FROM logged LIMIT 1");
        }
        sql
    };
    let [plain, begun, queued, both] = &TEXTS;
    let text = match (begins, queues) {
        (false, false) => plain,
        (true, false) => begun,
        (false, true) => queued,
        (true, true) => both,
    };
    text.get_or_init(made)
}

/// Returns an event as a row.
pub(super) fn row(signed: &Signed, sealed: Option<&Sealed>) -> Vec<Bound> {
    let event = &signed.event;
    vec![
        Bound::Id(signed.id),
        event.timestamp.into(),
        event.event_type.as_str().into(),
        event.entity_type.as_str().into(),
        event.entity_id.as_str().into(),
        whole(event.sequence),
        event.project.as_str().into(),
        event.runner.as_str().into(),
        Bound::JsonText(event.data.to_string()),
        Bound::JsonText(signed.metadata.to_string()),
        event.user_id.as_str().into(),
        event.hostname.as_str().into(),
        event.node_id.as_str().into(),
        event.trace_id.as_str().into(),
        signed.signature.as_str().into(),
        Bound::OptionalText(signed.routing_key.clone()),
        Bound::OptionalInteger(sealed.and_then(|_| event.position.try_into().ok())),
        sealed.map_or("", |sealed| sealed.by.as_str()).into(),
        sealed.map_or("", |sealed| sealed.seal.as_str()).into(),
    ]
}

/// Returns a count as the databases take it.
fn whole(count: u64) -> Bound {
    Bound::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Returns a JSON text, written at once: values on the way would cost more than all the rest.
pub(super) fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Garbled(format!("event: {error}")))
}

/// The seal of an event that another daemon wrote.
#[derive(Serialize)]
pub(super) struct SealRow<'a> {
    pub id: u64,
    pub position: u64,
    pub sealed_by: &'a str,
    pub seal: &'a str,
}
