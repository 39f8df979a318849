//! Removes the oldest events, and never one that somebody still needs.
//!
//! Invariant: what goes is the beginning of the log without a gap, and ends before the first event
//! that the broker has not confirmed and before the newest [`KEPT`]. The same transaction appends
//! an event with the position and the seal of the last one that went, so that a verification of the
//! chain can begin there. A gap that is none of ours stays visible: the row before it is kept.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{event::NewEvent, failure::Failure};

/// So many of the newest events are always kept: the tail of the chain.
pub const KEPT: u64 = 1000;

/// Events removed in one transaction, at most: others wait for it.
pub const TOGETHER: u32 = 1000;

/// By their number, events are only removed when so many are too many: each round appends one
/// itself, and would otherwise be the reason for the next.
const SLACK: u64 = 100;

/// How far the log goes, and up to where it is published. The queue is in the order of the log.
const LOOK: &str = "SELECT (SELECT coalesce(min(position), 0) FROM events) AS oldest, \
     (SELECT coalesce(max(position), 0) FROM events) AS newest, \
     (SELECT timestamp FROM events WHERE position IS NOT NULL ORDER BY position LIMIT 1) AS at, \
     (SELECT position FROM outbox WHERE delivered = FALSE ORDER BY id LIMIT 1) AS unpublished";

const OLDEST: &str = "SELECT position, timestamp, seal FROM events WHERE position IS NOT NULL \
     ORDER BY position LIMIT $1";

/// Looked at once more in the transaction itself.
const PRUNE: &str = "DELETE FROM events WHERE position >= $1 AND position <= $2 \
     AND coalesce((SELECT position FROM outbox WHERE delivered = FALSE ORDER BY id LIMIT 1), \
     $2 + 1) > $2";

/// Which events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Those since then; `None` for all.
    pub since: Option<DateTime<Utc>>,
    /// So many of the newest, 0 for all.
    pub rows: u64,
}

/// What may go, in positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// Events from before then may go.
    since: Option<DateTime<Utc>>,
    /// Events up to here are too many.
    surplus: u64,
    /// No event after this one may go.
    last: u64,
}

impl Bounds {
    fn is_due(&self, position: u64, at: DateTime<Utc>) -> bool {
        let is_old = self.since.is_some_and(|since| at < since);
        position <= self.last && (position <= self.surplus || is_old)
    }
}

impl Store {
    /// Whether this daemon is the one that keeps the log: alone, or by the sealer's lease.
    pub fn keeps_log(&self) -> bool {
        self.sealing.lease().is_some()
    }

    /// Removes the oldest events that need not be kept, [`TOGETHER`] at most, and appends the event
    /// given, whose data it completes; returns how many went, 0 also where another daemon keeps the
    /// log.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_prune(&self, keep: Keep, caused: NewEvent) -> Result<u64, StoreError> {
        let Some((holder, epoch)) = self.sealing.lease() else { return Ok(0) };
        let rows = self.fetch(Query::new(LOOK)).await?;
        let Some(look) = rows.first() else { return Ok(0) };
        let bounds = bounds(keep, look)?;
        let first = look.count("oldest")?;
        if look.optional_time("at")?.is_none_or(|at| !bounds.is_due(first, at)) {
            return Ok(0);
        }
        let oldest = self.fetch(Query::new(OLDEST).bind(TOGETHER + 1)).await?;
        let Some((last, seal)) = last_to_go(&oldest, &bounds)? else { return Ok(0) };
        let mut caused = caused;
        caused.data =
            serde_json::json!({ "up_to": last, "seal": seal, "events": last - first + 1 });
        let moved = || Failure::conflict("LOG_MOVED", "the log has changed meanwhile");
        let mut write = Write::causing(vec![caused]);
        if self.is_shared() {
            let epoch = i64::try_from(epoch).unwrap_or(0);
            let fence = Query::new(self.readers.texts().fence).bind(holder).bind(epoch);
            write = write.require(fence, moved());
        }
        let prune = Query::new(PRUNE).bind(place(first)).bind(place(last));
        match self.write(write.require(prune, moved())).await {
            Ok(_) => Ok(last - first + 1),
            Err(StoreError::Refused(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Whether anything was delivered before a time and is still queued.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_has_delivered(&self, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let query = Query::new(
            "SELECT 1 AS one FROM (SELECT delivered_at FROM outbox WHERE delivered = TRUE \
             ORDER BY id LIMIT 1) AS oldest WHERE delivered_at < $1",
        );
        Ok(!self.fetch(query.bind(before)).await?.is_empty())
    }
}

fn place(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn bounds(keep: Keep, look: &Record) -> Result<Bounds, StoreError> {
    let (oldest, newest) = (look.count("oldest")?, look.count("newest")?);
    let last = newest.saturating_sub(KEPT);
    let last = match look.optional_integer("unpublished")? {
        Some(unpublished) => last.min(u64::try_from(unpublished).unwrap_or(0).saturating_sub(1)),
        None => last,
    };
    let surplus = if keep.rows == 0 { 0 } else { newest.saturating_sub(keep.rows.max(KEPT)) };
    let is_much = surplus.saturating_sub(oldest.saturating_sub(1)) >= SLACK;
    Ok(Bounds { since: keep.since, surplus: if is_much { surplus } else { 0 }, last })
}

/// Returns position and seal of the last of the oldest rows that may go.
fn last_to_go(rows: &[Record], bounds: &Bounds) -> Result<Option<(u64, String)>, StoreError> {
    let mut found = None;
    for pair in rows.windows(2) {
        let [row, next] = pair else { continue };
        let position = row.count("position")?;
        if !bounds.is_due(position, row.time("timestamp")?) {
            break;
        }
        if next.count("position")? != position + 1 {
            tracing::warn!(position, "the event log has a gap here; stratavore audit verify");
            break;
        }
        found = Some((position, row.text("seal")?));
    }
    Ok(found)
}
