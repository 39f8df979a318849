//! Budgets in the database.
//!
//! The table is the truth: a row that somebody inserts by hand is in force at once, with the defaults
//! of its columns. Invariant: what a request used is charged to each budget whose period it lies in
//! once, in the transaction that records it; a period that begins counts what was recorded in it
//! before. Both hold the lock of budgets, the one shared, the other alone.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    accounts::UNPRICED,
    query::{Query, Record, Write},
};
use crate::domain::{
    budget::{Budget, BudgetAction, BudgetChange, BudgetScope, Limit, Period},
    event::NewEvent,
    failure::Failure,
    inbox,
    runner::Runner,
    usage::Cost,
};

/// Every column that makes a [`Budget`] but for what is reserved.
macro_rules! columns {
    () => {
        "b.id, b.scope, b.scope_id, b.limit_tokens, b.used_tokens, b.limit_nanos, b.used_nanos, \
         b.estimated, b.floors, b.unpriced, b.unpriced_told, b.is_counted, b.period_granularity, \
         b.period_start, b.period_end, b.time_zone, b.action, \
         b.count_cache_reads, b.enforce_estimates, b.told"
    };
}

/// What is set aside in a budget `b` for live runners with a limit of their own, but for the one whose
/// id, as text, is at a place.
macro_rules! reserved {
    ($($place:literal),*) => {
        concat!(
            "(SELECT CAST(coalesce(sum(CASE WHEN l.max_tokens > l.tokens_used \
         THEN l.max_tokens - l.tokens_used ELSE 0 END), 0) AS BIGINT) FROM runners AS l \
         WHERE l.max_tokens IS NOT NULL AND l.status NOT IN ('terminated', 'failed') \
         AND b.limit_nanos IS NULL AND (b.scope = 'global' \
         OR (b.scope = 'project' AND b.scope_id = l.project_name)) AND CAST(l.id AS TEXT) <> ",
            $($place,)*
            ")"
        )
    };
}
pub(super) use reserved;

/// Whether a request `u` belongs to the scope ($1, $2).
const OF_SCOPE: &str = "($1 = 'global' OR ($1 = 'project' AND u.project_name = $2) \
     OR ($1 = 'runner' AND (u.runner_id = $2 OR u.runner_id IN \
     (SELECT CAST(r.id AS TEXT) FROM runners AS r WHERE r.name = $2))))";

