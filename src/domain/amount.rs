//! Amounts for people: tokens and money in few characters, the same everywhere.

use super::usage::{Cost, Quality, UsageTotal};

/// Returns so many of something, or what so many do, in the words for one or for any other number.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Returns names in a row, no more than `most` of them; the others are counted: `a, b and 3 more`.
pub fn named(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns a number of tokens: `987`, `12.3k`, `4.56M`, `7.89G`.
pub fn tokens(count: u64) -> String {
    let scaled = |unit: u64, name: &str| {
        let tenth = unit / 10;
        let hundredth = unit / 100;
        let whole = count / unit;
        match whole {
            0..10 => format!("{whole}.{:02}{name}", count % unit / hundredth),
            10..100 => format!("{whole}.{}{name}", count % unit / tenth),
            _ => format!("{whole}{name}"),
        }
    };
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => scaled(1000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// Returns an amount of money: `$0`, `<1¢`, `$0.04`, `$12.34`, `$1234`.
pub fn money(cost: Cost) -> String {
    match cost.0 {
        ..=0 => "$0".to_owned(),
        1..10_000_000 => "<1¢".to_owned(),
        10_000_000..1_000_000_000_000 => format!("${:.2}", cost.dollars()),
        _ => format!("${:.0}", cost.dollars()),
    }
}

/// Returns an amount of money to its last digit: `$0.001`, `$12.5`, as it can be typed.
pub fn exact_money(cost: Cost) -> String {
    let nanos = u64::try_from(cost.0).unwrap_or(0);
    let text = format!("${}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns what a sum cost, with the mark of its quality and, where nobody knows the price of a part of
/// it, a `?`: `≥$4.20?`.
pub fn cost_of(total: &UsageTotal) -> String {
    priced(total.cost, total.quality, total.unpriced > 0)
}

/// Returns the same of what a runner or a conversation cost, of which so many requests have no price.
pub fn cost_without(unpriced: u64, cost: Cost, quality: Quality) -> String {
    priced(cost, quality, unpriced > 0)
}

/// Returns the same of so many tokens of which only the sum is known: what was used and cost nothing has
/// no price that anybody knows. A model that is free cannot be told from that.
pub fn cost_of_tokens(count: u64, cost: Cost, quality: Quality) -> String {
    priced(cost, quality, count > 0 && cost.0 <= 0)
}

fn priced(cost: Cost, quality: Quality, is_unknown: bool) -> String {
    let unknown = if is_unknown { "?" } else { "" };
    format!("{}{unknown}", marked(&money(cost), quality))
}

/// Returns a figure with the mark of its quality: `≥12.3k`.
pub fn marked(figure: &str, quality: Quality) -> String {
    format!("{}{figure}", quality.mark())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_and_two_wait() {
        assert_eq!(counted(1, "waits for you", "wait for you"), "1 waits for you");
        assert_eq!(counted(0, "waits for you", "wait for you"), "0 wait for you");
        assert_eq!(counted(2, "waits for you", "wait for you"), "2 wait for you");
    }

    #[test]
    fn tokens_have_three_digits() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.00k"),
            (12_345, "12.3k"),
            (999_999, "999k"),
            (4_567_890, "4.56M"),
            (u64::MAX, "18446744073G"),
        ] {
            assert_eq!(tokens(count), text);
        }
    }

    #[test]
    fn money_is_told_in_cents() {
        for (nanos, text) in [
            (0, "$0"),
            (8_073_000, "<1¢"),
            (40_000_000, "$0.04"),
            (12_344_000_000, "$12.34"),
            (1_234_400_000_000, "$1234"),
        ] {
            assert_eq!(money(Cost(nanos)), text);
        }
        assert_eq!(marked("5", Quality::Floor), "≥5");
    }

    #[test]
    fn a_price_that_nobody_knows_is_marked() {
        assert_eq!(cost_of_tokens(1200, Cost(0), Quality::Exact), "$0?");
        assert_eq!(cost_of_tokens(1200, Cost(0), Quality::Floor), "≥$0?");
        assert_eq!(cost_of_tokens(0, Cost(0), Quality::Exact), "$0");
        assert_eq!(cost_of_tokens(1200, Cost(40_000_000), Quality::Estimated), "~$0.04");
        assert_eq!(cost_without(2, Cost(40_000_000), Quality::Floor), "≥$0.04?");
        assert_eq!(cost_without(0, Cost(0), Quality::Exact), "$0");
        let part = UsageTotal { cost: Cost(40_000_000), unpriced: 1, ..UsageTotal::default() };
        assert_eq!(cost_of(&part), "$0.04?");
        assert_eq!(cost_of(&UsageTotal { unpriced: 0, ..part }), "$0.04");
    }

    #[test]
    fn exact_money_has_all_digits_and_no_more() {
        for (nanos, text) in
            [(0, "$0"), (1, "$0.000000001"), (1_000_000, "$0.001"), (10_000_000_000, "$10")]
        {
            assert_eq!(exact_money(Cost(nanos)), text);
        }
    }
}
