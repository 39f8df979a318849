//! From a history to what is wrong with it: pure, without a clock, a server or chance.
//!
//! Each violation has the name of its invariant. C27 is not here: a node joins with the credentials of the
//! database and no token of its own.

mod books;
mod calls;
mod delivery;
mod live;
mod output;
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
    /// A runner has one live agent at most, on all machines together.
    C02,
    /// Every live agent is listed, and every live row has an agent.
    C03,
    /// Runners move along their table, and a run ends once.
    C04,
    /// What is recorded of a run is what the agent saw: where it worked, how it ended.
    C05,
    /// Of what was stopped nothing is left.
    C06,
    /// Who is not concerned gets no signal.
    C07,
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
    /// What a budget says is used is what was spent.
    C15,
    /// No runner is called lost whose supervisor lives.
    C16,
    /// A lease has one holder an epoch, and who lost it writes no more.
    C17,
    /// Who has seen something does not see an earlier state of it.
    C18,
    /// What was done is in the log, and the log is whole.
    C19,
    /// Who may not do something does not, and nothing comes of it.
    C20,
    /// What is recorded is what was said, to the byte.
    C21,
    /// Who watches sees every byte once, across daemons.
    C22,
    /// What is to be told is told, and not again and again.
    C23,
    /// No fault of the control plane holds up an agent.
    C24,
    /// No daemon holds more than it may.
    C25,
    /// When everything is healed, everything is settled soon.
    C26,
    /// A runner's rows are written by its own node only.
    C28,
    /// Nothing lasts less than no time, no lease longer than it was given.
    C29,
    /// No secret is where it must not be.
    C30,
}

impl Invariant {
    /// All of them.
    pub(crate) const ALL: [Self; 29] = [
        Self::C01,
        Self::C02,
        Self::C03,
        Self::C04,
        Self::C05,
        Self::C06,
        Self::C07,
        Self::C08,
        Self::C09,
        Self::C10,
        Self::C11,
        Self::C12,
        Self::C13,
        Self::C14,
        Self::C15,
        Self::C16,
        Self::C17,
        Self::C18,
        Self::C19,
        Self::C20,
        Self::C21,
        Self::C22,
        Self::C23,
        Self::C24,
        Self::C25,
        Self::C26,
        Self::C28,
        Self::C29,
        Self::C30,
    ];
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

/// What a check found, and how much it had to look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// How many things each invariant was asked about.
    pub looked_at: BTreeMap<Invariant, usize>,
}

/// Returns everything that is wrong with a history, and how much was looked at.
pub(crate) fn examine(history: &History) -> Findings {
    let mut findings = Findings::default();
    calls::check(history, &mut findings);
    state::check(history, &mut findings);
    delivery::check(history, &mut findings);
    live::check(history, &mut findings);
    output::check(history, &mut findings);
    books::check(history, &mut findings);
    findings
}

/// Returns everything that is wrong with a history.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    examine(history).violations
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
    findings: &'a mut Findings,
}

impl<'a> Finder<'a> {
    fn of(invariant: Invariant, findings: &'a mut Findings) -> Self {
        Self { invariant, findings }
    }

    /// Counts what was looked at.
    fn saw(&mut self, count: usize) {
        *self.findings.looked_at.entry(self.invariant).or_default() += count;
    }

    fn found(&mut self, what: impl Into<String>) {
        let violation = Violation { invariant: self.invariant, what: what.into() };
        self.findings.violations.push(violation);
    }

    /// Counts one more, and says that it is wrong if it is.
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.saw(1);
        if !holds {
            self.found(what());
        }
    }
}
