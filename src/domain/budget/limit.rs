//! How much a budget allows: read from what a person types, exactly, and shown.
//!
//! Invariant: what is no whole number of tokens, or no sensible sum, is refused and never rounded.

use serde::{Deserialize, Serialize};

use crate::domain::{
    amount::{exact_money, money, tokens},
    usage::Cost,
};

/// A cent in billionths of a dollar.
const CENT: i64 = 10_000_000;

/// How much: tokens, or money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// So many tokens.
    Tokens(u64),
    /// So much money.
    Money(Cost),
}

impl Limit {
    /// Parses what a person writes: `100000`, `100k`, `2.5M` tokens; `$5`, `5$`, `5usd` of money.
    ///
    /// # Errors
    ///
    /// Says what is understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown = text.escape_debug();
            format!(
                "`{shown}` is no amount like 100000, 100k, 2.5M (tokens) or $5, 12.50usd (money)"
            )
        };
        let text = text.trim();
        let dollars = text
            .strip_prefix('$')
            .or_else(|| text.strip_suffix('$'))
            .or_else(|| text.strip_suffix("usd"))
            .or_else(|| text.strip_suffix("USD"));
        if let Some(dollars) = dollars {
            let plain = |text: &&str| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            };
            let number = Some(dollars.trim()).filter(plain).and_then(|text| text.parse().ok());
            return number.and_then(Cost::from_dollars).map(Self::Money).ok_or_else(wrong);
        }
        let (number, factor) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (text.get(..text.len() - 1), 1000),
            Some(b'm' | b'M') => (text.get(..text.len() - 1), 1_000_000),
            Some(b'g' | b'G') => (text.get(..text.len() - 1), 1_000_000_000),
            _ => (Some(text), 1),
        };
        decimal(number.unwrap_or_default(), factor).map(Self::Tokens).ok_or_else(wrong)
    }

    /// The amount in its unit: tokens, or billionths of a dollar.
    pub fn amount(self) -> u64 {
        match self {
            Self::Tokens(count) => count,
            Self::Money(cost) => u64::try_from(cost.0).unwrap_or(0),
        }
    }

    /// An amount in the same unit, for people: in cents, unless the limit itself is of a few and not of
    /// whole ones; then to the last digit, so that what is used can be told from it.
    pub fn show(self, amount: u64) -> String {
        let cost = Cost(i64::try_from(amount).unwrap_or(i64::MAX));
        match self {
            Self::Tokens(_) => format!("{} tokens", tokens(amount)),
            Self::Money(limit) if limit.0 < 10 * CENT && limit.0 % CENT != 0 => exact_money(cost),
            Self::Money(_) => money(cost),
        }
    }

    /// The same without the word for the unit, where that stands beside it.
    pub fn bare(self, amount: u64) -> String {
        self.show(amount).replace(" tokens", "")
    }
}

/// Returns a decimal number times a factor, exactly; `None` for what is no whole number then.
fn decimal(text: &str, factor: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(part) || part.len() > 9 {
        return None;
    }
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = if part.is_empty() { 0 } else { part.parse::<u64>().ok()? };
    let parts = part.checked_mul(factor)?;
    if parts % scale != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(parts / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        for (text, limit) in [
            ("100000", Limit::Tokens(100_000)),
            ("100k", Limit::Tokens(100_000)),
            ("2.5M", Limit::Tokens(2_500_000)),
            ("0", Limit::Tokens(0)),
            ("$5", Limit::Money(Cost(5_000_000_000))),
            ("12.50usd", Limit::Money(Cost(12_500_000_000))),
        ] {
            assert_eq!(Limit::parse(text), Ok(limit), "{text}");
        }
        for text in
            ["", "k", "-5", "1.2345k", "$", "$-1", "$1e3", "1e9", "5x", "99999999999999G", "١"]
        {
            assert!(Limit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_used_of_less_than_a_cent_can_be_told_from_it() {
        let small = Limit::Money(Cost(1_000_000));
        assert_eq!(
            (small.show(300_000), small.show(1_000_000)),
            ("$0.0003".into(), "$0.001".into())
        );
        let odd = Limit::Money(Cost(15_000_000));
        assert_eq!(
            (odd.show(12_000_000), odd.show(15_000_000)),
            ("$0.012".into(), "$0.015".into())
        );
        let cents = Limit::Money(Cost(5_000_000_000));
        assert_eq!((cents.show(300_000), cents.show(0)), ("<1¢".into(), "$0".into()));
    }
}
