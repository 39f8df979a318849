//! What agents use and may use, as far as it was read: today's sums, the budgets, and what the view
//! that is shown wants besides.
//!
//! Read anew when something happened that changes it, never by a clock alone. Invariant: at most one
//! answer is waited for, and what happens repeatedly is read at most once a second.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Mode, Scope, State, View, geometry};
use crate::domain::{
    budget::{Budget, BudgetScope, Period},
    id::RunnerId,
    runner::Runner,
    session::Session,
    usage::{Cost, Quality, Tokens, UsageBy, UsageTotal},
};

/// No figure changes more often.
const PAUSE: TimeDelta = TimeDelta::seconds(1);
/// Who runs through the list does not stay at each runner.
const PASSING: TimeDelta = TimeDelta::milliseconds(120);
/// So many hours are shown as bars.
pub(in crate::ui) const HOURS: u32 = 24;
/// And so many days.
pub(in crate::ui) const DAYS: u32 = 30;

/// Which sums the usage view wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct UsageAsk {
    /// By what they are told apart.
    pub(in crate::ui) by: UsageBy,
    /// Of [`DAYS`] days instead of [`HOURS`] hours.
    pub(in crate::ui) is_month: bool,
    /// Of this project alone, unless it is empty.
    pub(in crate::ui) project: String,
}

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Wants {
    /// Today's sums and the budgets.
    pub(in crate::ui) basics: bool,
    /// What this runner used, by model.
    pub(in crate::ui) runner: Option<RunnerId>,
    /// The sums of the usage view.
    pub(in crate::ui) usage: Option<UsageAsk>,
    /// Conversations: of this project, or of all for an empty name.
    pub(in crate::ui) sessions: Option<String>,
}

/// What was used in an hour or a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Bin {
    /// When that was, by the local clock: `14:00`, `11-20`.
    pub(in crate::ui) label: String,
    /// Tokens as budgets count them.
    pub(in crate::ui) tokens: u64,
    /// What they cost.
    pub(in crate::ui) cost: Cost,
}

/// Today's sums and the budgets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Basics {
    /// Since midnight by the local clock, by project.
    pub(in crate::ui) today: Vec<UsageTotal>,
    /// The last 24 hours, the newest last.
    pub(in crate::ui) hours: Vec<Bin>,
    /// The budgets in force, the widest first.
    pub(in crate::ui) budgets: Vec<Budget>,
    /// The next midnight.
    pub(in crate::ui) midnight: Option<DateTime<Utc>>,
}

/// What was read; `None` for what was not wanted or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Spent {
    /// Today's sums and the budgets.
    pub(in crate::ui) basics: Option<Basics>,
    /// What a runner used, by model.
    pub(in crate::ui) runner: Option<(RunnerId, Vec<UsageTotal>)>,
    /// Sums for the usage view and its bars.
    pub(in crate::ui) usage: Option<(UsageAsk, Vec<UsageTotal>, Vec<Bin>)>,
    /// Conversations, the newest first.
    pub(in crate::ui) sessions: Option<(String, Vec<Session>)>,
}

/// What is known, and how it stands with reading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Spending {
    /// What was read last.
    pub(in crate::ui) spent: Spent,
    /// What the usage view shows.
    pub(in crate::ui) ask: UsageAsk,
    /// Something happened since it was read.
    is_outdated: bool,
    /// An answer is waited for.
    is_reading: bool,
    /// What was asked for last, and when.
    asked: Wants,
    asked_at: Option<DateTime<Utc>>,
}

impl Spending {
    /// Notes that something happened that changes it.
    pub(in crate::ui) fn outdate(&mut self) {
        self.is_outdated = true;
    }

    /// Forgets what is waited for: the connection is gone.
    pub(in crate::ui) fn lose(&mut self) {
        self.is_reading = false;
        self.is_outdated = true;
        self.asked_at = None;
    }