impl Store {
    /// Returns the budgets that are in force, the widest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_list(&self, now: DateTime<Utc>) -> Result<Vec<Budget>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            ", ",
            reserved!("$2"),
            " AS reserved FROM token_budgets AS b WHERE b.period_start <= $1 AND b.period_end > $1 \
             ORDER BY CASE b.scope WHEN 'global' THEN 0 WHEN 'project' THEN 1 ELSE 2 END, \
             b.scope_id, b.period_end, b.id"
        ));
        self.list(query.bind(now).bind(""), decode).await
    }

    /// Returns the budgets whose period is over and whose next one has not begun.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_ended(&self, now: DateTime<Utc>) -> Result<Vec<Budget>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            ", CAST(0 AS BIGINT) AS reserved FROM token_budgets AS b \
             WHERE b.rolls = TRUE AND b.period_end <= $1 ORDER BY b.period_end, b.id"
        ));
        self.list(query.bind(now), decode).await
    }

    /// Begins the period that follows an ended one, with what was used in it already. One that another
    /// daemon has begun stays as it is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_roll(
        &self,
        ended: &Budget,
        (start, end): (DateTime<Utc>, DateTime<Utc>),
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let over = Query::new(
            "UPDATE token_budgets SET rolls = FALSE, updated_at = $2 WHERE id = $1 AND rolls = TRUE",
        )
        .bind(ended.id)
        .bind(event.at);
        let rolled = Failure::conflict("ROLLED", "another daemon began the period");
        let (kind, id) = ended.scope.words();
        let next = Query::new(format!(
            "INSERT INTO token_budgets (scope, scope_id, limit_tokens, limit_nanos, \
             period_granularity, period_start, period_end, time_zone, action, count_cache_reads, \
             enforce_estimates, unpriced_told, is_counted, created_at, updated_at, {USED}) \
             SELECT $1, $2, b.limit_tokens, b.limit_nanos, b.period_granularity, $4, $5, \
             b.time_zone, b.action, b.count_cache_reads, b.enforce_estimates, b.unpriced_told, TRUE, \
             $6, $6, {} \
             FROM token_budgets AS b WHERE b.id = $3 \
             ON CONFLICT (scope, scope_id, period_granularity, period_start) DO NOTHING",
            used("b.count_cache_reads", "b.limit_nanos IS NOT NULL", "$4", "$5"),
        ))
        .bind(kind)
        .bind(id)
        .bind(ended.id)
        .bind(start)
        .bind(end)
        .bind(event.at);
        let write = Write::causing(vec![event])
            .run(Query::new(self.readers.texts().lock_budgets))
            .require(over, rolled)
            .run(next);
        match self.write(write).await {
            Err(StoreError::Refused(failure)) if failure.reason == "ROLLED" => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Lets a budget that somebody inserted by hand count what was used in its period before, unless its row
    /// says how much that is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_count(
        &self,
        budget: &Budget,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (kind, id) = budget.scope.words();
        let used = used("count_cache_reads", "limit_nanos IS NOT NULL", "$3", "$4");
        let query = |set: &str, and: &str| {
            Query::new(format!(
                "UPDATE token_budgets SET {set}, updated_at = $6 \
                 WHERE scope = $1 AND scope_id = $2 AND period_start = $3 AND period_end = $4 \
                 AND id = $5 AND is_counted = FALSE{and}"
            ))
            .bind(kind)
            .bind(id)
            .bind(budget.start)
            .bind(budget.end)
            .bind(budget.id)
            .bind(now)
        };
        let write = Write::default()
            .run(Query::new(self.readers.texts().lock_budgets))
            .run(query(&format!("({USED}) = ({used})"), " AND used_tokens = 0 AND used_nanos = 0"))
            .run(query("is_counted = TRUE", ""));
        self.write(write).await?;
        Ok(())
    }

    /// Sets a budget: the one in force, else a new one for the period of these bounds, which counts what
    /// was used in it already. The one in force takes the bounds if the change names a zone, and counts anew
    /// where something else is to be counted.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_set(
        &self,
        change: &BudgetChange,
        (start, end): (DateTime<Utc>, DateTime<Utc>),
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let (kind, id) = change.scope.words();
        let (count, nanos) = match change.limit {
            Limit::Tokens(count) => (i64::try_from(count).unwrap_or(i64::MAX), None),
            Limit::Money(cost) => (0, Some(cost.0)),
        };
        let bind = |query: Query| {
            query
                .bind(kind)
                .bind(id)
                .bind(change.period.as_str())
                .bind(count)
                .bind(nanos)
                .bind(change.action.map(|action| action.as_str().to_owned()))
                .bind(change.count_cache_reads.map(i64::from))
                .bind(change.enforce_estimates.map(i64::from))
                .bind(change.time_zone.clone())
                .bind(event.at)
        };
        // A truth that may be missing is given as a number: 0, 1 or none.
        let truth = |place: &str, else_: &str| {
            format!("CASE {place} WHEN 1 THEN TRUE WHEN 0 THEN FALSE ELSE {else_} END")
        };
        let in_force = "scope = $1 AND scope_id = $2 AND period_granularity = $3 \
             AND period_start <= $10 AND period_end > $10";
        let update = bind(Query::new(format!(
            "UPDATE token_budgets SET limit_tokens = $4, limit_nanos = $5, \
             action = coalesce($6, action), count_cache_reads = {}, enforce_estimates = {}, \
             time_zone = coalesce($9, time_zone), told = 0, unpriced_told = FALSE, rolls = TRUE, \
             updated_at = $10 WHERE {in_force}",
            truth("$7", "count_cache_reads"),
            truth("$8", "enforce_estimates"),
        )));
        let insert = bind(Query::new(format!(
            "INSERT INTO token_budgets (scope, scope_id, period_granularity, limit_tokens, \
             limit_nanos, action, count_cache_reads, enforce_estimates, time_zone, created_at, \
             updated_at, period_start, period_end, is_counted, {USED}) \
             SELECT $1, $2, $3, $4, $5, coalesce($6, 'interrupt'), {}, {}, coalesce($9, ''), $10, \
             $10, $11, $12, TRUE, {} \
             WHERE NOT EXISTS (SELECT 1 FROM token_budgets WHERE {in_force})",
            truth("$7", "FALSE"),
            truth("$8", "FALSE"),
            used("$7 = 1", "$5 IS NOT NULL", "$11", "$12"),
        )));
        let recounts = recounts(change, (start, end), event.at);
        let mut write = Write::causing(vec![event.clone()])
            .run(Query::new(self.readers.texts().lock_budgets))
            .ending_budget_alerts(&change.scope, Some(change.period), &event);
        for query in recounts {
            write = write.run(query);
        }
        self.write(write.run(update).run(insert.bind(start).bind(end))).await?;
        Ok(())
    }

    /// Removes the budgets of a scope that are in force, of one period or of all.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn budget_remove(
        &self,
        scope: &BudgetScope,
        period: Option<Period>,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM token_budgets WHERE scope = $1 AND scope_id = $2 \
             AND ($3 = '' OR period_granularity = $3) AND period_start <= $4 AND period_end > $4";
        self.budget_change(sql, scope, period, event).await
    }

    /// Lets the budgets of a scope that are in force, of one period or of all, begin anew.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn budget_reset(
        &self,
        scope: &BudgetScope,
        period: Option<Period>,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE token_budgets SET used_tokens = 0, used_nanos = 0, estimated = 0, \
             floors = 0, unpriced = 0, unpriced_told = FALSE, is_counted = TRUE, told = 0, \
             updated_at = $4 WHERE scope = $1 AND scope_id = $2 \
             AND ($3 = '' OR period_granularity = $3) AND period_start <= $4 AND period_end > $4";
        self.budget_change(sql, scope, period, event).await
    }

    async fn budget_change(
        &self,
        sql: &'static str,
        scope: &BudgetScope,
        period: Option<Period>,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let (kind, id) = scope.words();
        let query = Query::new(sql)
            .bind(kind)
            .bind(id)
            .bind(period.map_or("", Period::as_str))
            .bind(event.at);
        let which = period.map(|period| format!("{} ", period.as_str())).unwrap_or_default();
        let missing = Failure::not_found(
            "BUDGET_NOT_FOUND",
            format!("there is no {which}budget for {scope}"),
        )
        .with_hint("stratavore budget show lists them");
        let write = Write::causing(vec![event.clone()])
            .run(Query::new(self.readers.texts().lock_budgets))
            .require(query, missing)
            .ending_budget_alerts(scope, period, &event);
        self.write(write).await?;
        Ok(())
    }

    /// Takes note that a share of a budget is told; false when it was before, by whomever.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_tell(
        &self,
        budget: &Budget,
        share: u8,
        events: Vec<NewEvent>,
    ) -> Result<bool, StoreError> {
        let query = Query::new(
            "UPDATE token_budgets SET told = $2 WHERE id = $1 AND told < $2 AND period_start = $3",
        )
        .bind(budget.id)
        .bind(i64::from(share))
        .bind(budget.start);
        self.once(Write::causing(events).require(query, told())).await
    }

    /// Takes note that somebody was told that a budget cannot count requests without a price; false when it
    /// was before, by whomever.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_tell_unpriced(
        &self,
        budget: &Budget,
        alert: NewEvent,
    ) -> Result<bool, StoreError> {
        let query = Query::new(
            "UPDATE token_budgets SET unpriced_told = TRUE WHERE id = $1 AND unpriced_told = FALSE",
        );
        let query = query.bind(budget.id);
        let write = Write::causing(vec![alert.clone()]).require(query, told());
        self.once(write.minding_alerts(&[alert])).await
    }

    /// Returns models without a price that a budget cannot count, by name, so many at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn budget_unpriced_models(
        &self,
        budget: &Budget,
        most: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (kind, id) = budget.scope.words();
        let query = Query::new(format!(
            "SELECT DISTINCT u.model FROM usage_requests AS u WHERE u.at >= $3 AND u.at < $4 \
             AND u.imported = FALSE AND {UNPRICED} AND {OF_SCOPE} ORDER BY u.model LIMIT $5"
        ));
        let query = query.bind(kind).bind(id).bind(budget.start).bind(budget.end);
        self.list(query.bind(i64::from(most)), |row| row.text("model")).await
    }

    /// Writes what tells something; false when it was told before.
    async fn once(&self, write: Write) -> Result<bool, StoreError> {
        match self.write(write).await {
            Ok(_) => Ok(true),
            Err(StoreError::Refused(failure)) if failure.reason == "TOLD" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes note of why a runner's agent is held, and how far; empty when it is not.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_set_hold(
        &self,
        runner: &Runner,
        (level, reason): (&str, &str),
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let query = Query::new(
            "UPDATE runners SET hold_level = $2, hold = $3, updated_at = $4 WHERE id = $1",
        )
        .bind(runner.id.as_uuid())
        .bind(level)
        .bind(reason)
        .bind(event.at);
        let items = inbox::after_hold(reason, event.at);
        let write = Write::causing(vec![event.clone()]).run(query);
        self.write(write.minding(runner, &items, &event)).await?;
        Ok(())
    }
}

