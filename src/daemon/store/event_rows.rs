//! Events as rows: of the log, and of the queue to the broker.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    StoreError,
    dialect::{Bulk, Connection},
    query::Value as Bound,
};
use crate::domain::event::{Event, partition_of};

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
}

/// An event with its place.
#[derive(Debug)]
pub(super) struct Sealed {
    pub signed: Signed,
    pub by: String,
    pub seal: String,
}

const EVENTS: Bulk = Bulk {
    table: "events",
    columns: &[
        "event_id",
        "timestamp",
        "event_type",
        "entity_type",
        "entity_id",
        "sequence",
        "project_name",
        "runner_name",
        "data",
        "metadata",
        "user_id",
        "hostname",
        "node_id",
        "trace_id",
        "signature",
        "routing_key",
        "position",
        "sealed_by",
        "seal",
    ],
    tail: "",
};

const QUEUE: Bulk = Bulk {
    table: "outbox",
    columns: &[
        "event_id",
        "aggregate_type",
        "aggregate_id",
        "event_type",
        "payload",
        "routing_key",
        "trace_id",
        "sequence",
        "position",
        "partition",
    ],
    tail: "",
};

/// Inserts events.
pub(super) async fn insert(
    connection: &mut Connection,
    rows: Vec<Vec<Bound>>,
) -> Result<(), StoreError> {
    connection.insert(&EVENTS, rows).await.map(drop)
}

/// Queues those that go to the broker.
pub(super) async fn queue(
    connection: &mut Connection,
    sealed: &[Sealed],
) -> Result<(), StoreError> {
    let rows = sealed.iter().filter_map(|sealed| {
        let event = &sealed.signed.event;
        let routing_key = sealed.signed.routing_key.as_deref()?;
        let partition = partition_of(&event.entity_type, &event.entity_id);
        let entry = || {
            Ok(vec![
                Bound::Id(sealed.signed.id),
                event.entity_type.as_str().into(),
                event.entity_id.as_str().into(),
                event.event_type.as_str().into(),
                Bound::JsonText(text(event)?),
                routing_key.into(),
                event.trace_id.as_str().into(),
                whole(event.sequence),
                whole(event.position),
                whole(partition),
            ])
        };
        Some(entry())
    });
    let rows = rows.collect::<Result<_, StoreError>>()?;
    connection.insert(&QUEUE, rows).await.map(drop)
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
