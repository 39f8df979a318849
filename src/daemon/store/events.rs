//! The event log in the database.

use super::{
    Origin, Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::event::{Event, EventFilter, NewEvent};

/// Both filters are written so that the same text serves both databases; an empty value matches
/// all, and a type that ends with a dot matches what begins with it.
const NEWEST: &str = "SELECT id, event_id, timestamp, event_type, entity_type, entity_id, \
     sequence, project_name, runner_name, data, user_id, hostname FROM events \
     WHERE ($1 = '' OR project_name = $1) AND ($2 = '' OR runner_name = $2) \
     AND ($3 = '' OR event_type = $3 OR ($3 LIKE '%.' AND event_type LIKE $3 || '%')) \
     AND ($4 IS NULL OR timestamp >= $4) ORDER BY id DESC LIMIT $5";

const AFTER: &str = "SELECT id, event_id, timestamp, event_type, entity_type, entity_id, \
     sequence, project_name, runner_name, data, user_id, hostname FROM events \
     WHERE id > $1 ORDER BY id LIMIT $2";

/// Returns the statement that writes an event. Its sequence follows the entity's newest, and the
/// runner's name is looked up, because a launch learns it only in the same transaction.
pub(super) fn insert(event: NewEvent, origin: &Origin) -> Query {
    Query::new(
        "INSERT INTO events (event_id, timestamp, event_type, entity_type, entity_id, sequence, \
         project_name, runner_name, data, user_id, hostname) VALUES ($1, $2, $3, $4, $5, \
         (SELECT coalesce(max(sequence), 0) + 1 FROM events \
          WHERE entity_type = $4 AND entity_id = $5), $6, \
         coalesce((SELECT name FROM runners WHERE id = $5), ''), $7, $8, $9) RETURNING id",
    )
    .bind(event.id)
    .bind(event.at)
    .bind(event.event_type.as_str())
    .bind(event.entity_type)
    .bind(event.entity_id)
    .bind(event.project)
    .bind(event.data)
    .bind(origin.user.as_str())
    .bind(origin.hostname.as_str())
}

impl Store {
    /// Writes events that come with no other change.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_append(&self, events: Vec<NewEvent>) -> Result<(), StoreError> {
        self.write(Write::causing(events)).await?;
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
            .bind(limit);
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
        let rows = self.fetch(Query::new(AFTER).bind(position).bind(limit)).await?;
        rows.iter().map(decode).collect()
    }

    /// Returns the position of the newest event, 0 when there is none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_newest(&self) -> Result<u64, StoreError> {
        let query = Query::new("SELECT coalesce(max(id), 0) AS newest FROM events");
        self.fetch(query).await?.first().map_or(Ok(0), |row| row.count("newest"))
    }
}

fn decode(row: &Record) -> Result<Event, StoreError> {
    Ok(Event {
        position: row.count("id")?,
        event_id: row.text("event_id")?,
        timestamp: row.time("timestamp")?,
        event_type: row.text("event_type")?,
        entity_type: row.text("entity_type")?,
        entity_id: row.text("entity_id")?,
        sequence: row.count("sequence")?,
        project: row.text("project_name")?,
        runner: row.text("runner_name")?,
        user_id: row.text("user_id")?,
        hostname: row.text("hostname")?,
        data: row.json("data")?,
    })
}
