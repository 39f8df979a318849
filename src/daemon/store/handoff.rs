//! What was queued for the broker a moment ago, on its way to the relay without a detour over the
//! database.
//!
//! The database stays the truth: a batch tells which places of the log it covers, and whoever has not
//! taken all before them leaves it and reads. Handed over is only what is on disk. Nothing waits here
//! for long: what finds no room is left to be read.

use std::{
    mem,
    sync::{Arc, OnceLock},
};

use tokio::sync::mpsc;

use crate::domain::outbox::QueuedEvent;

/// Batches that may wait for the relay.
const ROOM: usize = 16;

/// Events that may wait for a commit that flushes.
const MOST_HELD: usize = 4096;

/// All that was queued from the events of some places of the log.
#[derive(Debug)]
pub struct Fresh {
    /// The first of these places.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What was queued, in the order of the log.
    pub entries: Vec<QueuedEvent>,
}

/// The way, which exists from when somebody listens.
#[derive(Debug, Clone, Default)]
pub(super) struct Handoff(Arc<OnceLock<mpsc::Sender<Fresh>>>);

/// The writer's end of it.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    handoff: Handoff,
    /// Queued by the transaction under way.
    queued: Vec<QueuedEvent>,
    /// Committed, and not yet on disk.
    held: Option<Fresh>,
}

impl Handoff {
    /// Begins to listen; a second listener hears nothing.
    pub(super) fn listen(&self) -> mpsc::Receiver<Fresh> {
        let (sender, receiver) = mpsc::channel(ROOM);
        self.0.set(sender).ok();
        receiver
    }
}

impl Outgoing {
    pub(super) fn new(handoff: Handoff) -> Self {
        Self { handoff, ..Self::default() }
    }

    /// Takes what the transaction under way has queued, whether somebody listens yet or not: who begins to
    /// before it is committed is told of its places, and reads none of them.
    pub(super) fn queue(&mut self, entries: impl IntoIterator<Item = QueuedEvent>) {
        self.queued.extend(entries);
    }

    /// The transaction, which gave places up to this one to so many events, is committed.
    pub(super) fn committed(&mut self, last: u64, count: u64, is_flushed: bool) {
        let entries = mem::take(&mut self.queued);
        let Some(sender) = self.handoff.0.get() else { return };
        let fresh = Fresh { first: last + 1 - count, last, entries };
        let mut held = match self.held.take() {
            Some(mut held) if held.last + 1 == fresh.first => {
                held.last = fresh.last;
                held.entries.extend(fresh.entries);
                held
            }
            _ => fresh,
        };
        if is_flushed {
            // Without room for it, it is read.
            sender.try_send(held).ok();
        } else {
            if held.entries.len() > MOST_HELD {
                held = Fresh { first: last + 1, last, entries: Vec::new() };
            }
            self.held = Some(held);
        }
    }

    /// It is not, or nobody knows.
    pub(super) fn undone(&mut self) {
        self.queued.clear();
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn entry(id: i64) -> QueuedEvent {
        QueuedEvent {
            id,
            event_id: Uuid::nil(),
            event_type: String::new(),
            aggregate: Arc::default(),
            routing_key: String::new(),
            payload: Bytes::new(),
            trace_id: String::new(),
            attempts: 0,
            max_attempts: 8,
            created_at: DateTime::UNIX_EPOCH,
            next_retry_at: None,
            is_parked: false,
        }
    }

    fn heard(receiver: &mut mpsc::Receiver<Fresh>) -> Option<(u64, u64, Vec<i64>)> {
        let fresh = receiver.try_recv().ok()?;
        Some((fresh.first, fresh.last, fresh.entries.iter().map(|entry| entry.id).collect()))
    }

    #[test]
    fn who_begins_to_listen_while_a_transaction_runs_is_told_of_all_of_it() {
        let handoff = Handoff::default();
        let mut outgoing = Outgoing::new(handoff.clone());
        outgoing.queue([entry(1)]);
        let mut receiver = handoff.listen();
        outgoing.queue([entry(2)]);
        outgoing.committed(2, 2, true);
        assert_eq!(heard(&mut receiver), Some((1, 2, vec![1, 2])));
    }

    #[test]
    fn what_is_not_on_disk_waits_for_what_takes_it_along() {
        let handoff = Handoff::default();
        let mut outgoing = Outgoing::new(handoff.clone());
        outgoing.queue([entry(1)]);
        outgoing.committed(1, 1, true);
        let mut receiver = handoff.listen();
        outgoing.queue([entry(2), entry(3)]);
        outgoing.committed(3, 2, false);
        assert_eq!(heard(&mut receiver), None);
        outgoing.queue([entry(4)]);
        outgoing.committed(4, 1, true);
        assert_eq!(heard(&mut receiver), Some((2, 4, vec![2, 3, 4])));
        // What is undone was never queued; its places are given again.
        outgoing.queue([entry(5)]);
        outgoing.committed(5, 1, false);
        outgoing.queue([entry(6)]);
        outgoing.undone();
        outgoing.queue([entry(9)]);
        outgoing.committed(6, 1, true);
        assert_eq!(heard(&mut receiver), Some((6, 6, vec![9])));
    }
}
