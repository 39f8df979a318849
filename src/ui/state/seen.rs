//! Which ended turns the user has looked at, over restarts of the dashboard. Pure: where it is kept is
//! said elsewhere.
//!
//! Invariant: of each runner the newest such turn, of at most [`MAX`] runners; what is put together
//! from several dashboards is the newest of each.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::id::RunnerId;

/// The form that this program writes.
const VERSION: u32 = 1;
/// Runners that are remembered; those whose turns ended longest ago are forgotten first.
const MAX: usize = 1_000;

/// When the turns ended that were looked at, by runner.
pub(in crate::ui) type Looked = BTreeMap<RunnerId, DateTime<Utc>>;

/// What the user has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Seen {
    known: Looked,
    /// What is not yet kept for the next start.
    fresh: Looked,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    seen: Looked,
}

impl Seen {
    /// When the newest turn ended that was looked at.
    pub(in crate::ui) fn of(&self, id: RunnerId) -> Option<DateTime<Utc>> {
        self.known.get(&id).copied()
    }

    /// Notes that a turn that ended then was looked at.
    pub(in crate::ui) fn note(&mut self, id: RunnerId, ended: DateTime<Utc>) {
        if self.of(id).is_none_or(|known| known < ended) {
            self.known.insert(id, ended);
            self.fresh.insert(id, ended);
        }
    }

    /// Takes in what was kept, here or by another dashboard; returns whether that is news.
    pub(in crate::ui) fn learn(&mut self, kept: &Looked) -> bool {
        let before = self.known.len();
        let mut is_news = false;
        for (id, ended) in kept {
            is_news |= self.of(*id).is_none_or(|known| known < *ended);
        }
        merge(&mut self.known, kept);
        is_news || self.known.len() != before
    }

    /// Returns what is to be kept, once.
    pub(in crate::ui) fn take_fresh(&mut self) -> Option<Looked> {
        Some(std::mem::take(&mut self.fresh)).filter(|fresh| !fresh.is_empty())
    }
}

/// Adds what was looked at; the newest counts.
pub(in crate::ui) fn merge(all: &mut Looked, more: &Looked) {
    for (id, ended) in more {
        let known = all.entry(*id).or_insert(*ended);
        *known = (*known).max(*ended);
    }
    if all.len() > MAX {
        let mut newest: Vec<_> = std::mem::take(all).into_iter().collect();
        newest.sort_by_key(|(_, ended)| Reverse(*ended));
        all.extend(newest.into_iter().take(MAX));
    }
}

/// Returns it as text.
pub(in crate::ui) fn text(seen: &Looked) -> String {
    let saved = Saved { version: VERSION, seen: seen.clone() };
    serde_json::to_string_pretty(&saved).unwrap_or_default()
}

/// Reads it back.
///
/// # Errors
///
/// Says what is wrong with it.
pub(in crate::ui) fn parse(text: &str) -> Result<Looked, String> {
    let saved: Saved = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match saved.version {
        VERSION => Ok(saved.seen),
        other => Err(format!("it has version {other}, known is {VERSION}")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_newest_of_each_is_kept_and_only_so_many() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |seconds| now + TimeDelta::seconds(seconds);
        let (a, b) = (RunnerId::random(), RunnerId::random());
        let mut all = Looked::from([(a, at(5)), (b, at(5))]);
        merge(&mut all, &Looked::from([(a, at(3)), (b, at(9))]));
        assert_eq!(all, Looked::from([(a, at(5)), (b, at(9))]));
        assert_eq!(parse(&text(&all)), Ok(all.clone()));
        let many = (10..).take(MAX).map(|second| (RunnerId::random(), at(second)));
        merge(&mut all, &many.collect());
        assert_eq!((all.len(), all.contains_key(&a)), (MAX, false));
    }

    #[test]
    fn what_is_no_news_is_not_kept_again() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let id = RunnerId::random();
        let mut seen = Seen::default();
        assert!(seen.learn(&Looked::from([(id, now)])));
        assert!(!seen.learn(&Looked::from([(id, now)])));
        seen.note(id, now);
        assert_eq!(seen.take_fresh(), None);
        seen.note(id, now + TimeDelta::seconds(1));
        assert!(seen.take_fresh().is_some() && seen.take_fresh().is_none());
    }
}
