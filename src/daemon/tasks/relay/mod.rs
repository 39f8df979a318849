//! Publishes what the outbox holds: reads it, hands it to the broker, writes down what came of it.
//!
//! Published is what is on disk and sealed, in the partitions whose leases this daemon holds. Marked
//! as delivered is what the broker has confirmed, afterwards: a crash between the two repeats a
//! message, never loses one. The policy is [`lanes`]; this loop only carries it out.

mod lanes;

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use self::lanes::{LANE, Lanes, Note};
use crate::{
    daemon::{
        broker::{BrokerStatus, Message, Outcome, Publisher},
        services::Services,
        store::{DatabaseStatus, Store, StoreError},
    },
    domain::outbox::OutboxEntry,
};

/// Entries read at once.
const PAGE: u32 = 500;

/// Deliveries written down together, at most; fewer when nothing else is to be done.
const MARKS: usize = 500;

/// The doorbell is a hint; looking again after so long is the truth.
const POLL: Duration = Duration::from_secs(5);

/// After a failure of the database.
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes until it is cancelled or the publisher has ended.
pub(super) async fn run(services: Services, store: Store, publisher: Publisher) {
    let relay = Relay {
        doorbell: store.doorbell(),
        database: services.database(),
        may_lack_marks: false,
        services,
        store,
        lanes: Lanes::default(),
        partitions: 0,
        cursor: 0,
        has_more: true,
        marks: Vec::new(),
        refusals: Vec::new(),
    };
    relay.run(publisher).await;
}

struct Relay {
    services: Services,
    store: Store,
    doorbell: watch::Receiver<u64>,
    database: watch::Receiver<DatabaseStatus>,
    /// The database was lost since the queue was last read from its beginning.
    may_lack_marks: bool,
    lanes: Lanes,
    /// The partitions that are published here, as bits.
    partitions: u64,
    /// Up to here the queue was read.
    cursor: i64,
    /// Behind the cursor there may be more.
    has_more: bool,
    /// Deliveries that are not yet written down.
    marks: Vec<i64>,
    /// Refusals that are not yet written down.
    refusals: Vec<Note>,
}

