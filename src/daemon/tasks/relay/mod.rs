//! Publishes what the outbox holds: reads it, hands it to the broker, writes down what came of it.
//! What was queued a moment ago comes without being read, as long as nothing before it is left.
//!
//! Published is what is on disk and sealed, in the partitions whose leases this daemon holds. Marked
//! as delivered, by leaving the queue, is what the broker has confirmed, afterwards: a crash between the two repeats a
//! message, never loses one. The policy is [`lanes`]; this loop only carries it out. It waits for the
//! database in nothing: reading, marking and writing down refusals go on beside it, one of each at a
//! time, while messages leave.
//!
//! Invariant: an entry counts as unmarked until no read is under way that began before its mark was
//! committed: such a read may still find it undelivered.

mod job;
mod lanes;
mod underway;

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use self::{
    job::Job,
    lanes::{Aggregate, LANE, Lanes, Note, Refusal},
    underway::Underway,
};
use crate::{
    daemon::{
        broker::{BrokerStatus, Message, Outcome, Publisher, WINDOW},
        services::Services,
        store::{DatabaseStatus, Fresh, Store, StoreError},
    },
    domain::{event::partition_of, outbox::QueuedEvent},
};

/// Entries read at once.
const PAGE: u32 = 1000;

/// Batches that wait for the end of a read, at most.
const BATCHES: usize = 64;

/// Lanes read on at once.
const LANES: usize = 8;

/// Deliveries written down together without waiting for more.
const MARKS: usize = 1000;

/// Otherwise so long after the last: each transaction costs about as much as fifty marks.
const SPACING: Duration = Duration::from_millis(25);

/// Deliveries that are not written down, at most: what a crash repeats.
const UNMARKED: usize = 2 * MARKS;

/// The doorbell is a hint; looking again after so long is the truth.
const POLL: Duration = Duration::from_secs(5);

/// After a failure of the database.
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes until it is cancelled or the publisher has ended.
pub(super) async fn run(services: Services, store: Store, publisher: Publisher) {
    let relay = Relay {
        doorbell: store.doorbell(),
        fresh: store.fresh(),
        batches: VecDeque::new(),
        seen: 0,
        database: services.database(),
        may_lack_marks: false,
        services,
        store,
        lanes: Lanes::default(),
        underway: Underway::default(),
        partitions: 0,
        cursor: 0,
        has_more: true,
        reading: Job::default(),
        is_stale: false,
        marking: Job::default(),
        marks: Vec::new(),
        in_hand: Vec::new(),
        marked: Vec::new(),
        marked_at: Instant::now(),
        refusing: Job::default(),
        refusals: Vec::new(),
        asking: Job::default(),
        rests_until: Instant::now(),
    };
    relay.run(publisher).await;
}

struct Relay {
    services: Services,
    store: Store,
    doorbell: watch::Receiver<u64>,
    fresh: mpsc::Receiver<Fresh>,
    /// What was queued while a read is under way.
    batches: VecDeque<Fresh>,
    /// All entries from up to this place of the log are behind the cursor.
    seen: u64,
    database: watch::Receiver<DatabaseStatus>,
    /// The database was lost since the queue was last read from its beginning.
    may_lack_marks: bool,
    lanes: Lanes,
    /// What the broker has not answered yet.
    underway: Underway,
    /// The partitions that are published here, as bits.
    partitions: u64,
    /// Up to here the queue was read.
    cursor: i64,
    /// Behind the cursor there may be more.
    has_more: bool,
    reading: Job<Read>,
    /// What is being read is of no use any more.
    is_stale: bool,
    marking: Job<()>,
    /// Deliveries that are not yet written down.
    marks: Vec<i64>,
    /// Those that are being written down.
    in_hand: Vec<i64>,
    /// Those that were, since the present read began.
    marked: Vec<i64>,
    marked_at: Instant,
    /// Gives back what could not be written down.
    refusing: Job<Vec<Refusal>>,
    /// Refusals that are not yet written down.
    refusals: Vec<Refusal>,
    asking: Job<Parked>,
    /// The database has failed; it is left alone until then.
    rests_until: Instant,
}

/// What was read.
enum Read {
    /// All that there is up to a place, or as much as one page holds.
    Page(Vec<QueuedEvent>, u64),
    /// Of each lane its next entries.
    Lanes(Vec<(Aggregate, Vec<QueuedEvent>)>),
}

/// The lanes that stood still when it was asked what is parked, and what is.
struct Parked {
    stood: BTreeSet<Aggregate>,
    parked: BTreeSet<Aggregate>,
}

