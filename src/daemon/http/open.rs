//! The connections that are open: as many as are allowed; then the one that has been idle for the longest
//! gives way to the next one.
//!
//! A connection is idle while it has no request: a silent one, one that is kept open for the next request,
//! one whose header is not complete. What is asked before a request is known keeps nobody out so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// One that has been idle for less does not give way: its request may be on its way.
const GRACE: Duration = Duration::from_millis(250);

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Open(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    all: Mutex<All>,
    /// Rings when one closes or becomes idle; only who accepts waits for it.
    changed: Notify,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    each: HashMap<u64, One>,
}

#[derive(Debug)]
struct One {
    /// Requests of it that are being answered.
    busy: usize,
    idle_since: Instant,
    end: CancellationToken,
}

/// An open connection, for as long as anything of it is there.
#[derive(Debug)]
pub(super) struct Member {
    id: u64,
    shared: Arc<Shared>,
    /// Cancelled when it has to give way.
    pub(super) end: CancellationToken,
}

/// Keeps a connection from giving way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Member>);

impl Shared {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Returns none, of so many at most.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, all: Mutex::default(), changed: Notify::new() }))
    }

    /// Adds a connection, as soon as there is room; the oldest idle one has to make it.
    pub(super) async fn enter(&self) -> Arc<Member> {
        loop {
            if let Some(member) = self.try_enter() {
                return Arc::new(member);
            }
            // Nothing rings when one has been idle for long enough.
            timeout(GRACE / 5, self.0.changed.notified()).await.ok();
        }
    }

    /// Adds a connection if there is room; otherwise one that is idle is told to end.
    fn try_enter(&self) -> Option<Member> {
        let mut all = self.0.all();
        if all.each.len() >= self.0.most {
            // One that ends already makes room in a moment: no second one has to.
            if !all.each.values().any(|one| one.end.is_cancelled()) {
                let may = |one: &&One| one.busy == 0 && one.idle_since.elapsed() >= GRACE;
                let idle = all.each.values().filter(may);
                if let Some(oldest) = idle.min_by_key(|one| one.idle_since) {
                    oldest.end.cancel();
                }
            }
            return None;
        }
        let (id, end) = (all.next, CancellationToken::new());
        all.next += 1;
        let one = One { busy: 0, idle_since: Instant::now(), end: end.clone() };
        all.each.insert(id, one);
        drop(all);
        Some(Member { id, shared: Arc::clone(&self.0), end })
    }
}

impl Member {
    /// Says that something of it is being done, until what is returned is dropped.
    pub(super) fn hold(self: &Arc<Self>) -> Busy {
        if let Some(one) = self.shared.all().each.get_mut(&self.id) {
            one.busy += 1;
        }
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Member { id, shared, .. } = &*self.0;
        if let Some(one) = shared.all().each.get_mut(id) {
            one.busy = one.busy.saturating_sub(1);
            one.idle_since = Instant::now();
        }
        shared.changed.notify_one();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.all().each.remove(&self.id);
        self.shared.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn the_one_that_is_idle_for_the_longest_gives_way() {
        let open = Open::new(3);
        let mut members = Vec::new();
        for _ in 0..3 {
            members.push(open.enter().await);
            sleep(SOON / 10).await;
        }
        // The first has just answered, the second answers.
        drop(members[0].hold());
        let busy = members[1].hold();
        assert!(timeout(SOON, open.enter()).await.is_err(), "nobody has left yet");
        assert!(members.iter().all(|member| !member.end.is_cancelled()), "nor been idle for long");
        sleep(GRACE).await;
        assert!(timeout(SOON, open.enter()).await.is_err(), "nobody has left yet");
        let ended: Vec<_> = members.iter().map(|member| member.end.is_cancelled()).collect();
        assert_eq!(ended, [false, false, true], "one, and not who is at work");
        drop(members.pop());
        let next = timeout(SOON, open.enter()).await.unwrap();
        let held = [members[0].hold(), next.hold()];
        assert!(timeout(SOON, open.enter()).await.is_err());
        assert!(members.iter().all(|member| !member.end.is_cancelled()), "all are at work");
        drop(busy);
        sleep(GRACE).await;
        assert!(timeout(SOON, open.enter()).await.is_err());
        assert!(members[1].end.is_cancelled(), "it is idle now");
        drop((members, held, next));
        assert!(open.0.all().each.is_empty());
    }
}
