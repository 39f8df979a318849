//! Why a prompt is not typed.

use crate::domain::{
    activity::ActivityState,
    failure::Failure,
    prompt::PromptWish,
    runner::{Runner, RunnerStatus},
};

/// What stands in the way of typing now.
pub(super) enum Obstacle {
    /// It may be gone soon.
    Busy,
    /// The request is refused.
    Refused(Failure),
}

/// Refuses a prompt that is meant for another occupant.
pub(super) fn check_occupant(runner: &Runner, wish: &PromptWish) -> Result<(), Failure> {
    let changed = |what: String| {
        Err(Failure::conflict("OCCUPANT_CHANGED", format!("{what}; nothing was typed"))
            .with_hint(format!("stratavore runners show {}", runner.name)))
    };
    if !runner.status.is_live() {
        let what = format!("{} has ended ({})", runner.name, runner.status.as_str());
        return Err(Failure::conflict("RUNNER_ENDED", what));
    }
    if let Some(run) = wish.run.filter(|run| *run != runner.run) {
        return changed(format!("{} is at run {}, not {run}", runner.name, runner.run));
    }
    let held = runner.session_id.as_deref().unwrap_or_default();
    if !wish.session.is_empty() && !held.starts_with(&wish.session) {
        let held = if held.is_empty() { "none that is known" } else { held };
        return changed(format!("{} holds the conversation {held}", runner.name));
    }
    Ok(())
}

/// It works, or does not read its input yet.
pub(super) fn busy(runner: &Runner) -> Failure {
    if runner.status == RunnerStatus::Paused {
        let what = format!("{} is paused; nothing was typed", runner.name);
        let hint = format!("stratavore resume {}; --when-idle queues it", runner.name);
        return Failure::conflict("AGENT_BUSY", what).with_hint(hint);
    }
    let what = match runner.activity.state {
        ActivityState::Idle if runner.status == RunnerStatus::Running => {
            format!("{} rests, but its input box is not there yet; nothing was typed", runner.name)
        }
        state => format!("{} is not at rest ({}); nothing was typed", runner.name, state.as_str()),
    };
    Failure::conflict("AGENT_BUSY", what)
        .with_hint("--when-idle queues it, --now types it all the same")
}

/// It asks something.
pub(super) fn asks(runner: &Runner) -> Failure {
    let what =
        format!("{} asks something, which a text would answer; nothing was typed", runner.name);
    Failure::conflict("AGENT_ASKS", what)
        .with_hint(format!("stratavore attach {}, or --when-idle queues it", runner.name))
}
