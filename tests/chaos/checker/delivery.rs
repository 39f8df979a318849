//! What was committed against what was delivered: C08 to C11.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Finder, Findings, Invariant};
use crate::{history::History, observer::EVENTS};

/// Losses told in full; more are only counted.
const TOLD: usize = 5;

pub(super) fn check(history: &History, findings: &mut Findings) {
    complete(history, &mut Finder::of(Invariant::C08, findings));
    ordered(history, &mut Finder::of(Invariant::C09, findings));
    bounded(history, &mut Finder::of(Invariant::C10, findings));
    parked(history, &mut Finder::of(Invariant::C11, findings));
}

/// Returns how many deliveries were published again, not only given out again.
pub(crate) fn duplicates(history: &History) -> u64 {
    let mut seen = BTreeSet::new();
    let fresh = history.deliveries.iter().filter(|delivery| !delivery.redelivered);
    fresh.filter(|delivery| !seen.insert((delivery.queue, delivery.event))).count() as u64
}

/// C08: the set of what is committed is the set of what is consumed.
fn complete(history: &History, finder: &mut Finder<'_>) {
    let consumed: BTreeSet<Uuid> = history.deliveries.iter().map(|d| d.event).collect();
    let published: Vec<_> = history.events.iter().filter(|event| event.published).collect();
    finder.saw(published.len());
    let parked: BTreeSet<_> =
        history.waiting.iter().map(|waiting| (waiting.entity.as_str(), waiting.sequence)).collect();
    let lost: Vec<_> = published
        .iter()
        .filter(|event| !consumed.contains(&event.event))
        .filter(|event| !history.discarded.contains(&event.event))
        .filter(|event| !parked.contains(&(event.entity.as_str(), event.sequence)))
        .collect();
    for event in lost.iter().take(TOLD) {
        finder.found(format!(
            "lost: {} {} of {} {} at {:?}",
            event.event, event.kind, event.entity_type, event.entity, event.position
        ));
    }
    if lost.len() > TOLD {
        finder.found(format!("lost: {} of {} altogether", lost.len(), published.len()));
    }
    let committed: BTreeSet<Uuid> = published.iter().map(|event| event.event).collect();
    // What was committed after the rows were read is no surprise.
    let newest = published.iter().filter_map(|event| event.position).max().unwrap_or(0);
    let mut unexpected: Vec<_> = history
        .deliveries
        .iter()
        .filter(|delivery| !committed.contains(&delivery.event) && delivery.position <= newest)
        .map(|delivery| delivery.event)
        .collect();
    unexpected.sort_unstable();
    unexpected.dedup();
    for event in unexpected.iter().take(TOLD) {
        finder.found(format!("unexpected: {event} was never committed"));
    }
}

/// C09: after dropping duplicates by id, an entity's numbers come in order in every queue, and
/// without gaps in all of them together.
fn ordered(history: &History, finder: &mut Finder<'_>) {
    let mut seen = BTreeSet::new();
    let mut newest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut all: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    let (mut inversions, mut first) = (0_u64, None);
    finder.saw(history.deliveries.len());
    for delivery in &history.deliveries {
        if !seen.insert((delivery.queue, delivery.event)) {
            continue;
        }
        all.entry(&delivery.entity).or_default().insert(delivery.sequence);
        let newest = newest.entry((delivery.queue, &delivery.entity)).or_insert(0);
        // What went with a deleted queue is seen there for the first time when it is repeated.
        let may_be_late = history.queue_was_deleted && delivery.queue == EVENTS;
        if delivery.sequence <= *newest && !may_be_late {
            inversions += 1;
            first.get_or_insert_with(|| {
                let Delivered { entity, sequence, queue } = Delivered::of(delivery);
                format!("{sequence} of {entity} after {newest} in {queue}")
            });
        }
        *newest = delivery.sequence.max(*newest);
    }
    if let Some(first) = first {
        finder.found(format!("{inversions} inversions, the first: {first}"));
    }
    for (entity, sequences) in all {
        let newest = sequences.last().copied().unwrap_or(0);
        let missing: Vec<_> = (1..newest).filter(|n| !sequences.contains(n)).collect();
        // What was taken out by an operator or had no broker to go to is missing on purpose.
        let known: BTreeSet<i64> = history
            .events
            .iter()
            .filter(|event| event.entity == entity)
            .filter(|event| !event.published || history.discarded.contains(&event.event))
            .map(|event| event.sequence)
            .collect();
        let missing: Vec<_> = missing.into_iter().filter(|n| !known.contains(n)).collect();
        if !missing.is_empty() {
            finder.found(format!("{entity} has {newest} and lacks {missing:?}"));
        }
    }
}

/// What is told of a delivery.
struct Delivered<'a> {
    entity: &'a str,
    sequence: i64,
    queue: &'a str,
}

impl<'a> Delivered<'a> {
    fn of(delivery: &'a crate::history::Delivery) -> Self {
        let sequence = delivery.sequence;
        Self { entity: &delivery.entity, sequence, queue: delivery.queue }
    }
}

/// C10: without faults nothing comes twice; each fault may repeat what was under way.
fn bounded(history: &History, finder: &mut Finder<'_>) {
    let queues: BTreeSet<_> = history.deliveries.iter().map(|delivery| delivery.queue).collect();
    let allowed = history.faults * history.window * queues.len() as u64;
    let duplicates = duplicates(history);
    finder.saw(usize::try_from(duplicates).unwrap_or(0));
    if duplicates > allowed {
        finder.found(format!("{duplicates} duplicates, {allowed} allowed"));
    }
}

/// C11: of an entity whose event is parked, nothing later is delivered.
fn parked(history: &History, finder: &mut Finder<'_>) {
    finder.saw(history.parked);
    for waiting in history.waiting.iter().filter(|waiting| waiting.parked) {
        finder.saw(1);
        let passed = history.deliveries.iter().find(|delivery| {
            delivery.entity == waiting.entity && delivery.sequence > waiting.sequence
        });
        if let Some(passed) = passed {
            finder.found(format!(
                "{} of {} passed {}, which is parked",
                passed.sequence, waiting.entity, waiting.sequence
            ));
        }
    }
}
