//! Counts model requests once: what is known of them, what a report adds, whom it is charged to.
//!
//! Two reports of one request have one key where the agent names the request in both. Where it does
//! so in one of them only (Codex and Gemini in their transcripts, Claude Code before it named requests
//! in its telemetry), they are told to be one by the runner or the conversation, the time and the
//! numbers: each report is matched with one of the other kind at most, so that two requests alike stay
//! two.
//!
//! Where two runners hold one conversation, its transcript does not say whose a request was; telemetry,
//! which comes over the runner's own way, does. What was charged to the wrong one is moved then.

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
     source = excluded.source, quality = excluded.quality, twin = excluded.twin, \
     runner_id = excluded.runner_id, project_name = excluded.project_name, \
     imported = excluded.imported, \
     model = CASE WHEN usage_requests.model = '' THEN excluded.model ELSE usage_requests.model END";

/// What is read of a request that is in the database.
macro_rules! columns {
    () => {
        "key, twin, runner_id, project_name, session_id, at, input_tokens, cache_read, \
         cache_write_5m, cache_write_1h, output_tokens, reasoning, cost_nanos, list_nanos, source, \
         quality"
    };
}

pub(super) use columns;

/// Reports of a runner ($1) or a session ($2) between two times ($3, $4) from one source ($5) that have no
/// other one yet and whose keys begin with $6, and with the runner's id behind that if $7 says so.
const UNMATCHED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM usage_requests WHERE (($1 <> '' AND runner_id = $1) OR ($2 <> '' AND session_id = $2)) \
     AND at >= $3 AND at <= $4 AND source = $5 AND twin = '' AND purpose <> 'interrupted' \
     AND substr(key, 1, length($6)) = $6 AND (NOT $7 \
     OR substr(key, length($6) + 1, length(runner_id) + 1) = runner_id || ':') \
     ORDER BY at LIMIT $8"
);

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
    /// To whom it is charged; `None` for nobody.
    runner: Option<RunnerId>,
    /// In which project.
    project: String,
}