    /// Takes in what was read; returns whether anything is another than before.
    pub(in crate::ui) fn learn(&mut self, spent: Spent) -> bool {
        self.is_reading = false;
        let before = self.spent.clone();
        let Spent { basics, runner, usage, sessions } = spent;
        self.spent.basics = basics.or(self.spent.basics.take());
        self.spent.runner = runner.or(self.spent.runner.take());
        self.spent.usage = usage.or(self.spent.usage.take());
        self.spent.sessions = sessions.or(self.spent.sessions.take());
        self.spent != before
    }

    /// Returns what is to be read now, and after which pause, if anything is.
    pub(in crate::ui) fn due(
        &mut self,
        wants: &Wants,
        now: DateTime<Utc>,
    ) -> Option<(Wants, TimeDelta)> {
        let is_late = self.spent.basics.as_ref().is_some_and(|basics| basics.ends(now));
        let is_old = self.is_outdated || (is_late && self.since_asked(now) >= PAUSE * 60);
        let is_other = *wants != self.asked;
        if self.is_reading || !(is_old || is_other) {
            return None;
        }
        let is_same = |a: &Wants| (a.usage == wants.usage) && (a.sessions == wants.sessions);
        let pause = match (is_other, is_same(&self.asked)) {
            _ if self.asked_at.is_none() => TimeDelta::zero(),
            (true, false) => TimeDelta::zero(),
            (true, true) => PASSING,
            (false, _) => (PAUSE - self.since_asked(now)).max(TimeDelta::zero()),
        };
        let read = Wants { basics: is_old || self.spent.basics.is_none(), ..wants.clone() };
        (self.is_reading, self.is_outdated) = (true, false);
        (self.asked, self.asked_at) = (wants.clone(), Some(now + pause));
        Some((read, pause))
    }

    /// Returns when a day or a budget's period ends next; figures are others then.
    pub(in crate::ui) fn ends(&self) -> Option<DateTime<Utc>> {
        let basics = self.spent.basics.as_ref()?;
        // What is for ever ends for nobody here.
        let budgets = basics.budgets.iter().filter(|budget| budget.period != Period::Total);
        let ends = budgets.map(|budget| budget.end).chain(basics.midnight);
        ends.min()
    }

    fn since_asked(&self, now: DateTime<Utc>) -> TimeDelta {
        self.asked_at.map_or(TimeDelta::MAX, |at| now - at)
    }
}

impl Basics {
    /// Whether a day or a period has ended since.
    fn ends(&self, now: DateTime<Utc>) -> bool {
        self.midnight.is_some_and(|midnight| midnight <= now)
            || self.budgets.iter().any(|budget| budget.end <= now)
    }
}

/// Returns the sum of sums.
pub(in crate::ui) fn sum<'a>(totals: impl IntoIterator<Item = &'a UsageTotal>) -> UsageTotal {
    let mut sum = UsageTotal::default();
    let (mut tokens, mut cost) = (Tokens::default(), Cost::default());
    for total in totals {
        tokens += total.tokens;
        cost += total.cost;
        sum.requests = sum.requests.saturating_add(total.requests);
        sum.unpriced = sum.unpriced.saturating_add(total.unpriced);
        sum.quality = Quality::max(sum.quality, total.quality);
    }
    UsageTotal { tokens, cost, ..sum }
}

impl State {
    /// What the view that is shown wants to know.
    pub(in crate::ui) fn wants(&self) -> Wants {
        let areas = geometry(self);
        let runner = self.selected_runner().filter(|_| !areas.facts.is_empty());
        Wants {
            basics: true,
            runner: runner.filter(|runner| runner.tokens_used > 0).map(|runner| runner.id),
            usage: (self.view == View::Usage).then(|| self.spending.ask.clone()),
            sessions: self.wanted_sessions(),
        }
    }

    /// The conversations of which project are wanted, if any are; of all for an empty name.
    fn wanted_sessions(&self) -> Option<String> {
        if self.view == View::Sessions {
            return Some(self.spending.ask.project.clone());
        }
        let Mode::Palette(palette) = &self.mode else { return None };
        (palette.scope == Scope::All).then(String::new)
    }

    /// What was used since midnight: by a project, or by all.
    pub(in crate::ui) fn today(&self, project: Option<&str>) -> UsageTotal {
        let today = self.spending.spent.basics.iter().flat_map(|basics| &basics.today);
        sum(today.filter(|total| project.is_none_or(|name| total.key == name)))
    }

