//! Quotas in the database, and whether a launch keeps them.
//!
//! The tables are the truth: a row that somebody inserts by hand is in force with the next launch.
//! Invariant: [`excess`] is asked in the transaction of the launch, in a statement after the
//! one that locked the project's row. In the same statement it would count what there was before the wait
//! for the lock, and let everybody in who waited.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    budget::{BudgetScope, Limit, Period},
    event::NewEvent,
    failure::{Failure, FailureKind},
    id::RunnerId,
    quota::{ProjectQuota, Quota, QuotaChange, QuotaName, QuotaUse},
    usage::Cost,
};

/// What stands in the way of a launch in a project, whose own row (its id) is not counted, at a time on a
/// day, with so many tokens to be set aside for it: the project's quota, its tokens of the day, a
/// budget. No row when nothing does. A runner without a row has the name it is given or the project's
/// with the newest number.
macro_rules! excess_sql {
    ($project:literal, $id:literal, $at:literal, $day:literal, $name:literal, $asked:literal) => {
        concat!(
            "SELECT 'runners' AS what, ",
            $project,
            " AS whose, live.used AS used, \
             q.max_concurrent_runners AS most, '' AS period, 0 AS reserved, FALSE AS is_money, \
             CAST(0 AS BIGINT) AS asked \
             FROM resource_quotas AS q, \
             (SELECT count(*) AS used FROM runners AS l WHERE l.project_name = ",
            $project,
            " AND l.id <> ",
            $id,
            " AND l.status NOT IN ('terminated', 'failed')) AS live \
             WHERE q.project_name = ",
            $project,
            " AND q.max_concurrent_runners >= 0 \
             AND live.used >= q.max_concurrent_runners \
             UNION ALL SELECT 'tokens', ",
            $project,
            ", u.tokens, q.max_tokens_per_day, '', 0, FALSE, 0 \
             FROM resource_quotas AS q \
             JOIN usage_days AS u ON u.project_name = q.project_name AND u.day = ",
            $day,
            " WHERE q.project_name = ",
            $project,
            " AND q.max_tokens_per_day > 0 \
             AND u.tokens >= q.max_tokens_per_day \
             UNION ALL SELECT what, whose, used, most, period, reserved, is_money, \
             CASE WHEN what = 'runner' OR is_money THEN 1 ELSE ",
            $asked,
            " END FROM \
             (SELECT b.scope AS what, b.scope_id AS whose, \
              CASE WHEN b.limit_nanos IS NULL THEN b.used_tokens ELSE b.used_nanos END AS used, \
              coalesce(b.limit_nanos, b.limit_tokens) AS most, b.period_granularity AS period, \
              CASE WHEN b.enforce_estimates THEN 0 ELSE b.estimated END AS guessed, \
              b.limit_nanos IS NOT NULL AS is_money, ",
            super::budgets::reserved!("CAST(", $id, " AS TEXT)"),
            " AS reserved FROM token_budgets AS b WHERE b.period_start <= ",
            $at,
            " AND b.period_end > ",
            $at,
            " AND b.action <> 'warn' \
             AND (b.scope = 'global' OR (b.scope = 'project' AND b.scope_id = ",
            $project,
            ") OR (b.scope = 'runner' AND (b.scope_id = CAST(",
            $id,
            " AS TEXT) OR b.scope_id = \
             coalesce((SELECT r.name FROM runners AS r WHERE r.id = ",
            $id,
            "), ",
            $name,
            ", (SELECT n.name || '-' || n.last_runner FROM projects AS n WHERE n.name = ",
            $project,
            "))))) ) AS d WHERE used - guessed + reserved \
             + CASE WHEN what = 'runner' OR is_money THEN 1 ELSE ",
            $asked,
            " END > most"
        )
    };
}
pub(super) use excess_sql;

const EXCESS: &str = excess_sql!("$1", "$2", "$3", "$4", "$5", "$6");

