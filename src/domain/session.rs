//! A session: an agent's conversation, which can outlive runners and be resumed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    agent::Agent,
    runner::{CUT_OFF, Runner, SUPERVISOR_LOST},
    usage::{Cost, Quality},
};

/// What ends with the machine ends within so long.
const TOGETHER: TimeDelta = TimeDelta::minutes(10);

/// A conversation as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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
    /// Requests that are not in what they cost: nobody knows their price.
    #[serde(default)]
    pub unpriced: u64,
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
    /// Its agent is none of those we know, and is told in the configuration how to go on with it.
    pub is_resumable: bool,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Utterance {
    /// Who: user or assistant.
    pub role: String,
    /// When, where that is known.
    pub at: Option<DateTime<Utc>>,
    /// What.
    pub text: String,
}

/// A conversation on the disk that may be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Conversation {
    /// The agent.
    pub agent: String,
    /// Its id of it.
    pub id: String,
    /// Its file, of several the first, or its place in a database.
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

/// With which conversation a project goes on when none of its runners lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToContinue<'a> {
    /// There is none.
    Nothing,
    /// With this one: nothing else was open when it was last used.
    One(&'a Session),
    /// Several were open side by side, the one that was used last first; only a person knows.
    Several(Vec<&'a Session>),
}

impl Session {
    /// When anything was last said in it.
    pub fn last_at(&self) -> DateTime<Utc> {
        self.last_message_at.unwrap_or(self.started_at)
    }

    /// What it is about, in the words that were used.
    pub fn about(&self) -> &str {
        if self.summary.is_empty() { &self.first_prompt } else { &self.summary }
    }

    /// Whether anything was said in it.
    ///
    /// Of one in which nothing was, its agent keeps nothing either, and ends when it is told to go on with
    /// it. What is said to an agent of the user's own nobody counts.
    pub fn has_begun(&self) -> bool {
        let is_used = match Agent::of(&self.agent) {
            // They ask a model something by themselves when they start (2.1.332, 0.61).
            Some(Agent::Claude | Agent::Gemini) => false,
            Some(_) => self.tokens_used > 0,
            None => true,
        };
        let is_said = self.message_count > 0 || !self.first_prompt.is_empty();
        is_said || is_used || self.origin == "resumed"
    }

    /// How it stands, in a word.
    pub fn state(&self) -> &'static str {
        match self.ended_at {
            None => "open",
            Some(_) if !self.has_begun() => "empty",
            Some(_) if self.resumable => "resumable",
            Some(_) => "ended",
        }
    }
}

/// Returns the runners that were cut off together, the last time that happened: those that a reboot took.
///
/// One without a conversation can only be started anew. It is meant where its supervisor was lost or it
/// was told to end with it, not where it alone was killed: that may have been a person's will.
pub fn lost_together<'a>(runners: impl IntoIterator<Item = &'a Runner>) -> Vec<&'a Runner> {
    let is_meant = |runner: &&Runner| {
        let with_machine = matches!(runner.reason.as_deref(), Some(SUPERVISOR_LOST | CUT_OFF));
        runner.was_cut_off() && (runner.session_id.is_some() || with_machine)
    };
    let mut lost: Vec<&Runner> = runners.into_iter().filter(is_meant).collect();
    let last = lost.iter().filter_map(|runner| runner.terminated_at).max();
    let is_of_it = |at| last.is_some_and(|last| last - at <= TOGETHER);
    lost.retain(|runner| runner.terminated_at.is_some_and(is_of_it));
    lost
}

