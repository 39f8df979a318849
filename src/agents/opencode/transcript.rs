//! opencode's database: rows of `session`, `message` and `part` of `opencode.db`, whose `data` is JSON.
//!
//! A part `step-finish` is one response, counted under the part's id, the same in its events. One that is
//! broken off has no such part, and its message an error: what it used is not known. Neither is what the
//! title of a new conversation did, which is asked for without a row. Both are floors. A session that is
//! forked gets copies of its rows under new ids: those count again.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    agents::{
        json::{Object, Scalar},
        transcript::{CostState, Entry, LONGEST_TEXT, Message, Opened, Role, record},
    },
    domain::{
        agent::Agent,
        usage::{Cost, INTERRUPTED, Quality, Tokens, UsageRecord},
    },
};

/// The error of a message that a person has broken off.
pub(super) const ABORTED: &str = "MessageAbortedError";

/// What begins a title until the model has made one.
const NOT_MADE: [&str; 2] = ["New session - ", "Child session - "];

/// What a fork's title has behind that of its parent.
const FORKED: &str = " (fork #";

/// A row of `session`, as far as it is read; times in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session<'a> {
    /// `id`.
    pub id: &'a str,
    /// `parent_id`: the session whose subagent this is.
    pub parent_id: Option<&'a str>,
    /// `directory`.
    pub directory: &'a str,
    /// `title`.
    pub title: &'a str,
    /// `model`: JSON.
    pub model: Option<&'a str>,
    /// `time_created`.
    pub created_ms: i64,
    /// `cost`, in dollars.
    pub cost: f64,
    /// `tokens_input`, `tokens_output`, `tokens_reasoning`, `tokens_cache_read`, `tokens_cache_write`.
    pub tokens: [i64; 5],
}

/// A row of `part` with the `data` of its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// `part.id`.
    pub id: &'a str,
    /// `part.session_id`.
    pub session_id: &'a str,
    /// `part.time_updated`, in milliseconds since 1970.
    pub updated_ms: i64,
    /// `part.data`: JSON.
    pub data: &'a str,
    /// `message.data`: JSON.
    pub message: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Model<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    role: Scalar<'a>,
    #[serde(borrow)]
    agent: Scalar<'a>,
    #[serde(borrow, rename = "modelID")]
    model: Scalar<'a>,
    #[serde(borrow, rename = "providerID")]
    provider: Scalar<'a>,
    #[serde(borrow)]
    error: Object<Failed<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Failed<'a> {
    #[serde(borrow)]
    name: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    text: Scalar<'a>,
    #[serde(borrow)]
    synthetic: Scalar<'a>,
    #[serde(borrow)]
    reason: Scalar<'a>,
    #[serde(borrow)]
    tokens: Object<Used<'a>>,
    #[serde(borrow)]
    cost: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Used<'a> {
    #[serde(borrow)]
    input: Scalar<'a>,
    #[serde(borrow)]
    output: Scalar<'a>,
    #[serde(borrow)]
    reasoning: Scalar<'a>,
    #[serde(borrow)]
    cache: Object<Cache<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cache<'a> {
    #[serde(borrow)]
    read: Scalar<'a>,
    #[serde(borrow)]
    write: Scalar<'a>,
}

/// Tokens in opencode's counts: reasoning stands beside the output, the cache beside the input.
fn tokens(input: u64, output: u64, reasoning: u64, read: u64, write: u64) -> Tokens {
    Tokens {
        input,
        cache_read: read,
        cache_write_5m: write,
        cache_write_1h: 0,
        output: output.saturating_add(reasoning),
        reasoning,
    }
}

/// Returns what a row of `session` says.
pub fn session(row: &Session<'_>) -> Vec<Entry> {
    let model: Model<'_> =
        row.model.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let [input, output, reasoning, read, write] =
        row.tokens.map(|count| u64::try_from(count).unwrap_or_default());
    let mut entries = vec![Entry::Opened(Opened {
        conversation: row.id.to_owned(),
        cwd: row.directory.to_owned(),
        model: model.id.owned(),
        at: DateTime::from_timestamp_millis(row.created_ms),
        parent: row.parent_id.map(str::to_owned),
        forked_from: None,
    })];
    if !row.title.is_empty() {
        entries.push(Entry::Title(row.title.to_owned()));
    }
    entries.push(Entry::Cost(CostState {
        conversation: row.id.to_owned(),
        cost: Cost::from_dollars(row.cost),
        tokens: tokens(input, output, reasoning, read, write),
        models: Vec::new(),
    }));
    let is_made = !row.title.is_empty()
        && row.parent_id.is_none()
        && !NOT_MADE.iter().any(|start| row.title.starts_with(start))
        && !row.title.contains(FORKED);
    if is_made {
        entries.push(Entry::Usage(title(row)));
    }
    entries
}

