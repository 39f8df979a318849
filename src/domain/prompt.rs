//! A prompt on its way to an agent: what is wished, and the three facts that are known of it.
//!
//! Typed, submitted, turn started: each is told by whoever saw it, and none is guessed from the one
//! before. Invariant: a prompt is for the occupant it was meant for, a run of a runner and its
//! conversation; for another one it is refused.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    activity::{Activity, ActivitySource, ActivityState},
    agent::Agent,
    runner::Runner,
};

/// So long a submitted prompt may take to begin a turn; after it, it is told as not started.
pub const START: Duration = Duration::from_secs(5);

/// So long is waited for an agent to be at rest, if nothing else is said.
pub const REST: Duration = Duration::from_secs(30);

/// Prompts that may wait for one runner.
pub const MOST_WAITING: usize = 100;

/// When a prompt is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as the agent is at rest, but within this time.
    AtRest(Duration),
    /// As soon as the agent is at rest, whenever that is: it is kept until then.
    Queued,
    /// At once, whatever it is doing.
    Now,
}

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptWish {
    /// What is typed.
    pub text: String,
    /// Enter is pressed after it.
    pub submit: bool,
    /// The run of the runner that it is meant for; `None` for the one that runs.
    pub run: Option<u32>,
    /// The conversation that it is meant for; empty for the one that is held.
    pub session: String,
    /// When.
    pub when: When,
}

/// Whether a turn has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Started {
    /// Nobody can tell: the program does not say what it does, or it was at work already.
    Unknown,
    /// It has not, within the time that it may take.
    No {
        /// The text is seen to stand in the agent's input box: Enter did not submit it.
        stands: bool,
    },
    /// It has.
    Yes {
        /// Who told.
        source: ActivitySource,
        /// So long after it was submitted.
        after_ms: u64,
    },
}

/// What became of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PromptDelivery)]
pub struct Delivery {
    /// The runner's name.
    pub runner: String,
    /// Its run.
    pub run: u32,
    /// Bytes that were typed.
    pub typed_bytes: u64,
    /// Whether Enter was pressed after them.
    pub submitted: bool,
    /// Whether a turn has started with it.
    pub started: Started,
    /// It waits in the queue under this id.
    pub queued: Option<Uuid>,
}

impl Delivery {
    /// Whether it waits, or was submitted and nothing says that no turn came of it.
    pub fn is_settled(&self) -> bool {
        self.queued.is_some() || (self.submitted && !matches!(self.started, Started::No { .. }))
    }

    /// The facts, as a sentence without its full stop.
    pub fn sentence(&self) -> String {
        let Self { runner, typed_bytes, .. } = self;
        if self.queued.is_some() {
            return format!("queued for {runner}: typed when it is at rest");
        }
        let typed = format!("typed {typed_bytes} bytes into {runner}");
        match (self.submitted, self.started) {
            (false, _) => typed,
            (true, Started::Unknown) => {
                format!("{typed}, submitted; whether a turn started is not known")
            }
            (true, Started::No { stands: false }) => format!("{typed}, submitted, no turn started"),
            (true, Started::No { stands: true }) => {
                format!("{typed}, Enter pressed; the text stands in the input box, no turn started")
            }
            (true, Started::Yes { source, after_ms }) => {
                format!(
                    "{typed}, submitted, turn started ({} after {after_ms} ms)",
                    source.as_str()
                )
            }
        }
    }
}

/// How a prompt in the queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptState {
    /// It waits.
    Queued,
    /// It is being typed.
    Delivering,
    /// It was submitted.
    Delivered,
    /// It was taken back before it was typed.
    Cancelled,
    /// It was not typed, or it is not known whether it was; it is not tried again.
    Failed,
}

impl PromptState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Queued, Self::Delivering, Self::Delivered, Self::Cancelled, Self::Failed];

    /// The word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Parses the word; anything unknown has failed.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.as_str() == word).unwrap_or(Self::Failed)
    }
}

/// A prompt in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct QueuedPrompt {
    /// Its id; ids are ordered by time.
    pub id: Uuid,
    /// The runner's id.
    pub runner_id: Uuid,
    /// The runner's name.
    pub runner: String,
    /// The run it is meant for.
    pub run: u32,
    /// The conversation it is meant for; empty when none was known.
    pub session: String,
    /// What is to be typed.
    pub text: String,
    /// How it stands.
    pub state: PromptState,
    /// What became of it, in words.
    pub note: String,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Whether an agent takes a prompt now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is at rest, or nobody can tell.
    Ready,
    /// It is at work, or has not said yet that it is there.
    Busy,
    /// It asks something: a text would answer that by its letters.
    Asks,
}

