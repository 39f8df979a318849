//! What entries of a transcript mean for the database: messages without secrets, requests with their
//! keys and whose they are, facts of the session. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    agents::transcript::{Entry, Message, Opened, Role},
    daemon::store::{Counted, Said, SessionFacts},
    domain::{
        agent::Agent,
        clock::to_micros,
        hook::LONGEST_TEXT,
        price::Table,
        redact::redact,
        runner::Runner,
        usage::{INTERRUPTED, Quality, UsageRecord, UsageSource},
    },
};

/// Longest text of a message that is searched, in bytes.
const LONGEST_BODY: usize = 64 << 10;

/// Longest title or summary, in bytes.
const LONGEST_SUMMARY: usize = 500;

/// What an agent writes down may be so much older or younger than what it told us of its beginning.
const SLACK: TimeDelta = TimeDelta::seconds(60);

/// Something a transcript says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// What tells it from the others of its file: where it stands, or its row's id.
    pub label: String,
    /// Whether a subagent's.
    pub is_side: bool,
    /// What it says.
    pub entry: Entry,
}

/// What has to be remembered of one piece of a file for the next, beside the reader's own state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The model that was used last.
    pub model: String,
    /// When something was said last.
    pub at: Option<DateTime<Utc>>,
}

/// Who held a session, and when.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    /// The runner.
    pub runner: Runner,
    /// From then on.
    pub since: DateTime<Utc>,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The agent.
    pub agent: Agent,
    /// The session that everything in it belongs to.
    pub session: &'a str,
    /// The file's own name.
    pub name: &'a str,
    /// Whether it is a subagent's.
    pub is_side: bool,
    /// Who held the session, the first one first.
    pub holdings: &'a [Holding],
    /// What models cost.
    pub prices: &'a Table,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Digest<'a> {
    /// Facts of the session; its id, project and file are left to the caller.
    pub facts: SessionFacts,
    /// What was said, each key once.
    pub messages: Vec<Said>,
    /// Requests, and whose.
    pub requests: Vec<(Option<&'a Runner>, Counted)>,
}

/// Returns what items mean.
pub(super) fn digest<'a>(source: Source<'a>, items: Vec<Item>, memory: &mut Memory) -> Digest<'a> {
    let mut digest = Digest::default();
    let mut places = BTreeMap::new();
    for item in items {
        let is_side = source.is_side || item.is_side;
        match item.entry {
            Entry::Opened(opened) if !is_side => open(&mut digest.facts, &opened, memory),
            Entry::Message(message) => {
                let said = said(source, is_side, &item.label, &message, memory);
                if role_is_main(said.role) {
                    let last = &mut digest.facts.last_message_at;
                    *last = (*last).max(Some(said.at));
                }
                if message.role == Role::User && !is_side && digest.facts.prompt.is_empty() {
                    digest.facts.prompt = said.body.chars().take(LONGEST_TEXT).collect();
                }
                // A later one of the same key is the whole of it.
                if let Some(&place) = places.get(&said.key) {
                    digest.messages[place] = said;
                } else {
                    places.insert(said.key.clone(), digest.messages.len());
                    digest.messages.push(said);
                }
            }
            Entry::Usage(record) => {
                if !is_side && !record.model.is_empty() {
                    memory.model.clone_from(&record.model);
                    digest.facts.model.clone_from(&record.model);
                }
                digest.requests.push(request(source, is_side, &item.label, record, memory));
            }
            Entry::Title(title) | Entry::Summary(title) if !is_side => {
                let clean = redact(&title).into_owned();
                digest.facts.summary = cut(clean, LONGEST_SUMMARY);
            }
            Entry::TurnEnded { interrupted: true, at } => {
                let record = UsageRecord {
                    key: format!("{}:{}:cut:{}", source.agent.as_str(), source.session, item.label),
                    model: memory.model.clone(),
                    purpose: INTERRUPTED.to_owned(),
                    at: at.unwrap_or_default(),
                    source: UsageSource::Transcript,
                    quality: Quality::Floor,
                    ..UsageRecord::default()
                };
                let mut request = request(source, false, &item.label, record, memory);
                request.1.is_placed = true;
                // What a fork has copied of its parent's past is no floor of its own.
                if request.0.is_some() || source.holdings.is_empty() {
                    digest.requests.push(request);
                }
            }
            _ => {}
        }
    }
    digest
}

