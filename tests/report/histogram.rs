//! Durations of one run: exact percentiles, and bars for a reader.

use std::{fmt::Write as _, time::Duration};

/// The bounds of the bars, in microseconds: 1, 2, 5 in every decade.
const BOUNDS: [u64; 19] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 60_000_000,
];
/// The longest bar, in characters.
const WIDTH: u64 = 40;

/// Durations, in microseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Histogram(Vec<u64>);

impl Histogram {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds all of another.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration below which so many in a thousand lie; zero when there are none.
    pub(crate) fn per_mille(&self, part: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let at = (last * part + 500) / 1000;
        Duration::from_micros(sorted.get(at).copied().unwrap_or(0))
    }

    /// The longest.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.0.iter().copied().max().unwrap_or(0))
    }

    /// Number, p50, p99 and the longest, as cells of a table.
    pub(crate) fn cells(&self) -> [String; 4] {
        let parts = [self.per_mille(500), self.per_mille(990), self.max()].map(millis);
        let [p50, p99, max] = parts;
        [self.len().to_string(), p50, p99, max]
    }

    /// Bars, one for each bound that is reached, ready to stand in a document.
    pub(crate) fn bars(&self) -> String {
        let mut counts = [0_u64; BOUNDS.len() + 1];
        for &value in &self.0 {
            let at = BOUNDS.iter().position(|bound| value <= *bound).unwrap_or(BOUNDS.len());
            counts[at] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
        let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let mut text = "```text\n".to_owned();
        for (at, count) in counts.iter().enumerate().take(last + 1).skip(first) {
            let bound = BOUNDS.get(at).map_or("   more".to_owned(), |bound| {
                format!("≤ {:>9}", millis(Duration::from_micros(*bound)))
            });
            // One that is there at all can be seen.
            let length = (count * WIDTH).div_ceil(most);
            let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
            writeln!(text, "{bound:>11} {count:>9} {bar}").ok();
        }
        text.push_str("```\n");
        text
    }
}

/// Returns a duration in milliseconds, with three digits that matter.
fn millis(duration: Duration) -> String {
    let value = duration.as_secs_f64() * 1e3;
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|n| histogram.add(Duration::from_millis(n)));
        assert_eq!(histogram.max(), Duration::from_secs(1));
        assert_eq!(histogram.cells(), ["1000", "501 ms", "990 ms", "1000 ms"]);
        assert!(histogram.bars().contains("≤   1000 ms       500 ████"), "{}", histogram.bars());
        assert_eq!(Histogram::default().cells(), ["0", "0.000 ms", "0.000 ms", "0.000 ms"]);
    }
}
