//! Transcripts: what agents write down of conversations, taken in.
//!
//! They are the second source of what was used: a request that telemetry told of is found again and
//! counted once (`store/accounts`), one of which only the transcript knows is `late`, one that was cut
//! off makes a floor. Followed are the sessions that runners hold or held until lately; a notice of the
//! kernel tells that a file grew, a look every few seconds finds what that missed. Nothing of what was
//! used while no runner held a session is charged to anybody.

mod digest;
mod follow;
mod import;
mod keep;
mod search;
mod take;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, time::Instant};

use crate::{daemon::transcripts::Watch, domain::agent::Agent};

/// Between two searches for the file of a session.
const SEARCH: Duration = Duration::from_secs(30);

/// A file that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Followed {
    /// The agent that writes it.
    agent: Agent,
    /// The session it belongs to.
    session: String,
    /// Whether it is a subagent's.
    is_side: bool,
}

/// A file as it was when it was read last.
type Stamp = (u64, Option<SystemTime>);

/// What is followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Transcripts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watch: Watch,
    followed: Mutex<BTreeMap<PathBuf, Followed>>,
    stamps: Mutex<HashMap<PathBuf, Stamp>>,
    /// When the file of a session was searched for last.
    searched: Mutex<HashMap<String, Instant>>,
    bell: Notify,
    keeping: Notify,
    accounts: tokio::sync::Mutex<()>,
}

impl Transcripts {
    /// Waits until nobody else counts requests: what is known of them must hold until it is written.
    pub(super) async fn accounts(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.accounts.lock().await
    }

    /// Has everything looked at soon: a session began, ended, or its file became known.
    pub(super) fn look(&self) {
        self.0.bell.notify_one();
        self.0.keeping.notify_one();
    }

    /// Has the file of a session that was searched for in vain searched for again: a turn of it has ended,
    /// and with its first one some agents begin the file.
    pub(super) fn turn_ended(&self, session: &str) {
        let mut searched = self.0.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if searched.remove(session).is_some() {
            drop(searched);
            self.look();
        }
    }

    /// Whether the file of a session may be searched for: all files of its agent are looked through.
    fn may_search_for(&self, session: &str) -> bool {
        let mut searched = self.0.searched.lock().unwrap_or_else(PoisonError::into_inner);
        searched.retain(|_, at| at.elapsed() < SEARCH);
        let is_due = !searched.contains_key(session);
        if is_due {
            searched.insert(session.to_owned(), Instant::now());
        }
        is_due
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Followed>> {
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamps(&self) -> MutexGuard<'_, HashMap<PathBuf, Stamp>> {
        self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_searched_for_now_and_then_and_when_a_turn_has_ended() {
        let transcripts = Transcripts::default();
        assert!(transcripts.may_search_for("a"));
        assert!(!transcripts.may_search_for("a"), "everything is looked through for it");
        transcripts.turn_ended("b");
        assert!(!transcripts.may_search_for("a"));
        transcripts.turn_ended("a");
        assert!(transcripts.may_search_for("a"));
    }
}