/// Returns with which of these sessions to go on in a directory.
///
/// That is the one that was used last among those that can be resumed, unless another one, of another
/// runner, was still open at that time: then it would be a guess.
pub fn to_continue(sessions: &[Session], is_there: impl Fn(&str) -> bool) -> ToContinue<'_> {
    let is_meant =
        |session: &&Session| session.resumable && session.has_begun() && is_there(&session.cwd);
    let mut meant: Vec<&Session> = sessions.iter().filter(is_meant).collect();
    meant.sort_by_key(|session| std::cmp::Reverse(session.last_at()));
    let Some(newest) = meant.first().copied() else { return ToContinue::Nothing };
    meant.retain(|other| {
        // One that no runner held, imported from the disk, is open nowhere that we know of.
        let is_open = other.ended_at.is_none() && !other.runner_id.is_empty();
        let ended = other.ended_at.unwrap_or(other.last_at());
        let was_open = is_open || ended >= newest.last_at();
        let is_line = newest.resumed_from.as_ref() == Some(&other.id);
        let is_same_runner = !newest.runner_id.is_empty() && other.runner_id == newest.runner_id;
        other.id == newest.id || (was_open && !is_line && !is_same_runner)
    });
    if meant.len() == 1 { ToContinue::One(newest) } else { ToContinue::Several(meant) }
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

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + minute * 60, 0).unwrap()
    }

    /// A session of a runner of its own, used from one minute to another and ended at a third.
    fn session(id: &str, (from, to): (i64, i64), ended: Option<i64>) -> Session {
        Session {
            id: id.to_owned(),
            agent: "claude".to_owned(),
            runner_id: format!("runner of {id}"),
            project: "api".to_owned(),
            node_id: String::new(),
            cwd: "/src/api".to_owned(),
            model: String::new(),
            started_at: at(from),
            ended_at: ended.map(at),
            last_message_at: Some(at(to)),
            message_count: 2,
            tokens_used: 0,
            cost: Cost::default(),
            quality: Quality::default(),
            unpriced: 0,
            resumable: true,
            origin: "started".to_owned(),
            resumed_from: None,
            first_prompt: "fix it".to_owned(),
            summary: String::new(),
            transcript: String::new(),
        }
    }

    fn found(sessions: &[Session]) -> Vec<&str> {
        match to_continue(sessions, |cwd| cwd == "/src/api") {
            ToContinue::Nothing => Vec::new(),
            ToContinue::One(one) => vec![&one.id],
            ToContinue::Several(several) => several.iter().map(|one| one.id.as_str()).collect(),
        }
    }

    #[test]
    fn the_one_that_was_used_last_goes_on() {
        let early = session("early", (0, 10), Some(20));
        let late = session("late", (30, 40), Some(50));
        assert_eq!(found(&[early.clone(), late.clone()]), ["late"]);
        assert!(found(&[]).is_empty());
        let elsewhere = Session { cwd: "/src/web".to_owned(), ..session("x", (60, 70), None) };
        let lost = Session { resumable: false, ..session("y", (60, 70), None) };
        let silent = Session {
            message_count: 0,
            first_prompt: String::new(),
            ..session("z", (60, 70), Some(80))
        };
        assert_eq!(found(&[elsewhere, early, lost, late, silent]), ["late"]);
    }

    #[test]
    fn one_in_which_nothing_was_said_is_empty_and_not_resumable() {
        let said = session("said", (0, 10), Some(20));
        assert_eq!((said.has_begun(), said.state()), (true, "resumable"));
        let silent = Session { message_count: 0, first_prompt: String::new(), ..said.clone() };
        assert_eq!((silent.has_begun(), silent.state()), (false, "empty"));
        assert_eq!(Session { ended_at: None, ..silent.clone() }.state(), "open");
        // Of some only what they used is known; of the user's own agents not even that.
        let used = Session { tokens_used: 7, ..silent.clone() };
        assert!(!used.has_begun(), "claude has used something before anybody speaks to it");
        assert!(!Session { agent: "gemini".to_owned(), ..used.clone() }.has_begun());
        assert!(Session { agent: "codex".to_owned(), ..used }.has_begun());
        assert!(Session { agent: "mine".to_owned(), ..silent }.has_begun());
        assert_eq!(Session { resumable: false, ..said }.state(), "ended");
    }

    #[test]
    fn of_two_that_were_open_side_by_side_none_is_guessed() {
        let one = session("one", (0, 35), Some(50));
        let other = session("other", (30, 40), Some(50));
        assert_eq!(found(&[one.clone(), other.clone()]), ["other", "one"]);
        // Closed before the other was last used.
        let closed = Session { ended_at: Some(at(39)), ..one.clone() };
        assert_eq!(found(&[closed, other.clone()]), ["other"]);
        // What the same runner talked of before, and what it came from, is gone on with in it.
        let before = Session { runner_id: other.runner_id.clone(), ..one.clone() };
        assert_eq!(found(&[before, other.clone()]), ["other"]);
        let imported =
            Session { runner_id: String::new(), ended_at: None, ..session("x", (0, 20), None) };
        assert_eq!(found(&[imported, other.clone()]), ["other"]);
        let from = Session { resumed_from: Some("one".to_owned()), ..other };
        assert_eq!(found(&[one, from]), ["other"]);
    }
}
