//! Which event is published next: the policy of the relay, without any I/O.
//!
//! Each entity has a lane. Of a lane one event at a time is with the broker, and the next one leaves
//! when it is confirmed: that is the order. A lane whose head was refused waits by itself, and one
//! whose head is parked stands still; no other lane notices. What does not fit into memory stays in
//! the database: a lane that was cut short is read on from there when it has run empty.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    daemon::broker::Outcome,
    domain::{event::partition_of, outbox::QueuedEvent},
};

/// Events of one lane in memory at most, so that a busy entity leaves room for the others.
pub(super) const LANE: usize = 32;

/// Events in memory at most, and below which more are read.
const MOST: usize = 4096;
const FEW: usize = MOST / 2;

/// Bytes of their bodies in memory at most; a single event beyond it still goes.
const MOST_BYTES: usize = 8 << 20;

/// The pause after a first refusal; it doubles up to the longest.
const FIRST_PAUSE: TimeDelta = TimeDelta::milliseconds(250);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(60);

/// An entity: its type and id.
pub(super) type Aggregate = Arc<(String, String)>;

/// Why a lane does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nothing,
    Until(DateTime<Utc>),
    Parked,
}

#[derive(Debug)]
struct Lane {
    queue: VecDeque<QueuedEvent>,
    is_flying: bool,
    hold: Hold,
    /// The newest entry that was taken into memory.
    last_id: i64,
    /// Further entries were left in the database.
    is_cut: bool,
}

impl Lane {
    fn is_ready(&self) -> bool {
        !self.is_flying && self.hold == Hold::Nothing && !self.queue.is_empty()
    }
}

/// What has to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// The broker has this entry.
    Delivered(i64),
    /// It refused one.
    Refused(Refusal),
}

/// An entry that the broker refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The entry.
    pub(super) id: i64,
    /// The event.
    pub(super) event: Uuid,
    /// What the broker said.
    pub(super) why: String,
    /// When it is tried again; without a time it is parked.
    pub(super) retry: Option<DateTime<Utc>>,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    all: HashMap<Aggregate, Lane>,
    ready: VecDeque<Aggregate>,
    flying: HashMap<Uuid, (Aggregate, i64)>,
    /// Delivered, and not yet marked so in the database.
    unmarked: HashSet<i64>,
    /// Some lane waits for a time.
    has_pauses: bool,
    count: usize,
    bytes: usize,
}

impl Lanes {
    /// Whether there is room for more.
    pub(super) fn has_room(&self) -> bool {
        self.count < FEW && self.bytes < MOST_BYTES / 2
    }

    /// Takes an entry that was read from the queue, in its order.
    pub(super) fn offer(&mut self, entry: QueuedEvent, now: DateTime<Utc>) {
        if self.unmarked.contains(&entry.id) {
            return;
        }
        let is_full = self.count >= MOST || self.bytes >= MOST_BYTES;
        let aggregate = Arc::clone(&entry.aggregate);
        let lane = self.all.entry(Arc::clone(&aggregate)).or_insert_with(|| Lane {
            queue: VecDeque::new(),
            is_flying: false,
            hold: Hold::Nothing,
            last_id: 0,
            is_cut: false,
        });
        if entry.id <= lane.last_id {
            return;
        }
        if lane.is_cut || lane.queue.len() >= LANE || is_full || lane.hold == Hold::Parked {
            lane.is_cut = true;
            return;
        }
        if entry.is_parked {
            // Read again, with what follows it, when it is no longer parked.
            lane.hold = Hold::Parked;
            lane.is_cut = true;
            return;
        }
        if let Some(retry) = entry.next_retry_at.filter(|retry| *retry > now) {
            lane.hold = Hold::Until(retry);
            self.has_pauses = true;
        }
        self.count += 1;
        self.bytes += size(&entry);
        lane.last_id = entry.id;
        lane.queue.push_back(entry);
        if lane.is_ready() && lane.queue.len() == 1 {
            self.ready.push_back(aggregate);
        }
    }

