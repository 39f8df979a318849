//! Qwen Code's chats: `projects/<slug>/chats/<conversation>.jsonl`.
//!
//! A response is a `ui_telemetry` line, which names it as the telemetry does, and the message's line,
//! which repeats its tokens: those of messages count only in files that have no telemetry. One that is
//! broken off has neither: a part of its text without figures, or the next prompt, tells of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    agents::{
        json::{Object, Scalar},
        tokens,
        transcript::{Content, Entry, Message, Opened, Recent, Role, record},
    },
    domain::agent::Agent,
};

/// What a line needs of those before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The conversation.
    conversation: String,
    /// Whether responses come as telemetry.
    telemetry: bool,
    /// Responses, by id.
    recent: Recent,
    /// Whether a response has come since the model was asked last.
    #[serde(default)]
    answered: bool,
    /// When the model was given the prompt, or the results, behind which nothing has come: it was broken off, or
    /// halted for going round in circles (0.24), and what was billed is not written down.
    #[serde(default)]
    asked: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    uuid: Scalar<'a>,
    #[serde(borrow)]
    session_id: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    subtype: Scalar<'a>,
    #[serde(borrow)]
    cwd: Scalar<'a>,
    #[serde(borrow)]
    model: Scalar<'a>,
    message: Object<Parts>,
    #[serde(borrow)]
    usage_metadata: Option<Object<Usage<'a>>>,
    #[serde(borrow)]
    system_payload: Object<System<'a>>,
    #[serde(borrow)]
    tool_call_result: Object<Outcome<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outcome<'a> {
    #[serde(borrow)]
    status: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parts {
    parts: Content,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are the agent's")]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_token_count: Scalar<'a>,
    #[serde(borrow)]
    candidates_token_count: Scalar<'a>,
    #[serde(borrow)]
    thoughts_token_count: Scalar<'a>,
    #[serde(borrow)]
    cached_content_token_count: Scalar<'a>,
    #[serde(borrow)]
    total_token_count: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct System<'a> {
    #[serde(borrow)]
    ui_event: Object<Event<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow, rename = "event.name")]
    name: Scalar<'a>,
    #[serde(borrow)]
    response_id: Scalar<'a>,
    #[serde(borrow)]
    model: Scalar<'a>,
    #[serde(borrow)]
    input_token_count: Scalar<'a>,
    #[serde(borrow)]
    output_token_count: Scalar<'a>,
    #[serde(borrow)]
    cached_content_token_count: Scalar<'a>,
    #[serde(borrow)]
    thoughts_token_count: Scalar<'a>,
    #[serde(borrow)]
    total_token_count: Scalar<'a>,
    #[serde(borrow)]
    subagent_name: Scalar<'a>,
}

impl State {
    /// When the model was asked for what it has not answered, as far as the file says.
    pub(in crate::agents) fn unanswered(&self) -> Option<DateTime<Utc>> {
        self.asked
    }

