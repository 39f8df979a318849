//! What reports of requests add to what is kept: to runners, projects, days, budgets and sessions.
//!
//! Invariant: it is the difference to what was known before, so that a report that comes twice adds nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Added, Counted,
    accounts::{Payer, RANK},
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

/// What is charged to one runner.
#[derive(Debug)]
struct Charged<'a> {
    runner: &'a Runner,
    added: Added,
    worst: Quality,
    days: BTreeMap<String, u64>,
    /// What each request added: budgets have periods.
    charges: Vec<(UsageRecord, Charge)>,
    /// Whether a request turned out better than it was known.
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
    added: Added,
    worst: Quality,
    /// Whether a request turned out better than it was known.
    is_better: bool,
    /// How many requests more have no price.
    unpriced: i64,
}

impl<'a> Sums<'a> {
    /// Adds what a request is now, beside what was known of it.
    pub(super) fn add(&mut self, payer: Payer<'a>, after: &Counted, before: Option<&Counted>) {
        let (tokens, cost) = (after.record.tokens.counted(), price(after));
        let had = before.map_or((0, Cost(0)), |it| (it.record.tokens.counted(), price(it)));
        let is_mark = after.record.purpose == INTERRUPTED;
        let added = Added {
            requests: u64::from(before.is_none() && !is_mark),
            tokens: tokens.saturating_sub(had.0),
            cost: Cost(cost.0.saturating_sub(had.1.0).max(0)),
        };
        let quality = after.record.quality;
        let is_better = before.is_some_and(|before| before.record.quality > quality);
        let more =
            |is: fn(&Counted) -> bool| i64::from(is(after)) - i64::from(before.is_some_and(is));
        let unpriced = more(is_unpriced);
        if !after.session.is_empty() {
            let sum = self.sessions.entry(after.session.clone()).or_default();
            sum.added += added;
            sum.worst = sum.worst.max(quality);
            sum.is_better |= is_better;
            sum.unpriced += unpriced;
        }
        let Some(runner) = payer.runner else { return };
        let charged = self.by_runner.entry(runner.id).or_insert_with(|| Charged {
            runner,
            added: Added::default(),
            worst: Quality::default(),
            days: BTreeMap::new(),
            charges: Vec::new(),
            is_better: false,
        });
        charged.added += added;
        charged.worst = charged.worst.max(quality);
        charged.is_better |= is_better;
        let day = after.record.at.format("%Y-%m-%d").to_string();
        *charged.days.entry(day).or_default() += added.tokens;
        let reads = after.record.tokens.cache_read;
        let had_reads = before.map_or(0, |it| it.record.tokens.cache_read);
        let charge = Charge {
            tokens: added.tokens,
            reads: reads.saturating_sub(had_reads),
            cost: added.cost,
            floors: more(|it| it.record.quality == Quality::Floor),
            unpriced,
        };
        charged.charges.push((after.record.clone(), charge));
    }

    /// What is added by runner.
    pub(super) fn by_runner(&self) -> BTreeMap<RunnerId, Added> {
        self.by_runner.iter().map(|(id, sum)| (*id, sum.added)).collect()
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
                .bind(integer(sum.added.tokens))
                .bind(sum.added.cost.0)
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
        let (tokens, cost) = (integer(self.added.tokens), self.added.cost.0);
        let mut queries = Vec::new();
        if self.added != Added::default() {
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
        for (day, tokens) in self.days.iter().filter(|(_, tokens)| **tokens > 0) {
            let query = Query::new(DAY).bind(runner.project.as_str()).bind(day.as_str());
            queries.push(query.bind(integer(*tokens)));
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

/// What a request costs: by its agent, else by the price table, else nothing.
fn price(counted: &Counted) -> Cost {
    counted.record.cost.or(counted.list).unwrap_or_default()
}

/// Whether nobody knows what it cost, as [`UNPRICED`](super::accounts::UNPRICED) says of a row.
fn is_unpriced(counted: &Counted) -> bool {
    let tokens = &counted.record.tokens;
    counted.record.cost.or(counted.list).is_none() && tokens.counted() + tokens.cache_read > 0
}

fn rank_of(quality: Quality) -> i64 {
    let place = Quality::ALL.iter().position(|it| *it == quality).unwrap_or(3);
    i64::try_from(place).unwrap_or(3)
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
