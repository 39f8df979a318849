//! What agents tell over interfaces of their own, in one form: what they are doing, which conversation
//! they hold, what a response used, and what they ask.
//!
//! The readers are [`super::opencode::events`], [`super::codex::server`],
//! [`super::claude::state_file`] and [`super::copilot::events`]; who holds the connections is the daemon's matter.

use serde_json::{Value, json};

use crate::domain::{
    activity::ActivityState,
    answer::Answer,
    hook::{LONGEST_LINE, LONGEST_TEXT},
    session::SessionNews,
    usage::UsageRecord,
};

/// Questions that are kept of one agent at most; an agent asks one or two at a time.
pub const MOST_ASKS: usize = 32;

/// Bytes of a tool's input that are kept.
const LONGEST_INPUT: usize = 16 << 10;

/// Something that an agent tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// What it is doing: state, kind and message.
    Activity(ActivityState, Option<String>, Option<String>),
    /// The conversation that it holds from now on, or that something became known of.
    Session(Box<SessionNews>),
    /// What a response used.
    Usage(Box<UsageRecord>),
}

/// Something that an agent asks and that can be answered over its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The agent's id of it.
    pub id: String,
    /// The conversation in which it is asked; a subagent's own.
    pub session: String,
    /// What it is.
    pub kind: AskKind,
    /// In one line: `bash(git push)`, or the question.
    pub text: String,
    /// The tool that it is about; empty for a question.
    pub tool: String,
    /// What the tool is to be given, as the agent says it; null where that is too long.
    pub input: Value,
    /// What can be chosen, in order; the first is to allow it this once.
    pub choices: Vec<String>,
}

/// What an agent can ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskKind {
    /// Whether a tool may be used.
    Permission,
    /// Which of some answers to take, one after the other: their labels, by the question's id.
    Question(Vec<(String, Vec<String>)>),
}

impl AskKind {
    /// The kind of a blocked agent's activity.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Question(_) => "question",
        }
    }
}

/// How a permission is answered, whatever words the agent has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This once.
    Once,
    /// From now on.
    Always,
    /// No, and what to do instead, if anything was said.
    No(String),
}

impl Ask {
    /// Returns the ask with every text cut to its bound.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.text = cut(&self.text, LONGEST_LINE);
        self.tool = cut(&self.tool, LONGEST_LINE);
        if self.input.to_string().len() > LONGEST_INPUT {
            self.input = Value::Null;
        }
        self.choices.truncate(9);
        self
    }

    /// Returns what an answer means for a permission.
    ///
    /// # Errors
    ///
    /// Says why that is no answer to it, in words that follow the runner's name.
    pub fn verdict(&self, answer: &Answer) -> Result<Verdict, &'static str> {
        Ok(match answer {
            Answer::Approve | Answer::Choose(1) => Verdict::Once,
            Answer::Choose(2) if self.choices.len() > 2 => Verdict::Always,
            Answer::Deny => Verdict::No(String::new()),
            Answer::Choose(number) if usize::from(*number) == self.choices.len() => {
                Verdict::No(String::new())
            }
            Answer::Choose(_) => return Err("has no such choice"),
            Answer::Reply(text) => Verdict::No(text.clone()),
        })
    }

    /// Returns the labels that answer a question: one chosen, or a text of one's own. Several questions
    /// at once can only be answered in the agent itself.
    ///
    /// # Errors
    ///
    /// Says why that is no answer to it, in words that follow the runner's name.
    pub fn labels(&self, answer: &Answer) -> Result<(String, String), &'static str> {
        let AskKind::Question(questions) = &self.kind else {
            return Err("asks for a permission, which no choice of answers gives");
        };
        let [(id, labels)] = questions.as_slice() else {
            return Err("asks several questions at once; open it and answer there");
        };
        let label = match answer {
            Answer::Choose(number) => labels
                .get(usize::from(*number).wrapping_sub(1))
                .cloned()
                .ok_or("has no such choice")?,
            Answer::Reply(text) => text.clone(),
            Answer::Approve | Answer::Deny => {
                return Err(
                    "asks a question that yes and no do not answer; choose by number or reply",
                );
            }
        };
        Ok((id.clone(), label))
    }

    /// Returns the ask as others are shown it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id, "session": self.session, "kind": self.kind.as_str(),
            "text": self.text, "tool": self.tool, "input": self.input, "choices": self.choices,
        })
    }
}

/// Returns the text without line breaks and not longer than this, in characters.
pub(super) fn cut(text: &str, longest: usize) -> String {
    text.chars()
        .take(longest)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// Returns a message not longer than is kept of any.
pub(super) fn message(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.chars().take(LONGEST_TEXT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: AskKind, choices: &[&str]) -> Ask {
        Ask {
            id: "1".to_owned(),
            session: "s".to_owned(),
            kind,
            text: "bash(ls)".to_owned(),
            tool: "bash".to_owned(),
            input: json!({ "command": "ls" }),
            choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
        }
    }

    #[test]
    fn a_permission_is_given_once_for_ever_or_not() {
        let ask = ask(AskKind::Permission, &["once", "always", "no"]);
        assert_eq!(ask.verdict(&Answer::Approve), Ok(Verdict::Once));
        assert_eq!(ask.verdict(&Answer::Choose(2)), Ok(Verdict::Always));
        assert_eq!(ask.verdict(&Answer::Choose(3)), Ok(Verdict::No(String::new())));
        assert_eq!(
            ask.verdict(&Answer::Reply("rather x".into())),
            Ok(Verdict::No("rather x".into()))
        );
        assert!(ask.verdict(&Answer::Choose(4)).is_err());
        assert!(ask.labels(&Answer::Choose(1)).is_err());
    }

    #[test]
    fn a_question_is_answered_by_one_of_its_labels_or_in_words() {
        let one = ("q".to_owned(), vec!["R".to_owned(), "B".to_owned()]);
        let single = ask(AskKind::Question(vec![one.clone()]), &["R", "B"]);
        assert_eq!(single.labels(&Answer::Choose(2)), Ok(("q".to_owned(), "B".to_owned())));
        assert_eq!(single.labels(&Answer::Reply("G".into())), Ok(("q".to_owned(), "G".to_owned())));
        assert!(single.labels(&Answer::Choose(0)).is_err());
        assert!(single.labels(&Answer::Approve).is_err());
        assert!(
            ask(AskKind::Question(vec![one.clone(), one]), &[]).labels(&Answer::Choose(1)).is_err()
        );
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut long = ask(AskKind::Permission, &[]);
        long.input = Value::from("x".repeat(LONGEST_INPUT));
        long.text = "y\n".repeat(LONGEST_LINE);
        let bounded = long.bounded();
        assert_eq!((bounded.input, bounded.text.chars().count()), (Value::Null, LONGEST_LINE));
    }
}
