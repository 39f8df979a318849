//! What agents used, in the database.
//!
//! Invariant: a request is counted once. Every report of it has its key; the first one adds its
//! figures to the totals of runner, session, project, day and budgets, a later one only what it knows
//! more. Rows, totals and the place in the spool change in one transaction, so that a report that is
//! read again after a crash finds itself counted. One task of a node takes in what its runners
//! report, so that what is read before the write still holds in it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError, budgets,
    query::{Query, Record, Write},
    sessions::{self, Holder},
};
use crate::domain::{
    event::NewEvent,
    id::RunnerId,
    runner::Runner,
    session::SessionNews,
    usage::{Cost, Quality, Tokens, UsageBy, UsageFilter, UsageRecord, UsageTotal},
};

/// A request with what was made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// What was reported; its key is never empty here.
    pub record: UsageRecord,
    /// The session it belongs to; may be empty.
    pub session: String,
    /// What it costs by the price table.
    pub list: Option<Cost>,
}

/// What is taken in of one runner's reports, together or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakenIn {
    /// Its requests.
    pub requests: Vec<Counted>,
    /// What became known of its sessions.
    pub sessions: Vec<SessionNews>,
    /// The session it holds from now on.
    pub session: Option<String>,
    /// Up to where its spool is taken in with this; `None` for what comes from elsewhere.
    pub position: Option<u64>,
}

/// What was added to the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// Requests that were not known before.
    pub requests: u64,
    /// Tokens, as budgets count them.
    pub tokens: u64,
    /// Money: the agent's own figure, else the price table's.
    pub cost: Cost,
}

/// How bad a quality is, as a number that both databases can compare.
const RANK: &str = "CASE usage_quality WHEN 'estimated' THEN 3 WHEN 'floor' THEN 2 \
     WHEN 'late' THEN 1 ELSE 0 END";

const PUT: &str = "INSERT INTO usage_requests (key, runner_id, project_name, session_id, node_id, \
     agent, model, purpose, at, input_tokens, cache_read, cache_write_5m, cache_write_1h, \
     output_tokens, reasoning, counted, cost_nanos, list_nanos, source, quality) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20) ON CONFLICT (key) DO UPDATE SET input_tokens = excluded.input_tokens, \
     cache_read = excluded.cache_read, cache_write_5m = excluded.cache_write_5m, \
     cache_write_1h = excluded.cache_write_1h, output_tokens = excluded.output_tokens, \
     reasoning = excluded.reasoning, counted = excluded.counted, \
     cost_nanos = coalesce(excluded.cost_nanos, usage_requests.cost_nanos), \
     list_nanos = coalesce(excluded.list_nanos, usage_requests.list_nanos), \
     quality = excluded.quality";

const DAY: &str = "INSERT INTO usage_days (project_name, day, tokens) VALUES ($1, $2, $3) \
     ON CONFLICT (project_name, day) DO UPDATE SET tokens = usage_days.tokens + excluded.tokens";

const PLACE: &str = "INSERT INTO spools (runner_id, position) VALUES ($1, $2) \
     ON CONFLICT (runner_id) DO UPDATE SET position = excluded.position";