/// The columns of [`used`].
const USED: &str = "used_tokens, used_nanos, estimated, floors, unpriced";

fn told() -> Failure {
    Failure::conflict("TOLD", "it was told already")
}

/// What was used between two times by the scope ($1, $2): tokens, money, what of the one that counts is
/// estimated, and how many requests are known by their least only, and without a price.
fn used(counts_reads: &str, is_money: &str, start: &str, end: &str) -> String {
    let count = format!("u.counted + CASE WHEN {counts_reads} THEN u.cache_read ELSE 0 END");
    let cost = "coalesce(u.cost_nanos, u.list_nanos, 0)";
    let sum = |what: &str| {
        format!(
            "(SELECT CAST(coalesce(sum({what}), 0) AS BIGINT) FROM usage_requests AS u \
             WHERE u.at >= {start} AND u.at < {end} AND u.imported = FALSE AND {OF_SCOPE})"
        )
    };
    let guessed = format!(
        "CASE WHEN u.quality <> 'estimated' THEN 0 WHEN {is_money} THEN {cost} ELSE {count} END"
    );
    let one = |of: &str| sum(&format!("CASE WHEN {of} THEN 1 ELSE 0 END"));
    let (floors, unpriced) = (one("u.quality = 'floor'"), one(UNPRICED));
    format!("{}, {}, {}, {floors}, {unpriced}", sum(&count), sum(cost), sum(&guessed))
}

