//! How much of an amount is used, and how much was used when: a bar, and bars side by side.

/// From nothing to everything, one row high.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns a bar of so many columns for a share in percent: empty only for nothing, full only when
/// all is used.
pub(in crate::ui) fn meter(percent: u64, columns: usize) -> String {
    let share = usize::try_from(percent.min(100)).unwrap_or(100);
    let filled = match share {
        0 => 0,
        100 => columns,
        share => (share * columns / 100).max(1),
    };
    "▰".repeat(filled) + &"▱".repeat(columns.saturating_sub(filled))
}

/// Returns figures as bars side by side, the first at the left, as lines from the top down; the
/// largest is `rows` high. Each is `wide` columns wide, and a blank follows it where it is wider than one.
pub(in crate::ui) fn plot(figures: &[u64], rows: usize, wide: usize) -> Vec<String> {
    let most = figures.iter().copied().max().unwrap_or(0).max(1);
    let steps = u64::try_from(rows * 8).unwrap_or(u64::MAX);
    let heights: Vec<usize> = figures
        .iter()
        .map(|figure| {
            let height = u128::from(*figure) * u128::from(steps) / u128::from(most);
            // What is not nothing is seen.
            usize::try_from(height).unwrap_or(0).max(usize::from(*figure > 0))
        })
        .collect();
    let row = |below: usize| {
        let mut line = String::new();
        for height in &heights {
            let block = BLOCKS.get(height.saturating_sub(below * 8).min(8)).copied();
            let block = block.unwrap_or(' ').to_string();
            line += &block.repeat(wide.saturating_sub(usize::from(wide > 1)).max(1));
            line.push_str(if wide > 1 { " " } else { "" });
        }
        line
    };
    (0..rows).rev().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_empty_for_nothing_and_full_for_all_alone() {
        assert_eq!(meter(0, 5), "▱▱▱▱▱");
        assert_eq!(meter(1, 5), "▰▱▱▱▱");
        assert_eq!(meter(75, 5), "▰▰▰▱▱");
        assert_eq!(meter(99, 5), "▰▰▰▰▱");
        assert_eq!(meter(u64::MAX, 5), "▰▰▰▰▰");
    }

    #[test]
    fn bars_stand_on_the_last_line() {
        assert_eq!(plot(&[0, 1, 8, 16], 2, 1), ["   █", " ▁██"]);
        assert_eq!(plot(&[1, u64::MAX], 1, 3), ["▁▁ ██ "]);
        assert_eq!(plot(&[], 2, 1), ["", ""]);
        assert_eq!(plot(&[0, 0], 1, 1), ["  "]);
    }
}
