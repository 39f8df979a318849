//! How long a channel is left alone, and why it is: the rest that somebody ends before its time, and
//! what keeps a channel shut until a person has seen to it.
//!
//! What is kept here is only of this process: another daemon that takes over finds out by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use super::Ring;
use crate::daemon::notify::Fault;

/// A channel that is to be left alone for so long is shut. One that may be asked sooner is so when it
/// has said that twice: a daemon that has just left can still be the one that hears the bot.
const CERTAIN: Duration = Duration::from_mins(1);
const TWICE: u32 = 2;

/// Which way a channel is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::daemon::services) enum Way {
    /// People are told something.
    Telling,
    /// What people say is heard.
    Hearing,
}

/// What is the matter with a channel.
#[derive(Debug, Clone)]
struct Shut {
    why: String,
    after: Duration,
    times: u32,
}

impl Shut {
    fn lasts(&self) -> bool {
        self.after >= CERTAIN || self.times >= TWICE
    }
}

/// Channels at rest, and those that are shut.
#[derive(Debug, Clone, Default)]
pub(in crate::daemon::services) struct Rests {
    bell: Ring,
    shut: Arc<Mutex<BTreeMap<(&'static str, Way), Shut>>>,
}

impl Rests {
    /// How often rests were ended.
    pub(super) fn ended(&self) -> u64 {
        *self.bell.0.borrow()
    }

    /// Rests for so long, or until rests are ended once more than so often.
    pub(super) async fn rest(&self, pause: Duration, ended: u64) {
        let mut bell = self.bell.0.subscribe();
        timeout(pause, bell.wait_for(|count| *count != ended)).await.ok();
    }

    /// Ends every rest.
    pub(super) fn end(&self) {
        self.bell.ring();
    }

    /// Takes note of what came of using a channel.
    pub(in crate::daemon::services) fn note<T>(
        &self,
        channel: &'static str,
        way: Way,
        outcome: &Result<T, Fault>,
    ) {
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(_) | Err(Fault::Never(_)) => {
                shut.remove(&(channel, way));
            }
            Err(Fault::Shut { why, after }) => {
                let before = shut.get(&(channel, way)).filter(|it| it.why == *why);
                let times = before.map_or(0, |it| it.times).saturating_add(1);
                let now = Shut { why: why.clone(), after: *after, times };
                shut.insert((channel, way), now);
            }
            // Nobody answered, or not to this: it says nothing.
            Err(Fault::Later { .. }) => {}
        }
    }

    /// What keeps a channel shut and what to do about it, if anything does.
    pub(super) fn shut(&self, channel: &str) -> Option<String> {
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = shut.iter().filter(|((name, _), it)| *name == channel && it.lasts());
        // Both ways of a channel mostly have one cause.
        let mut all: Vec<_> = lasting.map(|(_, it)| it.why.as_str()).collect();
        all.dedup();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shut(why: &str, after: Duration) -> Result<(), Fault> {
        Err(Fault::Shut { why: why.to_owned(), after })
    }

    #[test]
    fn what_lasts_is_told_until_the_channel_is_used_again() {
        let rests = Rests::default();
        let (long, short) = (Duration::from_mins(10), Duration::from_secs(30));
        // Once can be the daemon that has just left.
        rests.note("telegram", Way::Hearing, &shut("another program", short));
        assert_eq!(rests.shut("telegram"), None);
        rests.note("telegram", Way::Hearing, &shut("another program", short));
        assert_eq!(rests.shut("telegram").as_deref(), Some("another program"));
        assert_eq!(rests.shut("ntfy"), None);
        // A server that is away says nothing of it; one that answers does.
        let away = Fault::Later { why: "no answer".to_owned(), after: None };
        rests.note::<()>("telegram", Way::Hearing, &Err(away));
        assert!(rests.shut("telegram").is_some());
        rests.note("telegram", Way::Hearing, &Ok(()));
        assert_eq!(rests.shut("telegram"), None);
        // One cause of both ways is told once.
        rests.note("telegram", Way::Telling, &shut("the token", long));
        rests.note("telegram", Way::Hearing, &shut("the token", long));
        assert_eq!(rests.shut("telegram").as_deref(), Some("the token"));
    }

    #[tokio::test]
    async fn a_rest_is_ended_before_its_time() {
        let rests = Rests::default();
        let (ended, other) = (rests.ended(), rests.clone());
        let resting = tokio::spawn(async move {
            other.rest(Duration::from_hours(1), ended).await;
        });
        while rests.bell.0.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        rests.end();
        resting.await.unwrap();
        // What was ended before it began is no rest: nothing is missed between two looks.
        rests.rest(Duration::from_hours(1), ended).await;
    }
}