    /// The lanes that have run empty and go on in the database, with the id they go on after.
    pub(super) fn cut(&self) -> Vec<(Aggregate, i64)> {
        let empty = |lane: &Lane| {
            lane.is_cut && lane.queue.is_empty() && !lane.is_flying && lane.hold == Hold::Nothing
        };
        let lanes = self.all.iter().filter(|(_, lane)| empty(lane));
        lanes.map(|(aggregate, lane)| (Arc::clone(aggregate), lane.last_id)).collect()
    }

    /// Takes a lane's next entries, and whether these are all that there are.
    pub(super) fn go_on(
        &mut self,
        aggregate: &Aggregate,
        entries: Vec<QueuedEvent>,
        is_all: bool,
        now: DateTime<Utc>,
    ) {
        if let Some(lane) = self.all.get_mut(aggregate) {
            lane.is_cut = false;
        }
        for entry in entries {
            self.offer(entry, now);
        }
        if let Some(lane) = self.all.get_mut(aggregate) {
            lane.is_cut |= !is_all;
        }
    }

    /// Whether anything can be published.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether anything is with the broker.
    pub(super) fn is_flying(&self) -> bool {
        !self.flying.is_empty()
    }

    /// How many are delivered and not yet marked.
    pub(super) fn unmarked(&self) -> usize {
        self.unmarked.len()
    }

    /// Whether all that was taken is delivered and marked, but for what stands still.
    pub(super) fn is_idle(&self) -> bool {
        self.count == 0 && self.flying.is_empty() && self.unmarked.is_empty()
    }

    /// Returns the next entry to publish, which is then with the broker.
    pub(super) fn next(&mut self) -> Option<QueuedEvent> {
        while let Some(aggregate) = self.ready.pop_front() {
            let Some(lane) = self.all.get_mut(&aggregate).filter(|lane| lane.is_ready()) else {
                continue;
            };
            if let Some(head) = lane.queue.front() {
                lane.is_flying = true;
                self.flying.insert(head.event_id, (aggregate, head.id));
                return Some(head.clone());
            }
        }
        None
    }