    /// Tokens in each of the last hours, the newest last.
    pub(in crate::ui) fn hours(&self) -> Vec<f64> {
        let hours = self.spending.spent.basics.iter().flat_map(|basics| &basics.hours);
        // Exact to four billion tokens an hour, which is enough for a bar.
        hours.map(|bin| f64::from(u32::try_from(bin.tokens).unwrap_or(u32::MAX))).collect()
    }

    /// What a runner used by model, as far as it was read.
    pub(in crate::ui) fn usage_of(&self, id: RunnerId) -> &[UsageTotal] {
        let known = self.spending.spent.runner.as_ref().filter(|(known, _)| *known == id);
        known.map_or(&[], |(_, totals)| totals.as_slice())
    }

    /// The budgets in force, the widest first.
    pub(in crate::ui) fn budgets(&self) -> &[Budget] {
        self.spending.spent.basics.as_ref().map_or(&[], |basics| basics.budgets.as_slice())
    }

    /// The budget for everything that is used up most, if there is one.
    pub(in crate::ui) fn global_budget(&self) -> Option<&Budget> {
        self.tightest(|scope| *scope == BudgetScope::Global)
    }

    /// The same of a project.
    pub(in crate::ui) fn project_budget(&self, project: &str) -> Option<&Budget> {
        self.tightest(|scope| matches!(scope, BudgetScope::Project(name) if name == project))
    }

    fn tightest(&self, is_meant: impl Fn(&BudgetScope) -> bool) -> Option<&Budget> {
        let budgets = self.budgets().iter().filter(|budget| is_meant(&budget.scope));
        budgets.max_by_key(|budget| budget.percent())
    }

    /// The budgets that a runner's use is counted in, the narrowest first.
    pub(in crate::ui) fn budgets_of(&self, runner: &Runner) -> Vec<&Budget> {
        let counts = |budget: &&Budget| match &budget.scope {
            BudgetScope::Global => true,
            BudgetScope::Project(name) => *name == runner.project,
            BudgetScope::Runner(word) => *word == runner.name || *word == runner.id.to_string(),
        };
        self.budgets().iter().rev().filter(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_read_once_a_second_and_one_at_a_time() {
        let mut now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut spending = Spending::default();
        let wants = Wants { basics: true, ..Wants::default() };
        spending.outdate();
        assert_eq!(spending.due(&wants, now), Some((wants.clone(), TimeDelta::zero())));
        for _ in 0..100 {
            spending.outdate();
            assert_eq!(spending.due(&wants, now), None, "the answer is waited for");
        }
        let answer = || Spent { basics: Some(Basics::default()), ..Spent::default() };
        assert!(spending.learn(answer()));
        now += TimeDelta::milliseconds(300);
        let (_, pause) = spending.due(&wants, now).unwrap();
        assert_eq!(pause, TimeDelta::milliseconds(700));
        assert!(!spending.learn(answer()), "nothing is another");
        assert_eq!(spending.due(&wants, now), None, "nothing happened");
        let other = Wants { runner: Some(uuid::Uuid::nil().into()), ..wants };
        let (read, pause) = spending.due(&other, now).unwrap();
        assert_eq!((read.basics, pause), (false, PASSING));
        spending.lose();
        assert!(spending.due(&other, now).unwrap().0.basics);
    }

    #[test]
    fn the_end_of_a_day_is_waited_for_and_asked_about_once() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut spending = Spending::default();
        let wants = Wants { basics: true, ..Wants::default() };
        spending.outdate();
        spending.due(&wants, now).unwrap();
        let midnight = now + TimeDelta::hours(1);
        let basics = Basics { midnight: Some(midnight), ..Basics::default() };
        spending.learn(Spent { basics: Some(basics), ..Spent::default() });
        assert_eq!(spending.due(&wants, midnight - TimeDelta::seconds(1)), None);
        assert!(spending.due(&wants, midnight).is_some());
        spending.is_reading = false;
        assert_eq!(spending.due(&wants, midnight), None, "not again and again");
    }
}
