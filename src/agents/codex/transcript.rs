//! Codex's rollouts: `sessions/YYYY/MM/DD/rollout-<time>-<conversation>.jsonl`.
//!
//! Each response has a `token_usage_record` with its id. Older versions wrote `token_count` alone, with
//! the running total, again and again and also without a new response: what counts is by how much the
//! total grew, and the total itself is the key. A fork or a subagent begins with a replay of its
//! parent's lines, all within the first second: their totals are where it starts from. A turn that was
//! stopped is not in it; the title's conversation has no file.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    agents::{
        json::{Object, Scalar},
        tokens,
        transcript::{Content, Entry, Message, Opened, Recent, Role, record},
    },
    domain::agent::Agent,
};

/// How much of a line is looked at to tell whether it is worth reading.
const PEEKED: usize = 200;

/// The lines that are read, by their type and the type of what they carry.
const READ: [(&str, &str); 12] = [
    ("session_meta", ""),
    ("turn_context", ""),
    ("token_usage_record", ""),
    ("event_msg", "token_count"),
    ("event_msg", "user_message"),
    ("event_msg", "agent_message"),
    ("event_msg", "item_completed"),
    ("event_msg", "task_started"),
    ("event_msg", "task_complete"),
    ("event_msg", "turn_aborted"),
    ("event_msg", "thread_name_updated"),
    ("event_msg", "turn_complete"),
];

/// How long after its first line the replay at the beginning of a fork lasts.
const REPLAY: Duration = Duration::seconds(1);

/// What a line needs of those before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The file's conversation: that of its first line.
    conversation: String,
    /// Its model, as the last turn has it.
    model: String,
    /// Whether it is a subagent's.
    subagent: bool,
    /// Until when lines are a replay of the parent's.
    replay_until: Option<DateTime<Utc>>,
    /// Whether this file has records of single responses.
    records: bool,
    /// The largest running total, in Codex's own counts.
    total: Total,
    /// Responses, by id.
    recent: Recent,
    /// The last text with how it was written: some versions write each twice.
    last: Option<(bool, String)>,
    /// Whether the agent is at work.
    working: bool,
}

/// A running total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    /// Input, the cached part included.
    input: u64,
    /// The cached part.
    cached: u64,
    /// What was written to the cache, part of the input too.
    written: u64,
    /// Output, reasoning included.
    output: u64,
    /// Reasoning.
    reasoning: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    payload: Object<Payload<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Payload<'a> {
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    cwd: Scalar<'a>,
    #[serde(borrow)]
    model: Scalar<'a>,
    #[serde(borrow)]
    forked_from_id: Scalar<'a>,
    #[serde(borrow)]
    parent_thread_id: Scalar<'a>,
    #[serde(borrow)]
    source: Object<Source<'a>>,
    #[serde(borrow)]
    thread_id: Scalar<'a>,
    #[serde(borrow)]
    response_id: Scalar<'a>,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
    #[serde(borrow)]
    info: Object<Info<'a>>,
    #[serde(borrow)]
    item: Object<Item<'a>>,
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    thread_name: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source<'a> {
    #[serde(borrow)]
    subagent: Option<Object<Subagent<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subagent<'a> {
    #[serde(borrow)]
    thread_spawn: Object<Spawn<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spawn<'a> {
    #[serde(borrow)]
    parent_thread_id: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info<'a> {
    #[serde(borrow)]
    total_token_usage: Object<Usage<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the agent's")]
struct Usage<'a> {
    #[serde(borrow)]
    input_tokens: Scalar<'a>,
    #[serde(borrow)]
    cached_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_write_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    output_tokens: Scalar<'a>,
    #[serde(borrow)]
    reasoning_output_tokens: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    content: Content,
}

impl Usage<'_> {
    fn total(&self) -> Total {
        Total {
            input: self.input_tokens.tokens(),
            cached: self.cached_input_tokens.tokens(),
            written: self.cache_write_input_tokens.tokens(),
            output: self.output_tokens.tokens(),
            reasoning: self.reasoning_output_tokens.tokens(),
        }
    }
}

