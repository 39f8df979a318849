//! What a runner is at, in one word, how long and why: the vocabulary of the whole dashboard.

use chrono::{DateTime, TimeDelta, Utc};

use super::State;
use crate::domain::{
    activity::ActivityState,
    agent_command::is_god,
    runner::{Runner, RunnerStatus},
};

/// An agent that has not reported for so long after its start will hardly report at all.
const FIRST_REPORT: TimeDelta = TimeDelta::seconds(5);

/// What runners are listed under; the order is that of the list, and of how urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ui) enum Group {
    /// A person must decide or look.
    NeedsYou,
    /// Ended badly.
    Failed,
    /// A turn is in progress.
    Working,
    /// A turn has ended and nobody has looked.
    Done,
    /// Launched a moment ago.
    Starting,
    /// It runs and says nothing of itself.
    Running,
    /// Waiting for a prompt.
    Idle,
    /// Stopped where it stands.
    Paused,
    /// Being ended.
    Stopping,
    /// Ended.
    Finished,
}

impl Group {
    /// The heading, also read as a word where lower case is used.
    pub(in crate::ui) fn heading(self) -> &'static str {
        match self {
            Self::NeedsYou => "NEEDS YOU",
            Self::Working => "WORKING",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Starting => "STARTING",
            Self::Idle => "IDLE",
            Self::Paused => "PAUSED",
            Self::Stopping => "STOPPING",
            Self::Failed => "FAILED",
            Self::Finished => "FINISHED",
        }
    }

    /// How the header counts it: `3 need you`.
    pub(in crate::ui) fn counted(self) -> &'static str {
        match self {
            Self::NeedsYou => "need you",
            Self::Working => "working",
            Self::Running => "running",
            Self::Done => "done",
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }

    /// The sign, one column wide.
    pub(in crate::ui) fn glyph(self) -> &'static str {
        match self {
            Self::NeedsYou => "?",
            Self::Working => "●",
            Self::Running => "▸",
            Self::Done => "✓",
            Self::Starting => "◌",
            Self::Idle => "○",
            Self::Paused => "‖",
            Self::Stopping => "↓",
            Self::Failed => "×",
            Self::Finished => "·",
        }
    }
}

/// For so long a failure is news; after that it is one of the runners that have ended.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// Returns what a runner is listed under, whatever the user has looked at.
fn group(runner: &Runner, now: DateTime<Utc>) -> Group {
    match runner.status {
        RunnerStatus::Starting => Group::Starting,
        RunnerStatus::Paused => Group::Paused,
        RunnerStatus::Stopping => Group::Stopping,
        RunnerStatus::Terminated => Group::Finished,
        // Old failures must not stand above what works now.
        RunnerStatus::Failed if now - runner.terminated_at.unwrap_or(runner.updated_at) > FRESH => {
            Group::Finished
        }
        RunnerStatus::Failed => Group::Failed,
        RunnerStatus::Running => match runner.activity.state {
            state if state.needs_person() || runner.hold.is_some() => Group::NeedsYou,
            ActivityState::Working => Group::Working,
            ActivityState::Done => Group::Done,
            ActivityState::Idle => Group::Idle,
            _ if now - runner.started_at > FIRST_REPORT => Group::Running,
            _ => Group::Starting,
        },
    }
}

/// Returns the sign of a runner: an error is told from a question.
pub(in crate::ui) fn glyph(runner: &Runner, group: Group) -> &'static str {
    let is_error = runner.activity.state == ActivityState::Error;
    if group == Group::NeedsYou && (is_error || is_held(runner)) { "!" } else { group.glyph() }
}

/// Returns the word for what a runner is at: a blocked one's says what it waits for.
pub(in crate::ui) fn word(runner: &Runner, group: Group) -> &str {
    match group {
        Group::NeedsYou if is_held(runner) => "held",
        Group::NeedsYou => match &runner.activity.kind {
            Some(kind) if !kind.is_empty() => kind,
            _ => runner.activity.state.as_str(),
        },
        Group::Finished if runner.status == RunnerStatus::Failed => "failed",
        Group::Finished if runner.exit_code != Some(0) => "stopped",
        _ => group.counted(),
    }
}

/// Whether a budget holds it, and nothing that it asks itself goes before that.
pub(in crate::ui) fn is_held(runner: &Runner) -> bool {
    runner.is_held()
}

impl State {
    /// Whether its agent does everything without asking.
    pub(in crate::ui) fn is_god(&self, runner: &Runner) -> bool {
        is_god(&runner.command, self.here.own.get(&runner.agent))
    }

    /// Returns what a runner is listed under: a turn that ended and was looked at is idle.
    pub(in crate::ui) fn group(&self, runner: &Runner) -> Group {
        match group(runner, self.now) {
            Group::Done if self.is_seen(runner) => Group::Idle,
            group => group,
        }
    }

