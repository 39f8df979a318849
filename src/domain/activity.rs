//! What an agent is doing, who said so, and since when.
//!
//! A runner's [`crate::domain::runner::RunnerStatus`] says whether the process lives; its activity
//! says what the agent inside is at. Invariant: an activity always carries its source, because a
//! wrong status shown without its origin cannot be argued with.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The kind of a rest that a person brought about: an idle agent whose turn was broken off.
pub const INTERRUPTED: &str = "interrupted";

/// The states an agent can report, in the words of OSC 7501 plus the ones before its first report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActivityState {
    /// Launched, nothing heard yet; never shown as idle.
    #[default]
    Starting,
    /// Waiting for a prompt.
    Idle,
    /// A turn is in progress.
    Working,
    /// A person must decide something before it can go on.
    Blocked,
    /// A turn has ended and nobody has looked yet.
    Done,
    /// The last turn ended in an error.
    Error,
}

impl ActivityState {
    /// The word for people and for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Error => "error",
        }
    }

    /// Parses the word, `None` for anything else.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "starting" => Self::Starting,
            "idle" => Self::Idle,
            "working" => Self::Working,
            "blocked" => Self::Blocked,
            "done" => Self::Done,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// Whether a person is needed now.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Blocked | Self::Error)
    }
}

/// One report a program wrote about itself: `ESC ] 7501 ; key=value : … ST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramReport {
    /// The sub-task it speaks of (`a/b`), `None` for the program itself.
    pub id: Option<String>,
    /// The new state; `None` means `clear`, the record is withdrawn.
    pub state: Option<ActivityState>,
    /// The program's name for itself, at most 64 characters.
    pub app: Option<String>,
    /// Why it is blocked: permission, question, auth; at most 32 characters.
    pub kind: Option<String>,
    /// What it says, control characters removed, at most 512 characters.
    pub message: Option<String>,
}

/// Where an activity was learnt, best source first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Default,
    PartialOrd,
    Ord,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActivitySource {
    /// Its screen, by a rule that a person has taught: they saw it, and saw who was wrong.
    Taught,
    /// The program's own OSC 7501 report.
    Osc7501,
    /// Its control interface: a server of its own that is asked and told.
    Api,
    /// Its hooks.
    Hook,
    /// A file in which it keeps its state.
    File,
    /// The window title.
    Title,
    /// What stands on its screen.
    Screen,
    /// Nothing but the process itself.
    #[default]
    Process,
}

impl ActivitySource {
    /// The word for people and for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taught => "taught",
            Self::Osc7501 => "osc7501",
            Self::Api => "api",
            Self::Hook => "hook",
            Self::File => "file",
            Self::Title => "title",
            Self::Screen => "screen",
            Self::Process => "process",
        }
    }

    /// Parses the word; anything unknown counts as the weakest source.
    pub fn parse(word: &str) -> Self {
        match word {
            "taught" => Self::Taught,
            "osc7501" => Self::Osc7501,
            "api" => Self::Api,
            "hook" => Self::Hook,
            "file" => Self::File,
            "title" => Self::Title,
            "screen" => Self::Screen,
            _ => Self::Process,
        }
    }
}

/// What an agent is doing, as stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, utoipa::ToSchema)]
pub struct Activity {
    /// The state.
    pub state: ActivityState,
    /// Why, for a blocked agent: permission, question, auth.
    pub kind: Option<String>,
    /// The agent's own words.
    pub message: Option<String>,
    /// Who said so.
    pub source: ActivitySource,
    /// Since when; `None` before anything was heard.
    pub since: Option<DateTime<Utc>>,
}

impl Activity {
    /// Whether this is the end of the same turn as before, now with the agent's last words, or others.
    pub fn is_told_better(&self, before: &Self) -> bool {
        let is_same = (self.state, self.since) == (before.state, before.since);
        let is_said = self.message.is_some() && self.message != before.message;
        self.state == ActivityState::Done && is_same && is_said
    }

    /// Returns the activity after a report about the program itself, or `None` when the report
    /// changes nothing. Reports about sub-tasks (`id`) do not speak for the whole program.
    pub fn after(&self, report: &ProgramReport, now: DateTime<Utc>) -> Option<Self> {
        if report.id.is_some() {
            return None;
        }
        let next = match report.state {
            Some(state) => Self {
                state,
                kind: report.kind.clone(),
                message: report.message.clone(),
                source: ActivitySource::Osc7501,
                since: Some(now),
            },
            None => Self { state: ActivityState::Idle, since: Some(now), ..Self::default() },
        };
        let same =
            next.state == self.state && next.kind == self.kind && next.message == self.message;
        (!same).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: Option<ActivityState>) -> ProgramReport {
        ProgramReport { id: None, state, app: None, kind: None, message: None }
    }

    #[test]
    fn words_round_trip() {
        for word in ["starting", "idle", "working", "blocked", "done", "error"] {
            assert_eq!(ActivityState::parse(word).map(ActivityState::as_str), Some(word));
        }
        assert_eq!(ActivityState::parse("asleep"), None);
    }

    #[test]
    fn a_repeated_report_changes_nothing_and_keeps_the_age() {
        let now = Utc::now();
        let working =
            Activity::default().after(&report(Some(ActivityState::Working)), now).unwrap();
        assert_eq!(working.after(&report(Some(ActivityState::Working)), now), None);
    }

    #[test]
    fn a_sub_task_does_not_speak_for_the_program() {
        let child = ProgramReport { id: Some("a".into()), ..report(Some(ActivityState::Blocked)) };
        assert_eq!(Activity::default().after(&child, Utc::now()), None);
    }
}