impl Total {
    /// Everything.
    fn sum(self) -> u64 {
        self.input + self.output
    }

    /// How much more this is than what was before.
    fn since(self, before: Self) -> Self {
        Self {
            input: self.input.saturating_sub(before.input),
            cached: self.cached.saturating_sub(before.cached),
            written: self.written.saturating_sub(before.written),
            output: self.output.saturating_sub(before.output),
            reasoning: self.reasoning.saturating_sub(before.reasoning),
        }
    }
}

impl State {
    /// Reads a line.
    pub(in crate::agents) fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        if !is_worth_reading(line) {
            return;
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let at = line.timestamp.at();
        let Object(payload) = line.payload;
        match (line.r#type.str(), payload.r#type.str()) {
            ("session_meta", _) => self.opened(&payload, at, found),
            ("turn_context", _) => payload.model.str().clone_into(&mut self.model),
            ("token_usage_record", _) => self.response(&payload, at, found),
            ("event_msg", "token_count") => self.count(&payload, at, found),
            ("event_msg", "user_message") => {
                self.said(Role::User, "", payload.message.owned(), at, found);
            }
            ("event_msg", "agent_message") => {
                self.said(Role::Assistant, "", payload.message.owned(), at, found);
            }
            ("event_msg", "item_completed") => self.item(payload.item.0, at, found),
            ("event_msg", "task_started") => {
                self.working = true;
                found(Entry::TurnStarted { at });
            }
            ("event_msg", "task_complete" | "turn_complete") => self.ended(at, false, found),
            ("event_msg", "turn_aborted") => self.ended(at, true, found),
            ("event_msg", "thread_name_updated") if !payload.thread_name.str().is_empty() => {
                found(Entry::Title(payload.thread_name.owned()));
            }
            _ => {}
        }
    }

    fn opened(
        &mut self,
        payload: &Payload<'_>,
        at: Option<DateTime<Utc>>,
        found: &mut dyn FnMut(Entry),
    ) {
        // A second one is the parent's, replayed.
        if !self.conversation.is_empty() || payload.id.str().is_empty() {
            return;
        }
        payload.id.str().clone_into(&mut self.conversation);
        let own = |id: &Scalar<'_>| id.text().filter(|id| !id.is_empty()).map(str::to_owned);
        let spawn = payload.source.0.subagent.as_ref();
        self.subagent = spawn.is_some();
        let parent = spawn
            .and_then(|it| own(&it.0.thread_spawn.0.parent_thread_id))
            .or_else(|| own(&payload.parent_thread_id));
        let forked_from = own(&payload.forked_from_id);
        if parent.is_some() || forked_from.is_some() {
            self.replay_until = at.map(|at| at + REPLAY);
        }
        found(Entry::Opened(Opened {
            conversation: self.conversation.clone(),
            cwd: payload.cwd.owned(),
            model: payload.model.owned(),
            at,
            parent,
            forked_from,
        }));
    }

    fn response(
        &mut self,
        payload: &Payload<'_>,
        at: Option<DateTime<Utc>>,
        found: &mut dyn FnMut(Entry),
    ) {
        self.records = true;
        let id = payload.response_id.str();
        if !id.is_empty() {
            let thread = payload.thread_id.text().unwrap_or(&self.conversation).to_owned();
            self.used(id, &thread, payload.usage.0.total(), at, found);
        }
    }

    fn count(
        &mut self,
        payload: &Payload<'_>,
        at: Option<DateTime<Utc>>,
        found: &mut dyn FnMut(Entry),
    ) {
        let total = payload.info.0.total_token_usage.0.total();
        if total.sum() <= self.total.sum() {
            return;
        }
        let grown = total.since(std::mem::replace(&mut self.total, total));
        if self.records || self.is_replay(at) {
            return;
        }
        let thread = self.conversation.clone();
        self.used(&format!("{thread}:{}", total.sum()), &thread, grown, at, found);
    }