impl Relay {
    async fn run(mut self, mut publisher: Publisher) {
        let mut next_poll = Instant::now();
        let mut outcomes = Vec::with_capacity(WINDOW);
        loop {
            if Instant::now() >= next_poll {
                self.has_more = true;
                next_poll = Instant::now() + POLL;
                self.look_for_lost_marks();
                self.ask_what_is_parked();
            }
            self.follow_leases();
            let wakes = self.keep_up().map_or(next_poll, |wakes| wakes.min(next_poll));
            let now = self.services.context().clock.now();
            let due = self.lanes.wake(now).and_then(|due| (due - now).to_std().ok());
            let wakes = due.map_or(wakes, |due| wakes.min(Instant::now() + due));
            let publishes = matches!(*publisher.status.borrow(), BrokerStatus::Ready { .. })
                && self.lanes.is_ready()
                && self.lanes.unmarked() < UNMARKED;
            tokio::select! {
                biased;
                received = publisher.outcomes.recv_many(&mut outcomes, WINDOW) => {
                    if received == 0 {
                        return;
                    }
                    for (event, outcome) in outcomes.drain(..) {
                        self.settle(event, outcome);
                    }
                }
                read = self.reading.done() => self.take(read),
                marked = self.marking.done() => self.take_note(marked),
                left = self.refusing.done() => match left {
                    Ok(left) if left.is_empty() => {}
                    Ok(left) => {
                        self.refusals.extend(left);
                        self.rests_until = Instant::now() + PAUSE;
                    }
                    Err(error) => self.rest(&error),
                },
                parked = self.asking.done() => match parked {
                    Ok(Parked { stood, parked }) => self.lanes.unpark(&stood, &parked),
                    Err(error) => self.rest(&error),
                },
                permit = publisher.messages.reserve(), if publishes => {
                    let Ok(permit) = permit else { return };
                    if let Some(entry) = self.lanes.next() {
                        permit.send(self.sent(entry));
                    }
                    // And all that finds a place.
                    while self.lanes.is_ready() && self.lanes.unmarked() < UNMARKED {
                        match publisher.messages.try_reserve() {
                            Ok(permit) => if let Some(entry) = self.lanes.next() {
                                permit.send(self.sent(entry));
                            },
                            Err(TrySendError::Full(())) => break,
                            Err(TrySendError::Closed(())) => return,
                        }
                    }
                }
                Some(fresh) = self.fresh.recv() => {
                    self.batches.push_back(fresh);
                    while self.batches.len() < BATCHES && let Ok(fresh) = self.fresh.try_recv() {
                        self.batches.push_back(fresh);
                    }
                    self.take_batches();
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

    /// Returns the message of an entry that goes out now.
    fn sent(&mut self, entry: QueuedEvent) -> Message {
        self.underway.sent(&entry);
        message(entry)
    }

    fn settle(&mut self, event: Uuid, outcome: Outcome) {
        self.underway.settled(event, &outcome, &self.services);
        let now = self.services.context().clock.now();
        match self.lanes.settle(event, outcome, now) {
            Some(Note::Delivered(id)) => self.marks.push(id),
            Some(Note::Refused(refusal)) => self.refusals.push(refusal),
            None => {}
        }
    }

    /// Starts what is to be done beside; returns when there will be more.
    fn keep_up(&mut self) -> Option<Instant> {
        if Instant::now() < self.rests_until {
            return Some(self.rests_until);
        }
        if self.reading.is_idle() && self.partitions != 0 && self.lanes.has_room() {
            self.read();
        }
        if self.refusing.is_idle() && !self.refusals.is_empty() {
            let refusals = mem::take(&mut self.refusals);
            self.refusing.start(refuse(self.services.clone(), self.store.clone(), refusals));
        }
        if !self.marking.is_idle() || self.marks.is_empty() {
            return None;
        }
        let due = self.marked_at + SPACING;
        let is_busy = self.lanes.is_flying() || self.lanes.is_ready();
        if is_busy && self.marks.len() < MARKS && Instant::now() < due {
            return Some(due);
        }
        self.in_hand = mem::take(&mut self.marks);
        self.marked_at = Instant::now();
        let (store, ids) = (self.store.clone(), self.in_hand.clone());
        self.marking.start(async move { store.outbox_deliver(&ids).await });
        None
    }

    /// Takes note of what was marked, or that it was not.
    fn take_note(&mut self, marked: Result<(), StoreError>) {
        let ids = mem::take(&mut self.in_hand);
        match marked {
            Ok(()) if self.reading.is_idle() => self.lanes.marked(&ids),
            Ok(()) => self.marked.extend(ids),
            Err(error) => {
                self.marks.extend(ids);
                self.rest(&error);
            }
        }
    }

    /// Begins to read on, if there is anything: the lanes that have run empty, then the queue.
    fn read(&mut self) {
        let mut cut = self.lanes.cut();
        let store = self.store.clone();
        if !cut.is_empty() {
            cut.truncate(LANES);
            let up_to = *self.doorbell.borrow();
            self.reading.start(async move {
                let mut read = Vec::with_capacity(cut.len());
                for (lane, after) in cut {
                    let limit = u32::try_from(LANE).unwrap_or(PAGE);
                    let entries = store.outbox_lane(&lane, after, up_to, limit).await?;
                    read.push((lane, entries));
                }
                Ok(Read::Lanes(read))
            });
        } else if self.has_more {
            // What comes in meanwhile rings again.
            self.has_more = false;
            let up_to = *self.doorbell.borrow_and_update();
            if up_to <= self.seen && self.seen > 0 {
                return;
            }
            let (cursor, partitions) = (self.cursor, self.partitions);
            self.reading.start(async move {
                let page = store.outbox_next(cursor, partitions, up_to, PAGE).await?;
                Ok(Read::Page(page, up_to))
            });
        }
    }

    /// Takes what was read.
    fn take(&mut self, read: Result<Read, StoreError>) {
        let now = self.services.context().clock.now();
        let is_stale = mem::take(&mut self.is_stale);
        match read {
            Err(error) => {
                self.has_more = true;
                self.rest(&error);
            }
            Ok(_) if is_stale => self.has_more = true,
            Ok(Read::Page(page, up_to)) => {
                if page.len() < PAGE as usize {
                    self.seen = self.seen.max(up_to);
                } else {
                    self.has_more = true;
                }
                self.cursor = page.last().map_or(self.cursor, |last| last.id);
                for entry in page {
                    self.lanes.offer(entry, now);
                }
                self.lanes.forget(self.cursor);
            }
            Ok(Read::Lanes(lanes)) => {
                for (lane, entries) in lanes {
                    let is_all = entries.len() < LANE;
                    self.lanes.go_on(&lane, entries, is_all, now);
                }
            }
        }
        self.lanes.marked(&mem::take(&mut self.marked));
        self.take_batches();
    }

    /// Takes what was queued meanwhile, if it follows what was read; otherwise it is read.
    fn take_batches(&mut self) {
        if !self.reading.is_idle() {
            while self.batches.len() >= BATCHES {
                self.batches.pop_front();
            }
            return;
        }
        let now = self.services.context().clock.now();
        for Fresh { first, last, entries } in mem::take(&mut self.batches) {
            let follows = first <= self.seen + 1 && self.seen > 0;
            if !follows || last <= self.seen || !self.lanes.has_room() {
                continue;
            }
            self.seen = last;
            let newest = entries.last().map_or(0, |entry| entry.id);
            for entry in entries {
                let (entity, id) = &*entry.aggregate;
                let is_ours = self.partitions & (1 << partition_of(entity, id)) != 0;
                if entry.id > self.cursor && is_ours {
                    self.lanes.offer(entry, now);
                }
            }
            self.cursor = self.cursor.max(newest);
            self.lanes.forget(self.cursor);
        }
    }

    /// Leaves the database alone for a while.
    fn rest(&mut self, error: &StoreError) {
        tracing::debug!(%error, "failed to read or mark the outbox");
        self.rests_until = Instant::now() + PAUSE;
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
            self.is_stale = !self.reading.is_idle();
            (self.cursor, self.seen) = (0, 0);
        }
    }

    /// Publishes what the leases of this daemon say; from new partitions, all that waits there.
    fn follow_leases(&mut self) {
        let partitions = self.services.partitions();
        if partitions == self.partitions {
            return;
        }
        if partitions & !self.partitions != 0 {
            (self.cursor, self.seen) = (0, 0);
            self.has_more = true;
        }
        self.lanes.restrict(partitions);
        self.partitions = partitions;
        self.is_stale = !self.reading.is_idle();
    }

    /// Begins to ask which lanes still stand still: what is no longer parked goes on.
    fn ask_what_is_parked(&mut self) {
        let stood = self.lanes.parked();
        let is_known = self.refusals.is_empty() && self.refusing.is_idle();
        if stood.is_empty() || !is_known || !self.asking.is_idle() {
            return;
        }
        let store = self.store.clone();
        self.asking.start(async move {
            let parked = store.outbox_parked().await?.into_iter().map(Arc::new).collect();
            Ok(Parked { stood, parked })
        });
    }
}

/// Writes refusals down, together; returns those for which that failed.
async fn refuse(
    services: Services,
    store: Store,
    refusals: Vec<Refusal>,
) -> Result<Vec<Refusal>, StoreError> {
    let now = services.context().clock.now();
    let write = |refusal: &Refusal| {
        let Refusal { id, why, retry, .. } = refusal.clone();
        let store = store.clone();
        async move { store.outbox_refused(id, &why, retry, now).await }
    };
    let written = join_all(refusals.iter().map(write)).await;
    let mut left = Vec::new();
    for (refusal, written) in refusals.into_iter().zip(written) {
        if let Err(error) = written {
            tracing::debug!(%error, "failed to write a refusal down");
            left.push(refusal);
        } else if refusal.retry.is_none() {
            let Refusal { event, why, .. } = refusal;
            tracing::error!(event = %event, why, "an event was refused too often and is parked");
            services.alert("warning", "outbox", &format!("event {event} is parked: {why}")).await;
        }
    }
    Ok(left)
}

/// Returns the message of an entry.
fn message(entry: QueuedEvent) -> Message {
    Message {
        id: entry.event_id,
        routing_key: entry.routing_key,
        event_type: entry.event_type,
        timestamp: entry.created_at,
        body: entry.payload,
    }
}