impl Relay {
    async fn run(mut self, mut publisher: Publisher) {
        let mut next_poll = Instant::now();
        loop {
            if Instant::now() >= next_poll {
                self.has_more = true;
                next_poll = Instant::now() + POLL;
                self.look_for_lost_marks();
                if let Err(error) = self.look_at_parked().await {
                    tracing::debug!(%error, "failed to look at what is parked");
                }
            }
            let wakes = match self.keep_up().await {
                Ok(()) => next_poll,
                Err(error) => {
                    tracing::debug!(%error, "failed to read or mark the outbox");
                    Instant::now() + PAUSE
                }
            };
            let now = self.services.context().clock.now();
            let due = self.lanes.wake(now).and_then(|due| (due - now).to_std().ok());
            let wakes = due.map_or(wakes, |due| wakes.min(Instant::now() + due));
            let is_ready = matches!(*publisher.status.borrow(), BrokerStatus::Ready { .. });
            tokio::select! {
                biased;
                outcome = publisher.outcomes.recv() => {
                    let Some((event, outcome)) = outcome else { return };
                    self.settle(event, outcome);
                    // What else has come belongs into the same marks.
                    while self.marks.len() < MARKS && let Ok((event, outcome)) = publisher.outcomes.try_recv() {
                        self.settle(event, outcome);
                    }
                }
                permit = publisher.messages.reserve(), if is_ready && self.lanes.is_ready() => {
                    let Ok(permit) = permit else { return };
                    if let Some(entry) = self.lanes.next() {
                        permit.send(message(entry));
                    }
                }
                changed = self.doorbell.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.has_more = true;
                }
                changed = publisher.status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep_until(wakes) => {}
            }
        }
    }

    fn settle(&mut self, event: Uuid, outcome: Outcome) {
        let now = self.services.context().clock.now();
        match self.lanes.settle(event, outcome, now) {
            Some(Note::Delivered(id)) => self.marks.push(id),
            Some(refusal @ Note::Refused { .. }) => self.refusals.push(refusal),
            None => {}
        }
    }

    /// Writes down what came of messages and reads what is to be published next.
    async fn keep_up(&mut self) -> Result<(), StoreError> {
        self.follow_leases();
        let is_idle = !self.lanes.is_ready();
        if self.marks.len() >= MARKS || (is_idle && !self.marks.is_empty()) {
            let now = self.services.context().clock.now();
            self.store.outbox_deliver(&self.marks, now).await?;
            self.lanes.marked(&self.marks);
            self.marks.clear();
        }
        while let Some(Note::Refused { id, event, why, retry }) = self.refusals.last() {
            let now = self.services.context().clock.now();
            self.store.outbox_refused(*id, why, *retry, now).await?;
            if retry.is_none() {
                tracing::error!(event = %event, why, "an event was refused too often and is parked");
                let what = format!("event {event} is parked: {why}");
                self.services.alert("warning", "outbox", &what).await;
            }
            self.refusals.pop();
        }
        self.read().await
    }

    /// Reads on, while there is room.
    async fn read(&mut self) -> Result<(), StoreError> {
        if self.partitions == 0 {
            return Ok(());
        }
        let now = self.services.context().clock.now();
        for (aggregate, after) in self.lanes.cut() {
            if !self.lanes.has_room() {
                return Ok(());
            }
            let limit = u32::try_from(LANE).unwrap_or(PAGE);
            let up_to = *self.doorbell.borrow();
            let entries = self.store.outbox_lane(&aggregate, after, up_to, limit).await?;
            let is_all = entries.len() < LANE;
            self.lanes.go_on(&aggregate, entries, is_all, now);
        }
        while self.has_more && self.lanes.has_room() {
            // What came in meanwhile rings again.
            let up_to = *self.doorbell.borrow_and_update();
            let page = self.store.outbox_next(self.cursor, self.partitions, up_to, PAGE).await?;
            self.has_more = page.len() >= PAGE as usize;
            self.cursor = page.last().map_or(self.cursor, |last| last.id);
            for entry in page {
                self.lanes.offer(entry, now);
            }
            self.lanes.forget(self.cursor);
        }
        Ok(())
    }

    /// Marks are not flushed: a database server that died may have forgotten the last of them. What it
    /// then calls undelivered lies behind us, and is read again once nothing else is to be done.
    fn look_for_lost_marks(&mut self) {
        // Without a sender the daemon is leaving.
        self.may_lack_marks |= self.database.has_changed().unwrap_or(false);
        self.database.mark_unchanged();
        if self.may_lack_marks && self.lanes.is_idle() {
            self.may_lack_marks = false;
            self.lanes.forget(i64::MAX);
            self.cursor = 0;
        }
    }

    /// Publishes what the leases of this daemon say; from new partitions, all that waits there.
    fn follow_leases(&mut self) {
        let partitions = self.services.partitions();
        if partitions == self.partitions {
            return;
        }
        if partitions & !self.partitions != 0 {
            self.cursor = 0;
            self.has_more = true;
        }
        self.lanes.restrict(partitions);
        self.partitions = partitions;
    }

    /// Lets go on what is no longer parked.
    async fn look_at_parked(&mut self) -> Result<(), StoreError> {
        if !self.lanes.has_parked() {
            return Ok(());
        }
        let parked = self.store.outbox_parked().await?;
        self.lanes.unpark(&parked.into_iter().collect::<BTreeSet<_>>());
        Ok(())
    }
}

/// Returns the message of an entry.
fn message(entry: OutboxEntry) -> Message {
    let (entity_type, entity_id) = entry.aggregate;
    let headers = vec![
        ("entity_type", entity_type),
        ("entity_id", entity_id),
        ("sequence", entry.sequence.to_string()),
        ("trace_id", entry.trace_id),
    ];
    Message {
        id: entry.event_id,
        routing_key: entry.routing_key,
        event_type: entry.event_type,
        timestamp: entry.created_at,
        headers,
        body: Bytes::from(entry.payload.to_string()),
    }
}