impl Store {
    /// Returns up to where the spool of a runner was taken in.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn spool_position(&self, id: RunnerId) -> Result<u64, StoreError> {
        let query = Query::new("SELECT position FROM spools WHERE runner_id = $1");
        let rows = self.fetch(query.bind(id.to_string())).await?;
        rows.first().map_or(Ok(0), |row| row.count("position"))
    }

    /// Returns whether there is such a session.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_exists(&self, id: &str) -> Result<bool, StoreError> {
        Ok(!self.fetch(sessions::known(id)).await?.is_empty())
    }

    /// Writes down what a runner's agent reported; returns what it added. `event` makes of that what is
    /// told, if anything.
    ///
    /// # Errors
    ///
    /// When the database fails: then nothing is taken in.
    pub async fn take_in(
        &self,
        runner: &Runner,
        taken: &TakenIn,
        events: impl FnOnce(Added) -> Vec<NewEvent>,
        now: DateTime<Utc>,
    ) -> Result<Added, StoreError> {
        let known = self.known_requests(&taken.requests).await?;
        let mut sums = Sums::default();
        let mut puts = Vec::new();
        let mut latest: HashMap<&str, Counted> = HashMap::new();
        for request in &taken.requests {
            let key = request.record.key.as_str();
            let before = latest.get(key).cloned().or_else(|| known.get(key).cloned());
            let merged = merged(request, before.as_ref());
            sums.add(&merged, before.as_ref());
            puts.push(put(runner, &merged));
            latest.insert(key, merged);
        }
        let added = sums.all;
        let mut write = Write::causing(events(added)).locking(&runner.project, now);
        write = write.run(Query::new(self.readers.texts().share_budgets));
        for query in sums.queries(runner, now) {
            write = write.run(query);
        }
        for query in puts {
            write = write.run(query);
        }
        let holder = Holder {
            runner: Some(runner.id.as_uuid()),
            project: &runner.project,
            node: &runner.node_id,
            agent: &runner.agent,
        };
        for query in taken.sessions.iter().flat_map(|news| sessions::note(news, holder)) {
            write = write.run(query);
        }
        // After the rows that the notes may just have made.
        for query in sums.session_queries(now) {
            write = write.run(query);
        }
        if let Some(session) = &taken.session {
            let query = Query::new(
                "UPDATE runners SET session_id = $2, updated_at = $3 WHERE id = $1 \
                 AND (session_id IS NULL OR session_id <> $2)",
            );
            write = write.run(query.bind(runner.id.as_uuid()).bind(session.as_str()).bind(now));
        }
        if let Some(position) = taken.position {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            write = write.run(Query::new(PLACE).bind(runner.id.to_string()).bind(position));
        }
        self.write(write).await?;
        Ok(added)
    }

    /// Returns what is known of these requests, by key.
    async fn known_requests(
        &self,
        requests: &[Counted],
    ) -> Result<HashMap<String, Counted>, StoreError> {
        if requests.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<_> = requests.iter().map(|request| request.record.key.as_str()).collect();
        let query = Query::new(self.readers.texts().known_requests).bind(serde_json::json!(keys));
        let rows = self.fetch(query).await?;
        rows.iter().map(|row| decode(row).map(|it| (it.record.key.clone(), it))).collect()
    }

    /// Returns sums of requests, told apart by something, the largest first; days and hours in order.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn usage_totals(
        &self,
        by: UsageBy,
        filter: &UsageFilter,
    ) -> Result<Vec<UsageTotal>, StoreError> {
        let texts = self.readers.texts();
        let key = match by {
            UsageBy::Project => "project_name",
            UsageBy::Runner => "runner_id",
            UsageBy::Session => "session_id",
            UsageBy::Model => "model",
            UsageBy::Agent => "agent",
            UsageBy::Day => texts.day_of_usage,
            UsageBy::Hour => texts.hour_of_usage,
        };
        let order =
            if matches!(by, UsageBy::Day | UsageBy::Hour) { "what" } else { "counted DESC, what" };
        let sum = |column: &str| format!("CAST(coalesce(sum({column}), 0) AS BIGINT)");
        let sql = format!(
            "SELECT {key} AS what, count(*) AS requests, {} AS input, {} AS cache_read, \
             {} AS cache_write_5m, {} AS cache_write_1h, {} AS output, {} AS reasoning, \
             {} AS counted, {} AS cost, \
             {} AS unpriced, CAST(max({}) AS BIGINT) AS worst \
             FROM usage_requests WHERE ($1 = '' OR project_name = $1) \
             AND ($2 = '' OR runner_id = $2) AND ($3 = '' OR session_id = $3) \
             AND at >= $4 AND at < $5 GROUP BY 1 ORDER BY {order}",
            sum("input_tokens"),
            sum("cache_read"),
            sum("cache_write_5m"),
            sum("cache_write_1h"),
            sum("output_tokens"),
            sum("reasoning"),
            sum("counted"),
            sum("coalesce(cost_nanos, list_nanos, 0)"),
            sum("CASE WHEN coalesce(cost_nanos, list_nanos) IS NULL THEN 1 ELSE 0 END"),
            RANK.replace("usage_quality", "quality"),
        );
        let query = Query::new(sql)
            .bind(filter.project.as_str())
            .bind(filter.runner.as_str())
            .bind(filter.session.as_str())
            .bind(filter.since.unwrap_or(DateTime::UNIX_EPOCH))
            .bind(filter.until.unwrap_or(far_future()));
        let total = |row: &Record| {
            let key = row.text("what")?;
            Ok(UsageTotal {
                name: key.clone(),
                key,
                requests: row.count("requests")?,
                tokens: Tokens {
                    input: row.count("input")?,
                    cache_read: row.count("cache_read")?,
                    cache_write_5m: row.count("cache_write_5m")?,
                    cache_write_1h: row.count("cache_write_1h")?,
                    output: row.count("output")?,
                    reasoning: row.count("reasoning")?,
                },
                cost: Cost(row.optional_integer("cost")?.unwrap_or(0)),
                unpriced: row.count("unpriced")?,
                quality: quality_of(row.count("worst")?),
            })
        };
        self.fetch(query).await?.iter().map(total).collect()
    }
}

