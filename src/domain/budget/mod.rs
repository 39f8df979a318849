//! Budgets: how much may be used in a period, and what comes of it when that is used up.
//!
//! A budget is of tokens or of money. Counted are uncached input, cache writes and output; cache reads
//! only where asked for. No figure is known before a response has ended: what is used beyond a budget
//! is at most the responses that were under way when it was crossed. Invariant: the rung of
//! [`BudgetAction`] a budget names is the highest that is taken on its behalf.

mod period;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::period::{Period, never, zone};
use super::{
    amount::{exact_money, marked, money, tokens},
    usage::{Cost, Quality},
};

/// A cent in billionths of a dollar.
const CENT: i64 = 10_000_000;

/// The shares of a budget, in percent, that are told once each.
pub const TOLD_AT: [u8; 3] = [75, 90, 100];

/// Whose use is counted.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Default,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// Everybody's.
    #[default]
    Global,
    /// All runners' of a project, by its name.
    Project(String),
    /// One runner's, by its name or id.
    Runner(String),
}

impl BudgetScope {
    /// The words for the tables: kind and id.
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Global => ("global", ""),
            Self::Project(name) => ("project", name),
            Self::Runner(word) => ("runner", word),
        }
    }

    /// Returns the scope of the tables' words.
    pub fn of(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "global" => Some(Self::Global),
            "project" => Some(Self::Project(id.to_owned())),
            "runner" => Some(Self::Runner(id.to_owned())),
            _ => None,
        }
    }

    /// Parses what a person writes: `global`, `project:NAME`, `runner:NAME`; a bare name is a project's.
    pub fn parse(text: &str) -> Option<Self> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        match text.split_once(':') {
            Some(("project", name)) => named(name).map(Self::Project),
            Some(("runner", name)) => named(name).map(Self::Runner),
            Some(_) => None,
            None if text == "global" => Some(Self::Global),
            None => named(text).map(Self::Project),
        }
    }
}

impl std::fmt::Display for BudgetScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Project(name) => write!(f, "project:{name}"),
            Self::Runner(name) => write!(f, "runner:{name}"),
        }
    }
}

/// What is done about a budget that is used up, each rung with those below it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BudgetAction {
    /// It is told.
    Warn,
    /// Launches and prompts are refused; what runs may finish.
    Hold,
    /// Running turns are interrupted.
    #[default]
    Interrupt,
    /// An agent that goes on regardless is stopped where it stands.
    Pause,
    /// It is ended.
    Stop,
}

impl BudgetAction {
    /// All of them, the mildest first.
    pub const ALL: [Self; 5] = [Self::Warn, Self::Hold, Self::Interrupt, Self::Pause, Self::Stop];

    /// The word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Hold => "hold",
            Self::Interrupt => "interrupt",
            Self::Pause => "pause",
            Self::Stop => "stop",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

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

/// A budget in one of its periods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Budget {
    /// Its row.
    pub id: i64,
    /// Whose use is counted.
    pub scope: BudgetScope,
    /// How long it lasts.
    pub period: Period,
    /// The zone in which its periods begin; empty for the daemon's.
    pub time_zone: String,
    /// How much may be used.
    pub limit: Limit,
    /// What was used, in the unit of the limit.
    pub used: u64,
    /// The part of it that is only estimated.
    pub estimated: u64,
    /// Set aside for runners that were launched with a limit of their own.
    pub reserved: u64,
    /// The beginning of the period.
    pub start: DateTime<Utc>,
    /// Its end.
    pub end: DateTime<Utc>,
    /// The highest rung.
    pub action: BudgetAction,
    /// Cache reads count too.
    pub count_cache_reads: bool,
    /// Estimates are acted upon too.
    pub enforce_estimates: bool,
    /// The highest share that was told, in percent.
    pub told: u8,
}

impl Budget {
    /// What of the use is acted upon: not what is only estimated, unless that was asked for.
    pub fn firm(&self) -> u64 {
        if self.enforce_estimates { self.used } else { self.used.saturating_sub(self.estimated) }
    }

    /// What was used, for people, without the word for its unit; marked where a part of it is only
    /// estimated.
    pub fn used_text(&self) -> String {
        let quality = if self.estimated > 0 { Quality::Estimated } else { Quality::Exact };
        marked(&self.limit.bare(self.used), quality)
    }

    /// Says what is in force: `interrupt when used up; told at 75, 90 and 100 %; …`.
    pub fn terms(&self) -> String {
        let told = TOLD_AT.map(|share| share.to_string()).join(", ");
        let cache = if self.count_cache_reads { "counted" } else { "not counted" };
        format!(
            "used up: {}; told at {told} %; cache reads {cache}; estimates {}; zone {}",
            self.action.as_str(),
            self.estimates(),
            self.zone_text(),
        )
    }

