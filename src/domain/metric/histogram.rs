//! How durations are distributed: counted where they happen, read when somebody asks.
//!
//! To count is two atomic additions; there is no lock and nothing that grows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The upper bounds of the buckets, in seconds: from a commit on a good disk to an event that waited for
/// a broker.
const BOUNDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// A distribution of durations; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The last one has no bound.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.sum_us.fetch_add(micros, Relaxed);
    }

    /// Returns how many there are between each bound and the one before; the last has none.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.0.counts.iter().map(|count| count.load(Relaxed)))
    }

    /// Returns the sum of all, in seconds.
    pub(super) fn sum(&self) -> f64 {
        super::real(self.0.sum_us.load(Relaxed)) / 1e6
    }
}
