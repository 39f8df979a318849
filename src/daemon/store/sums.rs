//! What reports of requests add to what is kept: to runners, projects, days, budgets and sessions.
//!
//! Invariant: it is the difference to what was known before, so that a report that comes twice adds nothing,
//! and what was charged to the wrong runner is taken from it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Added, Counted,
    accounts::RANK,
    charges::{self, Charge},
    query::Query,
};
use crate::domain::{
    id::RunnerId,
    runner::Runner,
    usage::{Cost, INTERRUPTED, Quality, UsageRecord},
};

const DAY: &str = "INSERT INTO usage_days (project_name, day, tokens) VALUES ($1, $2, $3) \
     ON CONFLICT (project_name, day) DO UPDATE SET tokens = usage_days.tokens + excluded.tokens";

/// So many requests ($7) more without a price, or less.
const MORE_UNPRICED: &str = "unpriced = CASE WHEN unpriced + $7 > 0 THEN unpriced + $7 ELSE 0 END";

/// A difference to what was known: it is below nothing where a request turned out to be another runner's.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    requests: i64,
    tokens: i64,
    cost: i64,
}

/// What is charged to one runner.
#[derive(Debug)]
struct Charged<'a> {
    runner: &'a Runner,
    change: Change,
    worst: Quality,
    days: BTreeMap<String, i64>,
    /// What each request added: budgets have periods.
    charges: Vec<(UsageRecord, Charge)>,
    /// Whether a request turned out better than it was known, or another's.
    is_better: bool,
}

/// What is to be added, by what it is added to.
#[derive(Debug, Default)]
pub(super) struct Sums<'a> {
    by_runner: BTreeMap<RunnerId, Charged<'a>>,
    sessions: BTreeMap<String, OfSession>,
}

/// What is added to one session.
#[derive(Debug, Default)]
struct OfSession {
    change: Change,
    worst: Quality,
    /// Whether a request turned out better than it was known.
    is_better: bool,
    /// How many requests more have no price.
    unpriced: i64,
}

impl Change {
    /// What a request is now, beside what was known of it.
    fn of(after: Option<&Counted>, before: Option<&Counted>) -> Self {
        Self {
            requests: more(after, before, |it| i64::from(it.record.purpose != INTERRUPTED)),
            tokens: more(after, before, |it| integer(it.record.tokens.counted())),
            cost: more(after, before, |it| price(it).0),
        }
    }
}

impl std::ops::AddAssign for Change {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost = self.cost.saturating_add(other.cost);
    }
}

impl<'a> Sums<'a> {
    /// Adds to its session what a request is now, beside what was known of it.
    pub(super) fn of_session(&mut self, after: &Counted, before: Option<&Counted>) {
        if after.session.is_empty() {
            return;
        }
        let quality = after.record.quality;
        let sum = self.sessions.entry(after.session.clone()).or_default();
        sum.change += Change::of(Some(after), before);
        sum.worst = sum.worst.max(quality);
        sum.is_better |= before.is_some_and(|before| before.record.quality > quality);
        sum.unpriced += more(Some(after), before, is_unpriced);
    }

    /// Adds to a runner what a request is now, beside what it was charged of it before; `None` after that is
    /// what turned out to be another's.
    pub(super) fn of_runner(
        &mut self,
        runner: &'a Runner,
        after: Option<&Counted>,
        before: Option<&Counted>,
    ) {
        let Some(Counted { record, .. }) = after.or(before) else { return };
        let charged = self.by_runner.entry(runner.id).or_insert_with(|| Charged {
            runner,
            change: Change::default(),
            worst: Quality::default(),
            days: BTreeMap::new(),
            charges: Vec::new(),
            is_better: false,
        });
        let change = Change::of(after, before);
        charged.change += change;
        match after {
            Some(after) => {
                let quality = after.record.quality;
                charged.worst = charged.worst.max(quality);
                charged.is_better |= before.is_some_and(|before| before.record.quality > quality);
            }
            None => charged.is_better = true,
        }
        let day = record.at.format("%Y-%m-%d").to_string();
        *charged.days.entry(day).or_default() += change.tokens;
        let charge = Charge {
            tokens: change.tokens,
            reads: more(after, before, |it| integer(it.record.tokens.cache_read)),
            cost: Cost(change.cost),
            floors: more(after, before, |it| i64::from(it.record.quality == Quality::Floor)),
            unpriced: more(after, before, is_unpriced),
        };
        charged.charges.push((record.clone(), charge));
    }

    /// What is added by runner.
    pub(super) fn by_runner(&self) -> BTreeMap<RunnerId, Added> {
        let least = |number: i64| u64::try_from(number).unwrap_or(0);
        let added = |change: Change| Added {
            requests: least(change.requests),
            tokens: least(change.tokens),
            cost: Cost(change.cost.max(0)),
        };
        self.by_runner.iter().map(|(id, sum)| (*id, added(sum.change))).collect()
    }

