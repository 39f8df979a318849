//! The view of the budgets, and the dialog that sets one.
//!
//! Invariant: what the dialog says is wrong is what the daemon would refuse, in the same words as far
//! as they are the domain's.

use chrono::TimeDelta;

use super::{
    Line, State, TextLine, Tone, age_text,
    table::{Column, table},
};
use crate::{
    domain::{
        amount::exact_money,
        budget::{Budget, BudgetAction, BudgetChange, BudgetScope, Limit, Period, zone},
        runner::Runner,
    },
    ui::{
        keymap::{Action, Context},
        widgets::meter,
    },
};

/// Columns of a bar.
const BAR: usize = 10;
/// With something set aside, a screen of fewer columns shows how much may be used without its unit.
const WITH_WORDS: u16 = 100;

/// A field of the dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum BudgetField {
    /// Whose use is counted.
    Scope,
    /// How long it lasts.
    Period,
    /// How much may be used.
    Amount,
    /// What comes of it.
    Action,
    /// Whether cache reads count.
    CacheReads,
    /// Whether what is only estimated is acted upon.
    Estimates,
    /// The zone in which its periods begin.
    Zone,
}

impl BudgetField {
    /// All fields from top to bottom, with their labels.
    pub(in crate::ui) const ALL: [(Self, &'static str); 7] = [
        (Self::Scope, "for"),
        (Self::Period, "period"),
        (Self::Amount, "amount"),
        (Self::Action, "used up"),
        (Self::CacheReads, "cache reads"),
        (Self::Estimates, "estimates"),
        (Self::Zone, "time zone"),
    ];
}

/// The dialog of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct BudgetDialog {
    /// Which of [`BudgetField::ALL`] the cursor is in.
    pub(in crate::ui) field: usize,
    /// What is filled in, in the order of the fields.
    pub(in crate::ui) lines: [TextLine; 7],
    /// It had a zone of its own: none in the field takes that away.
    pub(in crate::ui) had_zone: bool,
    /// What is wrong with it, if it was tried.
    pub(in crate::ui) wrong: Option<String>,
}

impl BudgetDialog {
    /// Returns the dialog with what is to be expected of a new budget.
    pub(in crate::ui) fn new(scope: &BudgetScope) -> Self {
        let lines = [
            TextLine::new(&scope.to_string()),
            TextLine::new(Period::Daily.as_str()),
            TextLine::default(),
            TextLine::new(BudgetAction::default().as_str()),
            TextLine::new("no"),
            // What is not said of these stays as it is, where there is such a budget already.
            TextLine::default(),
            TextLine::default(),
        ];
        Self { field: 0, lines, had_zone: false, wrong: None }
    }

    /// Returns the dialog with what is in force, the cursor at the amount.
    pub(in crate::ui) fn of(budget: &Budget) -> Self {
        let lines = [
            TextLine::new(&budget.scope.to_string()),
            TextLine::new(budget.period.as_str()),
            TextLine::new(&written(budget.limit)),
            TextLine::new(budget.action.as_str()),
            TextLine::new(yes_or_no(budget.count_cache_reads)),
            TextLine::new(yes_or_no(budget.enforce_estimates)),
            TextLine::new(&budget.time_zone),
        ];
        Self { field: 2, lines, had_zone: !budget.time_zone.is_empty(), wrong: None }
    }

    /// The line the cursor is in.
    pub(in crate::ui) fn line(&mut self) -> &mut TextLine {
        let [scope, period, amount, action, cache_reads, estimates, zone] = &mut self.lines;
        match self.field {
            0 => scope,
            1 => period,
            2 => amount,
            3 => action,
            4 => cache_reads,
            5 => estimates,
            _ => zone,
        }
    }

    /// Goes to the field after or before.
    pub(in crate::ui) fn step(&mut self, forward: bool) {
        let count = self.lines.len();
        self.field = (self.field + if forward { 1 } else { count - 1 }) % count;
    }

    fn text(&self, field: BudgetField) -> &str {
        let at = BudgetField::ALL.iter().position(|(one, _)| *one == field).unwrap_or(0);
        self.lines.get(at).map_or("", |line| line.text().trim())
    }

