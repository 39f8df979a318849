//! aider's two files: what was said, as Markdown, and what was used, with `--analytics-log`.
//!
//! `.aider.chat.history.md` lies in the project, one for all conversations there, without ids; a line
//! of it is a user's (`####`), the program's (`>`) or the model's. The log has a line for each answer,
//! without an id: the place at which it was read is its key. Its counts are exact only of an aider that
//! was started with `--no-stream`, which neither file says; so they are estimated here.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    agents::{
        json::{Object, Scalar},
        transcript::{Entry, LONGEST_TEXT, Message, Opened, Role},
    },
    domain::usage::{Cost, Quality, Tokens, UsageRecord, UsageSource},
};

/// What begins a conversation.
const STARTED: &str = "# aider chat started at ";

/// What a line needs of those before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Whose the text is that is being read.
    by_user: bool,
    /// The text so far.
    text: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    event: Scalar<'a>,
    #[serde(borrow)]
    properties: Object<Properties<'a>>,
    #[serde(borrow)]
    time: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Properties<'a> {
    #[serde(borrow)]
    main_model: Scalar<'a>,
    #[serde(borrow)]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow)]
    completion_tokens: Scalar<'a>,
    #[serde(borrow)]
    cost: Scalar<'a>,
}

impl State {
    /// Reads a line of either file.
    pub(in crate::agents) fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        if line.starts_with(b"{\"event\":") {
            return used(line, found);
        }
        let line = String::from_utf8_lossy(line);
        if let Some(at) = line.strip_prefix(STARTED) {
            self.end(found);
            found(Entry::Opened(Opened { at: local(at), ..Opened::default() }));
        } else if let Some(text) = line.strip_prefix("####") {
            if !self.by_user {
                self.end(found);
                self.by_user = true;
            }
            self.push(text);
        } else if line.starts_with("> ") || line.as_ref() == ">" {
            self.end(found);
        } else if self.by_user {
            // A user's text ends with its first line that is not marked.
            if !self.text.is_empty() {
                self.end(found);
            }
            self.push(&line);
        } else {
            self.push(&line);
        }
    }

    /// Hands on the text that was being read.
    pub(in crate::agents) fn end(&mut self, found: &mut dyn FnMut(Entry)) {
        let text = std::mem::take(&mut self.text);
        let by_user = std::mem::take(&mut self.by_user);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let role = if by_user { Role::User } else { Role::Assistant };
        if by_user {
            found(Entry::TurnStarted { at: None });
        }
        let text = text.to_owned();
        found(Entry::Message(Message { id: String::new(), role, text, at: None }));
        if !by_user {
            found(Entry::TurnEnded { at: None, interrupted: false });
        }
    }

    fn push(&mut self, line: &str) {
        let line = line.trim_end();
        let line = if self.by_user { line.trim_start() } else { line };
        let room = LONGEST_TEXT.saturating_sub(self.text.len() + 1);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&line[..line.floor_char_boundary(room)]);
    }
}

/// The time without a zone that aider writes, taken for UTC.
fn local(text: &str) -> Option<DateTime<Utc>> {
    let at = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S").ok()?;
    Some(at.and_utc())
}

/// Reads a line of the log.
fn used(line: &[u8], found: &mut dyn FnMut(Entry)) {
    let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
    let Object(it) = line.properties;
    let tokens = Tokens {
        input: it.prompt_tokens.tokens(),
        output: it.completion_tokens.tokens(),
        ..Tokens::default()
    };
    if line.event.str() != "message_send" || tokens.total() == 0 {
        return;
    }
    let seconds = line.time.nanos().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    found(Entry::Usage(UsageRecord {
        model: it.main_model.owned(),
        purpose: "main".to_owned(),
        at: seconds.unwrap_or_default(),
        tokens,
        cost: it.cost.number().filter(|cost| *cost > 0.0).and_then(Cost::from_dollars),
        source: UsageSource::Transcript,
        quality: Quality::Estimated,
        ..UsageRecord::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agents::transcript::tests::{entries, said, used},
        domain::agent::Agent,
    };

    const LOG: &str = include_str!("../../../tests/fixtures/agents/aider-0.86-analytics.jsonl");
    const HISTORY: &str = include_str!("../../../tests/fixtures/agents/aider-0.86-history.md");

    #[test]
    fn the_log_says_what_was_used() {
        let entries = entries(Agent::Aider, LOG);
        let [record] = &*used(&entries) else { panic!("one answer") };
        assert_eq!((record.tokens.input, record.tokens.output), (6006, 103));
        assert_eq!((&*record.key, record.quality), ("", Quality::Estimated));
        assert_eq!(record.at.timestamp(), 1_795_199_254);
    }

    #[test]
    fn the_history_says_what_was_said() {
        let entries = entries(Agent::Aider, HISTORY);
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.at.unwrap().to_rfc3339(), "2026-11-20T18:27:31+00:00");
        assert_eq!(said(&entries), [(Role::User, "@mock say hello"), (Role::Assistant, "hello")]);
    }

    #[test]
    fn lines_of_one_text_stay_together() {
        let text = "#### one\n#### two\n\nfirst\n\n```\n# code\n```\n> Tokens: 1\n#### three\nlast";
        let said = entries(Agent::Aider, text);
        assert_eq!(
            super::super::super::transcript::tests::said(&said),
            [
                (Role::User, "one\ntwo"),
                (Role::Assistant, "first\n\n```\n# code\n```"),
                (Role::User, "three"),
                (Role::Assistant, "last")
            ]
        );
    }
}