/// Whether what a runner's program does is known at all. `has_rules` tells of rules for its screen.
pub fn tells(runner: &Runner, has_rules: bool) -> bool {
    let has_told = runner.activity.source != ActivitySource::Process;
    has_told || has_rules || Agent::of(&runner.agent).is_some_and(|agent| agent != Agent::Aider)
}

/// Whether a runner's program takes a prompt now.
pub fn readiness(activity: &Activity, tells: bool) -> Readiness {
    match activity.state {
        ActivityState::Idle | ActivityState::Done | ActivityState::Error => Readiness::Ready,
        ActivityState::Starting if !tells => Readiness::Ready,
        ActivityState::Starting | ActivityState::Working => Readiness::Busy,
        ActivityState::Blocked => Readiness::Asks,
    }
}

/// Whether a turn has started since a time, by what an agent is doing: who says so, and when.
pub fn started_since(
    activity: &Activity,
    typed: DateTime<Utc>,
) -> Option<(ActivitySource, DateTime<Utc>)> {
    let is_turn = match activity.state {
        // A short turn may be over, or have failed, before anybody looks.
        ActivityState::Working | ActivityState::Done | ActivityState::Error => true,
        // What is asked before any turn is no answer to a prompt.
        ActivityState::Blocked => {
            !matches!(activity.kind.as_deref(), Some("trust" | "auth" | "onboarding"))
        }
        ActivityState::Starting | ActivityState::Idle => false,
    };
    let since = activity.since.filter(|since| *since >= typed)?;
    is_turn.then_some((activity.source, since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(state: ActivityState, second: i64) -> Activity {
        let since = DateTime::from_timestamp(second, 0);
        Activity { state, since, source: ActivitySource::Hook, ..Activity::default() }
    }

    #[test]
    fn a_text_is_typed_at_rest_only() {
        use ActivityState::{Blocked, Done, Error, Idle, Starting, Working};
        for (state, tells, wanted) in [
            (Idle, true, Readiness::Ready),
            (Done, true, Readiness::Ready),
            (Error, true, Readiness::Ready),
            (Starting, true, Readiness::Busy),
            (Starting, false, Readiness::Ready),
            (Working, true, Readiness::Busy),
            (Blocked, true, Readiness::Asks),
        ] {
            assert_eq!(readiness(&activity(state, 0), tells), wanted, "{state:?}");
        }
    }

    #[test]
    fn a_turn_is_one_that_began_after_the_typing() {
        let typed = DateTime::from_timestamp(10, 0).unwrap();
        let started = |state, second| started_since(&activity(state, second), typed).is_some();
        assert!(started(ActivityState::Working, 10));
        assert!(started(ActivityState::Done, 12));
        assert!(!started(ActivityState::Working, 9));
        assert!(!started(ActivityState::Idle, 12));
        let asks = |kind: &str| {
            let kind = Some(kind.to_owned());
            let activity = Activity { kind, ..activity(ActivityState::Blocked, 12) };
            started_since(&activity, typed).is_some()
        };
        assert!(asks("permission") && asks("question") && !asks("trust") && !asks("auth"));
    }

    #[test]
    fn facts_are_told_one_by_one() {
        let mut told = Delivery {
            runner: "api-1".to_owned(),
            run: 1,
            typed_bytes: 5,
            submitted: false,
            started: Started::Unknown,
            queued: None,
        };
        assert_eq!(told.sentence(), "typed 5 bytes into api-1");
        told.submitted = true;
        told.started = Started::No { stands: false };
        assert_eq!(told.sentence(), "typed 5 bytes into api-1, submitted, no turn started");
        told.started = Started::No { stands: true };
        let stands = "Enter pressed; the text stands in the input box, no turn started";
        assert!(told.sentence().ends_with(stands) && !told.is_settled());
        told.started = Started::Yes { source: ActivitySource::Osc7501, after_ms: 40 };
        assert!(told.sentence().ends_with("turn started (osc7501 after 40 ms)"));
    }
}