    /// The statements that add to runners, projects, days and budgets.
    pub(super) fn charges(&self, now: DateTime<Utc>) -> Vec<Query> {
        let all = self.by_runner.values().flat_map(|charged| charged.queries(now));
        all.collect()
    }

    /// The statements that add to sessions, and say anew how good figures are.
    pub(super) fn afterwards(&self, now: DateTime<Utc>) -> Vec<Query> {
        let sql = format!(
            "UPDATE sessions SET tokens_used = tokens_used + $2, cost_nanos = cost_nanos + $3, \
             usage_quality = CASE WHEN {RANK} < $4 THEN $5 ELSE usage_quality END, \
             {MORE_UNPRICED}, updated_at = $6 WHERE id = $1"
        );
        let add = |(id, sum): (&String, &OfSession)| {
            Query::new(sql.clone())
                .bind(id.as_str())
                .bind(sum.change.tokens)
                .bind(sum.change.cost)
                .bind(rank_of(sum.worst))
                .bind(sum.worst.as_str())
                .bind(now)
                .bind(sum.unpriced)
        };
        let mut queries: Vec<_> = self.sessions.iter().map(add).collect();
        for (id, _) in self.sessions.iter().filter(|(_, sum)| sum.is_better) {
            let sql = requalify("sessions", "session_id");
            queries.push(Query::new(sql).bind(id.as_str()).bind(id.as_str()));
        }
        for charged in self.by_runner.values().filter(|charged| charged.is_better) {
            let sql = requalify("runners", "runner_id");
            let id = charged.runner.id;
            queries.push(Query::new(sql).bind(id.as_uuid()).bind(id.to_string()));
        }
        queries
    }
}

impl Charged<'_> {
    fn queries(&self, now: DateTime<Utc>) -> Vec<Query> {
        let runner = self.runner;
        let Change { tokens, cost, .. } = self.change;
        let mut queries = Vec::new();
        if (tokens, cost) != (0, 0) {
            queries.push(
                Query::new(
                    "UPDATE projects SET total_tokens = total_tokens + $2, \
                     cost_nanos = cost_nanos + $3 WHERE name = $1",
                )
                .bind(runner.project.as_str())
                .bind(tokens)
                .bind(cost),
            );
        }
        queries.push(
            Query::new(format!(
                "UPDATE runners SET tokens_used = tokens_used + $2, cost_nanos = cost_nanos + $3, \
                 usage_quality = CASE WHEN {RANK} < $4 THEN $5 ELSE usage_quality END, \
                 {MORE_UNPRICED}, updated_at = $6 WHERE id = $1"
            ))
            .bind(runner.id.as_uuid())
            .bind(tokens)
            .bind(cost)
            .bind(rank_of(self.worst))
            .bind(self.worst.as_str())
            .bind(now)
            .bind(self.charges.iter().map(|(_, charge)| charge.unpriced).sum::<i64>()),
        );
        for (day, tokens) in self.days.iter().filter(|(_, tokens)| **tokens != 0) {
            let query = Query::new(DAY).bind(runner.project.as_str()).bind(day.as_str());
            queries.push(query.bind(*tokens));
        }
        for (record, charge) in self.charges.iter().filter(|(_, it)| *it != Charge::default()) {
            queries.push(charges::charge(runner, record, *charge, now));
        }
        queries
    }
}

/// The statement that gives a row ($1) the quality of the worst of its requests ($2).
fn requalify(table: &str, column: &str) -> String {
    format!(
        "UPDATE {table} SET usage_quality = coalesce((SELECT quality FROM usage_requests \
         WHERE {column} = $2 ORDER BY {} DESC LIMIT 1), 'exact') WHERE id = $1",
        RANK.replace("usage_quality", "quality")
    )
}

/// The difference of a figure between what a request is now and what was known of it.
fn more(
    after: Option<&Counted>,
    before: Option<&Counted>,
    figure: impl Fn(&Counted) -> i64,
) -> i64 {
    after.map_or(0, &figure).saturating_sub(before.map_or(0, &figure))
}

/// What a request costs: by its agent, else by the price table, else nothing.
fn price(counted: &Counted) -> Cost {
    counted.record.cost.or(counted.list).unwrap_or_default()
}

/// 1 when nobody knows what it cost, as [`UNPRICED`](super::accounts::UNPRICED) says of a row, else 0.
fn is_unpriced(counted: &Counted) -> i64 {
    let tokens = &counted.record.tokens;
    let is_priced = counted.record.cost.or(counted.list).is_some();
    i64::from(!is_priced && tokens.counted() + tokens.cache_read > 0)
}

fn rank_of(quality: Quality) -> i64 {
    let place = Quality::ALL.iter().position(|it| *it == quality).unwrap_or(3);
    i64::try_from(place).unwrap_or(3)
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
