//! What Copilot is doing by its events: `session-state/<conversation>/events.jsonl`, read as it grows.
//!
//! Seen with 1.0.102: a prompt, an answer, a permission that is asked and given, a question, an
//! interruption and an error are each a line, written within milliseconds. A subagent's lines carry an
//! `agentId`: its turns are none of its agent's, what it asks is asked of the same person. Before the
//! first prompt of a process, and after `session.shutdown` (also by `/clear`), nothing is said: the
//! screen tells then.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    agents::{
        control::{MOST_ASKS, Told, cut, message},
        json::{List, Object, Scalar},
    },
    domain::{
        activity::{ActivityState, INTERRUPTED},
        hook::LONGEST_LINE,
    },
};

/// The tool with which it asks the person something; the question stands while the tool runs.
const QUESTION: &str = "ask_user";

/// What a file has said so far.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    /// What it is doing, apart from what it asks; `None` where the file does not say.
    doing: Option<Word>,
    /// What it asks, the oldest first, each with its id.
    asked: VecDeque<(String, Word)>,
    /// Whether the turn's last request was answered, and without asking for tools.
    is_answered: bool,
    /// The conversation has been let go of.
    is_over: bool,
}

/// What it is doing, and since when.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// What.
    pub told: Told,
    /// Since when.
    pub at: DateTime<Utc>,
}

impl Word {
    /// Whether a person is asked.
    pub fn asks(&self) -> bool {
        matches!(self.told, Told::Activity(ActivityState::Blocked, ..))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    agent_id: Scalar<'a>,
    #[serde(borrow)]
    data: Object<Data<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Data<'a> {
    #[serde(borrow)]
    request_id: Scalar<'a>,
    #[serde(borrow)]
    permission_request: Object<Request<'a>>,
    #[serde(borrow)]
    tool_call_id: Scalar<'a>,
    #[serde(borrow)]
    tool_name: Scalar<'a>,
    #[serde(borrow)]
    arguments: Object<Arguments<'a>>,
    #[serde(borrow)]
    message: Scalar<'a>,
    tool_requests: List<Object<Nothing>, 1>,
}

#[derive(Deserialize, Default)]
struct Nothing {}

/// What a permission is asked for; which of these fields there are depends on the kind.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow)]
    kind: Scalar<'a>,
    #[serde(borrow)]
    full_command_text: Scalar<'a>,
    #[serde(borrow)]
    file_name: Scalar<'a>,
    #[serde(borrow)]
    path: Scalar<'a>,
    #[serde(borrow)]
    url: Scalar<'a>,
    #[serde(borrow)]
    tool_name: Scalar<'a>,
    #[serde(borrow)]
    intention: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Arguments<'a> {
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    question: Scalar<'a>,
}

impl Follower {
    /// Reads a line.
    pub fn line(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let Some(at) = line.timestamp.at() else { return };
        let Object(data) = line.data;
        let word = |state, kind: Option<&str>, message| Word {
            told: Told::Activity(state, kind.map(str::to_owned), message),
            at,
        };
        match line.r#type.str() {
            "permission.requested" => {
                let text = data.permission_request.0.text();
                let asks = word(ActivityState::Blocked, Some("permission"), message(&text));
                self.ask(data.request_id.str(), asks);
            }
            "permission.completed" => self.settle(data.request_id.str(), at),
            "tool.execution_start" if data.tool_name.str() == QUESTION => {
                let Object(given) = data.arguments;
                let text = given.message.text().unwrap_or(given.question.str()).to_owned();
                let asks = word(ActivityState::Blocked, Some("question"), message(&text));
                self.ask(data.tool_call_id.str(), asks);
            }
            "tool.execution_complete" => self.settle(data.tool_call_id.str(), at),
            "session.start" | "session.resume" | "session.shutdown" => {
                let is_over = line.r#type.str() == "session.shutdown";
                *self = Self { is_over, ..Self::default() };
            }
            // The rest is the agent's own matter.
            _ if !line.agent_id.str().is_empty() => {}
            "user.message" => {
                self.is_answered = false;
                self.doing = Some(word(ActivityState::Working, None, None));
            }
            // A turn that is broken off, or fails, ends a round, too, but without an answer.
            "assistant.turn_start" => self.is_answered = false,
            "assistant.message" => self.is_answered = data.tool_requests.0.is_empty(),
            "assistant.turn_end" if self.is_answered => {
                self.rest(word(ActivityState::Done, None, None));
            }
            "abort" => self.rest(word(ActivityState::Idle, Some(INTERRUPTED), None)),
            "session.error" => {
                self.rest(word(ActivityState::Error, None, message(data.message.str())));
            }
            _ => {}
        }
    }

    /// Returns what it is doing; `None` where the file does not say.
    pub fn word(&self) -> Option<&Word> {
        self.asked.front().map(|(_, word)| word).or(self.doing.as_ref())
    }

    /// Whether the conversation has been let go of: what its process does next is in another file, or in
    /// this one after it was resumed.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn ask(&mut self, id: &str, word: Word) {
        if self.asked.len() < MOST_ASKS {
            self.asked.push_back((id.to_owned(), word));
        }
    }

    fn settle(&mut self, id: &str, at: DateTime<Utc>) {
        let count = self.asked.len();
        self.asked.retain(|(known, _)| known != id);
        let Some(doing) = self.doing.as_mut().filter(|_| self.asked.len() < count) else { return };
        // It goes on from there; after an interruption it does not.
        if matches!(doing.told, Told::Activity(ActivityState::Working, ..)) {
            doing.at = at;
        }
    }

    fn rest(&mut self, word: Word) {
        self.asked.clear();
        self.doing = Some(word);
    }
}

