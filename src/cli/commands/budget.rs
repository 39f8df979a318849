//! `stratavore budget`: how much may be used, and what is left.

use chrono::Utc;

use super::Outcome;
use crate::{
    cli::{
        budgets::{BudgetArgs, BudgetCommand, BudgetOneArgs, BudgetSetArgs},
        context::{Context, block_on},
        human::until,
        known,
        printer::Printer,
    },
    domain::{
        budget::{Budget, BudgetChange, BudgetScope, Limit, Period, zone},
        failure::Failure,
        runner::Runner,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: BudgetArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(BudgetCommand::Show { scope: None }) {
        BudgetCommand::Show { scope } => {
            ("show the budgets", block_on(show(scope.as_ref(), context, printer)))
        }
        BudgetCommand::Set(args) => ("set the budget", block_on(set(args, context, printer))),
        BudgetCommand::Remove(args) => {
            ("remove the budget", block_on(remove(&args, context, printer)))
        }
        BudgetCommand::Reset(args) => {
            ("reset the budget", block_on(reset(&args, context, printer)))
        }
    }
}

async fn show(
    scope: Option<&BudgetScope>,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let mut budgets = client.list_budgets().await?;
    let is_runners = |budget: &Budget| matches!(budget.scope, BudgetScope::Runner(_));
    let runners: Vec<Known> = if budgets.iter().any(is_runners) {
        // Without them their ids are shown.
        let runners = client.list_runners("", "", 0).await.unwrap_or_default();
        runners.iter().map(Known::from).collect()
    } else {
        Vec::new()
    };
    budgets.retain(|budget| scope.is_none_or(|scope| is_same(scope, &budget.scope, &runners)));
    if budgets.is_empty() {
        match scope {
            Some(BudgetScope::Project(name)) => known::project(&client, name).await?,
            Some(BudgetScope::Runner(word)) => drop(client.get_runner(word).await?),
            _ => {}
        }
    }
    if budgets.is_empty() && printer.is_table() {
        let whose = scope.unwrap_or(&BudgetScope::Global);
        printer.note("no budget is set");
        printer.note(&format!("  next: stratavore budget set {whose} daily 1M"));
        return Ok(());
    }
    let heads = [
        "scope",
        "period",
        "used",
        "of",
        "",
        "left",
        "set aside",
        "ends in",
        "zone",
        "then",
        "estimates",
    ];
    printer.list(&budgets, &heads, |budget| row(budget, &runners))?;
    if printer.is_table() {
        for budget in &budgets {
            if let Some(gap) = budget.price_gap() {
                let whose = whose(&budget.scope, &runners);
                printer.note(&format!("  ? {whose} {}: {gap}", budget.period.as_str()));
            }
        }
    }
    Ok(())
}

/// What is known of a runner that a budget may be for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: String,
    name: String,
    is_live: bool,
}

impl From<&Runner> for Known {
    fn from(runner: &Runner) -> Self {
        let (id, name) = (runner.id.to_string(), runner.name.clone());
        Self { id, name, is_live: runner.status.is_live() }
    }
}

/// Returns the runner that a scope names, by its name or its id.
fn runner_of<'a>(scope: &BudgetScope, runners: &'a [Known]) -> Option<&'a Known> {
    let BudgetScope::Runner(word) = scope else { return None };
    runners.iter().find(|runner| runner.name == *word || runner.id == *word)
}

/// Whether two scopes are one, also where one has the name of a runner and the other its id.
fn is_same(one: &BudgetScope, other: &BudgetScope, runners: &[Known]) -> bool {
    let (runner, theirs) = (runner_of(one, runners), runner_of(other, runners));
    one == other || (runner.is_some() && runner == theirs)
}

/// Whose use is counted: a runner by its name where it is known. What is set aside for one that has ended is
/// nothing, but what it may use at most stands, should it start again.
fn whose(scope: &BudgetScope, runners: &[Known]) -> String {
    match runner_of(scope, runners) {
        Some(runner) if runner.is_live => format!("runner:{}", runner.name),
        Some(runner) => format!("runner:{} (ended)", runner.name),
        None => scope.to_string(),
    }
}

fn row(budget: &Budget, runners: &[Known]) -> Vec<String> {
    let show = |amount| budget.limit.show(amount);
    let mark = if budget.is_exhausted() { " !" } else { "" };
    let ends = match budget.period {
        Period::Total => "never".to_owned(),
        _ => until(budget.end, Utc::now()),
    };
    vec![
        whose(&budget.scope, runners),
        budget.period.as_str().to_owned(),
        budget.used_text(),
        show(budget.limit.amount()),
        format!("{} %{mark}", budget.percent()),
        budget.limit.bare(budget.remaining()),
        if budget.reserved > 0 { show(budget.reserved) } else { String::new() },
        ends,
        zone_of(budget),
        budget.action.as_str().to_owned(),
        budget.estimates().to_owned(),
    ]
}

/// The zone in which a budget's periods begin. Whose name is not set is the daemon's, which runs on this
/// machine.
fn zone_of(budget: &Budget) -> String {
    if budget.time_zone.is_empty() {
        zone("").map_or_else(String::new, |zone| zone.name().to_owned())
    } else {
        budget.time_zone.clone()
    }
}

