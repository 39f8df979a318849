//! Gemini CLI's chats: `tmp/<project>/chats/session-<time>-<first of the id>.jsonl`.
//!
//! A message comes again under its id when its tools are done; a conversation that is resumed goes on
//! in its first file and may open another. The directory is not in the file but in the name of the
//! folder (`projects.json`). Routing is not in it. What `$rewindTo` takes back was billed all the same.
//! A response that is broken off leaves no figures: a note, or the next prompt behind an unanswered one,
//! tells of it.

use std::{borrow::Cow, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    agents::{
        json::{List, Object, Scalar},
        tokens,
        transcript::{Content, Entry, Message, Opened, Recent, Role, record},
    },
    domain::agent::Agent,
};

/// Messages of one change that are read.
const MOST_MESSAGES: usize = 100_000;

/// What stands in a conversation that a person breaks off.
const CANCELLED: &str = "Request cancelled.";

/// What a line needs of those before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The conversation.
    conversation: String,
    /// Whether it is a subagent's.
    subagent: bool,
    /// Messages that were read, by id.
    said: Recent,
    /// Responses, by id.
    used: Recent,
    /// When the model was asked for what it has not answered.
    #[serde(default)]
    asked: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    session_id: Scalar<'a>,
    #[serde(borrow)]
    start_time: Scalar<'a>,
    #[serde(borrow)]
    kind: Scalar<'a>,
    #[serde(borrow, rename = "$set")]
    set: Object<Set<'a>>,
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    r#type: Scalar<'a>,
    content: Content,
    #[serde(borrow)]
    tokens: Option<Object<Tokens<'a>>>,
    #[serde(borrow)]
    model: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Set<'a> {
    #[serde(borrow)]
    session_id: Scalar<'a>,
    #[serde(borrow)]
    summary: Scalar<'a>,
    #[serde(borrow)]
    messages: List<Object<Said<'a>>, MOST_MESSAGES>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    r#type: Scalar<'a>,
    content: Content,
    #[serde(borrow)]
    tokens: Option<Object<Tokens<'a>>>,
    #[serde(borrow)]
    model: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tokens<'a> {
    #[serde(borrow)]
    input: Scalar<'a>,
    #[serde(borrow)]
    output: Scalar<'a>,
    #[serde(borrow)]
    cached: Scalar<'a>,
    #[serde(borrow)]
    thoughts: Scalar<'a>,
    #[serde(borrow)]
    tool: Scalar<'a>,
    #[serde(borrow)]
    total: Scalar<'a>,
}

/// The file beside the chats that says which directory a folder below `tmp` belongs to.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Projects<'a> {
    #[serde(borrow)]
    projects: Object<BTreeMap<Cow<'a, str>, Scalar<'a>>>,
}

/// Returns the directory whose chats lie in the folder `tmp/<folder>`, as `projects.json` has it; `None`
/// when it does not.
pub fn directory(projects_json: &str, folder: &str) -> Option<String> {
    let file: Projects<'_> = serde_json::from_str(projects_json).ok()?;
    let projects = file.projects.0.into_iter();
    projects.filter(|(_, it)| it.text() == Some(folder)).map(|(path, _)| path.into_owned()).next()
}

impl State {
    /// When the model was asked for what it has not answered, as far as the file says.
    pub(in crate::agents) fn unanswered(&self) -> Option<DateTime<Utc>> {
        self.asked
    }