impl Request<'_> {
    /// What is asked for, in one line: `shell(git push)`.
    fn text(&self) -> String {
        let named = [
            &self.full_command_text,
            &self.file_name,
            &self.path,
            &self.url,
            &self.tool_name,
            &self.intention,
        ];
        let about = named.into_iter().map(Scalar::str).find(|text| !text.is_empty());
        let (kind, about) = (self.kind.str(), cut(about.unwrap_or_default(), LONGEST_LINE));
        if about.is_empty() { cut(kind, LONGEST_LINE) } else { format!("{kind}({about})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str =
        include_str!("../../../tests/fixtures/agents/copilot-1.0-interactive-events.jsonl");

    /// What is said after each line, where that changes.
    fn told(text: &str) -> Vec<String> {
        let mut follower = Follower::default();
        let mut all: Vec<String> = Vec::new();
        for line in text.lines() {
            follower.line(line.as_bytes());
            let now = match follower.word().map(|word| &word.told) {
                Some(Told::Activity(state, kind, message)) => {
                    let words = [kind.as_deref(), message.as_deref()].into_iter().flatten();
                    let words: Vec<_> = std::iter::once(state.as_str()).chain(words).collect();
                    words.join(" ")
                }
                _ => "nothing".to_owned(),
            };
            if all.last() != Some(&now) {
                all.push(now);
            }
        }
        all
    }

    #[test]
    fn a_session_is_followed_through_permissions_a_question_a_subagent_and_what_ends_turns() {
        assert_eq!(
            told(SAMPLE),
            [
                "nothing",
                // A turn; one with a permission that is given, and one that is broken off in it.
                "working",
                "done",
                "working",
                "blocked permission shell(touch a1)",
                "working",
                "done",
                "working",
                "blocked permission shell(touch a2)",
                "idle interrupted",
                // One that is broken off while it answers; one that fails.
                "working",
                "idle interrupted",
                "working",
                "error 400 mock error 400",
                // A subagent's turns end within its agent's.
                "working",
                "done",
                // A question that it refuses to ask for its form, and one that is asked.
                "working",
                "blocked question Which?",
                "working",
                "done",
                "working",
                "blocked question Which?",
                "working",
                "done",
                // A permission that is not given ends the turn.
                "working",
                "blocked permission shell(touch a3)",
                "working",
                "idle interrupted",
                // `/clear`.
                "nothing",
            ]
        );
    }

    #[test]
    fn what_a_file_does_not_say_is_not_guessed() {
        let mut follower = Follower::default();
        for line in ["", "{", "[]", r#"{"type":"abort"}"#, r#"{"type":7,"timestamp":"x"}"#] {
            follower.line(line.as_bytes());
            assert_eq!((follower.word(), follower.is_over()), (None, false), "{line}");
        }
        follower.line(br#"{"type":"session.shutdown","timestamp":"2026-12-01T10:42:47.568Z"}"#);
        assert!(follower.is_over());
    }
}