/// Where another report of a request may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    runner: Option<RunnerId>,
    session: String,
    source: UsageSource,
    /// What its key begins with.
    prefix: String,
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
        let mut runners: HashMap<_, _> =
            reports.iter().filter_map(|(payer, _)| payer.runner).map(|it| (it.id, it)).collect();
        let charged = self.charged(known.values().chain(&others), &runners).await?;
        runners.extend(charged.iter().map(|it| (it.id, it)));
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
            let after = merged(*payer, report, before.as_ref());
            let of = |id: Option<RunnerId>| id.and_then(|id| runners.get(&id).copied());
            let was = before.as_ref().map(|it| &it.counted);
            sums.of_session(&after.counted, was);
            let charged_before = before.as_ref().and_then(|it| it.runner);
            if after.runner == charged_before {
                if let Some(runner) = of(after.runner) {
                    sums.of_runner(runner, Some(&after.counted), was);
                }
            } else {
                if let (Some(runner), Some(was)) = (of(charged_before), was) {
                    sums.of_runner(runner, None, Some(was));
                }
                if let Some(runner) = of(after.runner) {
                    sums.of_runner(runner, Some(&after.counted), None);
                }
            }
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

    /// Returns the runners to which requests are charged, but for those at hand; one that was removed is not among
    /// them.
    async fn charged<'a>(
        &self,
        known: impl Iterator<Item = &'a Known>,
        at_hand: &HashMap<RunnerId, &Runner>,
    ) -> Result<Vec<Runner>, StoreError> {
        let mut runners = Vec::new();
        let ids: BTreeSet<_> = known.filter_map(|it| it.runner).collect();
        for id in ids.into_iter().filter(|id| !at_hand.contains_key(id)) {
            runners.extend(self.runner_get(id).await?);
        }
        Ok(runners)
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

    /// Returns the reports that may be other ones of those that are not known, each once.
    async fn unmatched(
        &self,
        reports: &[(Payer<'_>, &Counted)],
        known: &HashMap<String, Known>,
    ) -> Result<Vec<Known>, StoreError> {
        let mut wanted = HashMap::new();
        for (payer, report) in reports {
            let Some(other) = other_report(*payer, report) else { continue };
            if known.contains_key(&report.record.key) {
                continue;
            }
            let at = report.record.at;
            let range = wanted.entry(other).or_insert(at..=at);
            *range = (*range.start()).min(at)..=(*range.end()).max(at);
        }
        let mut found = BTreeMap::new();
        for (Wanted { runner, session, source, prefix }, range) in wanted {
            let query = Query::new(UNMATCHED)
                .bind(runner.map(|id| id.to_string()).unwrap_or_default())
                .bind(session)
                .bind(*range.start() - APART)
                .bind(*range.end() + APART)
                .bind(source.as_str())
                .bind(prefix)
                .bind(source == UsageSource::Otlp)
                .bind(CANDIDATES);
            for row in self.fetch(query).await? {
                let other = decode(&row)?;
                found.insert(other.counted.record.key.clone(), other);
            }
        }
        Ok(found.into_values().collect())
    }
}

/// Where there may be another report of a request that has another key; `None` when its key is the same
/// everywhere.
fn other_report(payer: Payer<'_>, report: &Counted) -> Option<Wanted> {
    let source = match (report.record.source, report.is_placed) {
        (UsageSource::Otlp, true) => UsageSource::Transcript,
        (UsageSource::Transcript, false) => UsageSource::Otlp,
        _ => return None,
    };
    let agent = report.record.key.split(':').next().unwrap_or_default();
    Some(Wanted {
        runner: payer.runner.map(|runner| runner.id),
        session: report.session.clone(),
        source,
        prefix: format!("{agent}:"),
    })
}

/// Takes the other report of a request out of those that there are: of those alike the nearest in time.
fn take_match(others: &mut Vec<Known>, payer: Payer<'_>, report: &Counted) -> Option<Known> {
    let wanted = other_report(payer, report)?;
    let alike = others.iter().enumerate().filter(|(_, known)| {
        let other = &known.counted.record;
        let is_of_it = (known.runner.is_some() && known.runner == wanted.runner)
            || (!wanted.session.is_empty() && known.counted.session == wanted.session);
        let apart = (other.at - report.record.at).abs();
        let (sure, written) = match wanted.source {
            UsageSource::Otlp => (other, &report.record),
            _ => (&report.record, other),
        };
        is_of_it
            && other.source == wanted.source
            && other.key.starts_with(&wanted.prefix)
            && apart <= APART
            && are_alike(&sure.tokens, written)
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
fn merged(payer: Payer<'_>, report: &Counted, before: Option<&Known>) -> Known {
    let own = payer.runner.map(|runner| runner.id);
    let Some(before) = before else {
        let project = payer.project.to_owned();
        return Known { counted: report.clone(), twin: String::new(), runner: own, project };
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
    let is_told = report.record.source != UsageSource::Transcript
        && known.record.source == UsageSource::Transcript;
    let (runner, project) = match own {
        Some(_) if is_told => (own, payer.project.to_owned()),
        _ => (before.runner, before.project.clone()),
    };
    Known { counted: merged, twin, runner, project }
}

fn put(payer: Payer<'_>, known: &Known) -> Query {
    let Counted { record, session, list, .. } = &known.counted;
    let tokens = &record.tokens;
    Query::new(PUT)
        .bind(record.key.as_str())
        .bind(known.runner.map(|id| id.to_string()).unwrap_or_default())
        .bind(known.project.as_str())
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
        .bind(known.runner.is_none())
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
    Ok(Known {
        counted,
        twin: row.text("twin")?,
        runner: row.text("runner_id")?.parse().ok(),
        project: row.text("project_name")?,
    })
}