async fn set(args: BudgetSetArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let change = BudgetChange {
        scope: args.scope,
        period: args.period,
        limit: args.amount,
        action: args.action,
        count_cache_reads: args.count_cache_reads,
        enforce_estimates: args.enforce_estimates,
        time_zone: args.time_zone,
    };
    let (scope, period) = (change.scope.clone(), change.period);
    let client = context.client().await?;
    let is_it = |budget: &Budget| budget.scope == scope && budget.period == period;
    let before = client.list_budgets().await?.into_iter().find(is_it).map(|budget| budget.limit);
    client.set_budget(change).await?;
    let mut budgets = client.list_budgets().await?;
    budgets.retain(is_it);
    if let Some(budget) = budgets.first()
        && printer.is_table()
    {
        for line in answer(budget, before) {
            printer.note(&line);
        }
        return Ok(());
    }
    printer.list(&budgets, &[], |_| Vec::new())
}

/// What a budget is now, whole: what was not asked for stays as it was set before.
fn answer(budget: &Budget, before: Option<Limit>) -> Vec<String> {
    let before = before.filter(|before| *before != budget.limit);
    let before = before.map(|before| format!("; it was {}", before.show(before.amount())));
    let (scope, period) = (&budget.scope, budget.period.as_str());
    let (used, of) = (budget.used_text(), budget.limit.show(budget.limit.amount()));
    let first = format!("{scope} {period}: {used} of {of} are used{}", before.unwrap_or_default());
    let gap = budget.price_gap().map(|gap| format!("  ? {gap}"));
    [first, format!("  {}", budget.terms())].into_iter().chain(gap).collect()
}

async fn remove(args: &BudgetOneArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    context.client().await?.remove_budget(&args.scope, args.period).await?;
    printer.note(&format!("removed {}", named(args)));
    Ok(())
}

async fn reset(args: &BudgetOneArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    context.client().await?.reset_budget(&args.scope, args.period).await?;
    printer.note(&format!("{} begins anew", named(args)));
    Ok(())
}

fn named(args: &BudgetOneArgs) -> String {
    match args.period {
        Some(period) => format!("the {} budget for {}", period.as_str(), args.scope),
        None => format!("every budget for {}", args.scope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        budget::{BudgetAction, never},
        usage::Cost,
    };

    fn budget() -> Budget {
        Budget {
            id: 0,
            scope: BudgetScope::Global,
            period: Period::Total,
            time_zone: "Asia/Kolkata".to_owned(),
            limit: Limit::Tokens(2000),
            used: 800,
            estimated: 100,
            floors: 0,
            unpriced: 0,
            unpriced_told: false,
            is_counted: true,
            reserved: 0,
            start: chrono::DateTime::UNIX_EPOCH,
            end: never(),
            action: BudgetAction::Pause,
            count_cache_reads: true,
            enforce_estimates: true,
            told: 0,
        }
    }

    #[test]
    fn a_budget_that_was_set_is_told_whole() {
        let answered = answer(&budget(), Some(Limit::Tokens(1000)));
        let wanted = [
            "global total: ~800 of 2.00k tokens are used; it was 1.00k tokens",
            "  used up: pause; told at 75, 90, 100 %; cache reads counted; estimates enforced; \
             zone Asia/Kolkata",
        ];
        assert_eq!(answered, wanted);
        let money = Budget { limit: Limit::Money(Cost(1)), unpriced: 1, ..budget() };
        assert!(answer(&money, None)[2].starts_with("  ? 1 request without a price counts"));
        assert_eq!(answer(&budget(), None)[0], "global total: ~800 of 2.00k tokens are used");
    }

    #[test]
    fn a_row_has_the_zone_and_whether_estimates_count() {
        let wanted = [
            "global",
            "total",
            "~800",
            "2.00k tokens",
            "40 %",
            "1.20k",
            "",
            "never",
            "Asia/Kolkata",
            "pause",
            "enforced",
        ];
        assert_eq!(row(&budget(), &[]), wanted);
        let own = Budget { time_zone: String::new(), ..budget() };
        assert!(!zone_of(&own).is_empty(), "the daemon's has a name");
    }

    #[test]
    fn a_runner_is_shown_and_asked_for_by_its_name() {
        let known = |id: &str, name: &str, is_live| {
            let (id, name) = (id.to_owned(), name.to_owned());
            Known { id, name, is_live }
        };
        let runners = [known("74a4ee15", "api-1", true), known("15ee4a74", "api-2", false)];
        let runner = |word: &str| BudgetScope::Runner(word.to_owned());
        assert_eq!(whose(&runner("74a4ee15"), &runners), "runner:api-1");
        assert_eq!(whose(&runner("15ee4a74"), &runners), "runner:api-2 (ended)");
        assert_eq!(whose(&runner("gone"), &runners), "runner:gone");
        assert_eq!(whose(&BudgetScope::Global, &runners), "global");
        assert!(is_same(&runner("api-1"), &runner("74a4ee15"), &runners));
        assert!(!is_same(&runner("api-1"), &runner("api-2"), &runners));
        assert!(!is_same(&BudgetScope::Global, &runner("api-1"), &runners));
        assert!(is_same(&runner("gone"), &runner("gone"), &[]));
    }
}
