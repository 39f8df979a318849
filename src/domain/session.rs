//! A session: an agent's conversation, which can outlive runners and be resumed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::usage::{Cost, Quality};

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The agent's own id for it.
    pub id: String,
    /// The agent: `claude`, `codex`, …
    pub agent: String,
    /// The runner that holds it, or held it last.
    pub runner_id: String,
    /// Its project.
    pub project: String,
    /// The node on which its agent keeps it.
    pub node_id: String,
    /// The directory it belongs to.
    pub cwd: String,
    /// The model, as last told.
    pub model: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the last message came.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Prompts and answers so far.
    pub message_count: u64,
    /// Tokens so far, as budgets count them.
    pub tokens_used: u64,
    /// What they cost.
    pub cost: Cost,
    /// How good these figures are.
    pub quality: Quality,
    /// Whether the agent can go on with it.
    pub resumable: bool,
    /// How it began: `started`, `resumed`, `cleared`, `forked`, `imported`.
    pub origin: String,
    /// The conversation it came from.
    pub resumed_from: Option<String>,
    /// The first prompt, cut off.
    pub first_prompt: String,
    /// What it was about; may be empty.
    pub summary: String,
    /// The file in which the agent records it; empty when unknown.
    pub transcript: String,
}

/// What became known of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionNews {
    /// The agent's id for it.
    pub id: String,
    /// It began, or went on after an end, this way (see [`Session::origin`]).
    pub origin: Option<&'static str>,
    /// The conversation it came from.
    pub parent: Option<String>,
    /// Its directory, or empty.
    pub cwd: String,
    /// Its model, or empty.
    pub model: String,
    /// Its file, or empty.
    pub transcript: String,
    /// A prompt, or empty; the first one is kept.
    pub prompt: String,
    /// Messages more.
    pub messages: u64,
    /// Whether it is over.
    pub has_ended: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is searched for in what was said; empty fields match all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchFilter {
    /// Words or phrases, all of which a message has.
    pub words: Vec<String>,
    /// A project's name.
    pub project: String,
    /// An agent.
    pub agent: String,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// So many at most.
    pub limit: u32,
}

impl SearchFilter {
    /// Returns the words and the phrases in quotes of what was typed.
    pub fn words(typed: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (index, part) in typed.split('"').enumerate() {
            if index % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words.retain(|word| word.chars().any(char::is_alphanumeric));
        words
    }
}

/// What begins and ends what was found, in a [`Hit::snippet`].
pub const FOUND: (char, char) = ('\u{2}', '\u{3}');

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Its session.
    pub session: String,
    /// The session's project.
    pub project: String,
    /// The session's agent.
    pub agent: String,
    /// What the session was about; may be empty.
    pub summary: String,
    /// The session's first prompt.
    pub first_prompt: String,
    /// Who said it: user, assistant, subagent.
    pub role: String,
    /// When.
    pub at: DateTime<Utc>,
    /// A part of it, with what was found between [`FOUND`].
    pub snippet: String,
}

/// Something that was said in a conversation, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Utterance {
    /// Who: user or assistant.
    pub role: String,
    /// When, where that is known.
    pub at: Option<DateTime<Utc>>,
    /// What.
    pub text: String,
}

/// A conversation on the disk that may be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// The agent.
    pub agent: String,
    /// Its id of it.
    pub id: String,
    /// Its file, or its place in a database.
    pub path: String,
    /// Its directory; empty when unknown.
    pub cwd: String,
    /// Its size in bytes; 0 when unknown.
    pub size: u64,
    /// When it was written to last.
    pub at: Option<DateTime<Utc>>,
    /// Its first prompt or its title, cut off, without secrets.
    pub about: String,
    /// The project whose directory it belongs to; empty when there is none.
    pub project: String,
    /// Whether it is recorded already.
    pub is_known: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_told_apart_and_what_has_no_letter_is_no_word() {
        let words = SearchFilter::words("fix \"the parser\" - OR* naïve");
        assert_eq!(words, ["fix", "the parser", "OR*", "naïve"]);
        assert!(SearchFilter::words(" \" ! \" ").is_empty());
    }
}