/// Stands for the request by which a session's title was made.
fn title(row: &Session<'_>) -> UsageRecord {
    UsageRecord {
        conversation: row.id.to_owned(),
        purpose: INTERRUPTED.to_owned(),
        at: DateTime::from_timestamp_millis(row.created_ms).unwrap_or_default(),
        quality: Quality::Floor,
        ..record(Agent::Opencode, &format!("title:{}", row.id), Tokens::default())
    }
}

/// Returns what a row of `part` says.
pub fn part(row: &Part<'_>) -> Vec<Entry> {
    let data: Data<'_> = serde_json::from_str(row.data).unwrap_or_default();
    let said: Said<'_> = serde_json::from_str(row.message).unwrap_or_default();
    let at = DateTime::from_timestamp_millis(row.updated_ms);
    let is_cut = said.error.0.name.str() == ABORTED && said.role.str() != "user";
    match data.r#type.str() {
        "step-start" | "text" | "reasoning" | "tool" | "step-finish" if is_cut => {
            let mut entries = Vec::new();
            if data.r#type.str() == "step-finish" {
                entries.extend(usage(row, &data, &said, at).map(Entry::Usage));
            } else if data.r#type.str() == "text" {
                entries.extend(text(row, &data, Role::Assistant, at).map(Entry::Message));
            }
            entries.push(Entry::TurnEnded { at, interrupted: true });
            entries
        }
        "text" => {
            let role = if said.role.str() == "user" { Role::User } else { Role::Assistant };
            let Some(message) = text(row, &data, role, at) else { return Vec::new() };
            let message = Entry::Message(message);
            if role == Role::User {
                vec![Entry::TurnStarted { at }, message]
            } else {
                vec![message]
            }
        }
        "step-finish" => {
            let mut entries = Vec::new();
            entries.extend(usage(row, &data, &said, at).map(Entry::Usage));
            if data.reason.str() != "tool-calls" {
                entries.push(Entry::TurnEnded { at, interrupted: false });
            }
            entries
        }
        _ => Vec::new(),
    }
}

/// Returns what a part says, if it is of a person's or the model's own making.
fn text(row: &Part<'_>, data: &Data<'_>, role: Role, at: Option<DateTime<Utc>>) -> Option<Message> {
    let text = data.text.str();
    let text = text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned();
    let is_said = !data.synthetic.is_true() && !text.is_empty();
    is_said.then(|| Message { id: row.id.to_owned(), role, text, at })
}

