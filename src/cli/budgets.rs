//! The command line of budgets.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::complete;
use crate::domain::budget::{BudgetAction, BudgetScope, Limit, Period};

#[derive(Debug, Args)]
pub(super) struct BudgetArgs {
    #[command(subcommand)]
    pub command: Option<BudgetCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum BudgetCommand {
    /// Show the budgets in force and what is left of them
    #[command(visible_alias = "list")]
    Show {
        /// Only those for this: global, project:NAME, runner:NAME; a bare name is a project's
        #[arg(value_parser = scope, add = ArgValueCandidates::new(complete::budget_scopes))]
        scope: Option<BudgetScope>,
    },
    /// Set one
    Set(BudgetSetArgs),
    /// Remove one
    Remove(BudgetOneArgs),
    /// Let one begin anew, with nothing used
    Reset(BudgetOneArgs),
}

#[derive(Debug, Args)]
pub(super) struct BudgetSetArgs {
    /// Whose use is counted: global, project:NAME, runner:NAME; a bare name is a project's
    #[arg(value_parser = scope, add = ArgValueCandidates::new(complete::budget_scopes))]
    pub scope: BudgetScope,
    /// How long it lasts until it begins anew: hourly, daily, weekly, monthly, total
    #[arg(value_parser = period, add = ArgValueCandidates::new(complete::periods))]
    pub period: Period,
    /// How much: tokens (100000, 100k, 2.5M) or money ($5, 12.50usd)
    #[arg(value_parser = Limit::parse)]
    pub amount: Limit,
    /// How far it goes when it is used up, each with what comes before it: warn, hold (refuse launches
    /// and prompts), interrupt (the default: end running turns), pause, stop
    #[arg(long, value_parser = action, add = ArgValueCandidates::new(complete::budget_actions))]
    pub action: Option<BudgetAction>,
    /// Count what is read from a cache too
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    pub count_cache_reads: Option<bool>,
    /// Act upon figures that are only estimated too
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    pub enforce_estimates: Option<bool>,
    /// In which zone its periods begin (Europe/Berlin); without it, the daemon's
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct BudgetOneArgs {
    /// Whose: global, project:NAME, runner:NAME; a bare name is a project's
    #[arg(value_parser = scope, add = ArgValueCandidates::new(complete::budget_scopes))]
    pub scope: BudgetScope,
    /// Only this period; without it, all
    #[arg(value_parser = period, add = ArgValueCandidates::new(complete::periods))]
    pub period: Option<Period>,
}

fn scope(text: &str) -> Result<BudgetScope, String> {
    BudgetScope::parse(text).ok_or_else(|| "one of global, project:NAME, runner:NAME".to_owned())
}

fn period(text: &str) -> Result<Period, String> {
    let all = || Period::ALL.map(Period::as_str).join(", ");
    Period::parse(text).ok_or_else(|| format!("one of {}", all()))
}

fn action(text: &str) -> Result<BudgetAction, String> {
    let all = || BudgetAction::ALL.map(BudgetAction::as_str).join(", ");
    BudgetAction::parse(text).ok_or_else(|| format!("one of {}", all()))
}