/// Every project ($1 empty) or one, with its limits and what its live runners use on a day ($2). The
/// node of its first live runner speaks for it.
const LIST: &str = "SELECT p.name, q.max_concurrent_runners, q.max_memory_mb, q.max_cpu_percent, \
     q.max_tokens_per_day, coalesce(u.tokens, 0) AS tokens, count(r.id) AS runners, \
     CAST(coalesce(sum(r.memory_mb), 0) AS BIGINT) AS memory_mb, \
     CAST(coalesce(sum(r.cpu_percent), 0) AS DOUBLE PRECISION) AS cpu_percent, \
     coalesce(min(r.node_id), '') AS speaker \
     FROM projects AS p LEFT JOIN resource_quotas AS q ON q.project_name = p.name \
     LEFT JOIN usage_days AS u ON u.project_name = p.name AND u.day = $2 \
     LEFT JOIN runners AS r ON r.project_name = p.name \
     AND r.status NOT IN ('terminated', 'failed') \
     WHERE $1 = '' OR p.name = $1 \
     GROUP BY p.name, q.max_concurrent_runners, q.max_memory_mb, q.max_cpu_percent, \
     q.max_tokens_per_day, u.tokens ORDER BY p.name";

/// Makes or changes a row; what is NULL stays. A row made here limits nothing that was not asked for,
/// while the column's own default, for a user's INSERT, is the original's.
const SET: &str = "INSERT INTO resource_quotas (project_name, max_concurrent_runners, \
     max_memory_mb, max_cpu_percent, max_tokens_per_day, created_at, updated_at) \
     VALUES ($1, coalesce($2, -1), coalesce($3, 0), coalesce($4, 0), coalesce($5, 0), $6, $6) \
     ON CONFLICT (project_name) DO UPDATE SET \
     max_concurrent_runners = coalesce($2, resource_quotas.max_concurrent_runners), \
     max_memory_mb = coalesce($3, resource_quotas.max_memory_mb), \
     max_cpu_percent = coalesce($4, resource_quotas.max_cpu_percent), \
     max_tokens_per_day = coalesce($5, resource_quotas.max_tokens_per_day), updated_at = $6";

const ONE: &str = "SELECT max_concurrent_runners, max_memory_mb, max_cpu_percent, \
     max_tokens_per_day FROM resource_quotas WHERE project_name = $1";

/// A project's quota, and which node speaks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaRow {
    /// Limits and use; whether they are enforced is for others to say.
    pub quota: ProjectQuota,
    /// The node of its first live runner; empty without one.
    pub speaker: String,
}

impl Store {
    /// Returns the limits of a project, `None` when it has no row.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn quota_get(&self, project: &str) -> Result<Option<Quota>, StoreError> {
        let query = Query::new(ONE);
        self.fetch(query.bind(project)).await?.first().map(decode).transpose()
    }

    /// Returns limits and use of all projects, or of one unless it is empty.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn quota_list(
        &self,
        project: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<QuotaRow>, StoreError> {
        let rows = self.fetch(Query::new(LIST).bind(project).bind(day(now))).await?;
        let row = |row: &Record| {
            let used = QuotaUse {
                runners: row.count("runners")?,
                memory_mb: row.count("memory_mb")?,
                cpu_percent: row.real("cpu_percent")?,
                tokens_today: row.count("tokens")?,
            };
            let (project, quota) = (row.text("name")?, decode(row)?);
            let quota = ProjectQuota { project, quota, used, is_enforced: false };
            Ok(QuotaRow { quota, speaker: row.text("speaker")? })
        };
        rows.iter().map(row).collect()
    }

    /// Changes limits of a project and returns all that are in force.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn quota_set(
        &self,
        project: &str,
        change: &QuotaChange,
        event: NewEvent,
    ) -> Result<Quota, StoreError> {
        let now = event.at;
        let write = Write::causing(vec![event])
            .locking_or(project, now, missing(project))
            .run(set(project, change, now))
            .run(Query::new(ONE).bind(project));
        let rows = self.write(write).await?;
        let row = rows.first().ok_or_else(|| StoreError::Garbled("answer to a write".into()))?;
        decode(row)
    }

    /// Removes all limits of a project.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `QUOTA_NOT_FOUND` when it has none.
    pub async fn quota_clear(&self, project: &str, event: NewEvent) -> Result<(), StoreError> {
        let delete = Query::new("DELETE FROM resource_quotas WHERE project_name = $1");
        let none = Failure::not_found("QUOTA_NOT_FOUND", format!("project {project} has no quota"))
            .with_hint("stratavore quotas shows what is limited");
        let now = event.at;
        let write = Write::causing(vec![event])
            .locking_or(project, now, missing(project))
            .require(delete.bind(project), none);
        self.write(write).await?;
        Ok(())
    }
}