/// Returns what a response used.
fn usage(
    row: &Part<'_>,
    data: &Data<'_>,
    said: &Said<'_>,
    at: Option<DateTime<Utc>>,
) -> Option<UsageRecord> {
    let used = &data.tokens.0;
    let tokens = tokens(
        used.input.tokens(),
        used.output.tokens(),
        used.reasoning.tokens(),
        used.cache.0.read.tokens(),
        used.cache.0.write.tokens(),
    );
    if tokens.total() == 0 || row.id.is_empty() {
        return None;
    }
    let mut record = record(Agent::Opencode, row.id, tokens);
    row.session_id.clone_into(&mut record.conversation);
    let (provider, model) = (said.provider.str(), said.model.str());
    record.model =
        if provider.is_empty() { model.to_owned() } else { format!("{provider}/{model}") };
    record.at = at.unwrap_or_default();
    record.cost = data.cost.number().and_then(Cost::from_dollars);
    if said.agent.str() == "compaction" {
        "compact".clone_into(&mut record.purpose);
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ROWS: &str = include_str!("../../../tests/fixtures/agents/opencode-1.18-db.jsonl");

    fn rows(table: &str) -> Vec<Value> {
        let rows = ROWS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["table"] == table).collect()
    }

    fn parts() -> Vec<Entry> {
        let messages = rows("message");
        let mut entries = Vec::new();
        for row in rows("part") {
            let message = messages.iter().find(|it| it["id"] == row["message_id"]).unwrap();
            entries.extend(part(&Part {
                id: row["id"].as_str().unwrap(),
                session_id: row["session_id"].as_str().unwrap(),
                updated_ms: row["time_updated"].as_i64().unwrap(),
                data: &row["data"].to_string(),
                message: &message["data"].to_string(),
            }));
        }
        entries
    }

    #[test]
    fn a_finished_step_is_a_response() {
        let entries = parts();
        let used: Vec<_> = entries
            .iter()
            .filter_map(|it| if let Entry::Usage(it) = it { Some(it) } else { None })
            .collect();
        let [record] = &*used else { panic!("one response") };
        assert_eq!(record.key, "opencode:prt_1f7ca6ced001eryattvCFHf3CP");
        assert_eq!(record.model, "mock/claude-mock");
        let tokens = Tokens {
            input: 1002,
            cache_read: 5002,
            cache_write_5m: 202,
            output: 102,
            ..Tokens::default()
        };
        assert_eq!((record.tokens, record.cost), (tokens, Some(Cost(6_794_100))));
        let Entry::Message(message) = &entries[1] else { panic!("{:?}", entries[1]) };
        assert_eq!((message.role, &*message.text), (Role::User, "@mock sh touch oc-perm"));
    }

    #[test]
    fn a_session_says_where_it_is_and_what_it_used() {
        let row = &rows("session")[0];
        let entries = session(&Session {
            id: row["id"].as_str().unwrap(),
            parent_id: None,
            directory: row["directory"].as_str().unwrap(),
            title: row["title"].as_str().unwrap(),
            model: Some(&row["model"].to_string()),
            created_ms: row["time_created"].as_i64().unwrap(),
            cost: row["cost"].as_f64().unwrap(),
            tokens: [2005, 205, 0, 10_005, -1],
        });
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!((&*opened.cwd, &*opened.model), ("/home/o1", "claude-mock"));
        assert_eq!(entries[1], Entry::Title("Mock title".to_owned()));
        let Entry::Cost(cost) = &entries[2] else { panic!("{:?}", entries[2]) };
        assert_eq!((cost.cost, cost.tokens.cache_read), (Some(Cost(13_610_250)), 10_005));
        let Entry::Usage(title) = &entries[3] else { panic!("{:?}", entries[3]) };
        assert_eq!((title.quality, title.tokens.total()), (Quality::Floor, 0));
        assert_eq!(
            (&*title.purpose, &*title.conversation),
            (INTERRUPTED, opened.conversation.as_str())
        );
        let before = |title| Session { id: "s", title, ..Session::default() };
        for title in ["", "New session - 2026-12-02T01:38:38.638Z", "Fix it (fork #1)"] {
            let of_title = session(&before(title));
            assert!(!of_title.iter().any(|it| matches!(it, Entry::Usage(_))), "{title}");
        }
    }

    #[test]
    fn a_message_that_was_broken_off_says_so_and_another_does_not() {
        let message = r#"{"role":"assistant","error":{"name":"MessageAbortedError","data":{}}}"#;
        let part =
            |data, message| part(&Part { id: "p", session_id: "s", updated_ms: 7, data, message });
        let is_cut = |it: &Entry| matches!(it, Entry::TurnEnded { interrupted: true, at: Some(_) });
        let words = part(r#"{"type":"text","text":"word1"}"#, message);
        assert!(matches!(&words[..], [Entry::Message(_), cut] if is_cut(cut)), "{words:?}");
        assert!(part(r#"{"type":"step-start"}"#, message).iter().all(is_cut));
        assert!(part(r#"{"type":"tool"}"#, message).iter().any(is_cut));
        for other in ["{}", r#"{"role":"assistant","error":{"name":"APIError"}}"#] {
            assert!(!part(r#"{"type":"text","text":"word1"}"#, other).iter().any(is_cut));
        }
    }

    #[test]
    fn what_is_no_json_says_nothing() {
        for data in ["", "null", "[]", "{\"type\":7}", "{\"type\":\"step-start\"}"] {
            assert_eq!(part(&Part { data, message: "{", ..Part::default() }), []);
        }
    }
}
