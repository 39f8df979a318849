//! What a person says a runner is really at, where its state is wrong, and what is learnt from it.

use serde::Serialize;

use super::{
    activity::{Activity, ActivityState},
    failure::Failure,
    runner::Runner,
};

/// Why an agent can be blocked.
pub const KINDS: [&str; 5] = ["permission", "question", "auth", "trust", "onboarding"];

/// What a runner is really at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Truth {
    /// The state.
    pub state: ActivityState,
    /// Why, for a blocked agent.
    pub kind: Option<String>,
}

/// A terminal as it was when somebody looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Screenshot {
    /// The window title.
    pub title: String,
    /// The rows' text.
    pub lines: Vec<String>,
}

/// A state that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionRequest {
    /// Whose.
    pub runner: String,
    /// What it is really.
    pub truth: Truth,
    /// The terminal as the person saw it; `None` for what it shows now.
    pub looked: Option<Screenshot>,
    /// The line that tells it, by its text among [`Correction::lines`]; `None` for the best one, as long
    /// as that changes nothing about other runners.
    pub line: Option<String>,
    /// Only to be drafted: nothing is kept.
    pub is_draft: bool,
}

/// What was learnt, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Correction {
    /// The runner, as it stood.
    pub runner: Runner,
    /// What it is really.
    pub truth: Truth,
    /// The terminal that tells it.
    pub looked: Screenshot,
    /// Lines that tell it, the best first.
    pub lines: Vec<String>,
    /// For each of them, the other live runners that would be told by it, too, and of which something
    /// else is said now.
    pub changes: Vec<Vec<String>>,
    /// The one that the rule looks for; for a draft in which none was named, the best that changes nothing
    /// about others, if there is one. Empty when none was found.
    pub line: String,
    /// The rule, as it stands in the file.
    pub rule: String,
    /// So many known screens it was tried on.
    pub tested: u32,
    /// Why there is no rule, in words; empty when there is one.
    pub refused: String,
    /// The file of rules that it stands in.
    pub file: String,
    /// The file in which the screen is kept.
    pub fixture: String,
    /// Whether it is in force.
    pub is_accepted: bool,
}

impl Correction {
    /// The other live runners of which something else would be said, if this line were learnt.
    pub fn changed_by(&self, line: &str) -> &[String] {
        let at = self.lines.iter().position(|known| known == line);
        at.and_then(|at| self.changes.get(at)).map_or(&[], Vec::as_slice)
    }
}

impl Truth {
    /// Whether this is what is said of an agent already: one that is done rests, too.
    pub fn is_said(&self, activity: &Activity) -> bool {
        let state = match activity.state {
            ActivityState::Done => ActivityState::Idle,
            state => state,
        };
        state == self.state && (self.kind.is_none() || self.kind == activity.kind)
    }

    /// Returns what a person says, if a screen can show that.
    ///
    /// # Errors
    ///
    /// For a state that is none, or that no screen shows; for a kind of what is not blocked.
    pub fn parse(state: &str, kind: &str) -> Result<Self, Failure> {
        let bad = |what: String| {
            Err(Failure::usage("BAD_STATE", what)
                .with_hint("one of idle, working, blocked, error; --kind says why it is blocked"))
        };
        let state = match ActivityState::parse(state) {
            // A turn's end is rest that nobody has looked at; the screen is the same.
            Some(ActivityState::Done) => ActivityState::Idle,
            Some(ActivityState::Starting) | None => {
                return bad(format!("`{}` is no state that a screen shows", state.escape_debug()));
            }
            Some(state) => state,
        };
        let kind = match (state, kind) {
            (ActivityState::Blocked, "") => Some("question".to_owned()),
            (ActivityState::Blocked, kind) if KINDS.contains(&kind) => Some(kind.to_owned()),
            (ActivityState::Blocked, kind) => {
                let what = format!("`{}` is none of {}", kind.escape_debug(), KINDS.join(", "));
                return bad(what);
            }
            (_, "") => None,
            _ => return bad("only what is blocked has a kind".to_owned()),
        };
        Ok(Self { state, kind })
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{} ({kind})", self.state.as_str()),
            None => f.write_str(self.state.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_screen_shows_is_a_truth() {
        let truth = |state, kind| Truth::parse(state, kind).map(|truth| truth.to_string());
        assert_eq!(truth("blocked", "trust").unwrap(), "blocked (trust)");
        assert_eq!(truth("blocked", "").unwrap(), "blocked (question)");
        assert_eq!(truth("done", "").unwrap(), "idle");
        for (state, kind) in [("starting", ""), ("asleep", ""), ("idle", "trust"), ("blocked", "x")]
        {
            assert!(truth(state, kind).is_err(), "{state} {kind}");
        }
    }
}
