//! The event log in the database.

use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    event::{Event, EventFilter, NewEvent},
    id::RunnerId,
};

/// Every column that makes an [`Event`], and what only this module wants of it.
macro_rules! columns {
    () => {
        "id, coalesce(position, 0) AS position, event_id, timestamp, event_type, entity_type, \
         entity_id, sequence, project_name, runner_name, data, user_id, hostname, node_id, \
         trace_id, signature, sealed_by, seal, routing_key"
    };
}

/// The filters are written so that the same text serves both databases; an empty value matches all,
/// and a type that ends with a dot matches what begins with it.
const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE ($1 = '' OR project_name = $1) AND ($2 = '' OR runner_name = $2) \
     AND ($3 = '' OR event_type = $3 OR ($3 LIKE '%.' AND event_type LIKE $3 || '%')) \
     AND ($4 IS NULL OR timestamp >= $4) AND ($6 IS NULL OR timestamp < $6) \
     ORDER BY id DESC LIMIT $5"
);

pub(super) const AFTER: &str =
    concat!("SELECT ", columns!(), " FROM events WHERE position > $1 ORDER BY position LIMIT $2");

/// Committed events without a place, in the order of their insertion.
pub(super) const UNSEALED: &str =
    concat!("SELECT ", columns!(), " FROM events WHERE position IS NULL ORDER BY id LIMIT $1");

const ONE: &str =
    concat!("SELECT ", columns!(), " FROM events WHERE event_id = $1 OR position = $2 LIMIT 1");

const OF_OTHERS: &str = "SELECT DISTINCT entity_id FROM events WHERE position > $1 \
     AND position <= $2 AND node_id <> $3 AND entity_type = 'runner' LIMIT $4";

impl Store {
    /// Writes events that come with no other change.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_append(&self, events: Vec<NewEvent>) -> Result<(), StoreError> {
        let alerts = Write::default().minding_alerts(&events);
        self.write(Write { events, ..alerts }).await?;
        Ok(())
    }

    /// Returns the newest events that match, oldest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_list(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let query = Query::new(NEWEST)
            .bind(filter.project.as_str())
            .bind(filter.runner.as_str())
            .bind(filter.event_type.as_str())
            .bind(filter.since)
            .bind(limit)
            .bind(filter.until);
        let rows = self.fetch(query).await?;
        rows.iter().rev().map(decode).collect()
    }

    /// Returns the events after a position, in order, so many at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_after(&self, position: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        self.list(Query::new(AFTER).bind(position).bind(limit), decode).await
    }

    /// Returns the event with this id or position.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_get(&self, word: &str) -> Result<Option<Event>, StoreError> {
        let position = word.parse::<i64>().unwrap_or(-1);
        let query = Query::new(ONE).bind(Uuid::parse_str(word).ok()).bind(position);
        self.fetch(query).await?.first().map(decode).transpose()
    }

    /// Returns the runners of which other nodes than this one have written between two positions; `None`
    /// when there are more than so many.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_runners_of_others(
        &self,
        (after, up_to): (u64, u64),
        own: &str,
        most: u32,
    ) -> Result<Option<Vec<RunnerId>>, StoreError> {
        let query = Query::new(OF_OTHERS)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::try_from(up_to).unwrap_or(i64::MAX))
            .bind(own)
            .bind(most + 1);
        let rows = self.fetch(query).await?;
        if rows.len() > most as usize {
            return Ok(None);
        }
        let id = |row: &Record| Ok(row.text("entity_id")?.parse().ok());
        let ids = rows.iter().map(id).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Some(ids.into_iter().flatten().collect()))
    }

    /// Returns the position of the newest sealed event, 0 when there is none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_newest(&self) -> Result<u64, StoreError> {
        let query = Query::new("SELECT coalesce(max(position), 0) AS newest FROM events");
        self.fetch(query).await?.first().map_or(Ok(0), |row| row.count("newest"))
    }
}

/// Returns the event in a row.
pub(super) fn decode(row: &Record) -> Result<Event, StoreError> {
    Ok(Event {
        position: row.count("position")?,
        event_id: row.id("event_id")?.to_string(),
        timestamp: row.time("timestamp")?,
        event_type: row.text("event_type")?,
        entity_type: row.text("entity_type")?,
        entity_id: row.text("entity_id")?,
        sequence: row.count("sequence")?,
        project: row.text("project_name")?,
        runner: row.text("runner_name")?,
        user_id: row.text("user_id")?,
        hostname: row.text("hostname")?,
        node_id: row.text("node_id")?,
        trace_id: row.text("trace_id")?,
        data: row.json("data")?,
    })
}
