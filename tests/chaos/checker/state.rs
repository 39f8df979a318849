//! What the database holds, against itself and against the samples: C04, C12 to C14, C16, C17, C28, C29.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finder, Findings, Invariant};
use crate::history::{EventRow, History};

/// Why a runner failed whose supervisor died.
pub(super) const LOST: &str = "supervisor lost";
/// The longest lease, in seconds, as `daemon/services/nodes` asks for it.
const LEASE: f64 = 8.0;

pub(super) fn check(history: &History, findings: &mut Findings) {
    for (runner, events) in &logs(history) {
        path(runner, events, &mut Finder::of(Invariant::C04, findings));
    }
    agree(history, &mut Finder::of(Invariant::C12, findings));
    refer(history, &mut Finder::of(Invariant::C13, findings));
    limited(history, &mut Finder::of(Invariant::C14, findings));
    called_lost(history, &mut Finder::of(Invariant::C16, findings));
    leases(history, &mut Finder::of(Invariant::C17, findings));
    own_rows(history, &mut Finder::of(Invariant::C28, findings));
    times(history, &mut Finder::of(Invariant::C29, findings));
}

/// The events of each runner, in their order.
fn logs(history: &History) -> BTreeMap<&str, Vec<&EventRow>> {
    let mut logs: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    for event in history.events.iter().filter(|event| event.entity_type == "runner") {
        logs.entry(&event.entity).or_default().push(event);
    }
    for log in logs.values_mut() {
        log.sort_by_key(|event| event.sequence);
    }
    logs
}

/// The status that an event tells of.
fn status_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "runner.starting" => "starting",
        "runner.started" | "runner.resumed" | "runner.adopted" => "running",
        "runner.paused" => "paused",
        "runner.stopping" => "stopping",
        "runner.stopped" => "terminated",
        "runner.failed" => "failed",
        _ => return None,
    })
}

/// Whether a runner may go so: the table of the design, written down once more.
fn may_become(from: &str, to: &str) -> bool {
    match to {
        "starting" => matches!(from, "" | "terminated" | "failed"),
        "running" => matches!(from, "starting" | "paused"),
        "paused" => from == "running",
        "stopping" => matches!(from, "starting" | "running" | "paused"),
        _ => matches!(from, "starting" | "running" | "paused" | "stopping"),
    }
}

/// C04: the events of a runner are a path through the table.
fn path(runner: &str, events: &[&EventRow], finder: &mut Finder<'_>) {
    let mut status = "";
    finder.saw(1);
    for event in events {
        let Some(next) = status_of(&event.kind) else { continue };
        if !may_become(status, next) {
            let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
            finder.found(format!("{runner} went from `{status}` to {next}: {kinds:?}"));
        }
        status = next;
    }
}

