//! Figures of many measurements in a line.

/// Returns count, middle, 99th percentile and maximum.
pub(crate) fn of(mut all: Vec<f64>, unit: &str) -> String {
    all.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = (all.len() * percent / 100).min(all.len().saturating_sub(1));
        all.get(place).copied().unwrap_or_default()
    };
    let (count, most) = (all.len(), all.last().copied().unwrap_or_default());
    format!(
        "{count} times, p50 {:.2} {unit}, p99 {:.2} {unit}, max {most:.2} {unit}",
        at(50),
        at(99)
    )
}
