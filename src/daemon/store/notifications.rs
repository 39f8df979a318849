//! What people outside are told, in the database: taken in from the event log with the place up to
//! which that was read, and kept until a channel has taken it.
//!
//! Invariant: the place moves in the transaction that takes in what stands before it, and only from
//! where it was read: two daemons that both believe to be the notifier take nothing in twice.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    event::NewEvent,
    failure::Failure,
    id::RunnerId,
    notification::{ChannelCounts, Delivery, DeliveryState, Notification},
};

/// Every column that makes a [`Delivery`].
macro_rules! columns {
    () => {
        "id, channel, state, attempts, created_at, due_at, settled_at, error, reference, payload"
    };
}

/// A notification about to be taken in for a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// The channel.
    pub channel: String,
    /// When it is to be sent; or why it is not.
    pub due: Result<DateTime<Utc>, String>,
    /// What is told.
    pub notification: Notification,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where it stands now.
    pub state: DeliveryState,
    /// Whether it was tried.
    pub was_tried: bool,
    /// When it is to be tried again.
    pub due_at: Option<DateTime<Utc>>,
    /// Why it was not sent.
    pub error: Option<String>,
    /// How the channel names the message.
    pub reference: Option<String>,
}

impl Store {
    /// Returns up to where something was read; begins there when nothing is known of it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn cursor_begin(
        &self,
        name: &str,
        beginning: u64,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let begin = Query::new(
            "INSERT INTO notify_cursors (name, position, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET updated_at = notify_cursors.updated_at \
             RETURNING position",
        );
        let begin = begin.bind(name).bind(signed(beginning)).bind(now);
        let rows = self.write(Write::default().run(begin)).await?;
        rows.first().map_or(Ok(beginning), |row| row.count("position"))
    }

    /// Returns up to where something was read, `None` when nothing is known of it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn cursor(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let query = Query::new("SELECT position FROM notify_cursors WHERE name = $1");
        let rows = self.fetch(query.bind(name)).await?;
        rows.first().map(|row| row.count("position")).transpose()
    }

    /// Moves the place of something that was read, if it is still where it was.
    ///
    /// # Errors
    ///
    /// `CURSOR_MOVED` when somebody else has moved it.
    pub async fn cursor_move(
        &self,
        name: &str,
        (from, to): (u64, u64),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(Write::default().require(moved(name, (from, to), now), not_there())).await?;
        Ok(())
    }

    /// Returns the position of the last event before a time.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn event_before(&self, time: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = Query::new(
            "SELECT coalesce(max(position), 0) AS position FROM events WHERE timestamp < $1",
        );
        let rows = self.fetch(query.bind(time)).await?;
        rows.first().map_or(Ok(0), |row| row.count("position"))
    }

    /// Takes in what a part of the log tells, together with the place behind it.
    ///
    /// # Errors
    ///
    /// `CURSOR_MOVED` when somebody else has read that part meanwhile.
    pub async fn notification_take_in(
        &self,
        name: &str,
        span: (u64, u64),
        news: Vec<NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut write = Write::default().require(moved(name, span, now), not_there());
        for new in news {
            let (state, due, settled, error) = match new.due {
                Ok(due) => (DeliveryState::Waiting, due, None, None),
                Err(why) => (DeliveryState::Suppressed, now, Some(now), Some(why)),
            };
            let payload = serde_json::to_value(&new.notification)
                .map_err(|error| StoreError::Garbled(format!("notification: {error}")))?;
            let insert = Query::new(
                "INSERT INTO notifications (channel, event_id, dedup_key, payload, state, \
                 created_at, due_at, settled_at, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                 ON CONFLICT (channel, event_id) DO NOTHING",
            )
            .bind(new.channel)
            .bind(new.notification.event_id)
            .bind(new.notification.key)
            .bind(payload)
            .bind(state.as_str())
            .bind(now)
            .bind(due)
            .bind(settled)
            .bind(error);
            write = write.run(insert);
        }
        self.write(write).await?;
        Ok(())
    }

    /// Returns when the same was last told on a channel, or is going to be, as far as that was decided
    /// before `now`: what is written of the future says nothing about the pace of what is told.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_last(
        &self,
        channel: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = Query::new(
            "SELECT created_at FROM notifications WHERE channel = $1 AND dedup_key = $2 \
             AND created_at <= $3 AND state <> 'suppressed' ORDER BY created_at DESC LIMIT 1",
        );
        let rows = self.fetch(query.bind(channel).bind(key).bind(now)).await?;
        rows.first().map(|row| row.time("created_at")).transpose()
    }

    /// Returns what is due on a channel, in order. What was last decided in the future was so by a clock
    /// that has been set right since: it is due, whenever it was put off to.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_due(
        &self,
        channel: &str,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM notifications WHERE channel = $1 AND state = 'waiting' \
             AND (due_at <= $2 OR coalesce(settled_at, created_at) > $2) ORDER BY due_at, id LIMIT $3"
        ));
        self.list(query.bind(channel).bind(now).bind(limit), decode).await
    }

    /// Returns when the next is due on a channel, by what was decided of it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_next(
        &self,
        channel: &str,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = Query::new(
            "SELECT due_at FROM notifications WHERE channel = $1 AND state = 'waiting' \
             ORDER BY due_at, id LIMIT 1",
        );
        let rows = self.fetch(query.bind(channel)).await?;
        rows.first().map(|row| row.time("due_at")).transpose()
    }

    /// Puts deliveries that wait off to other times than they were.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_put_off(
        &self,
        to: &[(i64, DateTime<Utc>)],
    ) -> Result<(), StoreError> {
        let mut write = Write::default();
        for (id, due) in to {
            let update = Query::new(
                "UPDATE notifications SET due_at = $2 WHERE id = $1 AND state = 'waiting'",
            );
            write = write.run(update.bind(*id).bind(*due));
        }
        self.write(write).await?;
        Ok(())
    }

    /// Writes down what became of a delivery that waits, together with what that causes.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_settle(
        &self,
        ids: &[i64],
        settled: &Settled,
        now: DateTime<Utc>,
        caused: Option<NewEvent>,
    ) -> Result<(), StoreError> {
        let mut write = Write::causing(caused.into_iter().collect());
        for id in ids {
            let update = Query::new(
                "UPDATE notifications SET state = $2, attempts = attempts + $3, \
                 due_at = coalesce($4, due_at), settled_at = $5, error = $6, reference = $7 \
                 WHERE id = $1 AND state = 'waiting'",
            )
            .bind(*id)
            .bind(settled.state.as_str())
            .bind(i64::from(settled.was_tried))
            .bind(settled.due_at)
            .bind(now)
            .bind(settled.error.clone())
            .bind(settled.reference.clone());
            write = write.run(update);
        }
        self.write(write).await?;
        Ok(())
    }

    /// Returns the newest deliveries, of one state or all, oldest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_list(
        &self,
        state: Option<DeliveryState>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM notifications WHERE $1 = '' OR state = $1 ORDER BY id DESC LIMIT $2"
        ));
        let word = state.map_or("", DeliveryState::as_str);
        let mut found: Vec<_> = self
            .fetch(query.bind(word).bind(limit))
            .await?
            .iter()
            .map(decode)
            .collect::<Result<_, _>>()?;
        found.reverse();
        Ok(found)
    }

    /// Returns the delivery that became a message of a channel.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_of(
        &self,
        channel: &str,
        reference: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM notifications WHERE channel = $1 AND state = 'sent' AND reference = $2 \
             ORDER BY id DESC LIMIT 1"
        ));
        let rows = self.fetch(query.bind(channel).bind(reference)).await?;
        rows.first().map(decode).transpose()
    }

    /// Returns the messages that a channel made since a time of what a runner's agent was at, but for
    /// those of which it is written down how that ended; the newest first, so many at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_pushed(
        &self,
        channel: &str,
        runner: RunnerId,
        since: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM notifications WHERE channel = $1 AND state = 'sent' AND error IS NULL \
             AND reference IS NOT NULL AND created_at >= $2 AND dedup_key LIKE $3 || '%' \
             ORDER BY id DESC LIMIT $4"
        ));
        let begins = format!("runner.activity/{runner}/");
        self.list(query.bind(channel).bind(since).bind(begins).bind(limit), decode).await
    }

    /// Writes down how a question ended that was sent.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_end(&self, id: i64, how: &str) -> Result<(), StoreError> {
        let update =
            Query::new("UPDATE notifications SET error = $2 WHERE id = $1 AND state = 'sent'");
        self.write(Write::default().run(update.bind(id).bind(how))).await?;
        Ok(())
    }

    /// Returns how a channel is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_counts(&self, channel: &str) -> Result<ChannelCounts, StoreError> {
        let query = Query::new(
            "SELECT count(*) AS waiting, min(created_at) AS oldest, \
             (SELECT count(*) FROM notifications WHERE channel = $1 AND state = 'parked') AS parked \
             FROM notifications WHERE channel = $1 AND state = 'waiting'",
        );
        let rows = self.fetch(query.bind(channel)).await?;
        let Some(row) = rows.first() else { return Ok(ChannelCounts::default()) };
        Ok(ChannelCounts {
            waiting: row.count("waiting")?,
            parked: row.count("parked")?,
            oldest: row.optional_time("oldest")?,
        })
    }

    /// Gives a delivery that is parked or waits, or all that were not taken, their tries back, and makes
    /// them due; returns how many. What waits for the end of quiet hours was never tried.
    ///
    /// # Errors
    ///
    /// `NOTIFICATION_NOT_FOUND` when there is none.
    pub async fn notification_retry(
        &self,
        id: Option<i64>,
        now: DateTime<Utc>,
        caused: NewEvent,
    ) -> Result<u64, StoreError> {
        let query = Query::new(
            "UPDATE notifications SET state = 'waiting', attempts = 0, due_at = $2, \
             settled_at = NULL WHERE ($1 = 0 \
             AND (state = 'parked' OR (state = 'waiting' AND error IS NOT NULL))) \
             OR (state IN ('waiting', 'parked') AND id = $1) RETURNING id",
        );
        let query = query.bind(id.unwrap_or(0)).bind(now);
        let write = Write::causing(vec![caused]).require(query, not_parked());
        Ok(self.write(write).await?.len() as u64)
    }

    /// Gives up a delivery that waits or is parked, or all of them; returns how many.
    ///
    /// # Errors
    ///
    /// `NOTIFICATION_NOT_FOUND` when there is none.
    pub async fn notification_discard(
        &self,
        id: Option<i64>,
        now: DateTime<Utc>,
        caused: NewEvent,
    ) -> Result<u64, StoreError> {
        let query = Query::new(
            "UPDATE notifications SET state = 'suppressed', settled_at = $2, \
             error = 'it was given up' \
             WHERE state IN ('waiting', 'parked') AND ($1 = 0 OR id = $1) RETURNING id",
        );
        let query = query.bind(id.unwrap_or(0)).bind(now);
        let write = Write::causing(vec![caused]).require(query, not_parked());
        Ok(self.write(write).await?.len() as u64)
    }

    /// Removes what was settled before a time, so many at most; returns how many went.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_prune(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let query = Query::new(
            "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications \
             WHERE state IN ('sent', 'suppressed') AND settled_at < $1 ORDER BY settled_at \
             LIMIT $2) RETURNING id",
        );
        let rows = self.write(Write::default().run(query.bind(before).bind(limit))).await?;
        Ok(rows.len() as u64)
    }
}

