//! When a change may be told: the first few at once, those of a program that changes its mind all the
//! time evenly, none later than [`SPACING`]. Pure; the clock is the caller's.

use std::time::{Duration, Instant};

/// Changes that are told at once.
const BURST: u32 = 4;

/// One more may be told after each of these, so that none waits longer: a state is promised within
/// 250 ms.
const SPACING: Duration = Duration::from_millis(200);

/// The pace of one runner's changes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last one was or will be told.
    last: Option<Instant>,
    /// When there would be room for [`BURST`] again.
    rested: Option<Instant>,
}

impl Pace {
    /// Returns when a change that happens now is to be told.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        if let Some(waiting) = self.last.filter(|last| *last > now) {
            // It is told together with the one that waits.
            return waiting;
        }
        let rested = self.rested.map_or(now, |rested| rested.max(now));
        let due = rested.checked_sub(SPACING * (BURST - 1)).map_or(now, |due| due.max(now));
        self.rested = Some(rested + SPACING);
        self.last = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::clock::monotonic;

    #[test]
    fn the_first_changes_are_told_at_once_and_a_flood_of_them_at_its_pace() {
        let start = monotonic();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        for ms in [0, 10, 20, 30] {
            assert_eq!(pace.due(at(ms)), at(ms));
        }
        assert_eq!(pace.due(at(40)), at(200));
        assert_eq!(pace.due(at(150)), at(200), "with the one that waits");
        assert_eq!(pace.due(at(201)), at(400));
        let mut told = std::collections::BTreeSet::new();
        let mut flood = Pace::default();
        for ms in 0..10_000 {
            let due = flood.due(at(ms));
            assert!(due <= at(ms) + SPACING, "one waits until {due:?}");
            told.insert(due);
        }
        assert!((50..=54).contains(&told.len()), "{} in ten seconds", told.len());
        assert_eq!(pace.due(at(60_000)), at(60_000));
    }
}
