//! What agents used, in the database.
//!
//! Invariant: a request is counted once. Every report of it has its key; the first one adds its
//! figures to the totals of runner, session, project, day and budgets, a later one only what it knows
//! more. Rows, totals and the place in the spool change in one transaction, so that a report that is
//! read again after a crash finds itself counted. One task of a node takes in what its runners
//! report, so that what is read before the write still holds in it.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    accounts::{Payer, RANK, UNPRICED},
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
    /// Its agent gave it no key: the place at which it was read is its key, and another report of it
    /// has another one.
    pub is_placed: bool,
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

    /// Returns whether a session ends when a runner says so: it has not before, and no other one that lives
    /// holds it, too.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_ends_with(&self, id: &str, runner: RunnerId) -> Result<bool, StoreError> {
        Ok(self.fetch(sessions::not_ending(id, runner.as_uuid())).await?.is_empty())
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
        let payer = Payer::of(runner);
        let reports = taken.requests.iter().map(|request| (payer, request));
        let accounted = self.account(&reports.collect::<Vec<_>>(), now).await?;
        let added = accounted.added;
        let mut write = Write::causing(events(added)).locking(&runner.project, now);
        write = write.run(Query::new(self.readers.texts().share_budgets));
        for query in accounted.first {
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
        for query in accounted.afterwards {
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
            "SELECT {key} AS what, {} AS requests, {} AS input, {} AS cache_read, \
             {} AS cache_write_5m, {} AS cache_write_1h, {} AS output, {} AS reasoning, \
             {} AS counted, {} AS cost, \
             {} AS unpriced, CAST(max({}) AS BIGINT) AS worst \
             FROM usage_requests WHERE ($1 = '' OR project_name = $1) \
             AND ($2 = '' OR runner_id = $2) AND ($3 = '' OR session_id = $3) \
             AND at >= $4 AND at < $5 AND (imported = FALSE OR $6 OR $3 <> '') GROUP BY 1 ORDER BY {order}",
            sum("CASE WHEN purpose = 'interrupted' THEN 0 ELSE 1 END"),
            sum("input_tokens"),
            sum("cache_read"),
            sum("cache_write_5m"),
            sum("cache_write_1h"),
            sum("output_tokens"),
            sum("reasoning"),
            sum("counted"),
            sum("coalesce(cost_nanos, list_nanos, 0)"),
            sum(&format!("CASE WHEN {UNPRICED} THEN 1 ELSE 0 END")),
            RANK.replace("usage_quality", "quality"),
        );
        let query = Query::new(sql)
            .bind(filter.project.as_str())
            .bind(filter.runner.as_str())
            .bind(filter.session.as_str())
            .bind(filter.since.unwrap_or(DateTime::UNIX_EPOCH))
            .bind(filter.until.unwrap_or(far_future()))
            .bind(filter.imported);
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
        self.list(query, total).await
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

impl std::ops::AddAssign for Added {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost += other.cost;
    }
}
