//! What agents said, against what is recorded and what others saw: C21, C22, C24, C30.

use std::{collections::BTreeMap, time::Duration};

use super::{Finder, Findings, Invariant};
use crate::history::{History, Testimony};

/// An agent may be held up so long, on a machine that holds up nobody else.
const STALL: Duration = Duration::from_millis(250);

pub(super) fn check(history: &History, findings: &mut Findings) {
    recorded(history, &mut Finder::of(Invariant::C21, findings));
    watched(history, &mut Finder::of(Invariant::C22, findings));
    flowing(history, &mut Finder::of(Invariant::C24, findings));
    let finder = &mut Finder::of(Invariant::C30, findings);
    finder.saw(history.searched);
    for leak in &history.leaks {
        finder.found(leak.clone());
    }
}

/// C21: the record of an agent whose supervisor lived, on a disk with room, is what it said.
fn recorded(history: &History, finder: &mut Finder<'_>) {
    for testimony in &history.testimonies {
        let Some(said) = &testimony.said else { continue };
        if history.killed_supervisors.contains(&testimony.runner) || history.disk_was_full {
            continue;
        }
        finder.expect(is_record_of(&testimony.recorded, said, testimony.starts), || {
            let (said, recorded) = (said.len(), testimony.recorded.len());
            format!("{}: {said} bytes said, {recorded} recorded, or others", testimony.runner)
        });
    }
}

/// Whether a record holds every line that was said, in order, and nothing else but one more for each time
/// that the agent was started: who is killed between saying a line and writing that down does not.
fn is_record_of(recorded: &[u8], said: &[u8], starts: usize) -> bool {
    let mut said = said.split_inclusive(|byte| *byte == b'\n').peekable();
    let mut more = 0;
    for line in recorded.split_inclusive(|byte| *byte == b'\n') {
        if said.next_if(|next| *next == line).is_none() {
            more += 1;
        }
    }
    said.peek().is_none() && more <= starts
}

/// C22: what follows an offset is what is recorded after it, without a break.
fn watched(history: &History, finder: &mut Finder<'_>) {
    let testimonies: BTreeMap<_, _> = history
        .testimonies
        .iter()
        .map(|testimony| (testimony.runner.as_str(), testimony))
        .collect();
    for watched in &history.watched {
        let (runner, stretch) = (&watched.runner, &watched.stretch);
        finder.expect(stretch.breaks.is_empty(), || format!("{runner}: {:?}", stretch.breaks));
        let once = testimonies.get(runner.as_str()).filter(|testimony| testimony.starts == 1);
        let Some(Testimony { said: Some(_), recorded, .. }) = once else { continue };
        if history.killed_supervisors.contains(runner) || history.disk_was_full {
            continue;
        }
        let from = usize::try_from(stretch.from).unwrap_or(usize::MAX);
        let expected = recorded.get(from..from.saturating_add(stretch.bytes.len()));
        finder.expect(expected == Some(&stretch.bytes), || {
            let (from, count) = (stretch.from, stretch.bytes.len());
            format!("{runner}: {count} bytes from {from} on were not those recorded")
        });
    }
}

/// C24: nobody was held up whose supervisor could work.
fn flowing(history: &History, finder: &mut Finder<'_>) {
    let allowed = STALL + history.control_stall;
    for testimony in &history.testimonies {
        let Some(stall) = testimony.stall else { continue };
        if history.paused_supervisors.contains(&testimony.runner) {
            continue;
        }
        finder.expect(stall <= allowed, || {
            format!("{} was held up for {stall:?}, {allowed:?} allowed", testimony.runner)
        });
    }
}
