//! How many connections everybody holds: each runner few, each process of the user's many, all of them
//! together so many that the daemon's descriptors never run out.
//!
//! Agents run as the user and may connect like anybody, so what they hold must keep nobody out: what
//! comes from inside runners has its own share, and the rest is for who does not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Who holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// What is below the supervisor with this pid.
    Supervisor(i32),
    /// Something of which nothing is known: it may be inside any runner.
    Unknown,
    /// A process of the user's own, by its pid.
    Process(i32),
}

impl Owner {
    fn is_inside(self) -> bool {
        !matches!(self, Self::Process(_))
    }
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Of everybody.
    pub(super) total: usize,
    /// Of everything that is inside runners.
    pub(super) inside: usize,
    /// Of what is inside one runner, and of what nothing is known of.
    pub(super) each_runner: usize,
    /// Of one process of the user's.
    pub(super) each_process: usize,
}

/// Who holds how many. Only who holds any is in it, so that it is bounded as they are.
#[derive(Debug, Default)]
struct Held {
    total: usize,
    inside: usize,
    each: HashMap<Owner, usize>,
}

/// Everybody who is connected.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    bounds: Bounds,
    held: Arc<Mutex<Held>>,
}

/// A place in the crowd, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    owner: Owner,
    held: Arc<Mutex<Held>>,
}

impl Crowd {
    /// Returns a crowd of nobody.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, held: Arc::default() }
    }

    /// Lets one more in, if there is a place for it.
    pub(super) fn enter(&self, owner: Owner) -> Option<Place> {
        let bounds = self.bounds;
        let most = if owner.is_inside() { bounds.each_runner } else { bounds.each_process };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.each.get(&owner).copied().unwrap_or_default();
        let inside_is_full = owner.is_inside() && held.inside >= bounds.inside;
        if own >= most || held.total >= bounds.total || inside_is_full {
            return None;
        }
        held.each.insert(owner, own + 1);
        held.total += 1;
        held.inside += usize::from(owner.is_inside());
        drop(held);
        Some(Place { owner, held: Arc::clone(&self.held) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total = held.total.saturating_sub(1);
        held.inside = held.inside.saturating_sub(usize::from(self.owner.is_inside()));
        let left = held.each.get(&self.owner).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            held.each.remove(&self.owner);
        } else {
            held.each.insert(self.owner, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { total: 10, inside: 5, each_runner: 3, each_process: 6 };

    fn fill(crowd: &Crowd, owner: Owner) -> Vec<Place> {
        std::iter::from_fn(|| crowd.enter(owner)).collect()
    }

    #[test]
    fn who_is_inside_runners_takes_no_place_of_the_users() {
        let crowd = Crowd::new(BOUNDS);
        let (first, second) =
            (fill(&crowd, Owner::Supervisor(1)), fill(&crowd, Owner::Supervisor(2)));
        assert_eq!((first.len(), second.len()), (3, 2), "a runner's bound, and all runners'");
        assert!(fill(&crowd, Owner::Unknown).is_empty());
        assert_eq!(fill(&crowd, Owner::Process(7)).len(), 5, "the rest is the user's");
        drop(first);
        assert_eq!(fill(&crowd, Owner::Unknown).len(), 3);
    }

    #[test]
    fn a_process_of_the_users_leaves_room_for_another_one() {
        let crowd = Crowd::new(BOUNDS);
        let many = fill(&crowd, Owner::Process(1));
        assert_eq!(many.len(), 6);
        let few = fill(&crowd, Owner::Process(2));
        assert_eq!(few.len(), 4);
        drop((many, few));
        assert!(crowd.held.lock().unwrap().each.is_empty(), "who has gone is forgotten");
        assert_eq!(fill(&crowd, Owner::Process(3)).len(), 6);
    }
}