    /// Returns since when a runner is at it.
    pub(in crate::ui) fn since(&self, runner: &Runner) -> DateTime<Utc> {
        match self.group(runner) {
            Group::Failed | Group::Finished => runner.terminated_at.unwrap_or(runner.updated_at),
            Group::Paused | Group::Stopping => {
                self.history(runner.id).map_or(runner.updated_at, |history| history.since(runner))
            }
            Group::Starting | Group::Running => runner.started_at,
            Group::NeedsYou if is_held(runner) => {
                let held = self.history(runner.id).and_then(|history| history.held_since);
                held.unwrap_or(runner.updated_at)
            }
            _ => runner.activity.since.unwrap_or(runner.started_at),
        }
    }

    /// Returns how much of the time that a runner has to leave is over, from 0 to 1, and how much of
    /// it is left; `None` for one that is not being stopped.
    pub(in crate::ui) fn leaving(&self, runner: &Runner) -> Option<(f64, TimeDelta)> {
        let grace = self.settings.stop_grace;
        let is_leaving = runner.status == RunnerStatus::Stopping;
        let age = self.age(runner);
        let part = age.as_seconds_f64() / grace.as_seconds_f64().max(0.001);
        is_leaving.then(|| (part.min(1.0), (grace - age).max(TimeDelta::zero())))
    }

    /// Returns for how long.
    pub(in crate::ui) fn age(&self, runner: &Runner) -> TimeDelta {
        (self.now - self.since(runner)).max(TimeDelta::zero())
    }
}

/// Returns an age in at most five columns; only the first minute is told in seconds, so that a
/// screen of old ages changes rarely.
pub(in crate::ui) fn age_text(age: TimeDelta) -> String {
    let (seconds, minutes, hours) = (age.num_seconds(), age.num_minutes(), age.num_hours());
    match hours {
        _ if seconds < 60 => format!("{seconds}s"),
        _ if minutes < 60 => format!("{minutes}m"),
        0..=9 => format!("{hours}h{:02}", minutes % 60),
        10..=47 => format!("{hours}h"),
        _ => format!("{}d", age.num_days()),
    }
}

/// Returns why a runner is at it, in the best words there are: what failed, what it asks, what its
/// title says, what it runs.
pub(in crate::ui) fn reason(runner: &Runner, group: Group) -> String {
    told(runner, group).unwrap_or_else(|| command(runner))
}

/// Returns why, if anything was said about it.
pub(in crate::ui) fn told(runner: &Runner, group: Group) -> Option<String> {
    let said = runner.activity.message.as_deref().filter(|text| !text.trim().is_empty());
    let title = Some(runner.topic()).filter(|text| !text.is_empty());
    match group {
        Group::Failed => {
            let reason = runner.reason.clone().unwrap_or_else(|| ended(runner));
            let is_explained = runner.activity.state == ActivityState::Error;
            let reason = match said.filter(|_| is_explained) {
                Some(said) => format!("{reason}: {said}"),
                None => reason,
            };
            let is_over = runner.next_start().is_none();
            let next = if is_over { "" } else { " · starts again" };
            Some(with_survivors(runner, reason) + next)
        }
        Group::Finished if runner.status == RunnerStatus::Failed => told(runner, Group::Failed),
        Group::Finished => Some(with_survivors(
            runner,
            runner.reason.clone().or(title.map(Into::into)).unwrap_or_else(|| ended(runner)),
        )),
        Group::Starting => None,
        Group::NeedsYou if is_held(runner) => runner.held_by(),
        // Paused by a budget: who lets it go on is to know.
        Group::Paused if runner.hold.is_some() => {
            runner.held_by().map(|why| format!("held · {why}"))
        }
        _ => said.or(title).map(Into::into),
    }
}

/// Returns the command line, the program without its directory.
pub(in crate::ui) fn command(runner: &Runner) -> String {
    let mut words = runner.command.iter();
    let program = words.next().map_or(runner.agent.as_str(), String::as_str);
    let program = program.rsplit('/').next().unwrap_or(program);
    words.fold(program.to_owned(), |line, word| line + " " + word)
}

fn ended(runner: &Runner) -> String {
    match (runner.exit_code, &runner.exit_signal) {
        (_, Some(signal)) => format!("ended by {signal}"),
        (Some(code), None) => format!("exit code {code}"),
        (None, None) => command(runner),
    }
}

fn with_survivors(runner: &Runner, text: String) -> String {
    if runner.survivors.is_empty() {
        text
    } else {
        format!("{text}; left running: {}", runner.survivors.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short_and_calm() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h00"),
            (35_999, "9h59"),
            (36_000, "10h"),
            (172_800, "2d"),
        ] {
            assert_eq!(age_text(TimeDelta::seconds(seconds)), text);
        }
    }
}