    /// Returns what is to be set, or what is wrong.
    pub(in crate::ui) fn change(&self, state: &State) -> Result<BudgetChange, String> {
        let word = |field| self.text(field);
        let scope = word(BudgetField::Scope);
        let scope = BudgetScope::parse(scope)
            .ok_or_else(|| format!("`{scope}` is none of global, project:NAME, runner:NAME"))?;
        check(&scope, state)?;
        let period = word(BudgetField::Period);
        let period = Period::parse(period).ok_or_else(|| {
            format!("`{period}` is none of {}", Period::ALL.map(Period::as_str).join(", "))
        })?;
        let amount = word(BudgetField::Amount);
        if amount.is_empty() {
            return Err("say how much: 100k or 2.5M tokens, or $5 of money".to_owned());
        }
        let limit = Limit::parse(amount)?;
        let action = word(BudgetField::Action);
        let action = BudgetAction::parse(action).ok_or_else(|| {
            let all = BudgetAction::ALL.map(BudgetAction::as_str).join(", ");
            format!("`{action}` is none of {all}")
        })?;
        let truth = |field, label: &str| match word(field) {
            "yes" => Ok(Some(true)),
            "no" => Ok(Some(false)),
            "" => Ok(None),
            other => Err(format!("{label}: `{other}` is neither yes nor no")),
        };
        let count_cache_reads = truth(BudgetField::CacheReads, "cache reads")?.unwrap_or(false);
        let enforce_estimates = truth(BudgetField::Estimates, "estimates")?;
        let time_zone = match word(BudgetField::Zone) {
            "" => self.had_zone.then(String::new),
            name if zone(name).is_some() => Some(name.to_owned()),
            name => return Err(format!("`{name}` is no time zone like Europe/Berlin")),
        };
        Ok(BudgetChange {
            scope,
            period,
            limit,
            action: Some(action),
            count_cache_reads: Some(count_cache_reads),
            enforce_estimates,
            time_zone,
        })
    }
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// Whether there is what a budget is to be for.
fn check(scope: &BudgetScope, state: &State) -> Result<(), String> {
    match scope {
        BudgetScope::Project(name) if !state.projects.iter().any(|p| p.name == *name) => {
            Err(format!("there is no project {name}"))
        }
        BudgetScope::Runner(word)
            if !state.runners.values().any(|r| r.name == *word || r.id.to_string() == *word) =>
        {
            Err(format!("there is no runner {word}"))
        }
        _ => Ok(()),
    }
}

/// An amount as it is typed, exactly.
pub(in crate::ui) fn written(limit: Limit) -> String {
    let amount = limit.amount();
    match limit {
        Limit::Tokens(_) if amount > 0 && amount.is_multiple_of(1_000_000) => {
            format!("{}M", amount / 1_000_000)
        }
        Limit::Tokens(_) if amount > 0 && amount.is_multiple_of(1000) => {
            format!("{}k", amount / 1000)
        }
        Limit::Tokens(_) => amount.to_string(),
        Limit::Money(cost) => exact_money(cost),
    }
}

/// What is done when a budget is used up, in words.
pub(in crate::ui) fn consequence(action: BudgetAction) -> &'static str {
    match action {
        BudgetAction::Warn => "used up, it is told and nothing else happens",
        BudgetAction::Hold => "used up, launches and prompts are refused; turns may finish",
        BudgetAction::Interrupt => "used up, launches and prompts are refused, turns interrupted",
        BudgetAction::Pause => "used up, agents are interrupted, and paused if they go on",
        BudgetAction::Stop => "used up, agents are interrupted, and stopped if they go on",
    }
}

/// How a share looks.
pub(in crate::ui) fn tone_of(budget: &Budget) -> Tone {
    match budget.percent() {
        100.. => Tone::Bad,
        75.. => Tone::Warning,
        _ => Tone::Plain,
    }
}

impl State {
    /// Whose use a budget counts, in words: a runner that is known by its name.
    pub(in crate::ui) fn scope_text(&self, scope: &BudgetScope) -> String {
        let BudgetScope::Runner(word) = scope else { return scope.to_string() };
        let is_it = |it: &&Runner| it.name == *word || it.id.to_string() == *word;
        match self.runners.values().find(is_it) {
            Some(runner) if runner.status.is_live() => format!("runner:{}", runner.name),
            Some(runner) => format!("runner:{} (ended)", runner.name),
            None => scope.to_string(),
        }
    }

    /// The names of the columns.
    pub(super) fn budgets_fixed(&self) -> Vec<Line> {
        vec![Line::new("", self.budgets_table().0, Tone::Muted)]
    }

    /// A line for each budget.
    pub(super) fn budgets_lines(&self) -> Vec<Line> {
        let lines = self.budgets_table().1.into_iter().zip(self.budgets());
        lines.map(|(text, budget)| Line::new("", text, tone_of(budget))).collect()
    }

    /// The budget under the cursor.
    pub(in crate::ui) fn budget_at_cursor(&self) -> Option<&Budget> {
        let lines = self.budgets_lines().into_iter().zip(self.budgets());
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.nth(self.page.at).map(|(_, budget)| budget)
    }