    /// Reads a line.
    pub(in crate::agents) fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let at = line.timestamp.at();
        let session = line.session_id.str();
        if !session.is_empty() && session != self.conversation {
            session.clone_into(&mut self.conversation);
            found(Entry::Opened(Opened {
                conversation: session.to_owned(),
                cwd: line.cwd.owned(),
                model: line.model.owned(),
                at,
                ..Opened::default()
            }));
        }
        self.usage(&line, found);
        let is_prompt = line.r#type.str() == "user" && line.subtype.str().is_empty();
        self.note_answer(&line, is_prompt, at);
        let Object(Parts { parts }) = line.message;
        let role = match line.r#type.str() {
            "user" if !parts.tools => Role::User,
            "assistant" => Role::Assistant,
            _ => return,
        };
        if role == Role::User && !parts.text.is_empty() {
            if is_prompt {
                if let Some(before) = self.asked.take() {
                    found(Entry::TurnEnded { at: Some(before), interrupted: true });
                }
                self.asked = at;
            }
            found(Entry::TurnStarted { at });
        }
        if role == Role::Assistant {
            self.asked = None;
        }
        let ended = role == Role::Assistant && !parts.tools;
        if !parts.text.is_empty() {
            let id = line.uuid.owned();
            found(Entry::Message(Message { id, role, text: parts.text, at }));
        }
        if ended {
            found(Entry::TurnEnded { at, interrupted: !self.answered });
        }
    }

    /// Takes note of whether the model has answered what it was asked last.
    fn note_answer(&mut self, line: &Line<'_>, is_prompt: bool, at: Option<DateTime<Utc>>) {
        let event = line.system_payload.0.ui_event.0.name.str();
        if matches!(event, "qwen-code.api_response" | "qwen-code.api_error") {
            // A request that failed is not billed.
            (self.answered, self.asked) = (true, None);
        } else if line.usage_metadata.is_some() {
            self.answered = true;
        } else if is_prompt {
            self.answered = false;
        } else if line.r#type.str() == "tool_result" {
            self.answered = false;
            // Behind a call that was taken back or refused the turn may be over.
            self.asked = at.filter(|_| line.tool_call_result.0.status.str() == "success");
        }
    }

    fn usage(&mut self, line: &Line<'_>, found: &mut dyn FnMut(Entry)) {
        let event = &line.system_payload.0.ui_event.0;
        let telemetry = line.subtype.str() == "ui_telemetry"
            && event.name.str() == "qwen-code.api_response"
            && !event.response_id.str().is_empty();
        self.telemetry |= telemetry;
        let (id, model, reported) = if telemetry {
            let reported = tokens::Gemini {
                input: event.input_token_count.tokens(),
                cached: event.cached_content_token_count.tokens(),
                output: event.output_token_count.tokens(),
                thoughts: event.thoughts_token_count.tokens(),
                tool: 0,
                total: event.total_token_count.tokens(),
            };
            (event.response_id.str(), &event.model, reported)
        } else {
            let Some(Object(used)) = line.usage_metadata.as_ref().filter(|_| !self.telemetry)
            else {
                return;
            };
            let reported = tokens::Gemini {
                input: used.prompt_token_count.tokens(),
                cached: used.cached_content_token_count.tokens(),
                output: used.candidates_token_count.tokens(),
                thoughts: used.thoughts_token_count.tokens(),
                tool: 0,
                total: used.total_token_count.tokens(),
            };
            (line.uuid.str(), &line.model, reported)
        };
        let tokens = reported.tokens(true);
        if tokens.total() == 0 || id.is_empty() {
            return;
        }
        let Some(tokens) = self.recent.grown(id, tokens) else { return };
        let mut record = record(Agent::Qwen, id, tokens);
        record.conversation.clone_from(&self.conversation);
        record.model = model.owned();
        record.at = line.timestamp.at().unwrap_or_default();
        if !event.subagent_name.str().is_empty() {
            "subagent".clone_into(&mut record.purpose);
        }
        found(Entry::Usage(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::transcript::tests::{entries, said, used};

    const SAMPLE: &str = include_str!("../../../tests/fixtures/agents/qwen-0.24-chat.jsonl");

    #[test]
    fn a_response_has_the_key_that_telemetry_gives_it_and_counts_once() {
        let entries = entries(Agent::Qwen, SAMPLE);
        let keys: Vec<_> = used(&entries).iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["qwen:chatcmpl-mock000008", "qwen:chatcmpl-mock000009"]);
        let tokens = used(&entries)[0].tokens;
        assert_eq!((tokens.input, tokens.cache_read), (1008, 5008));
        assert_eq!((tokens.output, tokens.reasoning), (108, 18));
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.cwd, "/tmp/rd/work-qwen");
        assert_eq!(said(&entries)[0], (Role::User, "@mock sh echo hi"));
        assert_eq!(said(&entries).len(), 3);
    }

    #[test]
    fn what_is_broken_off_is_told_with_and_without_a_part_of_its_text() {
        let line = |kind: &str, text: &str, rest: &str| {
            format!(
                r#"{{"uuid":"{text}","sessionId":"s","timestamp":"2026-12-02T01:26:13.806Z","type":"{kind}","message":{{"parts":[{{"text":"{text}"}}]}}{rest}}}"#
            )
        };
        let figures = r#","usageMetadata":{"promptTokenCount":6,"candidatesTokenCount":2,"totalTokenCount":8}"#;
        let (one, two) = (line("user", "one", ""), line("user", "two", ""));
        let (whole, part) = (line("assistant", "whole", figures), line("assistant", "part", ""));
        let failed = r#"{"type":"system","subtype":"ui_telemetry","systemPayload":{"uiEvent":{"event.name":"qwen-code.api_error"}}}"#;
        let ends = |lines: &[&str]| {
            let entries = entries(Agent::Qwen, &lines.join("\n"));
            let end = |it: &Entry| match it {
                Entry::TurnEnded { interrupted, .. } => Some(*interrupted),
                _ => None,
            };
            entries.iter().filter_map(end).collect::<Vec<_>>()
        };
        assert_eq!(ends(&[&one, &whole, &two, &whole]), [false, false]);
        assert_eq!(ends(&[&one, &part, &two, &whole]), [true, false]);
        assert_eq!(ends(&[&one, &two, &whole]), [true, false], "nothing of it is written down");
        assert_eq!(ends(&[&one, failed, &two, &whole]), [false], "what fails is not billed");
        assert_eq!(ends(&[SAMPLE]), [false], "a turn with a tool has one end");
        let result = |status: &str| {
            line("tool_result", "", &format!(r#","toolCallResult":{{"status":"{status}"}}"#))
        };
        let call = r#"{"type":"assistant","message":{"parts":[{"functionCall":{"name":"x"}}]}}"#;
        assert_eq!(ends(&[&one, call, &result("success"), &two, &whole]), [true, false]);
        for status in ["cancelled", "error"] {
            assert_eq!(ends(&[&one, call, &result(status), &two, &whole]), [false], "{status}");
        }
    }

    #[test]
    fn without_telemetry_the_messages_count() {
        let text = SAMPLE.lines().filter(|it| !it.contains("ui_telemetry"));
        let entries = entries(Agent::Qwen, &text.collect::<Vec<_>>().join("\n"));
        let output: Vec<_> = used(&entries).iter().map(|it| it.tokens.output).collect();
        assert_eq!(output, [108, 109]);
    }
}