fn moved(name: &str, (from, to): (u64, u64), now: DateTime<Utc>) -> Query {
    Query::new(
        "UPDATE notify_cursors SET position = $3, updated_at = $4 \
         WHERE name = $1 AND position = $2",
    )
    .bind(name)
    .bind(signed(from))
    .bind(signed(to))
    .bind(now)
}

fn not_there() -> Failure {
    Failure::conflict("CURSOR_MOVED", "another daemon has read that meanwhile")
}

fn not_parked() -> Failure {
    Failure::not_found("NOTIFICATION_NOT_FOUND", "no such notification waits or is parked")
        .with_hint("stratavore notify list")
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn decode(row: &Record) -> Result<Delivery, StoreError> {
    let garbled = |what: String| StoreError::Garbled(what);
    let state = row.text("state")?;
    let notification = serde_json::from_value(row.json("payload")?)
        .map_err(|error| garbled(format!("notification: {error}")))?;
    Ok(Delivery {
        id: row.optional_integer("id")?.unwrap_or(0),
        channel: row.text("channel")?,
        state: DeliveryState::parse(&state).ok_or_else(|| garbled(format!("state `{state}`")))?,
        attempts: u32::try_from(row.count("attempts")?).unwrap_or(u32::MAX),
        created_at: row.time("created_at")?,
        due_at: row.time("due_at")?,
        settled_at: row.optional_time("settled_at")?,
        error: row.optional_text("error")?,
        reference: row.optional_text("reference")?,
        notification,
    })
}
