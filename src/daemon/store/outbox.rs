//! The queue to the broker in the database.
//!
//! Rows enter in the order of the log, under the lease of the sealer, so that reading on from an id
//! misses none. They leave when the broker has confirmed them. One that is refused too often is
//! parked: kept, listed, and followed by nothing of its entity until somebody decides.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Kind, Store, StoreError,
    query::{Query, Record, Value, Write},
};
use crate::domain::{
    event::NewEvent,
    failure::Failure,
    outbox::{OutboxCounts, OutboxEntry, QueuedEvent},
};

/// Every column that makes an [`OutboxEntry`].
macro_rules! columns {
    () => {
        "id, event_id, event_type, aggregate_type, aggregate_id, sequence, routing_key, payload, \
         trace_id, attempts, max_attempts, created_at, last_attempt_at, next_retry_at, parked_at, \
         error"
    };
}

/// Every column that makes a [`QueuedEvent`]. The body is not taken apart: it leaves as it is.
macro_rules! queued {
    () => {
        "id, event_id, event_type, aggregate_type, aggregate_id, routing_key, \
         CAST(payload AS TEXT) AS body, trace_id, attempts, max_attempts, created_at, \
         next_retry_at, parked_at"
    };
}

/// The parts of the work are given as bits, which both databases understand alike.
const NEXT: &str = concat!(
    "SELECT ",
    queued!(),
    " FROM outbox WHERE delivered = FALSE AND id > $1 \
     AND (($2 >> CAST(partition AS INTEGER)) & 1) = 1 AND position <= $3 ORDER BY id LIMIT $4"
);

const LANE: &str = concat!(
    "SELECT ",
    queued!(),
    " FROM outbox WHERE aggregate_type = $1 AND aggregate_id = $2 AND delivered = FALSE \
     AND id > $3 AND position <= $4 ORDER BY id LIMIT $5"
);

const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM outbox WHERE delivered = FALSE AND ($1 = FALSE OR parked_at IS NOT NULL) \
     ORDER BY id LIMIT $2"
);

impl Store {
    /// Returns undelivered entries of some partitions (bits) after an id, in order, up to a position of
    /// the log: what is not yet on disk must not be published.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_next(
        &self,
        after: i64,
        partitions: u64,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<QueuedEvent>, StoreError> {
        let bits = i64::try_from(partitions).unwrap_or(i64::MAX);
        let query = Query::new(NEXT).bind(after).bind(bits).bind(position(up_to)).bind(limit);
        self.list(query, queued).await
    }

    /// Returns undelivered entries of one aggregate after an id, in order.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_lane(
        &self,
        aggregate: &(String, String),
        after: i64,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<QueuedEvent>, StoreError> {
        let query = Query::new(LANE)
            .bind(aggregate.0.as_str())
            .bind(aggregate.1.as_str())
            .bind(after)
            .bind(position(up_to))
            .bind(limit);
        self.list(query, queued).await
    }

