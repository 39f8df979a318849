//! A row of bars that shows how a figure went.

/// From nothing to everything.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns the newest samples as bars in exactly so many columns, the newest at the right; a full
/// bar is `full`, or the largest sample if that is more.
pub(in crate::ui) fn spark<'a>(
    samples: impl DoubleEndedIterator<Item = &'a f64> + Clone,
    full: f64,
    columns: usize,
) -> String {
    let newest = samples.rev().take(columns);
    let full = newest.clone().fold(full, |most, sample| most.max(*sample));
    let bars: Vec<char> = newest.map(|sample| sign(*sample / full)).collect();
    let missing = columns.saturating_sub(bars.len());
    " ".repeat(missing) + &bars.into_iter().rev().collect::<String>()
}

/// Returns a bar that is filled to a part of one.
pub(in crate::ui) fn bar(part: f64, columns: u8) -> String {
    let filled = (1..=columns).filter(|at| part * f64::from(columns) + 0.5 >= f64::from(*at));
    let filled = filled.count();
    "▓".repeat(filled) + &"░".repeat(usize::from(columns) - filled)
}

/// The sign for a part of one.
fn sign(part: f64) -> char {
    let steps = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    let at = steps.iter().take_while(|step| part >= **step).count();
    BARS.get(at).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_right_aligned_and_scaled() {
        let spark = |samples: &[f64]| spark(samples.iter(), 100.0, 5);
        assert_eq!(spark(&[]), "     ");
        assert_eq!(spark(&[0.0, 50.0, 100.0]), "  ▁▅█");
        assert_eq!(spark(&[9.0, 9.0, 400.0, 200.0, 0.0, 0.0, f64::NAN]), "█▅▁▁▁");
    }
}