/// Later than any request.
fn far_future() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn quality_of(rank: u64) -> Quality {
    let index = usize::try_from(rank).unwrap_or(usize::MAX);
    Quality::ALL.get(index).copied().unwrap_or(Quality::Estimated)
}

fn rank_of(quality: Quality) -> i64 {
    let place = Quality::ALL.iter().position(|it| *it == quality).unwrap_or(3);
    i64::try_from(place).unwrap_or(3)
}

/// Returns what is known of a request after another report of it.
fn merged(request: &Counted, before: Option<&Counted>) -> Counted {
    let Some(before) = before else { return request.clone() };
    let mut merged = request.clone();
    merged.record.tokens = request.record.tokens.max(before.record.tokens);
    merged.record.cost = request.record.cost.max(before.record.cost);
    merged.list = request.list.max(before.list);
    // Whoever knows better is believed, also about what was called a floor.
    merged.record.quality = request.record.quality.min(before.record.quality);
    merged.session.clone_from(&before.session);
    merged
}

/// What is to be added, by what it is added to.
#[derive(Debug, Default)]
struct Sums {
    all: Added,
    worst: Quality,
    sessions: BTreeMap<String, (Added, Quality)>,
    days: BTreeMap<String, u64>,
    /// What each request added: budgets have periods.
    charges: Vec<(UsageRecord, (u64, u64, Cost))>,
}

impl Sums {
    fn add(&mut self, after: &Counted, before: Option<&Counted>) {
        let (tokens, cost) = (after.record.tokens.counted(), price(after));
        let had = before.map_or((0, Cost(0)), |it| (it.record.tokens.counted(), price(it)));
        let added = Added {
            requests: u64::from(before.is_none()),
            tokens: tokens.saturating_sub(had.0),
            cost: Cost(cost.0.saturating_sub(had.1.0).max(0)),
        };
        self.all += added;
        self.worst = self.worst.max(after.record.quality);
        if !after.session.is_empty() {
            let (sum, worst) = self.sessions.entry(after.session.clone()).or_default();
            *sum += added;
            *worst = (*worst).max(after.record.quality);
        }
        let at = after.record.at;
        *self.days.entry(at.format("%Y-%m-%d").to_string()).or_default() += added.tokens;
        let reads = after.record.tokens.cache_read;
        let had_reads = before.map_or(0, |it| it.record.tokens.cache_read);
        let charge = (added.tokens, reads.saturating_sub(had_reads), added.cost);
        self.charges.push((after.record.clone(), charge));
    }

