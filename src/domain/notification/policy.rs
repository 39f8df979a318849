//! Where and when something is told: rules by event, project and weight, quiet hours, dwell, cooldown.

use std::str::FromStr as _;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};

use super::{Delivery, Notification, Severity};

/// What was not told for so long is told no more: nobody wants the news of last week.
const STALE: TimeDelta = TimeDelta::hours(12);

/// What is pushed where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// A type of event or, ending with a dot, the beginning of one (`runner.`); empty for all. An
    /// activity is named with its state: `runner.activity.blocked`.
    pub event: String,
    /// A project; empty for all.
    pub project: String,
    /// Only from this weight up.
    pub severity: Severity,
    /// The channels: telegram, ntfy, webhook, desktop; empty for all.
    pub channels: Vec<String>,
    /// true: it is not pushed at all.
    pub mute: bool,
}

impl Rule {
    /// Says what is wrong with it.
    ///
    /// # Errors
    ///
    /// When it names a channel that does not exist.
    pub fn check(&self) -> Result<(), String> {
        let is_known =
            |name: &&String| ["telegram", "ntfy", "webhook", "desktop"].contains(&name.as_str());
        match self.channels.iter().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => Err(format!("`{name}` is none of telegram, ntfy, webhook, desktop")),
        }
    }

    fn fits(&self, told: &Notification) -> bool {
        let event = &told.event_type;
        let state = match (event.as_str(), &told.asks, told.severity) {
            ("runner.activity", Some(_), _) => "runner.activity.blocked",
            ("runner.activity", None, Severity::Info) => "runner.activity.done",
            ("runner.activity", None, _) => "runner.activity.error",
            _ => event,
        };
        let names = |name: &str| {
            name == self.event || (self.event.ends_with('.') && name.starts_with(&self.event))
        };
        (self.event.is_empty() || names(event) || names(state))
            && (self.project.is_empty() || self.project == told.project)
            && told.severity >= self.severity
    }
}

/// Hours in which people sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: NaiveTime,
    to: NaiveTime,
    zone: Tz,
}

impl QuietHours {
    /// Parses `22:00-07:00`; `None` for an empty text.
    ///
    /// # Errors
    ///
    /// When that is no span of a day.
    pub fn parse(text: &str, zone: Tz) -> Result<Option<Self>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let wrong = || format!("`{text}` is no span like 22:00-07:00");
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = time(from).zip(time(to)).ok_or_else(wrong)?;
        if from == to { Err(wrong()) } else { Ok(Some(Self { from, to, zone })) }
    }

    /// Returns when they end, if a time is within them.
    pub fn end_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&self.zone).naive_local();
        let time = local.time();
        let (is_within, days) = if self.from < self.to {
            (time >= self.from && time < self.to, 0)
        } else {
            (time >= self.from || time < self.to, i64::from(time >= self.from))
        };
        if !is_within {
            return None;
        }
        let end = (local.date() + TimeDelta::days(days)).and_time(self.to);
        // Where the clocks skip that hour, the next one ends it.
        let end = [0, 30, 60, 90, 120].into_iter().find_map(|minutes| {
            self.zone.from_local_datetime(&(end + TimeDelta::minutes(minutes))).earliest()
        });
        Some(end.map_or(now, |end| end.to_utc()))
    }
}

/// When summaries are due.
#[derive(Debug, Clone)]
pub struct Summary {
    cron: Cron,
    zone: Tz,
}

impl Summary {
    /// Parses a line of crontab's form; `None` for an empty text.
    ///
    /// # Errors
    ///
    /// When that is none.
    pub fn parse(text: &str, zone: Tz) -> Result<Option<Self>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let cron = Cron::from_str(text.trim())
            .map_err(|error| format!("`{text}` is no time like `0 8 * * *`: {error}"))?;
        Ok(Some(Self { cron, zone }))
    }

    /// Returns when the next one is due.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&after.with_timezone(&self.zone), false);
        next.ok().map(|next| next.to_utc())
    }

    /// Returns when the one before was.
    pub fn previous(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = before.with_timezone(&self.zone);
        let previous = self.cron.find_previous_occurrence(&before, false);
        previous.ok().map(|previous| previous.to_utc())
    }
}

