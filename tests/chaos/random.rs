//! Chance that can be repeated: a small generator (a `SplitMix64`), seeded by a number that is printed.

use std::time::Duration;

/// A stream of numbers; the same seed gives the same one.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Begins one.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns another stream that this seed gives, one for each number.
    pub(crate) fn fork(&self, number: u64) -> Self {
        let mut fork = Self(self.0 ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        fork.next();
        fork
    }

    /// Returns the next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// Whether something happens that does so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// Returns one of these.
    pub(crate) fn choose<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.below(among.len()))
    }

    /// Returns a time in milliseconds, from `low` to below `high`.
    pub(crate) fn millis(&mut self, low: usize, high: usize) -> Duration {
        Duration::from_millis(low as u64 + self.below(high - low) as u64)
    }
}