    /// Reads a line.
    pub(in crate::agents) fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let Object(set) = line.set;
        if line.kind.str() == "subagent" {
            self.subagent = true;
        }
        for id in [line.session_id.str(), set.session_id.str()] {
            if !id.is_empty() && id != self.conversation {
                id.clone_into(&mut self.conversation);
                let conversation = id.to_owned();
                let at = line.start_time.at();
                found(Entry::Opened(Opened { conversation, at, ..Opened::default() }));
            }
        }
        if !set.summary.str().is_empty() {
            found(Entry::Summary(set.summary.owned()));
        }
        for Object(said) in set.messages.0 {
            self.said(said, false, found);
        }
        let Line { id, timestamp, r#type, content, tokens, model, .. } = line;
        self.said(Said { id, timestamp, r#type, content, tokens, model }, true, found);
    }

    /// Reads a message; one that does not stand in a line of its own is a copy, and tells of no turn.
    fn said(&mut self, said: Said<'_>, is_line: bool, found: &mut dyn FnMut(Entry)) {
        let (id, at) = (said.id.str(), said.timestamp.at());
        let role = match said.r#type.str() {
            "user" => Role::User,
            "gemini" => Role::Assistant,
            "info" if is_line && said.content.text == CANCELLED => {
                self.cut(found);
                return;
            }
            // A request that failed is not billed.
            "error" if is_line => {
                self.asked = None;
                return;
            }
            _ => return,
        };
        let is_result = said.content.tools;
        let text = said.content.text;
        let context = text.starts_with("<session_context>");
        let is_new = !text.is_empty() && !context && (id.is_empty() || self.said.is_new(id));
        if is_line && role == Role::User && (is_new || is_result) {
            if !is_result {
                self.cut(found);
            }
            self.asked = at;
        }
        if is_new {
            found(Entry::Message(Message { id: id.to_owned(), role, text, at }));
        }
        let Some(Object(used)) = said.tokens else { return };
        let reported = tokens::Gemini {
            input: used.input.tokens(),
            cached: used.cached.tokens(),
            output: used.output.tokens(),
            thoughts: used.thoughts.tokens(),
            tool: used.tool.tokens(),
            total: used.total.tokens(),
        };
        let tokens = reported.tokens(false);
        if tokens.total() == 0 || id.is_empty() {
            return;
        }
        self.asked = None;
        let Some(tokens) = self.used.grown(id, tokens) else { return };
        let mut record = record(Agent::Gemini, id, tokens);
        record.conversation.clone_from(&self.conversation);
        record.model = said.model.owned();
        record.at = at.unwrap_or_default();
        if self.subagent {
            "subagent".clone_into(&mut record.purpose);
        }
        found(Entry::Usage(record));
    }

    /// Tells of a response that was broken off, if one was awaited.
    fn cut(&mut self, found: &mut dyn FnMut(Entry)) {
        if let Some(at) = self.asked.take() {
            found(Entry::TurnEnded { at: Some(at), interrupted: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::transcript::tests::{entries, said, used};

    const SAMPLE: &str = include_str!("../../../tests/fixtures/agents/gemini-0.61-chat.jsonl");

    #[test]
    fn a_message_that_comes_again_counts_once() {
        let entries = entries(Agent::Gemini, SAMPLE);
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.conversation, "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
        assert_eq!(
            said(&entries),
            [
                (Role::User, "@mock sh echo hi-from-gemini"),
                (Role::Assistant, "Running it (round 1 of 1).")
            ]
        );
        let [record] = &*used(&entries) else { panic!("one response") };
        assert_eq!(record.key, "gemini:4b38dfb0-109c-49d2-8250-7a748a09866a");
        assert_eq!((record.tokens.input, record.tokens.cache_read), (6012 - 5006, 5006));
        assert_eq!((record.tokens.output, record.tokens.reasoning), (106 + 16, 16));
        assert_eq!(record.conversation, opened.conversation);
    }

    #[test]
    fn a_folder_is_a_directorys() {
        let projects = r#"{"projects":{"/home/a/b":"b","/home/c":7}}"#;
        assert_eq!(directory(projects, "b").as_deref(), Some("/home/a/b"));
        assert_eq!(directory(projects, "c"), None);
        assert_eq!(directory("", "b"), None);
    }

    #[test]
    fn what_is_broken_off_is_told_once_and_what_was_answered_is_not() {
        let line = |id: &str, kind: &str, content: &str, rest: &str| {
            format!(
                r#"{{"id":"{id}","timestamp":"2026-12-02T01:38:38.638Z","type":"{kind}","content":{content}{rest}}}"#
            )
        };
        let asked = |id: &str| line(id, "user", r#"[{"text":"do it"}]"#, "");
        let answered = |id: &str| {
            line(id, "gemini", r#""yes""#, r#","tokens":{"input":5,"output":2,"total":7}"#)
        };
        let noted = line("n", "info", r#""Request cancelled.""#, "");
        let cuts = |lines: &[&String]| {
            let text: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
            let entries = entries(Agent::Gemini, &text.join("\n"));
            let is_cut = |it: &&Entry| matches!(it, Entry::TurnEnded { interrupted: true, .. });
            entries.iter().filter(is_cut).count()
        };
        let (one, two) = (asked("u1"), asked("u2"));
        let (first, second) = (answered("g1"), answered("g2"));
        assert_eq!(cuts(&[&one, &first, &two, &second]), 0);
        assert_eq!(cuts(&[&one, &noted, &two, &second]), 1);
        assert_eq!(cuts(&[&one, &two, &second]), 1, "no note is left");
        assert_eq!(cuts(&[&one, &first, &noted]), 0, "nothing was asked");
        let failed = line("e", "error", r#""API error""#, "");
        assert_eq!(cuts(&[&one, &failed, &two]), 0, "what fails is not billed");
        let result = line("r", "user", r#"[{"functionResponse":{"name":"x"}}]"#, "");
        assert_eq!(cuts(&[&one, &first, &result, &noted]), 1);
    }

    #[test]
    fn what_is_set_is_read_too() {
        let entries = entries(Agent::Gemini, SAMPLE);
        assert!(entries.contains(&Entry::Summary("Mock title".to_owned())));
        let opened = entries.iter().filter(|it| matches!(it, Entry::Opened(_))).count();
        assert_eq!(opened, 2);
    }
}
