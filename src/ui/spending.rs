//! Reads what is used and may be used from the daemon, and sorts hours into days by the local clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Local, NaiveDateTime, TimeDelta, TimeZone, Timelike as _, Utc};

use super::state::{Basics, Bin, DAYS, HOURS, Spent, UsageAsk, Wants};
use crate::{
    client::Client,
    domain::{
        budget::Period,
        failure::Failure,
        id::RunnerId,
        usage::{UsageBy, UsageFilter, UsageTotal},
    },
};

/// Conversations that are read: what is older is found on the command line.
const MOST_SESSIONS: u32 = 200;

/// Reads what is wanted; what cannot be had is left out.
pub(super) async fn read(client: &Client, wants: Wants) -> Spent {
    let now = Utc::now();
    let mut spent = Spent::default();
    if wants.basics {
        spent.basics = basics(client, now).await.ok();
    }
    if let Some(id) = wants.runner {
        spent.runner = of_runner(client, id).await.ok().map(|totals| (id, totals));
    }
    if let Some(ask) = wants.usage {
        let read = usage(client, &ask, now).await.ok();
        spent.usage = read.map(|(totals, bins)| (ask, totals, bins));
    }
    if let Some(project) = wants.sessions {
        let read = client.list_sessions(&project, "", MOST_SESSIONS).await.ok();
        spent.sessions = read.map(|sessions| (project, sessions));
    }
    spent
}

async fn basics(client: &Client, now: DateTime<Utc>) -> Result<Basics, Failure> {
    let (midnight, next) = Period::Daily.bounds(now, &Local);
    let filter = UsageFilter { since: Some(midnight), ..UsageFilter::default() };
    let today = client.usage(UsageBy::Project, &filter).await?;
    let hours = hours(client, "", now).await?;
    let budgets = client.list_budgets().await?;
    Ok(Basics { today, hours, budgets, midnight: Some(next) })
}

async fn of_runner(client: &Client, id: RunnerId) -> Result<Vec<UsageTotal>, Failure> {
    let filter = UsageFilter { runner: id.to_string(), ..UsageFilter::default() };
    client.usage(UsageBy::Model, &filter).await
}

async fn usage(
    client: &Client,
    ask: &UsageAsk,
    now: DateTime<Utc>,
) -> Result<(Vec<UsageTotal>, Vec<Bin>), Failure> {
    let since = if ask.is_month { month(now) } else { day(now) };
    let filter =
        UsageFilter { project: ask.project.clone(), since: Some(since), ..UsageFilter::default() };
    let by_hour = client.usage(UsageBy::Hour, &filter).await?;
    let bins = if ask.is_month {
        bins(&by_hour, DAYS, now, &Local, true)
    } else {
        bins(&by_hour, HOURS, now, &Local, false)
    };
    // Days begin at midnight here, and not where the daemon counts them.
    let totals = match ask.by {
        UsageBy::Day => days(&by_hour, &Local),
        by => client.usage(by, &filter).await?,
    };
    Ok((totals, bins))
}

async fn hours(client: &Client, project: &str, now: DateTime<Utc>) -> Result<Vec<Bin>, Failure> {
    let filter = UsageFilter {
        project: project.to_owned(),
        since: Some(day(now)),
        ..UsageFilter::default()
    };
    let by_hour = client.usage(UsageBy::Hour, &filter).await?;
    Ok(bins(&by_hour, HOURS, now, &Local, false))
}

/// The beginning of the first of the last 24 hours, the current one among them.
fn day(now: DateTime<Utc>) -> DateTime<Utc> {
    full_hour(now) - TimeDelta::hours(i64::from(HOURS) - 1)
}

/// The beginning of the first of the last 30 days, today among them.
fn month(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now - TimeDelta::days(i64::from(DAYS) - 1);
    Period::Daily.bounds(first, &Local).0
}

fn full_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    let past = i64::from(at.minute() * 60 + at.second());
    at - TimeDelta::seconds(past) - TimeDelta::nanoseconds(at.nanosecond().into())
}

/// When an hour of the daemon's, `2026-11-20T19`, began.
fn began(key: &str) -> Option<DateTime<Utc>> {
    let text = format!("{key}:00");
    let parse = |form| NaiveDateTime::parse_from_str(&text, form).ok();
    parse("%Y-%m-%dT%H:%M").or_else(|| parse("%Y-%m-%d %H:%M")).map(|at| at.and_utc())
}

