//! What runs, as the kernel showed it: C02, C03, C05 to C07, C25, C26.

use std::{collections::BTreeMap, time::Duration};

use super::{Finder, Findings, Invariant};
use crate::history::{History, Op, Outcome, RunnerRow, Sighting};

/// The rows say what runs, within so long after everything is healed.
const AGREED: Duration = Duration::from_secs(15);
/// Everything is delivered and written down, within so long after everything has ended.
const SETTLED: Duration = Duration::from_secs(30);
/// What a daemon may hold: memory in KiB (of a build that is not optimised), open files, threads.
const CAPS: [u64; 3] = [192 << 10, 512, 64];

pub(super) fn check(history: &History, findings: &mut Findings) {
    alone(history, &mut Finder::of(Invariant::C02, findings));
    real(history, &mut Finder::of(Invariant::C03, findings));
    ended(history, &mut Finder::of(Invariant::C05, findings));
    stopped(history, &mut Finder::of(Invariant::C06, findings));
    strangers(history, &mut Finder::of(Invariant::C07, findings));
    bounded(history, &mut Finder::of(Invariant::C25, findings));
    let finder = &mut Finder::of(Invariant::C26, findings);
    if let Some(settled) = history.settled {
        finder.expect(settled <= SETTLED, || format!("settled only after {settled:?}"));
    }
}

/// The agents of each runner.
fn agents(history: &History) -> BTreeMap<&str, Vec<&Sighting>> {
    let mut agents: BTreeMap<&str, Vec<&Sighting>> = BTreeMap::new();
    for sighting in history.sightings.iter().filter(|sighting| sighting.is_agent) {
        agents.entry(&sighting.runner).or_default().push(sighting);
    }
    agents
}

/// C02: no two agents of a runner were alive at the same time.
fn alone(history: &History, finder: &mut Finder<'_>) {
    for (runner, sightings) in agents(history) {
        finder.saw(1);
        for (at, one) in sightings.iter().enumerate() {
            let other = sightings.iter().skip(at + 1).find(|other| {
                one.process != other.process
                    && one.seen.0 <= other.seen.1
                    && other.seen.0 <= one.seen.1
            });
            if let Some(other) = other {
                finder.found(format!("{runner} had two agents: {one:?} and {other:?}"));
            }
        }
    }
}

/// C03: rows and processes say the same, soon after everything is healed; and nobody runs of whom nothing
/// was ever written down.
fn real(history: &History, finder: &mut Finder<'_>) {
    let rows: BTreeMap<_, _> = history.runners.iter().map(|row| (row.id.as_str(), row)).collect();
    for runner in agents(history).keys() {
        finder.expect(rows.contains_key(runner), || format!("{runner} ran, and has no row"));
    }
    let Some(reality) = &history.reality else { return };
    finder.expect(reality.after <= AGREED, || {
        format!("rows and processes did not agree within {:?}", reality.after)
    });
    for runner in &reality.without_agent {
        finder.found(format!("{runner} is live and has no agent"));
    }
    for runner in &reality.without_row {
        finder.found(format!("{runner} runs and is not live"));
    }
}

/// C05: the row says where the agent worked and how it ended.
fn ended(history: &History, finder: &mut Finder<'_>) {
    let rows: BTreeMap<&str, &RunnerRow> =
        history.runners.iter().map(|row| (row.id.as_str(), row)).collect();
    for (runner, sightings) in agents(history) {
        let Some(row) = rows.get(runner) else { continue };
        for sighting in sightings.iter().filter(|sighting| !sighting.cwd.is_empty()) {
            finder.expect(sighting.cwd == row.cwd, || {
                format!("{runner} was to work in {}, and was in {}", row.cwd, sighting.cwd)
            });
        }
    }
    for testimony in &history.testimonies {
        let (Some(row), Some(exit)) = (rows.get(testimony.runner.as_str()), testimony.exit) else {
            continue;
        };
        // The last run has no agent that could tell of it: its launch was interrupted.
        if i64::try_from(testimony.starts).is_ok_and(|starts| starts < row.run) {
            continue;
        }
        // Whose supervisor died, or could not write, has nobody who tells of its end.
        if history.killed_supervisors.contains(&row.id) || history.disk_was_full {
            continue;
        }
        // One that ends because it was told to may be overtaken by force on its way out.
        let overtaken = exit > 128 && row.exit == (None, Some("SIGKILL".to_owned()));
        finder.expect(row.exit == (Some(exit), None) || overtaken, || {
            format!("{} ended with {exit}, its row says {:?} ({})", row.id, row.exit, row.reason)
        });
    }
}

/// C06: after a stop that was answered nothing of the runner is seen, unless somebody starts it again.
fn stopped(history: &History, finder: &mut Finder<'_>) {
    for call in history.calls.iter().filter(|call| call.op == Op::Stop) {
        if !matches!(&call.outcome, Outcome::Ok(Some(seen)) if seen.ended) {
            continue;
        }
        let again = history.calls.iter().any(|other| {
            other.op == Op::Restart
                && other.key == call.key
                && !matches!(other.outcome, Outcome::Fail(_))
        });
        if again {
            continue;
        }
        finder.saw(1);
        let left = history.sightings.iter().find(|s| s.runner == call.key && s.seen.1 > call.at);
        if let Some(left) = left {
            finder.found(format!(
                "{} was stopped at {:?}, and is there: {left:?}",
                call.key, call.at
            ));
        }
    }
}

/// C07: strangers live, and heard nothing.
fn strangers(history: &History, finder: &mut Finder<'_>) {
    for stranger in &history.strangers {
        let is_left_alone = stranger.is_alive && stranger.signals.is_empty();
        finder.expect(is_left_alone, || format!("a stranger was hit: {stranger:?}"));
    }
}

/// C25: at no look a daemon holds more than it may.
fn bounded(history: &History, finder: &mut Finder<'_>) {
    finder.saw(history.holdings.len());
    let mut worst: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for holding in &history.holdings {
        let worst = worst.entry(&holding.daemon).or_default();
        for (most, now) in worst.iter_mut().zip([holding.rss_kib, holding.files, holding.threads]) {
            *most = now.max(*most);
        }
    }
    for (daemon, worst) in worst {
        if worst.iter().zip(CAPS).any(|(most, cap)| *most > cap) {
            finder.found(format!("{daemon} held {worst:?} of {CAPS:?} (KiB, files, threads)"));
        }
    }
}