    fn budgets_table(&self) -> (String, Vec<String>) {
        let all = self.budgets();
        let cells = |cell: &dyn Fn(&Budget) -> String| all.iter().map(cell).collect();
        let bare = |budget: &Budget, amount| budget.limit.bare(amount);
        // With something set aside, what is left adds up only beside it: the bar says what the share says, and
        // goes first where it is narrow, as do the end of the period and the words for tokens.
        let is_shared = all.iter().any(|budget| budget.reserved > 0);
        let is_bare = is_shared && self.size.0 < WITH_WORDS;
        let ranks = if is_shared {
            Ranks { bar: 9, used: 4, left: 5, set_aside: 6, ends_in: 8, used_up: 7 }
        } else {
            Ranks { bar: 4, used: 5, left: 6, set_aside: 8, ends_in: 7, used_up: 9 }
        };
        let columns = vec![
            Column::text("for", 0, cells(&|budget| self.scope_text(&budget.scope))),
            Column::text("period", 3, cells(&|budget| budget.period.as_str().to_owned())),
            Column::text("", ranks.bar, cells(&|budget| meter(budget.percent(), BAR))),
            Column::figures(
                "",
                1,
                cells(&|budget| {
                    let mark = if budget.is_exhausted() { "! " } else { "" };
                    format!("{mark}{} %", budget.percent())
                }),
            ),
            Column::figures("used", ranks.used, cells(&Budget::used_text)),
            Column::text(
                "of",
                2,
                cells(&|budget| {
                    let amount = budget.limit.amount();
                    if is_bare { bare(budget, amount) } else { budget.limit.show(amount) }
                }),
            ),
            Column::figures("left", ranks.left, cells(&|budget| bare(budget, budget.remaining()))),
            Column::figures(
                "set aside",
                ranks.set_aside,
                cells(&|budget| match budget.reserved {
                    0 => String::new(),
                    reserved => bare(budget, reserved),
                }),
            ),
            Column::figures(
                "ends in",
                ranks.ends_in,
                cells(&|budget| match budget.period {
                    Period::Total => "never".to_owned(),
                    _ => ends_in(budget.end - self.now),
                }),
            ),
            Column::text(
                "used up",
                ranks.used_up,
                cells(&|budget| budget.action.as_str().to_owned()),
            ),
            Column::text(
                "counts",
                10,
                cells(&|budget| {
                    let counts = if budget.count_cache_reads { "cache reads too" } else { "" };
                    counts.to_owned()
                }),
            ),
            Column::text("estimates", 11, cells(&|budget| budget.estimates().to_owned())),
            Column::text("zone", 12, cells(&|budget| budget.zone_text().to_owned())),
        ];
        table(columns, usize::from(self.size.0).saturating_sub(3))
    }

    /// What is said where there is none.
    pub(super) fn budgets_empty(&self) -> Vec<String> {
        if self.spending.spent.basics.is_none() {
            return vec!["reading …".to_owned()];
        }
        let key = self.keys.label(Context::Page, Action::AddBudget);
        vec![
            "no budget is set: agents use as much as they like".to_owned(),
            String::new(),
            format!("{key} sets one: for everything, a project or a runner;"),
            "an hour, a day, a week, a month or for ever; in tokens or in money".to_owned(),
        ]
    }
}

/// Which columns of budgets go first where it is narrow, those with the higher rank.
#[derive(Debug, Clone, Copy)]
struct Ranks {
    bar: u8,
    used: u8,
    left: u8,
    set_aside: u8,
    ends_in: u8,
    used_up: u8,
}

/// How long a period lasts still, its minutes marked as on the command line.
fn ends_in(left: TimeDelta) -> String {
    let text = age_text(left.max(TimeDelta::zero()));
    let has_minutes = text.contains('h') && !text.ends_with('h');
    if has_minutes { text + "m" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_period_is_written_as_on_the_command_line() {
        let told = [(-1, "0s"), (59, "59s"), (90, "1m"), (24_420, "6h47m"), (50_000, "13h")];
        for (seconds, text) in told {
            assert_eq!(ends_in(TimeDelta::seconds(seconds)), text);
        }
    }
    use crate::domain::usage::Cost;

    #[test]
    fn an_amount_is_written_as_it_can_be_typed() {
        for text in ["0", "7", "999", "100k", "1500k", "2M", "$0", "$5", "$12.5", "$0.000000001"] {
            let limit = Limit::parse(text).unwrap();
            assert_eq!(Limit::parse(&written(limit)), Ok(limit), "{text}");
        }
        assert_eq!(written(Limit::Tokens(1_500_000)), "1500k");
        assert_eq!(written(Limit::Money(Cost(12_500_000_000))), "$12.5");
    }
}