fn role_is_main(role: &str) -> bool {
    role != "subagent"
}

fn open(facts: &mut SessionFacts, opened: &Opened, memory: &mut Memory) {
    if facts.cwd.is_empty() {
        facts.cwd.clone_from(&opened.cwd);
    }
    if !opened.model.is_empty() {
        memory.model.clone_from(&opened.model);
        facts.model.clone_from(&opened.model);
    }
    facts.parent = facts.parent.take().or_else(|| opened.forked_from.clone());
    facts.started_at = match (facts.started_at, opened.at) {
        (Some(known), Some(at)) => Some(known.min(at)),
        (known, at) => known.or(at),
    };
    memory.at = memory.at.max(opened.at);
}

fn said(
    source: Source<'_>,
    is_side: bool,
    label: &str,
    message: &Message,
    memory: &mut Memory,
) -> Said {
    let at = message.at.or(memory.at).unwrap_or(source.now);
    memory.at = Some(at);
    let role = match message.role {
        _ if is_side => "subagent",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let key =
        if message.id.is_empty() { format!("{}@{label}", source.name) } else { message.id.clone() };
    // Before it is cut: half a secret is not known as one.
    let body = cut(redact(&message.text).into_owned(), LONGEST_BODY);
    Said { key, role, at: to_micros(at), body }
}

fn request<'a>(
    source: Source<'a>,
    is_side: bool,
    label: &str,
    mut record: UsageRecord,
    memory: &Memory,
) -> (Option<&'a Runner>, Counted) {
    let is_placed = record.key.is_empty();
    if is_placed {
        record.key = format!("{}:{}:{label}", source.agent.as_str(), source.session);
    }
    if record.at == DateTime::UNIX_EPOCH {
        record.at = memory.at.unwrap_or(source.now);
    }
    record.at = to_micros(record.at.min(source.now));
    if is_side && record.purpose == "main" {
        "subagent".clone_into(&mut record.purpose);
    }
    let list = source.prices.cost(&record.tokens, &record.model);
    let holder = holder(&source, record.at);
    (holder, Counted { record, session: source.session.to_owned(), list, is_placed })
}

/// Returns the runner that held the session at a time; nobody may have. Of several the last is taken that has
/// not gone on to another conversation; which of two that share one it was, telemetry may tell.
fn holder<'a>(source: &Source<'a>, at: DateTime<Utc>) -> Option<&'a Runner> {
    let held = |it: &&Holding| {
        let since = (it.since - SLACK).max(it.runner.created_at - TimeDelta::seconds(1));
        let ended = it.runner.terminated_at.filter(|_| !it.runner.status.is_live());
        since <= at && ended.is_none_or(|ended| at <= ended + SLACK)
    };
    let still = |it: &&Holding| it.runner.session_id.as_deref() == Some(source.session);
    let mut latest = source.holdings.iter().rev().filter(held);
    let last = latest.clone().next();
    latest.find(still).or(last).map(|it| &it.runner)
}