    fn used(
        &mut self,
        id: &str,
        thread: &str,
        used: Total,
        at: Option<DateTime<Utc>>,
        found: &mut dyn FnMut(Entry),
    ) {
        let tokens =
            tokens::inclusive(used.input, used.cached, used.written, used.output, used.reasoning);
        if tokens.total() == 0 {
            return;
        }
        let Some(tokens) = self.recent.grown(id, tokens) else { return };
        let mut record = record(Agent::Codex, id, tokens);
        thread.clone_into(&mut record.conversation);
        record.model.clone_from(&self.model);
        record.at = at.unwrap_or_default();
        if self.subagent {
            "subagent".clone_into(&mut record.purpose);
        }
        found(Entry::Usage(record));
    }

    fn item(&mut self, item: Item<'_>, at: Option<DateTime<Utc>>, found: &mut dyn FnMut(Entry)) {
        let role = match item.r#type.str() {
            "UserMessage" => Role::User,
            "AgentMessage" => Role::Assistant,
            _ => return,
        };
        self.said(role, item.id.str(), item.content.text, at, found);
    }

    fn said(
        &mut self,
        role: Role,
        id: &str,
        text: String,
        at: Option<DateTime<Utc>>,
        found: &mut dyn FnMut(Entry),
    ) {
        let form = id.is_empty();
        let twice = self.last.as_ref().is_some_and(|(it, last)| *it != form && *last == text);
        if text.is_empty() || twice {
            return;
        }
        self.last = Some((form, text.clone()));
        found(Entry::Message(Message { id: id.to_owned(), role, text, at }));
    }

    fn ended(
        &mut self,
        at: Option<DateTime<Utc>>,
        interrupted: bool,
        found: &mut dyn FnMut(Entry),
    ) {
        if std::mem::take(&mut self.working) {
            found(Entry::TurnEnded { at, interrupted });
        }
    }

    /// Whether a line of this time is one of the parent's.
    fn is_replay(&self, at: Option<DateTime<Utc>>) -> bool {
        self.replay_until.zip(at).is_some_and(|(until, at)| at < until)
    }
}

/// Whether a line is of a type that is read, as far as its beginning tells; yes when it does not.
fn is_worth_reading(line: &[u8]) -> bool {
    let head = &line[..line.len().min(PEEKED)];
    let Some((kind, rest)) = value(head, b"\"type\":\"") else {
        return line.first() == Some(&b'{');
    };
    let carried = rest
        .strip_prefix(b",\"payload\":{\"type\":\"")
        .and_then(|rest| rest.split(|byte| *byte == b'"').next());
    READ.iter().any(|(it, of)| {
        it.as_bytes() == kind
            && (of.is_empty() || carried.is_none_or(|carried| carried == of.as_bytes()))
    })
}