/// What becomes of a notification on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent, not before.
    Send(DateTime<Utc>),
    /// It is not sent, and why.
    Suppress(String),
    /// It is none of this channel's.
    Ignore,
}

/// Where and when something is told.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The first that fits decides.
    pub rules: Vec<Rule>,
    /// Without a rule that fits, what weighs less is not told.
    pub min_severity: Severity,
    /// When people sleep.
    pub quiet: Option<QuietHours>,
    /// What is told only while it is true has to be true for so long.
    pub dwell: TimeDelta,
    /// The same is not told again within so long.
    pub cooldown: TimeDelta,
}

impl Policy {
    /// Decides about a notification on a channel, on which the same was told last at `last`.
    pub fn decide(
        &self,
        told: &Notification,
        channel: &str,
        now: DateTime<Utc>,
        last: Option<DateTime<Utc>>,
    ) -> Verdict {
        let is_wanted = if told.channels.is_empty() {
            match self.rules.iter().find(|rule| rule.fits(told)) {
                Some(rule) => {
                    let names_it = rule.channels.iter().any(|name| name == channel);
                    !rule.mute && (rule.channels.is_empty() || names_it)
                }
                None => told.severity >= self.min_severity,
            }
        } else {
            told.channels.iter().any(|name| name == channel)
        };
        if !is_wanted || told.not_by == channel {
            return Verdict::Ignore;
        }
        if now - told.at > STALE {
            return Verdict::Suppress("it is more than 12 hours old".to_owned());
        }
        // What has happened in the future was told by a clock that has been set right since.
        let mut due = now;
        if told.while_since.is_some() {
            due = due.max(told.at.min(now) + self.dwell);
        }
        if let Some(free) = last.map(|last| last + self.cooldown).filter(|free| *free > now) {
            if told.asks.is_none() {
                return Verdict::Suppress("the same was told a moment ago".to_owned());
            }
            // A question is one that waits, however often it is asked.
            due = due.max(free);
        }
        self.after_quiet_hours(told, due)
    }

    /// Returns when something is due that quiet hours of another day put off, by those of today; `None`
    /// where they were not why it waits.
    ///
    /// Beyond dwell and cooldown nothing but quiet hours keeps back what was never tried.
    pub fn due_anew(&self, it: &Delivery, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let was_put_off = it.settled_at.is_none()
            && it.attempts == 0
            && it.due_at > now
            && it.due_at - it.created_at > self.dwell + self.cooldown;
        let told = &it.notification;
        let due = match told.while_since {
            Some(_) => now.max(told.at.min(now) + self.dwell),
            None => now,
        };
        let due = match self.after_quiet_hours(told, due) {
            Verdict::Send(due) => due,
            // It was wanted when it was taken in.
            Verdict::Suppress(_) | Verdict::Ignore => due,
        };
        Some(due).filter(|due| was_put_off && *due != it.due_at)
    }

