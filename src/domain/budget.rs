//! Budgets: how much may be used in a period, and what comes of it when that is used up.
//!
//! A budget is of tokens or of money. Counted are uncached input, cache writes and output; cache reads
//! only where asked for. No figure is known before a response has ended: what is used beyond a budget
//! is at most the responses that were under way when it was crossed. Invariant: the rung of
//! [`BudgetAction`] a budget names is the highest that is taken on its behalf.

use chrono::{
    DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, TimeZone, Timelike as _, Utc,
};
use serde::{Deserialize, Serialize};

use super::{
    amount::{money, tokens},
    usage::Cost,
};

/// The shares of a budget, in percent, that are told once each.
pub const TOLD_AT: [u8; 3] = [75, 90, 100];

/// Whose use is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
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

/// How long a budget lasts until it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A full hour.
    Hourly,
    /// From midnight to midnight.
    Daily,
    /// From Monday to Monday.
    Weekly,
    /// From the first to the first.
    Monthly,
    /// For ever.
    Total,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] =
        [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Total];

    /// The word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Total => "total",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == word)
    }

    /// Returns the beginning and the end of the period that a time lies in, by the clocks of a zone: a
    /// day there may have 23 or 25 hours. The end is in the next period already.
    pub fn bounds<Z: TimeZone>(
        self,
        at: DateTime<Utc>,
        zone: &Z,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let local = at.with_timezone(zone).naive_local();
        let today = local.date();
        let days = |begin: NaiveDate, end: Option<NaiveDate>| {
            (midnight(begin, zone), end.map_or_else(never, |end| midnight(end, zone)))
        };
        match self {
            Self::Hourly => {
                let into =
                    TimeDelta::seconds(i64::from(local.minute()) * 60 + i64::from(local.second()))
                        + TimeDelta::nanoseconds(local.nanosecond().into());
                let begin = at - into;
                (begin, begin + TimeDelta::hours(1))
            }
            Self::Daily => days(today, today.succ_opt()),
            Self::Weekly => {
                let into = Days::new(today.weekday().num_days_from_monday().into());
                let monday = today.checked_sub_days(into).unwrap_or(today);
                days(monday, monday.checked_add_days(Days::new(7)))
            }
            Self::Monthly => {
                let first = today.with_day(1).unwrap_or(today);
                days(first, first.checked_add_months(Months::new(1)))
            }
            Self::Total => (DateTime::UNIX_EPOCH, never()),
        }
    }
}

/// The end of what does not end, 9999-12-31: both databases can keep it.
pub fn never() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_214_400, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// When a day begins in a zone: where its clocks skip midnight, at the first moment they show; where
/// they show it twice, the first time.
fn midnight<Z: TimeZone>(day: NaiveDate, zone: &Z) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    // No zone has ever skipped more than a day.
    for quarters in 0..=96 {
        let shown = midnight + TimeDelta::minutes(15 * quarters);
        if let Some(time) = zone.from_local_datetime(&shown).earliest() {
            return time.with_timezone(&Utc);
        }
    }
    midnight.and_utc()
}

/// Returns the zone of an IANA name; for an empty one, the system's, and UTC if that is unknown.
pub fn zone(name: &str) -> Option<chrono_tz::Tz> {
    if !name.is_empty() {
        return name.parse().ok();
    }
    let system = iana_time_zone::get_timezone().ok();
    Some(system.and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC))
}

/// What is done about a budget that is used up, each rung with those below it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

    /// An amount in the same unit, for people.
    pub fn show(self, amount: u64) -> String {
        match self {
            Self::Tokens(_) => format!("{} tokens", tokens(amount)),
            Self::Money(_) => money(Cost(i64::try_from(amount).unwrap_or(i64::MAX))),
        }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
            self.limit.show(self.used).replace(" tokens", ""),
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
    use chrono_tz::{America::Sao_Paulo, Asia::Kolkata, Europe::Berlin};

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hours(period: Period, at: &str, zone: &chrono_tz::Tz) -> (String, i64) {
        let (start, end) = period.bounds(utc(at), zone);
        assert!(start <= utc(at) && utc(at) < end, "{start} {at} {end}");
        (start.format("%m-%d %H:%M").to_string(), (end - start).num_hours())
    }

    #[test]
    fn periods_follow_the_clocks_of_their_zone() {
        use Period::{Daily, Hourly, Monthly, Weekly};
        // Clocks go forward on 2026-03-29 and back on 2026-10-25 in Berlin.
        assert_eq!(hours(Daily, "2026-03-29T12:00:00Z", &Berlin), ("03-28 23:00".into(), 23));
        assert_eq!(hours(Daily, "2026-10-25T12:00:00Z", &Berlin), ("10-24 22:00".into(), 25));
        assert_eq!(hours(Daily, "2026-10-25T22:59:59Z", &Berlin), ("10-24 22:00".into(), 25));
        assert_eq!(hours(Daily, "2026-10-25T23:00:00Z", &Berlin), ("10-25 23:00".into(), 24));
        assert_eq!(hours(Weekly, "2026-10-25T12:00:00Z", &Berlin), ("10-18 22:00".into(), 169));
        assert_eq!(hours(Monthly, "2026-02-15T12:00:00Z", &Berlin), ("01-31 23:00".into(), 672));
        // Both hours that are called two are hours.
        assert_eq!(hours(Hourly, "2026-10-25T00:30:00Z", &Berlin), ("10-25 00:00".into(), 1));
        assert_eq!(hours(Hourly, "2026-10-25T01:30:00Z", &Berlin), ("10-25 01:00".into(), 1));
        assert_eq!(hours(Hourly, "2026-11-20T18:10:00Z", &Kolkata), ("11-20 17:30".into(), 1));
        // Midnight itself was skipped there.
        assert_eq!(hours(Daily, "2018-11-04T12:00:00Z", &Sao_Paulo), ("11-04 03:00".into(), 23));
        assert_eq!(Period::Total.bounds(utc("2026-01-01T00:00:00Z"), &Berlin).1, never());
    }

    #[test]
    fn each_period_begins_where_the_last_one_ended() {
        for period in [Period::Hourly, Period::Daily, Period::Weekly, Period::Monthly] {
            for zone in [Berlin, Sao_Paulo, Kolkata, chrono_tz::UTC] {
                let mut at = utc("2018-01-01T00:00:00Z");
                for _ in 0..400 {
                    let (start, end) = period.bounds(at, &zone);
                    assert_eq!(period.bounds(end, &zone).0, end, "{period:?} {zone} {start}");
                    at = end;
                }
            }
        }
    }

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
        assert!(!estimated.is_exhausted());
        assert!(Budget { enforce_estimates: true, ..estimated }.is_exhausted());
        assert!(budget(0, 0).is_exhausted());
        assert_eq!(
            budget(1_000_000, 1_020_000).exhaustion(),
            "the daily budget of project api is used up: 1.02M of 1.00M tokens"
        );
    }
}