/// C12: rows and events say the same: where each runner stands, which run it is, and how many events
/// an entity has.
fn agree(history: &History, finder: &mut Finder<'_>) {
    let logs = logs(history);
    for runner in &history.runners {
        let log = logs.get(runner.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        finder.saw(1);
        let told = log.iter().rev().find_map(|event| status_of(&event.kind)).unwrap_or_default();
        if told != runner.status {
            finder.found(format!("{} is {}, its events say `{told}`", runner.id, runner.status));
        }
        let starts = log.iter().filter(|event| event.kind == "runner.starting").count();
        if i64::try_from(starts) != Ok(runner.run) {
            finder.found(format!("{} is at run {}, {starts} starts", runner.id, runner.run));
        }
    }
    let mut counts: BTreeMap<(String, String), BTreeSet<i64>> = BTreeMap::new();
    let mut twice = Vec::new();
    for event in &history.events {
        let entity = (event.entity_type.clone(), event.entity.clone());
        if !counts.entry(entity).or_default().insert(event.sequence) {
            twice.push(format!("{} of {} is there twice", event.sequence, event.entity));
        }
    }
    for what in twice {
        finder.found(what);
    }
    for (entity, newest) in &history.aggregates {
        let sequences = counts.remove(entity).unwrap_or_default();
        let expected: BTreeSet<i64> = (1..=*newest).collect();
        if sequences != expected {
            let missing: Vec<_> = expected.difference(&sequences).collect();
            finder.found(format!("{entity:?} counts {newest}, and lacks the events {missing:?}"));
        }
    }
    if !history.aggregates.is_empty() {
        for entity in counts.keys() {
            finder.found(format!("{entity:?} has events and no count"));
        }
    }
}

/// C13: whoever an event is about exists.
fn refer(history: &History, finder: &mut Finder<'_>) {
    let rows: BTreeSet<_> = history.runners.iter().map(|runner| runner.id.as_str()).collect();
    finder.saw(history.events.len());
    for runner in logs(history).keys().filter(|runner| !rows.contains(**runner)) {
        finder.found(format!("events tell of the runner {runner}, which does not exist"));
    }
    let mut positions: Vec<_> = history.events.iter().filter_map(|event| event.position).collect();
    positions.sort_unstable();
    let gap = positions.windows(2).find(|pair| matches!(pair, [a, b] if a + 1 != *b));
    if let Some(pair) = gap {
        finder.found(format!("the log is not gapless: {pair:?}"));
    }
}

/// C14: at no sample a project has more live runners than it may.
fn limited(history: &History, finder: &mut Finder<'_>) {
    let mut most: BTreeMap<&str, i64> = BTreeMap::new();
    finder.saw(history.live.len());
    for (project, live) in &history.live {
        let most = most.entry(project).or_insert(0);
        *most = (*most).max(*live);
    }
    for (project, limit) in &history.limits {
        let most = most.get(project.as_str()).copied().unwrap_or(0);
        if most > *limit {
            finder.found(format!("{project} had {most} live runners of {limit}"));
        }
    }
}

/// C16: a runner is called lost only after its supervisor died; one that could not write down how
/// its agent ended, and left, is lost in that sense.
fn called_lost(history: &History, finder: &mut Finder<'_>) {
    if history.disk_was_full {
        return;
    }
    for event in history.events.iter().filter(|event| event.kind == "runner.failed") {
        finder.saw(1);
        let reason = event.data.get("reason").and_then(serde_json::Value::as_str);
        if reason == Some(LOST) && !history.killed_supervisors.contains(&event.entity) {
            finder.found(format!("{} was called lost; nobody killed its supervisor", event.entity));
        }
    }
}

/// C17: one holder an epoch, epochs never go back, and nobody writes after his successor.
fn leases(history: &History, finder: &mut Finder<'_>) {
    let mut holders: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    finder.saw(history.leases.len() + history.lease_writes.len());
    for sample in &history.leases {
        let holder = holders.entry((&sample.name, sample.epoch)).or_insert(&sample.holder);
        if *holder != sample.holder {
            let (name, epoch) = (&sample.name, sample.epoch);
            finder.found(format!("{name} epoch {epoch}: {holder} and {}", sample.holder));
        }
        let newest = newest.entry(&sample.name).or_insert(0);
        if sample.epoch < *newest {
            finder.found(format!("{} went back from {newest} to {}", sample.name, sample.epoch));
        }
        *newest = sample.epoch.max(*newest);
    }
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for write in &history.lease_writes {
        let newest = newest.entry(&write.name).or_insert(0);
        if write.epoch < *newest {
            finder.found(format!("{}: epoch {} wrote after {newest}", write.name, write.epoch));
        }
        *newest = write.epoch.max(*newest);
    }
    keys(history, finder);
}

/// C28: what happens to a runner is written by the node that has it.
fn own_rows(history: &History, finder: &mut Finder<'_>) {
    let nodes: BTreeMap<_, _> =
        history.runners.iter().map(|row| (row.id.as_str(), row.node.as_str())).collect();
    for event in history.events.iter().filter(|event| status_of(&event.kind).is_some()) {
        let Some(node) = nodes.get(event.entity.as_str()) else { continue };
        finder.expect(event.node == *node, || {
            format!("{} of {} is {}'s, {} wrote it", event.kind, event.entity, node, event.node)
        });
    }
}

/// C29: no run ends before it begins, no lease is longer than it was given.
fn times(history: &History, finder: &mut Finder<'_>) {
    for row in &history.runners {
        let Some(lasted) = row.lasted else { continue };
        finder.expect(lasted >= 0.0, || format!("{} lasted {lasted} s", row.id));
    }
    for sample in &history.leases {
        finder.expect(sample.left <= LEASE, || {
            format!("{} of {} lasts {} s more", sample.name, sample.holder, sample.left)
        });
    }
}

/// The keys of the seals evolve in the order of the log.
fn keys(history: &History, finder: &mut Finder<'_>) {
    let mut sealed: Vec<_> = history.events.iter().filter(|e| e.position.is_some()).collect();
    sealed.sort_by_key(|event| event.position);
    let mut epochs: BTreeMap<&str, u64> = BTreeMap::new();
    for event in sealed {
        let Some((key, epoch)) = event.sealed_by.split_once(':') else { continue };
        let Ok(epoch) = epoch.parse::<u64>() else { continue };
        let newest = epochs.entry(key).or_insert(0);
        if epoch < *newest {
            finder.found(format!("{:?} is sealed with an older key of {key}", event.position));
        }
        *newest = epoch.max(*newest);
    }
}
