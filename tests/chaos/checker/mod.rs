//! From a history to what is wrong with it: pure, without a clock, a server or chance.
//!
//! Each violation has the name of its invariant, those of the project's list (C01 to C19). C15, the
//! books of a budget, is not here: nothing keeps any yet.

mod calls;
mod delivery;
mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

pub(crate) use self::delivery::duplicates;
use crate::history::History;

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Invariant {
    /// A request has one effect when it was answered, none when refused, at most one else.
    C01,
    /// Runners move along their table, and a run ends once.
    C04,
    /// What is committed is delivered, and nothing else.
    C08,
    /// An entity's events are delivered in order, without gaps.
    C09,
    /// Duplicates are bounded by what was under way at faults.
    C10,
    /// Nothing overtakes a parked event of its entity.
    C11,
    /// An event is there if and only if its change is.
    C12,
    /// No event tells of what was undone.
    C13,
    /// No project has more live runners than it may.
    C14,
    /// No runner is called lost whose supervisor lives.
    C16,
    /// A lease has one holder an epoch, and who lost it writes no more.
    C17,
    /// Who has seen something does not see an earlier state of it.
    C18,
    /// What was done is in the log, and the log is whole.
    C19,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// What does not hold.
    pub invariant: Invariant,
    /// Where.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// Returns everything that is wrong with a history.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let mut wrong = Vec::new();
    calls::check(history, &mut wrong);
    state::check(history, &mut wrong);
    delivery::check(history, &mut wrong);
    wrong
}

/// Returns how often each invariant is violated.
pub(crate) fn summary(violations: &[Violation]) -> BTreeMap<Invariant, usize> {
    violations.iter().fold(BTreeMap::new(), |mut counts, violation| {
        *counts.entry(violation.invariant).or_default() += 1;
        counts
    })
}

/// What an invariant's check finds.
struct Finder<'a> {
    invariant: Invariant,
    wrong: &'a mut Vec<Violation>,
}

impl<'a> Finder<'a> {
    fn of(invariant: Invariant, wrong: &'a mut Vec<Violation>) -> Self {
        Self { invariant, wrong }
    }

    fn found(&mut self, what: impl Into<String>) {
        self.wrong.push(Violation { invariant: self.invariant, what: what.into() });
    }
}