    /// The statements that add to runner, project, days and budgets.
    fn queries(&self, runner: &Runner, now: DateTime<Utc>) -> Vec<Query> {
        if self.all == Added::default() {
            return Vec::new();
        }
        let (tokens, cost) = (integer(self.all.tokens), self.all.cost.0);
        let mut queries = vec![
            Query::new(
                "UPDATE projects SET total_tokens = total_tokens + $2, \
                 cost_nanos = cost_nanos + $3 WHERE name = $1",
            )
            .bind(runner.project.as_str())
            .bind(tokens)
            .bind(cost),
            Query::new(format!(
                "UPDATE runners SET tokens_used = tokens_used + $2, cost_nanos = cost_nanos + $3, \
                 usage_quality = CASE WHEN {RANK} < $4 THEN $5 ELSE usage_quality END, \
                 updated_at = $6 WHERE id = $1"
            ))
            .bind(runner.id.as_uuid())
            .bind(tokens)
            .bind(cost)
            .bind(rank_of(self.worst))
            .bind(self.worst.as_str())
            .bind(now),
        ];
        for (day, tokens) in &self.days {
            let query = Query::new(DAY).bind(runner.project.as_str()).bind(day.as_str());
            queries.push(query.bind(integer(*tokens)));
        }
        for (record, charge) in &self.charges {
            queries.push(budgets::charge(runner, record, *charge, now));
        }
        queries
    }

    /// The statements that add to sessions.
    fn session_queries(&self, now: DateTime<Utc>) -> Vec<Query> {
        let sql = format!(
            "UPDATE sessions SET tokens_used = tokens_used + $2, cost_nanos = cost_nanos + $3, \
             usage_quality = CASE WHEN {RANK} < $4 THEN $5 ELSE usage_quality END, \
             updated_at = $6 WHERE id = $1"
        );
        let add = |(id, (added, worst)): (&String, &(Added, Quality))| {
            Query::new(sql.clone())
                .bind(id.as_str())
                .bind(integer(added.tokens))
                .bind(added.cost.0)
                .bind(rank_of(*worst))
                .bind(worst.as_str())
                .bind(now)
        };
        self.sessions.iter().map(add).collect()
    }
}

impl std::ops::AddAssign for Added {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost += other.cost;
    }
}

fn put(runner: &Runner, counted: &Counted) -> Query {
    let Counted { record, session, list } = counted;
    let tokens = &record.tokens;
    Query::new(PUT)
        .bind(record.key.as_str())
        .bind(runner.id.to_string())
        .bind(runner.project.as_str())
        .bind(session.as_str())
        .bind(runner.node_id.as_str())
        .bind(runner.agent.as_str())
        .bind(record.model.as_str())
        .bind(record.purpose.as_str())
        .bind(record.at)
        .bind(integer(tokens.input))
        .bind(integer(tokens.cache_read))
        .bind(integer(tokens.cache_write_5m))
        .bind(integer(tokens.cache_write_1h))
        .bind(integer(tokens.output))
        .bind(integer(tokens.reasoning))
        .bind(integer(tokens.counted()))
        .bind(record.cost.map(|cost| cost.0))
        .bind(list.map(|cost| cost.0))
        .bind(record.source.as_str())
        .bind(record.quality.as_str())
}

/// What a request costs: by its agent, else by the price table, else nothing.
fn price(counted: &Counted) -> Cost {
    counted.record.cost.or(counted.list).unwrap_or_default()
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn decode(row: &Record) -> Result<Counted, StoreError> {
    let record = UsageRecord {
        key: row.text("key")?,
        tokens: Tokens {
            input: row.count("input_tokens")?,
            cache_read: row.count("cache_read")?,
            cache_write_5m: row.count("cache_write_5m")?,
            cache_write_1h: row.count("cache_write_1h")?,
            output: row.count("output_tokens")?,
            reasoning: row.count("reasoning")?,
        },
        cost: row.optional_integer("cost_nanos")?.map(Cost),
        quality: Quality::parse(&row.text("quality")?),
        ..UsageRecord::default()
    };
    let list = row.optional_integer("list_nanos")?.map(Cost);
    Ok(Counted { record, session: row.text("session_id")?, list })
}
