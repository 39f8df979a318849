//! What requests, launches and removals do to budgets, as statements of the writes that they belong to.
//!
//! Budgets themselves are in `budgets.rs`. Invariant: a statement here adds to a budget only what the write
//! that it is part of has recorded.

use chrono::{DateTime, Utc};

use super::query::Query;
use crate::domain::{
    budget::never,
    id::RunnerId,
    runner::Runner,
    usage::{Cost, Quality, UsageRecord},
};

/// What a report of a request adds to budgets; what is below nothing is taken away, no further than to nothing,
/// because a budget may have been reset since it was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charge {
    /// Tokens that count in any budget.
    pub tokens: i64,
    /// Cache reads, which count in some.
    pub reads: i64,
    /// Money.
    pub cost: Cost,
    /// 1 when it is now known by its least only, -1 when no longer.
    pub floors: i64,
    /// 1 when its price is not known, -1 when it is now.
    pub unpriced: i64,
}

/// Returns the statement that charges what a request used to every budget whose period it lies in.
pub(super) fn charge(
    runner: &Runner,
    record: &UsageRecord,
    charge: Charge,
    now: DateTime<Utc>,
) -> Query {
    let counted = "$1 + CASE WHEN count_cache_reads THEN $2 ELSE 0 END";
    let estimated =
        format!("CASE WHEN NOT $4 THEN 0 WHEN limit_nanos IS NOT NULL THEN $3 ELSE {counted} END");
    let more = |column: &str, by: &str| {
        format!("{column} = CASE WHEN {column} + {by} > 0 THEN {column} + {by} ELSE 0 END")
    };
    let sums = [
        more("used_tokens", counted),
        more("used_nanos", "$3"),
        more("estimated", &estimated),
        more("floors", "$10"),
        more("unpriced", "$11"),
    ];
    Query::new(format!(
        "UPDATE token_budgets SET {}, updated_at = $9 \
         WHERE period_start <= $5 AND period_end > $5 AND (scope = 'global' \
         OR (scope = 'project' AND scope_id = $6) \
         OR (scope = 'runner' AND (scope_id = $7 OR scope_id = $8)))",
        sums.join(", ")
    ))
    .bind(charge.tokens)
    .bind(charge.reads)
    .bind(charge.cost.0)
    .bind(record.quality == Quality::Estimated)
    .bind(record.at)
    .bind(runner.project.as_str())
    .bind(runner.name.as_str())
    .bind(runner.id.to_string())
    .bind(now)
    .bind(charge.floors)
    .bind(charge.unpriced)
}

/// Returns the statement after which no other launch is promised what this one is.
pub(super) fn hold_for_promise() -> Query {
    Query::new("UPDATE token_budgets SET updated_at = updated_at WHERE scope <> 'runner'")
}

/// Returns the statement that gives a runner that was just inserted a budget of its own, of what it may use
/// at most, under its name, as one that a person sets. Where there is one in tokens by that name already,
/// the lower holds; one in money stays.
pub(super) fn promise(id: RunnerId, most: u64, now: DateTime<Utc>) -> Query {
    Query::new(
        "INSERT INTO token_budgets (scope, scope_id, limit_tokens, period_granularity, \
         period_start, period_end, is_counted, created_at, updated_at) \
         SELECT 'runner', name, $2, 'total', $3, $4, TRUE, $5, $5 FROM runners WHERE id = $1 \
         ON CONFLICT (scope, scope_id, period_granularity, period_start) DO UPDATE SET \
         limit_tokens = CASE WHEN token_budgets.limit_tokens < excluded.limit_tokens \
         THEN token_budgets.limit_tokens ELSE excluded.limit_tokens END \
         WHERE token_budgets.limit_nanos IS NULL",
    )
    .bind(id.as_uuid())
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .bind(DateTime::UNIX_EPOCH)
    .bind(never())
    .bind(now)
}

/// Returns the statement that takes a runner's budgets away, with it.
pub(super) fn forget(runner: &Runner) -> Query {
    Query::new("DELETE FROM token_budgets WHERE scope = 'runner' AND scope_id IN ($1, $2)")
        .bind(runner.id.to_string())
        .bind(runner.name.as_str())
}