/// The text after `name` up to its closing quote, and what follows.
fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = memchr::memmem::find(head, name)? + name.len();
    let end = start + memchr::memchr(b'"', &head[start..])?;
    Some((&head[start..end], &head[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::transcript::tests::{entries, said, used};

    const SAMPLE: &str = include_str!("../../../tests/fixtures/agents/codex-0.169-rollout.jsonl");

    fn count(second: u32, input: u64, output: u64) -> String {
        format!(
            r#"{{"timestamp":"2026-11-20T07:00:{second:02}.500Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{input},"cached_input_tokens":0,"output_tokens":{output},"total_tokens":1}}}}}}}}"#
        )
    }

    fn meta(rest: &str) -> String {
        format!(
            r#"{{"timestamp":"2026-11-20T07:00:00.000Z","type":"session_meta","payload":{{"id":"t1","cwd":"/p"{rest}}}}}"#
        )
    }

    #[test]
    fn a_whole_conversation_is_read() {
        let entries = entries(Agent::Codex, SAMPLE);
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.conversation, "01a1f7c0-fc0a-73a2-b64d-6e150158d147");
        assert_eq!(opened.cwd, "/home/x1");
        let [record] = &*used(&entries) else { panic!("one response: {entries:#?}") };
        assert_eq!(record.key, "codex:resp_mock000026");
        assert_eq!((record.tokens.input, record.tokens.cache_read), (6052 - 5026, 5026));
        assert_eq!((record.tokens.output, record.tokens.reasoning), (126, 36));
        assert_eq!((&*record.model, &*record.conversation), ("gpt-5.5", &*opened.conversation));
        assert_eq!(
            said(&entries),
            [
                (Role::User, "@mock sh echo hi-from-codex"),
                (Role::Assistant, "Running it (round 1 of 1).")
            ]
        );
        let ended = |entry: &&Entry| matches!(entry, Entry::TurnEnded { interrupted: false, .. });
        assert_eq!(entries.iter().filter(ended).count(), 1);
    }

    #[test]
    fn an_old_files_total_counts_by_its_growth() {
        let text =
            [meta(""), count(1, 100, 10), count(2, 100, 10), count(3, 250, 30), count(4, 250, 30)];
        let entries = entries(Agent::Codex, &text.join("\n"));
        let used: Vec<_> = used(&entries)
            .into_iter()
            .map(|it| (&*it.key, it.tokens.input, it.tokens.output))
            .collect();
        assert_eq!(used, [("codex:t1:110", 100, 10), ("codex:t1:280", 150, 20)]);
    }

    #[test]
    fn a_fork_starts_from_its_parents_total() {
        let text =
            [meta(r#","forked_from_id":"t0""#), count(0, 900, 90), count(5, 1000, 95)].join("\n");
        let entries = entries(Agent::Codex, &text);
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.forked_from.as_deref(), Some("t0"));
        let used: Vec<_> = used(&entries).iter().map(|it| it.tokens.total()).collect();
        assert_eq!(used, [105]);
    }

    #[test]
    fn a_forks_first_turn_starts_within_the_first_second() {
        let started = r#"{"timestamp":"2026-11-20T07:00:00.001Z","type":"event_msg","payload":{"type":"task_started"}}"#;
        let text = [meta(r#","forked_from_id":"t0""#), started.to_owned()].join("\n");
        assert!(matches!(entries(Agent::Codex, &text)[1], Entry::TurnStarted { .. }));
    }

    #[test]
    fn a_subagent_says_so() {
        let spawn = r#","source":{"subagent":{"thread_spawn":{"parent_thread_id":"t0"}}}"#;
        let entries = entries(Agent::Codex, &[meta(spawn), count(5, 10, 1)].join("\n"));
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.parent.as_deref(), Some("t0"));
        assert_eq!(used(&entries)[0].purpose, "subagent");
    }

    #[test]
    fn a_text_that_is_written_in_both_forms_is_said_once() {
        let item = r#"{"timestamp":"2026-11-20T07:00:01.000Z","type":"event_msg","payload":{"type":"item_completed","item":{"type":"UserMessage","id":"u1","content":[{"type":"text","text":"hi"}]}}}"#;
        let event = r#"{"timestamp":"2026-11-20T07:00:01.000Z","type":"event_msg","payload":{"type":"user_message","message":"hi"}}"#;
        let once = entries(Agent::Codex, &format!("{item}\n{event}"));
        assert_eq!(said(&once), [(Role::User, "hi")]);
        let twice = entries(Agent::Codex, &format!("{event}\n{event}"));
        assert_eq!(said(&twice).len(), 2);
    }

    #[test]
    fn what_is_not_read_is_not_looked_into() {
        for skipped in [
            r#"{"timestamp":"t","ordinal":1,"type":"world_state","payload":{"full""#,
            r#"{"timestamp":"t","ordinal":1,"type":"response_item","payload":{"type":"message""#,
            r#"{"timestamp":"t","ordinal":1,"type":"event_msg","payload":{"type":"exec_output""#,
            "",
        ] {
            assert!(!is_worth_reading(skipped.as_bytes()), "{skipped}");
        }
        let read = r#"{"timestamp":"t","ordinal":1,"type":"session_meta","payload":{"account"#;
        assert!(is_worth_reading(read.as_bytes()));
        assert!(is_worth_reading(br#"{"a":1}"#));
    }
}