fn cut(mut text: String, longest: usize) -> String {
    text.truncate(text.floor_char_boundary(longest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{activity::Activity, runner::RunnerStatus, usage::Tokens};

    fn item(label: u32, entry: Entry) -> Item {
        Item { label: label.to_string(), is_side: false, entry }
    }

    fn message(id: &str, role: Role, text: &str) -> Entry {
        let (id, text) = (id.to_owned(), text.to_owned());
        Entry::Message(Message { id, role, text, at: None })
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn of(items: Vec<Item>) -> (Vec<Said>, SessionFacts, Vec<Counted>) {
        let prices = Table::default();
        let source = Source {
            agent: Agent::Codex,
            session: "s",
            name: "s.jsonl",
            is_side: false,
            holdings: &[],
            prices: &prices,
            now: at(100),
        };
        let digest = digest(source, items, &mut Memory::default());
        (digest.messages, digest.facts, digest.requests.into_iter().map(|(_, it)| it).collect())
    }

    #[test]
    fn secrets_are_not_kept_and_a_message_that_comes_again_is_one() {
        let (said, facts, _) = of(vec![
            item(0, Entry::Opened(Opened { at: Some(at(1)), ..Opened::default() })),
            item(1, message("", Role::User, "use AKIAIOSFODNN7EXAMPLE")),
            item(2, message("m", Role::Assistant, "half")),
            item(3, message("m", Role::Assistant, "half and whole")),
            item(4, Entry::Title("PASSWORD=hunter22 and more".to_owned())),
        ]);
        let bodies: Vec<_> = said.iter().map(|it| (&*it.key, &*it.body)).collect();
        let first = "use [redacted: api key]";
        assert_eq!(bodies, [("s.jsonl@1", first), ("m", "half and whole")]);
        assert_eq!(facts.prompt, first);
        assert_eq!(facts.summary, "PASSWORD=[redacted: secret] and more");
        assert_eq!((facts.last_message_at, said[1].at), (Some(at(1)), at(1)));
    }

    #[test]
    fn a_turn_that_was_cut_off_is_a_floor_and_what_has_no_key_gets_its_place() {
        let tokens = Tokens { input: 5, ..Tokens::default() };
        let record = UsageRecord { model: "m".to_owned(), tokens, ..UsageRecord::default() };
        let cut = |interrupted| Entry::TurnEnded { at: Some(at(5)), interrupted };
        let (.., requests) =
            of(vec![item(7, Entry::Usage(record)), item(8, cut(true)), item(9, cut(false))]);
        let keys: Vec<_> = requests.iter().map(|it| &*it.record.key).collect();
        assert_eq!(keys, ["codex:s:7", "codex:s:cut:8"]);
        let mark = &requests[1].record;
        assert_eq!((&*mark.model, &*mark.purpose), ("m", INTERRUPTED));
        assert_eq!((mark.quality, mark.tokens.total()), (Quality::Floor, 0));
        assert_eq!(requests[0].record.at, at(100), "none is used in time to come, or in 1970");
    }

    #[test]
    fn a_request_is_of_the_runner_that_held_the_conversation_and_was_there() {
        let prices = Table::default();
        let held = |since, session: &str, ended: Option<i64>| {
            let status = ended.map_or(RunnerStatus::Running, |_| RunnerStatus::Terminated);
            let runner = Runner {
                status,
                session_id: Some(session.to_owned()),
                terminated_at: ended.map(at),
                created_at: at(since),
                ..Runner::sample(Activity::default())
            };
            Holding { runner, since: at(since) }
        };
        let of = |holdings: &[Holding], second: i64| {
            let source = Source {
                agent: Agent::Codex,
                session: "s",
                name: "s.jsonl",
                is_side: false,
                holdings,
                prices: &prices,
                now: at(900),
            };
            let found = holder(&source, at(second)).map(|it| it.id);
            found.and_then(|id| holdings.iter().position(|it| it.runner.id == id))
        };
        // The first one was there before and after the second: it was resumed, and its rank is its first.
        let holdings = [held(0, "s", None), held(100, "s", Some(200))];
        let found: Vec<_> = [-50, 50, 150, 300].map(|second| of(&holdings, second)).into();
        assert_eq!(found, [None, Some(0), Some(1), Some(0)]);
        // The second one has gone on to another conversation.
        assert_eq!(of(&[held(0, "s", None), held(100, "t", None)], 150), Some(0));
        assert_eq!(of(&[held(0, "t", None), held(100, "t", None)], 150), Some(1));
        assert_eq!(of(&[held(0, "s", Some(20))], 150), None);
    }
}