    /// Takes what became of an entry; returns what has to be written down.
    pub(super) fn settle(
        &mut self,
        event: Uuid,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Option<Note> {
        let (aggregate, id) = self.flying.remove(&event)?;
        let lane = self.all.get_mut(&aggregate);
        let note = match (lane, outcome) {
            (Some(lane), Outcome::Confirmed) => {
                lane.is_flying = false;
                if let Some(head) = lane.queue.pop_front() {
                    self.count -= 1;
                    self.bytes -= size(&head);
                }
                self.unmarked.insert(id);
                Some(Note::Delivered(id))
            }
            (None, Outcome::Confirmed) => {
                self.unmarked.insert(id);
                Some(Note::Delivered(id))
            }
            (Some(lane), Outcome::Refused(why)) => {
                lane.is_flying = false;
                let head = lane.queue.front_mut()?;
                head.attempts += 1;
                let retry =
                    (head.attempts < head.max_attempts).then(|| now + pause(head.attempts, event));
                lane.hold = retry.map_or(Hold::Parked, Hold::Until);
                self.has_pauses |= retry.is_some();
                if retry.is_none() {
                    // It and what follows it are read again when somebody has decided.
                    lane.last_id = id - 1;
                    lane.is_cut = true;
                    let gone: Vec<_> = lane.queue.drain(..).collect();
                    self.count -= gone.len();
                    self.bytes -= gone.iter().map(size).sum::<usize>();
                }
                Some(Note::Refused(Refusal { id, event, why, retry }))
            }
            (Some(lane), Outcome::Unknown) => {
                lane.is_flying = false;
                None
            }
            // The partition is another daemon's by now, which finds out by itself.
            (None, _) => None,
        };
        if self.all.get(&aggregate).is_some_and(Lane::is_ready) {
            self.ready.push_back(aggregate);
        }
        note
    }

    /// Lets lanes go on whose pause is over; returns when the next one's is.
    pub(super) fn wake(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut next = None;
        if !self.has_pauses {
            return next;
        }
        for (aggregate, lane) in &mut self.all {
            let Hold::Until(due) = lane.hold else { continue };
            if due > now {
                next = Some(next.map_or(due, |next: DateTime<Utc>| next.min(due)));
            } else {
                lane.hold = Hold::Nothing;
                if lane.is_ready() {
                    self.ready.push_back(Arc::clone(aggregate));
                }
            }
        }
        self.has_pauses = next.is_some();
        next
    }

    /// The lanes that stand still.
    pub(super) fn parked(&self) -> BTreeSet<Aggregate> {
        let parked = self.all.iter().filter(|(_, lane)| lane.hold == Hold::Parked);
        parked.map(|(aggregate, _)| Arc::clone(aggregate)).collect()
    }

    /// Lets those of the lanes that stood still go on whose head is no longer parked.
    pub(super) fn unpark(&mut self, stood: &BTreeSet<Aggregate>, parked: &BTreeSet<Aggregate>) {
        for aggregate in stood.difference(parked) {
            if let Some(lane) = self.all.get_mut(aggregate)
                && lane.hold == Hold::Parked
            {
                lane.hold = Hold::Nothing;
            }
        }
    }

    /// Takes note that deliveries are written down.
    pub(super) fn marked(&mut self, ids: &[i64]) {
        for id in ids {
            self.unmarked.remove(id);
        }
    }

    /// Forgets the lanes that are done, up to where the queue was read.
    pub(super) fn forget(&mut self, cursor: i64) {
        self.all.retain(|_, lane| {
            lane.is_flying
                || lane.is_cut
                || lane.hold != Hold::Nothing
                || !lane.queue.is_empty()
                || lane.last_id > cursor
        });
    }

    /// Forgets the lanes of partitions that are no longer ours (bits).
    pub(super) fn restrict(&mut self, partitions: u64) {
        let (mut count, mut bytes) = (0, 0);
        self.all.retain(|aggregate, lane| {
            let (entity, id) = &**aggregate;
            let is_ours = partitions & (1 << partition_of(entity, id)) != 0;
            if !is_ours {
                count += lane.queue.len();
                bytes += lane.queue.iter().map(size).sum::<usize>();
            }
            is_ours
        });
        self.count -= count;
        self.bytes -= bytes;
    }
}

/// About how much memory an entry takes.
fn size(entry: &QueuedEvent) -> usize {
    entry.payload.len() + 512
}

/// Returns the pause after so many refusals: doubled each time, and spread over a quarter of it, so
/// that what failed together does not come back together.
fn pause(attempts: u32, event: Uuid) -> TimeDelta {
    let doubled = FIRST_PAUSE * (1 << attempts.saturating_sub(1).min(16));
    let pause = doubled.min(LONGEST_PAUSE);
    let spread = i32::from(event.as_bytes().last().copied().unwrap_or(0));
    pause - pause * spread / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn entry(id: i64, entity: &str) -> QueuedEvent {
        QueuedEvent {
            id,
            event_id: Uuid::from_u128(id.unsigned_abs().into()),
            event_type: "runner.started".into(),
            aggregate: Arc::new(("runner".into(), entity.into())),
            routing_key: String::new(),
            payload: bytes::Bytes::from_static(b"{}"),
            trace_id: String::new(),
            attempts: 0,
            max_attempts: 3,
            created_at: at(0),
            next_retry_at: None,
            is_parked: false,
        }
    }

    /// The ids of what can be published now.
    fn published(lanes: &mut Lanes) -> Vec<i64> {
        std::iter::from_fn(|| lanes.next()).map(|entry| entry.id).collect()
    }

    fn settle(lanes: &mut Lanes, id: i64, outcome: Outcome) -> Option<Note> {
        lanes.settle(entry(id, "").event_id, outcome, at(0))
    }

    #[test]
    fn one_of_each_entity_is_under_way_and_its_next_follows() {
        let mut lanes = Lanes::default();
        for (id, entity) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            lanes.offer(entry(id, entity), at(0));
        }
        assert_eq!(published(&mut lanes), [1, 3]);
        assert_eq!(settle(&mut lanes, 1, Outcome::Confirmed), Some(Note::Delivered(1)));
        assert_eq!(published(&mut lanes), [2]);
        assert_eq!(settle(&mut lanes, 2, Outcome::Unknown), None);
        assert_eq!(
            published(&mut lanes),
            [2],
            "what nobody knows of is sent again, before the next"
        );
        settle(&mut lanes, 2, Outcome::Confirmed);
        assert_eq!(published(&mut lanes), [4]);
        // Read again before it was marked: not published again.
        lanes.offer(entry(1, "a"), at(0));
        settle(&mut lanes, 3, Outcome::Confirmed);
        settle(&mut lanes, 4, Outcome::Confirmed);
        lanes.forget(4);
        lanes.offer(entry(4, "a"), at(0));
        assert!(published(&mut lanes).is_empty());
        lanes.marked(&[1, 2, 3, 4]);
        assert!(lanes.all.values().all(|lane| lane.queue.is_empty()));
        assert_eq!((lanes.count, lanes.bytes), (0, 0));
    }