    /// Whether what is only estimated is acted upon, in words.
    pub fn estimates(&self) -> &'static str {
        if self.enforce_estimates { "enforced" } else { "not enforced" }
    }

    /// The zone in which its periods begin, in words.
    pub fn zone_text(&self) -> &str {
        if self.time_zone.is_empty() { "of the daemon" } else { &self.time_zone }
    }

    /// What is left, with what is set aside for others taken off.
    pub fn remaining(&self) -> u64 {
        self.limit.amount().saturating_sub(self.used).saturating_sub(self.reserved)
    }

    /// The share that is used, in percent; 100 and more when it is used up.
    pub fn percent(&self) -> u64 {
        percent(self.used, self.limit.amount())
    }

    /// Whether it is used up.
    pub fn is_exhausted(&self) -> bool {
        self.firm() >= self.limit.amount()
    }

    /// The share that is to be told now, if one is: the highest that was reached and not told.
    pub fn to_tell(&self) -> Option<u8> {
        let reached = percent(self.firm(), self.limit.amount());
        let highest = TOLD_AT.into_iter().rev().find(|share| reached >= u64::from(*share))?;
        (highest > self.told).then_some(highest)
    }

    /// Says that it is used up: `the daily budget of project api is used up: 1.02M of 1.00M tokens`.
    pub fn exhaustion(&self) -> String {
        let whose = match &self.scope {
            BudgetScope::Global => "for everything".to_owned(),
            BudgetScope::Project(name) => format!("of project {name}"),
            BudgetScope::Runner(name) => format!("of runner {name}"),
        };
        format!(
            "the {} budget {whose} is used up: {} of {}",
            self.period.as_str(),
            self.used_text(),
            self.limit.show(self.limit.amount()),
        )
    }
}

/// A share in percent, rounded down; a limit of nothing is used up.
fn percent(used: u64, limit: u64) -> u64 {
    if limit == 0 {
        return 100;
    }
    let share = u128::from(used) * 100 / u128::from(limit);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// What is set of a budget; what is `None` stays, or has its default in a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetChange {
    /// Whose use is counted.
    pub scope: BudgetScope,
    /// How long it lasts.
    pub period: Period,
    /// How much may be used.
    pub limit: Limit,
    /// The highest rung.
    pub action: Option<BudgetAction>,
    /// Cache reads count too.
    pub count_cache_reads: Option<bool>,
    /// Estimates are acted upon too.
    pub enforce_estimates: Option<bool>,
    /// The zone in which its periods begin.
    pub time_zone: Option<String>,
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
    fn scopes_are_told_apart() {
        for text in ["global", "project:api", "runner:api-1"] {
            assert_eq!(BudgetScope::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(BudgetScope::parse("api"), Some(BudgetScope::Project("api".into())));
        assert_eq!(BudgetScope::parse("team:x"), None);
        assert_eq!(BudgetScope::parse("project:"), None);
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

    fn budget(limit: u64, used: u64) -> Budget {
        Budget {
            id: 1,
            scope: BudgetScope::Project("api".into()),
            period: Period::Daily,
            time_zone: String::new(),
            limit: Limit::Tokens(limit),
            used,
            estimated: 0,
            reserved: 0,
            start: DateTime::UNIX_EPOCH,
            end: never(),
            action: BudgetAction::default(),
            count_cache_reads: false,
            enforce_estimates: false,
            told: 0,
        }
    }

    #[test]
    fn shares_are_told_once_and_the_highest_only() {
        let told = |used, told| Budget { told, ..budget(1000, used) }.to_tell();
        assert_eq!(told(749, 0), None);
        assert_eq!(told(750, 0), Some(75));
        assert_eq!(told(899, 75), None);
        assert_eq!(told(1500, 0), Some(100));
        assert_eq!(told(1500, 100), None);
    }

    #[test]
    fn estimates_are_not_acted_upon_unless_asked() {
        let estimated = Budget { estimated: 500, ..budget(1000, 1200) };
        assert_eq!(estimated.used_text(), "~1.20k");
        assert_eq!(budget(1000, 1200).used_text(), "1.20k");
        assert_eq!(
            estimated.terms(),
            "used up: interrupt; told at 75, 90, 100 %; cache reads not counted; \
             estimates not enforced; zone of the daemon"
        );
        assert!(!estimated.is_exhausted());
        assert!(Budget { enforce_estimates: true, ..estimated }.is_exhausted());
        assert!(budget(0, 0).is_exhausted());
        assert_eq!(
            budget(1_000_000, 1_020_000).exhaustion(),
            "the daily budget of project api is used up: 1.02M of 1.00M tokens"
        );
    }
}