/// Returns the statement that changes limits.
pub(super) fn set(project: &str, change: &QuotaChange, now: DateTime<Utc>) -> Query {
    let mut query = Query::new(SET).bind(project);
    for name in QuotaName::ALL {
        // No limit has another number where 0 lets none start.
        let none = if name == QuotaName::Runners { -1 } else { 0 };
        let limit = |limit: &Option<u64>| {
            limit.map_or(none, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
        };
        query = query.bind(change.get(&name).map(limit));
    }
    query.bind(now)
}

/// Returns the statement that finds what forbids a runner to start.
/// `name` is the one the runner is given, `most` what it may use at most, to be set aside for it.
pub(super) fn excess(
    project: &str,
    id: RunnerId,
    (name, most): (Option<String>, Option<u64>),
    now: DateTime<Utc>,
) -> Query {
    Query::new(EXCESS)
        .bind(project)
        .bind(id.as_uuid())
        .bind(now)
        .bind(day(now))
        .bind(name)
        .bind(asked(most))
}

/// What is to be set aside, 1 for what has no limit of its own: something must be left.
pub(super) fn asked(most: Option<u64>) -> i64 {
    most.and_then(|most| i64::try_from(most).ok()).unwrap_or(1).max(1)
}

/// Returns what its row tells.
pub(super) fn refusal(row: &Record) -> Result<Failure, StoreError> {
    let (what, whose) = (row.text("what")?, row.text("whose")?);
    let (used, most) = (number(row, "used")?, number(row, "most")?);
    let limit = |reason, message| Failure::new(FailureKind::Limit, reason, message);
    let set = |name: QuotaName| format!("stratavore quotas set {whose} {}", name.as_str());
    Ok(match what.as_str() {
        "runners" => {
            limit("QUOTA_EXCEEDED", format!("project {whose} has {used} of {most} runners"))
                .with_hint(format!("{} {}", set(QuotaName::Runners), used.saturating_add(1)))
        }
        "tokens" => limit(
            "QUOTA_EXCEEDED",
            format!("project {whose} has used {used} of {most} tokens of this day (UTC)"),
        )
        .with_hint(format!(
            "{} {}",
            set(QuotaName::Tokens),
            most.max(used).saturating_mul(2)
        )),
        scope => budget_refusal(row, scope, &whose, (used, most))?,
    })
}

/// Returns what is said of a budget that forbids a launch, with what is left of it.
fn budget_refusal(
    row: &Record,
    scope: &str,
    whose: &str,
    (used, most): (i64, i64),
) -> Result<Failure, StoreError> {
    let positive = |number: i64| u64::try_from(number).unwrap_or(0);
    let (period, reserved) = (row.text("period")?, number(row, "reserved")?);
    let limit = if row.truth("is_money")? {
        Limit::Money(Cost(most))
    } else {
        Limit::Tokens(positive(most))
    };
    let of = BudgetScope::of(scope, whose).unwrap_or_default();
    let left = positive(most.saturating_sub(used).saturating_sub(reserved));
    let set_aside = match positive(reserved) {
        0 => String::new(),
        some => format!(", {} are set aside", limit.show(some)),
    };
    let asked = match positive(number(row, "asked")?) {
        0 | 1 => String::new(),
        asked => format!(", {} are asked for", limit.show(asked)),
    };
    let what = format!(
        "the {period} budget for {of} has {} left{asked}: {} of {} are used{set_aside}",
        limit.show(left),
        limit.show(positive(used)),
        limit.show(positive(most)),
    );
    let next = if period == Period::Total.as_str() {
        "budget reset begins it anew"
    } else {
        "its next period begins by itself"
    };
    Ok(Failure::new(FailureKind::Limit, "BUDGET_EXHAUSTED", what)
        .with_hint(format!("stratavore budget set {of} {period} AMOUNT raises it; {next}")))
}

fn missing(project: &str) -> Failure {
    Failure::not_found("PROJECT_NOT_FOUND", format!("no project `{project}`"))
        .with_hint("stratavore projects lists them")
}

/// The day as the table of usage names it.
pub(super) fn day(now: DateTime<Utc>) -> String {
    now.format("%Y-%m-%d").to_string()
}

fn number(row: &Record, column: &str) -> Result<i64, StoreError> {
    Ok(row.optional_integer(column)?.unwrap_or(0))
}

/// Reads limits; a row that is missing has none, nor has what a negative number stands for.
fn decode(row: &Record) -> Result<Quota, StoreError> {
    let mut quota = Quota::default();
    for name in QuotaName::ALL {
        let limit = row.optional_integer(name.as_str())?.and_then(|n| u64::try_from(n).ok());
        quota.set(name, limit.filter(|limit| *limit > 0 || name == QuotaName::Runners));
    }
    Ok(quota)
}
