//! The periods of budgets, by the clocks of a time zone.

use chrono::{
    DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, TimeZone, Timelike as _, Utc,
};
use serde::{Deserialize, Serialize};

/// How long a budget lasts until it begins anew.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
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

#[cfg(test)]
mod tests {
    use chrono_tz::{America::Sao_Paulo, Asia::Kolkata, Europe::Berlin};

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hours(period: Period, at: &str, zone: chrono_tz::Tz) -> (String, i64) {
        let (start, end) = period.bounds(utc(at), &zone);
        assert!(start <= utc(at) && utc(at) < end, "{start} {at} {end}");
        (start.format("%m-%d %H:%M").to_string(), (end - start).num_hours())
    }

    #[test]
    fn periods_follow_the_clocks_of_their_zone() {
        use Period::{Daily, Hourly, Monthly, Weekly};
        // Clocks go forward on 2026-03-29 and back on 2026-10-25 in Berlin.
        assert_eq!(hours(Daily, "2026-03-29T12:00:00Z", Berlin), ("03-28 23:00".into(), 23));
        assert_eq!(hours(Daily, "2026-10-25T12:00:00Z", Berlin), ("10-24 22:00".into(), 25));
        assert_eq!(hours(Daily, "2026-10-25T22:59:59Z", Berlin), ("10-24 22:00".into(), 25));
        assert_eq!(hours(Daily, "2026-10-25T23:00:00Z", Berlin), ("10-25 23:00".into(), 24));
        assert_eq!(hours(Weekly, "2026-10-25T12:00:00Z", Berlin), ("10-18 22:00".into(), 169));
        assert_eq!(hours(Monthly, "2026-02-15T12:00:00Z", Berlin), ("01-31 23:00".into(), 672));
        // Both hours that are called two are hours.
        assert_eq!(hours(Hourly, "2026-10-25T00:30:00Z", Berlin), ("10-25 00:00".into(), 1));
        assert_eq!(hours(Hourly, "2026-10-25T01:30:00Z", Berlin), ("10-25 01:00".into(), 1));
        assert_eq!(hours(Hourly, "2026-11-20T18:10:00Z", Kolkata), ("11-20 17:30".into(), 1));
        // Midnight itself was skipped there.
        assert_eq!(hours(Daily, "2018-11-04T12:00:00Z", Sao_Paulo), ("11-04 03:00".into(), 23));
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
}
