//! Budgets on the wire.

use super::{
    time::{or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    budget::{Budget, BudgetAction, BudgetChange, BudgetScope, Limit, Period},
    failure::Failure,
    usage::Cost,
};

impl From<Budget> for v1::Budget {
    fn from(budget: Budget) -> Self {
        Self {
            id: budget.id,
            scope: budget.scope.to_string(),
            period: budget.period.as_str().to_owned(),
            limit: budget.limit.amount(),
            is_money: matches!(budget.limit, Limit::Money(_)),
            time_zone: budget.time_zone,
            used: budget.used,
            estimated: budget.estimated,
            floors: budget.floors,
            unpriced: budget.unpriced,
            reserved: budget.reserved,
            start: Some(to_timestamp(budget.start)),
            end: Some(to_timestamp(budget.end)),
            action: budget.action.as_str().to_owned(),
            count_cache_reads: budget.count_cache_reads,
            enforce_estimates: budget.enforce_estimates,
            told: budget.told.into(),
        }
    }
}

impl TryFrom<v1::Budget> for Budget {
    type Error = Failure;

    fn try_from(wire: v1::Budget) -> Result<Self, Failure> {
        Ok(Self {
            id: wire.id,
            scope: scope(&wire.scope)?,
            period: period(&wire.period)?,
            time_zone: wire.time_zone,
            limit: limit(wire.limit, wire.is_money),
            used: wire.used,
            estimated: wire.estimated,
            floors: wire.floors,
            unpriced: wire.unpriced,
            unpriced_told: false,
            is_counted: true,
            reserved: wire.reserved,
            start: or_epoch(wire.start.as_ref()),
            end: or_epoch(wire.end.as_ref()),
            action: BudgetAction::parse(&wire.action).unwrap_or_default(),
            count_cache_reads: wire.count_cache_reads,
            enforce_estimates: wire.enforce_estimates,
            told: u8::try_from(wire.told).unwrap_or(u8::MAX),
        })
    }
}

impl From<BudgetChange> for v1::SetBudgetRequest {
    fn from(change: BudgetChange) -> Self {
        Self {
            scope: change.scope.to_string(),
            period: change.period.as_str().to_owned(),
            limit: change.limit.amount(),
            is_money: matches!(change.limit, Limit::Money(_)),
            action: change.action.map(|it| it.as_str().to_owned()).unwrap_or_default(),
            count_cache_reads: change.count_cache_reads,
            enforce_estimates: change.enforce_estimates,
            time_zone: change.time_zone,
        }
    }
}

impl TryFrom<v1::SetBudgetRequest> for BudgetChange {
    type Error = Failure;

    fn try_from(wire: v1::SetBudgetRequest) -> Result<Self, Failure> {
        let action = match wire.action.as_str() {
            "" => None,
            word => Some(BudgetAction::parse(word).ok_or_else(|| {
                bad("action", word, &BudgetAction::ALL.map(BudgetAction::as_str).join(", "))
            })?),
        };
        Ok(Self {
            scope: scope(&wire.scope)?,
            period: period(&wire.period)?,
            limit: limit(wire.limit, wire.is_money),
            action,
            count_cache_reads: wire.count_cache_reads,
            enforce_estimates: wire.enforce_estimates,
            time_zone: wire.time_zone,
        })
    }
}

/// Returns the scope of the wire's word.
///
/// # Errors
///
/// `BAD_BUDGET`.
pub fn scope(word: &str) -> Result<BudgetScope, Failure> {
    BudgetScope::parse(word).ok_or_else(|| bad("scope", word, "global, project:NAME, runner:NAME"))
}

/// Returns the period of the wire's word.
///
/// # Errors
///
/// `BAD_BUDGET`.
pub fn period(word: &str) -> Result<Period, Failure> {
    Period::parse(word)
        .ok_or_else(|| bad("period", word, &Period::ALL.map(Period::as_str).join(", ")))
}

fn limit(amount: u64, is_money: bool) -> Limit {
    if is_money {
        Limit::Money(Cost(i64::try_from(amount).unwrap_or(i64::MAX)))
    } else {
        Limit::Tokens(amount)
    }
}

fn bad(what: &str, word: &str, all: &str) -> Failure {
    let shown = word.escape_debug();
    Failure::usage("BAD_BUDGET", format!("the {what} `{shown}` is none of {all}"))
}
