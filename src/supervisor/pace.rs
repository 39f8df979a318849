//! When a change may be told: the first few at once, those of a program that changes its mind all the
//! time one by one. Pure; the clock is the caller's.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Changes that are told at once.
const BURST: usize = 4;

/// The time in which no more than these are told.
const WINDOW: Duration = Duration::from_secs(1);

/// The pace of one runner's changes.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<Instant>);

impl Pace {
    /// Returns when a change that happens now is to be told.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        if self.0.back().is_some_and(|last| *last > now) {
            // It is told together with the one that waits.
            return self.0.back().copied().unwrap_or(now);
        }
        let oldest = if self.0.len() < BURST { None } else { self.0.pop_front() };
        let due = oldest.map_or(now, |oldest| now.max(oldest + WINDOW));
        self.0.push_back(due);
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
        assert_eq!(pace.due(at(40)), at(1000));
        assert_eq!(pace.due(at(500)), at(1000), "with the one that waits");
        assert_eq!(pace.due(at(1001)), at(1010));
        let mut told = std::collections::BTreeSet::new();
        let mut flood = Pace::default();
        for ms in 0..10_000 {
            told.insert(flood.due(at(ms)));
        }
        assert!((37..=44).contains(&told.len()), "{} in ten seconds", told.len());
        assert_eq!(pace.due(at(60_000)), at(60_000));
    }
}