    /// Puts off what is due in quiet hours.
    fn after_quiet_hours(&self, told: &Notification, due: DateTime<Utc>) -> Verdict {
        match (self.quiet.and_then(|quiet| quiet.end_after(due)), told.severity) {
            (None, _) | (_, Severity::Critical) => Verdict::Send(due),
            (Some(end), Severity::Warning) => Verdict::Send(end),
            // Somebody has named where it goes: it is not lost, and not weightier than a warning either.
            (Some(end), Severity::Info) if !told.channels.is_empty() => Verdict::Send(end),
            (Some(_), Severity::Info) => {
                Verdict::Suppress("it only informs, and these are quiet hours".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Asks, DeliveryState},
        *,
    };

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn told(severity: Severity, asks: bool) -> Notification {
        let now = at("2026-11-30T12:00:00Z");
        Notification {
            event_id: uuid::Uuid::nil(),
            position: 1,
            event_type: if asks { "runner.activity" } else { "runner.failed" }.into(),
            at: now,
            severity,
            emoji: String::new(),
            title: "t".into(),
            body: String::new(),
            project: "api".into(),
            runner: "api-1".into(),
            runner_id: String::new(),
            while_since: asks.then_some(now),
            asks: asks.then(|| Asks { kind: "permission".into(), at: now }),
            key: "k".into(),
            channels: vec![],
            not_by: String::new(),
            trace_id: String::new(),
        }
    }

    fn policy() -> Policy {
        Policy {
            dwell: TimeDelta::seconds(5),
            cooldown: TimeDelta::seconds(60),
            ..Policy::default()
        }
    }

    #[test]
    fn a_question_waits_for_its_dwell_and_is_never_swallowed_by_the_cooldown() {
        let (policy, asks) = (policy(), told(Severity::Warning, true));
        let now = asks.at;
        let send = |seconds| Verdict::Send(now + TimeDelta::seconds(seconds));
        assert_eq!(policy.decide(&asks, "telegram", now, None), send(5));
        let last = now - TimeDelta::seconds(20);
        assert_eq!(policy.decide(&asks, "telegram", now, Some(last)), send(40));
        let failed = told(Severity::Warning, false);
        assert_eq!(policy.decide(&failed, "telegram", now, None), send(0));
        assert!(matches!(
            policy.decide(&failed, "telegram", now, Some(last)),
            Verdict::Suppress(_)
        ));
        let long_ago = now - TimeDelta::seconds(61);
        assert_eq!(policy.decide(&failed, "telegram", now, Some(long_ago)), send(0));
        // Told by a clock that was an hour ahead.
        let ahead = Notification { at: now + TimeDelta::hours(1), ..asks };
        assert_eq!(policy.decide(&ahead, "telegram", now, None), send(5));
        let later = now + TimeDelta::hours(13);
        assert!(matches!(policy.decide(&failed, "telegram", later, None), Verdict::Suppress(_)));
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |event: &str, project: &str| Rule {
            event: event.into(),
            project: project.into(),
            ..Rule::default()
        };
        let policy = Policy {
            rules: vec![
                Rule { mute: true, ..rule("runner.", "noisy") },
                Rule { channels: vec!["ntfy".into()], ..rule("runner.activity.blocked", "") },
                Rule { severity: Severity::Critical, ..rule("runner.failed", "api") },
            ],
            min_severity: Severity::Warning,
            ..Policy::default()
        };
        let goes = |told: &Notification, channel| {
            policy.decide(told, channel, told.at, None) != Verdict::Ignore
        };
        let asks = told(Severity::Warning, true);
        assert!(goes(&asks, "ntfy") && !goes(&asks, "telegram"));
        let noisy = Notification { project: "noisy".into(), ..asks };
        assert!(!goes(&noisy, "ntfy"));
        // The third does not fit; the weight decides.
        assert!(goes(&told(Severity::Warning, false), "telegram"));
        assert!(!goes(&told(Severity::Info, false), "telegram"));
        let own = Notification { channels: vec!["ntfy".into()], ..told(Severity::Info, false) };
        assert!(goes(&own, "ntfy") && !goes(&own, "telegram"));
        let about = Notification { not_by: "ntfy".into(), ..told(Severity::Critical, false) };
        assert!(!goes(&about, "ntfy") && goes(&about, "telegram"));
    }

    #[test]
    fn quiet_hours_hold_by_the_clocks_of_their_zone() {
        let quiet = QuietHours::parse("22:00-07:00", chrono_tz::Europe::Berlin).unwrap().unwrap();
        assert_eq!(quiet.end_after(at("2026-11-30T12:00:00Z")), None);
        assert_eq!(quiet.end_after(at("2026-11-30T21:00:00Z")), Some(at("2026-12-01T06:00:00Z")));
        assert_eq!(quiet.end_after(at("2026-12-01T05:59:59Z")), Some(at("2026-12-01T06:00:00Z")));
        assert_eq!(quiet.end_after(at("2026-12-01T06:00:00Z")), None);
        // Summer time begins in this night.
        assert_eq!(quiet.end_after(at("2026-03-28T22:30:00Z")), Some(at("2026-03-29T05:00:00Z")));
        // The end lies in the hour that the clocks skip.
        let skipped = QuietHours::parse("01:00-02:30", chrono_tz::Europe::Berlin).unwrap().unwrap();
        assert_eq!(skipped.end_after(at("2026-03-29T00:30:00Z")), Some(at("2026-03-29T01:00:00Z")));
        for bad in ["22-7", "25:00-07:00", "22:00", "07:00-07:00", "x-y"] {
            assert!(QuietHours::parse(bad, chrono_tz::UTC).is_err(), "{bad}");
        }
        let policy = Policy { quiet: Some(quiet), ..policy() };
        let night = |severity| {
            let told = Notification { at: at("2026-11-30T23:00:00Z"), ..told(severity, false) };
            policy.decide(&told, "telegram", told.at, None)
        };
        assert_eq!(night(Severity::Critical), Verdict::Send(at("2026-11-30T23:00:00Z")));
        assert_eq!(night(Severity::Warning), Verdict::Send(at("2026-12-01T06:00:00Z")));
        assert!(matches!(night(Severity::Info), Verdict::Suppress(_)));
        let at_night = at("2026-11-30T23:00:00Z");
        let named = vec!["telegram".to_owned()];
        let own = Notification { at: at_night, channels: named, ..told(Severity::Info, false) };
        let verdict = policy.decide(&own, "telegram", at_night, None);
        assert_eq!(verdict, Verdict::Send(at("2026-12-01T06:00:00Z")));
    }

    #[test]
    fn what_waits_for_quiet_hours_waits_for_those_that_are_configured_now() {
        let now = at("2026-11-30T01:35:00Z");
        let quiet = |text| QuietHours::parse(text, chrono_tz::UTC).unwrap();
        let of = |text| Policy { quiet: quiet(text), ..policy() };
        let failed = Delivery {
            id: 1,
            channel: "telegram".into(),
            state: DeliveryState::Waiting,
            attempts: 0,
            created_at: at("2026-11-30T01:34:00Z"),
            due_at: at("2026-11-30T23:59:00Z"),
            settled_at: None,
            error: None,
            reference: None,
            notification: told(Severity::Warning, false),
        };
        assert_eq!(of("00:00-00:01").due_anew(&failed, now), Some(now));
        assert_eq!(of("").due_anew(&failed, now), Some(now));
        let later = Some(at("2026-11-30T06:00:00Z"));
        assert_eq!(of("01:00-06:00").due_anew(&failed, now), later);
        assert_eq!(of("00:00-23:59").due_anew(&failed, now), None, "nothing has changed");
        // What a channel, a look or a cooldown put off is none of their business.
        for other in [
            Delivery { attempts: 1, ..failed.clone() },
            Delivery { settled_at: Some(now), ..failed.clone() },
            Delivery { due_at: at("2026-11-30T01:35:05Z"), ..failed.clone() },
            Delivery { due_at: at("2026-11-30T01:34:30Z"), ..failed },
        ] {
            assert_eq!(of("").due_anew(&other, now), None, "{other:?}");
        }
    }

    #[test]
    fn summaries_come_by_the_clocks_of_their_zone() {
        let daily = Summary::parse("0 8 * * *", chrono_tz::Europe::Berlin).unwrap().unwrap();
        assert_eq!(daily.next(at("2026-11-30T06:59:00Z")), Some(at("2026-11-30T07:00:00Z")));
        assert_eq!(daily.next(at("2026-11-30T07:00:00Z")), Some(at("2026-12-01T07:00:00Z")));
        assert_eq!(daily.next(at("2026-07-01T00:00:00Z")), Some(at("2026-07-01T06:00:00Z")));
        assert!(Summary::parse("at eight", chrono_tz::UTC).is_err());
    }

    proptest! {
        #[test]
        fn quiet_hours_end_within_a_day_and_are_over_then(
            seconds in 0_i64..63_072_000, from in 0_u32..1440, to in 0_u32..1440,
        ) {
            prop_assume!(from != to);
            let text = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
            let quiet = QuietHours::parse(&text, chrono_tz::America::Sao_Paulo).unwrap().unwrap();
            let now = DateTime::from_timestamp(1_500_000_000 + seconds, 0).unwrap();
            if let Some(end) = quiet.end_after(now) {
                prop_assert!(end > now && end - now <= TimeDelta::hours(25), "{now} {end}");
                prop_assert_eq!(quiet.end_after(end), None);
            }
        }
    }
}
