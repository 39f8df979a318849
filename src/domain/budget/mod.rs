//! Budgets: how much may be used in a period, and what comes of it when that is used up.
//!
//! A budget is of tokens or of money. Counted are uncached input, cache writes and output; cache reads
//! only where asked for. No figure is known before a response has ended: what is used beyond a budget
//! is at most the responses that were under way when it was crossed. Invariant: the rung of
//! [`BudgetAction`] a budget names is the highest that is taken on its behalf.

mod limit;
mod period;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    limit::Limit,
    period::{Period, never, zone},
};
use super::{
    amount::{counted, marked},
    usage::Quality,
};

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

    /// Returns what an alert that one of its budgets cannot count is about: `budget project:shop daily`. Of
    /// no period, it is what those of all its budgets begin with.
    pub fn component(&self, period: Option<Period>) -> String {
        format!("budget {self} {}", period.map_or("", Period::as_str))
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
    /// Requests of which no more is known than the least that they used.
    pub floors: u64,
    /// Requests that count as nothing in money, since nobody knows their price.
    pub unpriced: u64,
    /// Whether somebody was told that there are such.
    #[serde(skip)]
    pub unpriced_told: bool,
    /// Whether what was used in its period before it was made is counted.
    #[serde(skip)]
    pub is_counted: bool,
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

    /// What was used, for people, without the word for its unit, marked where that is not all: `~` where a
    /// part of it is only estimated, else `≥` where the least is known, and `?` where a price is missing.
    pub fn used_text(&self) -> String {
        let quality = match (self.estimated, self.floors) {
            (1.., _) => Quality::Estimated,
            (0, 1..) => Quality::Floor,
            (0, 0) => Quality::Exact,
        };
        let unknown = if self.misses_prices() { "?" } else { "" };
        format!("{}{unknown}", marked(&self.limit.bare(self.used), quality))
    }

    /// Whether it is of money and cannot count a part of what was used, since nobody knows its price.
    pub fn misses_prices(&self) -> bool {
        matches!(self.limit, Limit::Money(_)) && self.unpriced > 0
    }

    /// Whether it is now to be told that prices are missing.
    pub fn is_to_tell_unpriced(&self) -> bool {
        self.misses_prices() && !self.unpriced_told
    }

    /// Says what is in force: `used up: interrupt; told at 75, 90, 100 %; …`.
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

    /// Says that prices are missing, where they are, and what can be done:
    /// `3 requests without a price count as nothing; …`.
    pub fn price_gap(&self) -> Option<String> {
        let many = counted(
            self.unpriced,
            "request without a price counts",
            "requests without a price count",
        );
        self.misses_prices().then(|| {
            format!("{many} as nothing; set a price under `prices`, or a budget in tokens")
        })
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
    use crate::domain::usage::Cost;

    #[test]
    fn scopes_are_told_apart() {
        for text in ["global", "project:api", "runner:api-1"] {
            assert_eq!(BudgetScope::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(BudgetScope::parse("api"), Some(BudgetScope::Project("api".into())));
        assert_eq!(BudgetScope::parse("team:x"), None);
        assert_eq!(BudgetScope::parse("project:"), None);
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
            floors: 0,
            unpriced: 0,
            unpriced_told: false,
            is_counted: true,
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
    fn what_is_not_counted_whole_is_marked() {
        let floors = Budget { floors: 1, unpriced: 2, ..budget(1000, 1200) };
        assert_eq!(floors.used_text(), "≥1.20k");
        assert_eq!((floors.price_gap(), floors.is_to_tell_unpriced()), (None, false));
        let money = Budget { limit: Limit::Money(Cost(1_000_000_000)), used: 0, ..floors };
        assert_eq!(money.used_text(), "≥$0?");
        assert!(money.is_to_tell_unpriced());
        assert_eq!(
            money.price_gap().unwrap(),
            "2 requests without a price count as nothing; set a price under `prices`, or a budget \
             in tokens"
        );
        let told = Budget { unpriced_told: true, estimated: 5, ..money };
        assert_eq!((told.used_text(), told.is_to_tell_unpriced()), ("~$0?".to_owned(), false));
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
