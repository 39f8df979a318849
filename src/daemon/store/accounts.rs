//! Counts model requests once: what is known of them, what a report adds, whom it is charged to.
//!
//! Two reports of one request have one key where the agent names the request in both. Where it does
//! so in one of them only (Codex and Gemini in their transcripts, Claude Code before it named requests
//! in its telemetry), they are told to be one by the runner, the time and the numbers: each report is
//! matched with one of the other kind at most, so that two requests alike stay two.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Added, Counted, Store, StoreError,
    query::{Query, Record},
    sums::Sums,
};
use crate::domain::{
    id::RunnerId,
    runner::Runner,
    usage::{Cost, Quality, Tokens, UsageRecord, UsageSource},
};

/// How bad a quality is, as a number that both databases can compare.
pub(super) const RANK: &str = "CASE usage_quality WHEN 'estimated' THEN 3 WHEN 'floor' THEN 2 \
     WHEN 'late' THEN 1 ELSE 0 END";

/// Whether nobody knows what a request cost.
pub(super) const UNPRICED: &str =
    "(coalesce(cost_nanos, list_nanos) IS NULL AND counted + cache_read > 0)";

/// Two reports of one request differ in their times by so much at most.
const APART: TimeDelta = TimeDelta::minutes(10);

/// Reports that are looked through for the other one of a request.
const CANDIDATES: u32 = 5000;

const PUT: &str = "INSERT INTO usage_requests (key, runner_id, project_name, session_id, node_id, \
     agent, model, purpose, at, input_tokens, cache_read, cache_write_5m, cache_write_1h, \
     output_tokens, reasoning, counted, cost_nanos, list_nanos, source, quality, twin, imported) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20, $21, $22) ON CONFLICT (key) DO UPDATE SET input_tokens = excluded.input_tokens, \
     cache_read = excluded.cache_read, cache_write_5m = excluded.cache_write_5m, \
     cache_write_1h = excluded.cache_write_1h, output_tokens = excluded.output_tokens, \
     reasoning = excluded.reasoning, counted = excluded.counted, \
     cost_nanos = coalesce(excluded.cost_nanos, usage_requests.cost_nanos), \
     list_nanos = coalesce(excluded.list_nanos, usage_requests.list_nanos), \
     source = excluded.source, quality = excluded.quality, twin = excluded.twin";

/// Reports of a runner ($1) between two times ($2, $3) from one source ($4) that have no other one yet
/// and whose keys begin with $5.
const UNMATCHED: &str = "SELECT key, twin, session_id, at, input_tokens, cache_read, \
     cache_write_5m, cache_write_1h, output_tokens, reasoning, cost_nanos, list_nanos, source, \
     quality FROM usage_requests WHERE runner_id = $1 AND at >= $2 AND at <= $3 AND source = $4 \
     AND twin = '' AND substr(key, 1, length($5)) = $5 AND purpose <> 'interrupted' \
     ORDER BY at LIMIT $6";

/// Who has used something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payer<'a> {
    /// The runner to whose totals and budgets it is charged; `None` for the past of a conversation,
    /// which is charged to nothing.
    pub runner: Option<&'a Runner>,
    /// The project.
    pub project: &'a str,
    /// The node.
    pub node: &'a str,
    /// The agent.
    pub agent: &'a str,
}

impl<'a> Payer<'a> {
    /// A runner pays.
    pub(super) fn of(runner: &'a Runner) -> Self {
        Self {
            runner: Some(runner),
            project: &runner.project,
            node: &runner.node_id,
            agent: &runner.agent,
        }
    }
}

/// A request as it is or will be in the database.
#[derive(Debug, Clone)]
struct Known {
    counted: Counted,
    /// The key of its other report; empty for none.
    twin: String,
}

/// What is to be written for some reports.
#[derive(Debug, Default)]
pub(super) struct Accounted {
    /// What they add to what is charged.
    pub added: Added,
    /// The session in which some of them stand already, where that is another one: what is copied into
    /// a fork stands in both.
    pub elsewhere: Option<String>,
    /// The same by runner.
    pub by_runner: BTreeMap<RunnerId, Added>,
    /// Statements: runners, projects, days, budgets, the requests themselves.
    pub first: Vec<Query>,
    /// Statements that need the sessions' rows.
    pub afterwards: Vec<Query>,
}