/// Returns the statements after which the budget in force lies in the period of these bounds, if the change
/// names a zone, and counts what the change lets it count. They go before the change itself, with which they
/// compare what is there: a budget of which the same is counted keeps its figures, also those of a reset.
fn recounts(
    change: &BudgetChange,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Vec<Query> {
    let (kind, id) = change.scope.words();
    let bind = |sql: String| {
        Query::new(sql)
            .bind(kind)
            .bind(id)
            .bind(change.period.as_str())
            .bind(now)
            .bind(matches!(change.limit, Limit::Money(_)))
            .bind(change.count_cache_reads.map(i64::from))
    };
    let in_force = "scope = $1 AND scope_id = $2 AND period_granularity = $3 \
         AND period_start <= $4 AND period_end > $4";
    let counts_reads = "(CASE $6 WHEN 1 THEN TRUE WHEN 0 THEN FALSE \
         ELSE token_budgets.count_cache_reads END)";
    let counted = |start: &str, end: &str| {
        let used = used(counts_reads, "$5", start, end);
        format!("({USED}) = ({used})")
    };
    let mut queries = Vec::new();
    if change.time_zone.is_some() {
        // Where somebody's own rows leave no room for it, it stays where it is.
        let others = "SELECT 1 FROM token_budgets AS o WHERE o.scope = $1 AND o.scope_id = $2 \
             AND o.period_granularity = $3 AND o.id <> token_budgets.id \
             AND (o.period_start = $7 OR (o.period_start <= $4 AND o.period_end > $4))";
        let moved = bind(format!(
            "UPDATE token_budgets SET period_start = $7, period_end = $8, {} WHERE {in_force} \
             AND (period_start <> $7 OR period_end <> $8) AND NOT EXISTS ({others})",
            counted("$7", "$8"),
        ));
        queries.push(moved.bind(start).bind(end));
    }
    queries.push(bind(format!(
        "UPDATE token_budgets SET {} WHERE {in_force} AND (count_cache_reads <> {counts_reads} \
         OR (limit_nanos IS NOT NULL) <> $5)",
        counted("token_budgets.period_start", "token_budgets.period_end"),
    )));
    queries
}

fn decode(row: &Record) -> Result<Budget, StoreError> {
    let (kind, id) = (row.text("scope")?, row.text("scope_id")?);
    let nanos = row.optional_integer("limit_nanos")?;
    let (limit, used) = match nanos {
        Some(nanos) => (Limit::Money(Cost(nanos)), row.count("used_nanos")?),
        None => (Limit::Tokens(row.count("limit_tokens")?), row.count("used_tokens")?),
    };
    let (period, action) = (row.text("period_granularity")?, row.text("action")?);
    Ok(Budget {
        id: row.optional_integer("id")?.unwrap_or(0),
        scope: BudgetScope::of(&kind, &id).ok_or(StoreError::Garbled(kind))?,
        period: Period::parse(&period).ok_or(StoreError::Garbled(period))?,
        time_zone: row.text("time_zone")?,
        limit,
        used,
        estimated: row.count("estimated")?,
        floors: row.count("floors")?,
        unpriced: row.count("unpriced")?,
        unpriced_told: row.truth("unpriced_told")?,
        is_counted: row.truth("is_counted")?,
        reserved: row.count("reserved")?,
        start: row.time("period_start")?,
        end: row.time("period_end")?,
        action: BudgetAction::parse(&action).ok_or(StoreError::Garbled(action))?,
        count_cache_reads: row.truth("count_cache_reads")?,
        enforce_estimates: row.truth("enforce_estimates")?,
        told: u8::try_from(row.count("told")?).unwrap_or(u8::MAX),
    })
}