/// Returns the last so many hours, or days by the clocks of a zone, the newest last; those without
/// use are empty.
fn bins<Z: TimeZone>(
    by_hour: &[UsageTotal],
    count: u32,
    now: DateTime<Utc>,
    zone: &Z,
    are_days: bool,
) -> Vec<Bin>
where
    Z::Offset: std::fmt::Display,
{
    let form = if are_days { "%m-%d" } else { "%H:%M" };
    let begin = |at| if are_days { Period::Daily.bounds(at, zone).0 } else { full_hour(at) };
    let mut bins: BTreeMap<DateTime<Utc>, Bin> = BTreeMap::new();
    let mut at = begin(now);
    for _ in 0..count {
        let label = at.with_timezone(zone).format(form).to_string();
        bins.insert(at, Bin { label, ..Bin::default() });
        at = begin(at - TimeDelta::seconds(1));
    }
    for total in by_hour {
        let Some(bin) = began(&total.key).and_then(|at| bins.get_mut(&begin(at))) else { continue };
        bin.tokens = bin.tokens.saturating_add(total.tokens.counted());
        bin.cost += total.cost;
    }
    bins.into_values().collect()
}

/// Returns sums of hours by the days of a zone.
fn days<Z: TimeZone>(by_hour: &[UsageTotal], zone: &Z) -> Vec<UsageTotal>
where
    Z::Offset: std::fmt::Display,
{
    let mut days: BTreeMap<String, UsageTotal> = BTreeMap::new();
    for total in by_hour {
        let Some(at) = began(&total.key) else { continue };
        let key = at.with_timezone(zone).format("%Y-%m-%d").to_string();
        let day = days.entry(key.clone()).or_default();
        (day.name, day.key) = (key.clone(), key);
        day.requests = day.requests.saturating_add(total.requests);
        day.unpriced = day.unpriced.saturating_add(total.unpriced);
        day.tokens += total.tokens;
        day.cost += total.cost;
        day.quality = day.quality.max(total.quality);
    }
    days.into_values().collect()
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Asia::Kolkata, Europe::Berlin};

    use super::*;
    use crate::domain::usage::Tokens;

    fn used(hour: &str, output: u64) -> UsageTotal {
        let tokens = Tokens { output, ..Tokens::default() };
        UsageTotal { key: hour.to_owned(), tokens, requests: 1, ..UsageTotal::default() }
    }

    #[test]
    fn hours_fall_into_the_days_of_the_zone() {
        // 23:30 UTC is the next day in Berlin; its clocks were changed on 2026-10-25.
        let hours = [used("2026-10-24T21", 1), used("2026-10-24T22", 2), used("2026-10-26T22", 4)];
        let named: Vec<_> =
            days(&hours, &Berlin).into_iter().map(|day| (day.key, day.tokens.output)).collect();
        let day = |key: &str, count| (key.to_owned(), count);
        assert_eq!(named, [day("2026-10-24", 1), day("2026-10-25", 2), day("2026-10-26", 4)]);
        let now = "2026-10-26T22:15:00Z".parse().unwrap();
        let last = bins(&hours, 4, now, &Berlin, true);
        let told: Vec<_> = last.iter().map(|bin| (bin.label.as_str(), bin.tokens)).collect();
        assert_eq!(told, [("10-23", 0), ("10-24", 1), ("10-25", 2), ("10-26", 4)]);
    }

    #[test]
    fn the_current_hour_is_the_last_of_the_bars() {
        let now = "2026-11-20T19:59:59Z".parse().unwrap();
        let hours = [used("2026-11-20T19", 5), used("2026-11-20 17", 3), used("2026-11-19T00", 9)];
        let last = bins(&hours, 3, now, &Utc, false);
        let told: Vec<_> = last.iter().map(|bin| (bin.label.as_str(), bin.tokens)).collect();
        assert_eq!(told, [("17:00", 3), ("18:00", 0), ("19:00", 5)]);
        assert_eq!(bins(&hours, 24, now, &Kolkata, false).len(), 24);
        assert_eq!(began("nonsense"), None);
    }
}