impl Store {
    /// Works out what reports of requests change. What it reads must hold until that is written: one
    /// task of a node at a time does this.
    pub(super) async fn account(
        &self,
        reports: &[(Payer<'_>, &Counted)],
        now: DateTime<Utc>,
    ) -> Result<Accounted, StoreError> {
        let mut known = self.known_requests(reports).await?;
        let mut others = self.unmatched(reports, &known).await?;
        let mut sums = Sums::default();
        let mut puts = Vec::new();
        let mut elsewhere = None;
        for (payer, report) in reports {
            let key = &report.record.key;
            let before = match known.get(key) {
                Some(known) => Some(known.clone()),
                None => take_match(&mut others, *payer, report),
            };
            let known_in = before.as_ref().map_or("", |before| before.counted.session.as_str());
            if elsewhere.is_none() && !known_in.is_empty() && known_in != report.session {
                elsewhere = Some(known_in.to_owned());
            }
            let after = merged(report, before.as_ref());
            sums.add(*payer, &after.counted, before.as_ref().map(|it| &it.counted));
            puts.push(put(*payer, &after));
            known.insert(after.counted.record.key.clone(), after.clone());
            known.insert(key.clone(), after);
        }
        let mut first = sums.charges(now);
        first.append(&mut puts);
        let afterwards = sums.afterwards(now);
        let by_runner = sums.by_runner();
        let mut added = Added::default();
        for more in by_runner.values() {
            added += *more;
        }
        Ok(Accounted { added, elsewhere, by_runner, first, afterwards })
    }

    /// Returns what is known of these requests, by every key that they are reported under.
    async fn known_requests(
        &self,
        reports: &[(Payer<'_>, &Counted)],
    ) -> Result<HashMap<String, Known>, StoreError> {
        if reports.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: BTreeSet<_> = reports.iter().map(|(_, it)| it.record.key.as_str()).collect();
        let query = Query::new(self.readers.texts().known_requests).bind(serde_json::json!(keys));
        let mut known = HashMap::new();
        for row in self.fetch(query).await? {
            let request = decode(&row)?;
            if !request.twin.is_empty() {
                known.insert(request.twin.clone(), request.clone());
            }
            known.insert(request.counted.record.key.clone(), request);
        }
        Ok(known)
    }

    /// Returns the reports that may be other ones of those that are not known, by runner and source.
    async fn unmatched(
        &self,
        reports: &[(Payer<'_>, &Counted)],
        known: &HashMap<String, Known>,
    ) -> Result<HashMap<(RunnerId, UsageSource), Vec<Known>>, StoreError> {
        let mut wanted = HashMap::new();
        for (payer, report) in reports {
            let Some((runner, source, prefix)) = other_report(*payer, report) else { continue };
            if known.contains_key(&report.record.key) {
                continue;
            }
            let at = report.record.at;
            let range = wanted.entry((runner, source)).or_insert((at..=at, prefix));
            range.0 = (*range.0.start()).min(at)..=(*range.0.end()).max(at);
        }
        let mut found = HashMap::new();
        for ((runner, source), (range, prefix)) in wanted {
            let query = Query::new(UNMATCHED)
                .bind(runner.to_string())
                .bind(*range.start() - APART)
                .bind(*range.end() + APART)
                .bind(source.as_str())
                .bind(prefix)
                .bind(CANDIDATES);
            let rows = self.fetch(query).await?;
            let rows = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
            found.insert((runner, source), rows);
        }
        Ok(found)
    }
}

/// Of which runner, from which source and under which keys there may be another report of a request
/// that has another key; `None` when its key is the same everywhere.
fn other_report(payer: Payer<'_>, report: &Counted) -> Option<(RunnerId, UsageSource, String)> {
    let runner = payer.runner?;
    let agent = report.record.key.split(':').next().unwrap_or_default();
    match (report.record.source, report.is_placed) {
        (UsageSource::Otlp, true) => {
            Some((runner.id, UsageSource::Transcript, format!("{agent}:")))
        }
        (UsageSource::Transcript, false) => {
            Some((runner.id, UsageSource::Otlp, format!("{agent}:{}:", runner.id)))
        }
        _ => None,
    }
}

/// Takes the other report of a request out of those that there are: of those alike the nearest in time.
fn take_match(
    others: &mut HashMap<(RunnerId, UsageSource), Vec<Known>>,
    payer: Payer<'_>,
    report: &Counted,
) -> Option<Known> {
    let (runner, source, _) = other_report(payer, report)?;
    let others = others.get_mut(&(runner, source))?;
    let alike = others.iter().enumerate().filter(|(_, other)| {
        let other = &other.counted.record;
        let apart = (other.at - report.record.at).abs();
        let (sure, written) = match source {
            UsageSource::Otlp => (other, &report.record),
            _ => (&report.record, other),
        };
        apart <= APART && are_alike(&sure.tokens, written)
    });
    let nearest = alike.min_by_key(|(_, it)| (it.counted.record.at - report.record.at).abs());
    let index = nearest.map(|(index, _)| index)?;
    Some(others.swap_remove(index))
}

/// Whether what a transcript says can be of the request that telemetry told of: old transcripts have the
/// output of a response's beginning.
fn are_alike(sure: &Tokens, written: &UsageRecord) -> bool {
    let writes = |it: &Tokens| it.cache_write_5m + it.cache_write_1h;
    let tokens = &written.tokens;
    sure.input == tokens.input
        && sure.cache_read == tokens.cache_read
        && writes(sure) == writes(tokens)
        && (sure.output == tokens.output
            || (written.quality == Quality::Floor && tokens.output <= sure.output))
}

/// Returns what is known of a request after another report of it.
fn merged(report: &Counted, before: Option<&Known>) -> Known {
    let Some(before) = before else {
        return Known { counted: report.clone(), twin: String::new() };
    };
    let mut merged = report.clone();
    let known = &before.counted;
    let mut twin = before.twin.clone();
    if report.record.key != known.record.key {
        twin.clone_from(&report.record.key);
    }
    merged.record.key.clone_from(&known.record.key);
    merged.record.tokens = report.record.tokens.max(known.record.tokens);
    merged.record.cost = report.record.cost.max(known.record.cost);
    merged.list = report.list.max(known.list);
    // Whoever knows better is believed, also about what was called a floor.
    if known.record.quality <= report.record.quality {
        merged.record.quality = known.record.quality;
        merged.record.source = known.record.source;
    }
    if !known.session.is_empty() {
        merged.session.clone_from(&known.session);
    }
    Known { counted: merged, twin }
}

fn put(payer: Payer<'_>, known: &Known) -> Query {
    let Counted { record, session, list, .. } = &known.counted;
    let tokens = &record.tokens;
    Query::new(PUT)
        .bind(record.key.as_str())
        .bind(payer.runner.map(|runner| runner.id.to_string()).unwrap_or_default())
        .bind(payer.project)
        .bind(session.as_str())
        .bind(payer.node)
        .bind(payer.agent)
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
        .bind(known.twin.as_str())
        .bind(payer.runner.is_none())
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn decode(row: &Record) -> Result<Known, StoreError> {
    let record = UsageRecord {
        key: row.text("key")?,
        at: row.time("at")?,
        tokens: Tokens {
            input: row.count("input_tokens")?,
            cache_read: row.count("cache_read")?,
            cache_write_5m: row.count("cache_write_5m")?,
            cache_write_1h: row.count("cache_write_1h")?,
            output: row.count("output_tokens")?,
            reasoning: row.count("reasoning")?,
        },
        cost: row.optional_integer("cost_nanos")?.map(Cost),
        source: UsageSource::parse(&row.text("source")?),
        quality: Quality::parse(&row.text("quality")?),
        ..UsageRecord::default()
    };
    let list = row.optional_integer("list_nanos")?.map(Cost);
    let counted = Counted { record, session: row.text("session_id")?, list, is_placed: false };
    Ok(Known { counted, twin: row.text("twin")? })
}