    /// Returns the entities whose oldest entry may be parked.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_parked(&self) -> Result<Vec<(String, String)>, StoreError> {
        let query = Query::new(
            "SELECT DISTINCT aggregate_type, aggregate_id FROM outbox \
             WHERE delivered = FALSE AND parked_at IS NOT NULL",
        );
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| Ok((row.text("aggregate_type")?, row.text("aggregate_id")?)))
            .collect()
    }

    /// Returns undelivered entries, or only the parked ones, oldest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_list(
        &self,
        only_parked: bool,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        decode_all(&self.fetch(Query::new(WAITING).bind(only_parked).bind(limit)).await?)
    }

    /// Returns how many wait, how many are parked and how old the oldest is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_counts(&self) -> Result<OutboxCounts, StoreError> {
        let query = Query::new(
            "SELECT count(*) AS waiting, \
             (SELECT count(*) FROM outbox WHERE delivered = FALSE AND parked_at IS NOT NULL) \
             AS parked, \
             (SELECT created_at FROM outbox WHERE delivered = FALSE ORDER BY id LIMIT 1) AS oldest \
             FROM outbox WHERE delivered = FALSE",
        );
        let rows = self.fetch(query).await?;
        let Some(row) = rows.first() else { return Ok(OutboxCounts::default()) };
        Ok(OutboxCounts {
            waiting: row.count("waiting")?,
            parked: row.count("parked")?,
            oldest: row.optional_time("oldest")?,
        })
    }

    /// Removes entries that are delivered: the event itself stays in the log. To mark them instead would
    /// cost a server five times as much, and the removal later once more. What a loss of power undoes
    /// is sent again and recognised by its id.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_deliver(&self, ids: &[i64]) -> Result<(), StoreError> {
        let ids = ids.iter().copied().map(Value::Integer).collect();
        let ids = Value::List(Kind::Integer, ids);
        let query = Query::new(self.readers.texts().deliver).bind(ids);
        self.write(Write::default().run(query).unflushed()).await?;
        Ok(())
    }

    /// Takes note of a refusal by the broker: to be tried again at a time or, without one, parked.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_refused(
        &self,
        id: i64,
        why: &str,
        retry: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let parked = retry.is_none().then_some(now);
        let query = Query::new(
            "UPDATE outbox SET attempts = attempts + 1, last_attempt_at = $4, error = $2, \
             next_retry_at = $3, parked_at = $5 WHERE id = $1 AND delivered = FALSE",
        )
        .bind(id)
        .bind(why)
        .bind(retry)
        .bind(now)
        .bind(parked);
        self.write(Write::default().run(query)).await?;
        Ok(())
    }

    /// Gives a parked entry, by its event's id, or all of them its tries back; returns how many.
    ///
    /// # Errors
    ///
    /// `OUTBOX_NOT_FOUND` when none is parked so.
    pub async fn outbox_retry(
        &self,
        event: Option<Uuid>,
        caused: NewEvent,
    ) -> Result<u64, StoreError> {
        let query = Query::new(
            "UPDATE outbox SET parked_at = NULL, attempts = 0, next_retry_at = NULL \
             WHERE parked_at IS NOT NULL AND delivered = FALSE AND ($1 IS NULL OR event_id = $1) \
             RETURNING id",
        );
        let write = Write::causing(vec![caused]).require(query.bind(event), not_parked());
        Ok(self.write(write).await?.len() as u64)
    }

    /// Removes a parked entry from the queue, so that what follows it can go on; the event stays in the
    /// log.
    ///
    /// # Errors
    ///
    /// `OUTBOX_NOT_FOUND` when it is not parked.
    pub async fn outbox_discard(&self, event: Uuid, caused: NewEvent) -> Result<(), StoreError> {
        let query = Query::new(
            "DELETE FROM outbox WHERE event_id = $1 AND parked_at IS NOT NULL AND delivered = FALSE",
        );
        self.write(Write::causing(vec![caused]).require(query.bind(event), not_parked())).await?;
        Ok(())
    }

    /// Removes waiting entries, the oldest first, so many at most; returns how many went. With the first
    /// of them goes the event that tells of all.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_discard_some(
        &self,
        caused: Option<NewEvent>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let query = Query::new(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE delivered = FALSE \
             ORDER BY id LIMIT $1) RETURNING id",
        );
        let write = Write::causing(caused.into_iter().collect());
        Ok(self.write(write.run(query.bind(limit))).await?.len() as u64)
    }

    /// Removes entries that somebody has marked as delivered before a time, so many at most; returns how
    /// many went.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_prune(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let query = Query::new(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE delivered = TRUE \
             AND delivered_at < $1 ORDER BY id LIMIT $2) RETURNING id",
        );
        let rows = self.write(Write::default().run(query.bind(before).bind(limit))).await?;
        Ok(rows.len() as u64)
    }
}

fn position(up_to: u64) -> i64 {
    i64::try_from(up_to).unwrap_or(i64::MAX)
}

fn not_parked() -> Failure {
    Failure::not_found("OUTBOX_NOT_FOUND", "no such event is parked")
        .with_hint("stratavore outbox list --parked")
}

fn decode_all(rows: &[Record]) -> Result<Vec<OutboxEntry>, StoreError> {
    rows.iter().map(decode).collect()
}

fn queued(row: &Record) -> Result<QueuedEvent, StoreError> {
    Ok(QueuedEvent {
        id: row.optional_integer("id")?.unwrap_or(0),
        event_id: row.id("event_id")?,
        event_type: row.text("event_type")?,
        aggregate: Arc::new((row.text("aggregate_type")?, row.text("aggregate_id")?)),
        routing_key: row.text("routing_key")?,
        payload: row.text("body")?.into(),
        trace_id: row.text("trace_id")?,
        attempts: small(row, "attempts")?,
        max_attempts: small(row, "max_attempts")?,
        created_at: row.time("created_at")?,
        next_retry_at: row.optional_time("next_retry_at")?,
        is_parked: row.optional_time("parked_at")?.is_some(),
    })
}

fn small(row: &Record, column: &str) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.count(column)?).unwrap_or(u32::MAX))
}

fn decode(row: &Record) -> Result<OutboxEntry, StoreError> {
    Ok(OutboxEntry {
        id: row.optional_integer("id")?.unwrap_or(0),
        event_id: row.id("event_id")?,
        event_type: row.text("event_type")?,
        aggregate: (row.text("aggregate_type")?, row.text("aggregate_id")?),
        sequence: row.count("sequence")?,
        routing_key: row.text("routing_key")?,
        payload: row.json("payload")?,
        trace_id: row.text("trace_id")?,
        attempts: small(row, "attempts")?,
        max_attempts: small(row, "max_attempts")?,
        created_at: row.time("created_at")?,
        last_attempt_at: row.optional_time("last_attempt_at")?,
        next_retry_at: row.optional_time("next_retry_at")?,
        parked_at: row.optional_time("parked_at")?,
        error: row.optional_text("error")?,
    })
}