    #[test]
    fn a_refused_one_waits_then_parks_and_holds_only_its_own_lane() {
        let mut lanes = Lanes::default();
        for (id, entity) in [(1, "a"), (2, "a"), (3, "b")] {
            lanes.offer(entry(id, entity), at(0));
        }
        assert_eq!(published(&mut lanes), [1, 3]);
        settle(&mut lanes, 3, Outcome::Confirmed);
        let refused = || Outcome::Refused("unroutable".into());
        let Some(Note::Refused(Refusal { retry: Some(retry), .. })) =
            settle(&mut lanes, 1, refused())
        else {
            panic!("tried again")
        };
        assert!(retry > at(0) && retry <= at(1));
        assert!(published(&mut lanes).is_empty());
        assert_eq!(lanes.wake(at(0)), Some(retry));
        assert_eq!(lanes.wake(at(1)), None);
        assert_eq!(published(&mut lanes), [1]);
        settle(&mut lanes, 1, refused());
        lanes.wake(at(9));
        assert_eq!(published(&mut lanes), [1]);
        let parked = settle(&mut lanes, 1, refused());
        assert!(matches!(parked, Some(Note::Refused(Refusal { retry: None, .. }))));
        lanes.wake(at(999));
        assert!(published(&mut lanes).is_empty());
        lanes.offer(entry(4, "b"), at(0));
        assert_eq!(published(&mut lanes), [4]);
        assert!(lanes.cut().is_empty());

        let aggregate = entry(1, "a").aggregate;
        let parked = BTreeSet::from([Arc::clone(&aggregate)]);
        assert_eq!(lanes.parked(), parked);
        lanes.unpark(&parked, &parked);
        assert!(lanes.cut().is_empty(), "still parked");
        lanes.unpark(&BTreeSet::new(), &BTreeSet::new());
        assert!(lanes.cut().is_empty(), "parked since it was asked for");
        lanes.unpark(&parked, &BTreeSet::new());
        assert_eq!(lanes.cut(), [(Arc::clone(&aggregate), 0)]);
        lanes.go_on(&aggregate, vec![entry(1, "a"), entry(2, "a")], true, at(0));
        assert_eq!(published(&mut lanes), [1]);
    }

    #[test]
    fn a_busy_entity_is_cut_short_and_read_on_in_order() {
        let mut lanes = Lanes::default();
        let many = i64::try_from(LANE).unwrap() + 10;
        for id in 1..=many {
            lanes.offer(entry(id, "a"), at(0));
        }
        lanes.offer(entry(1000, "b"), at(0));
        assert_eq!(published(&mut lanes), [1, 1000]);
        let aggregate = entry(1, "a").aggregate;
        let mut order = vec![1];
        let mut flying = 1;
        while flying < many {
            settle(&mut lanes, flying, Outcome::Confirmed);
            for (lane, after) in lanes.cut() {
                assert_eq!(lane, aggregate);
                let rest = (after + 1..=many).map(|id| entry(id, "a")).collect();
                lanes.go_on(&lane, rest, true, at(0));
            }
            let next = published(&mut lanes);
            assert_eq!(next.len(), 1);
            flying = next[0];
            order.push(flying);
        }
        assert_eq!(order, (1..=many).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_another_daemons_is_forgotten() {
        let mut lanes = Lanes::default();
        lanes.offer(entry(1, "a"), at(0));
        lanes.offer(entry(2, "a"), at(0));
        assert_eq!(published(&mut lanes), [1]);
        lanes.restrict(0);
        assert_eq!((lanes.count, lanes.bytes), (0, 0));
        assert_eq!(settle(&mut lanes, 1, Outcome::Confirmed), Some(Note::Delivered(1)));
        assert!(published(&mut lanes).is_empty());
    }
}
