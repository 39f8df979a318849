//! What is done to the selected runner; what destroys is asked first, and says what will be lost.

use super::answer;
use crate::{
    domain::{
        activity::ActivityState,
        runner::{Runner, RunnerStatus},
    },
    ui::{
        effect::Effect,
        keymap::{Action, Context},
        state::{Confirm, Deed, Mode, State, age_text},
    },
};

/// Begins an action on the selected runner.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(runner) = state.selected_runner().cloned() else {
        state.say("no runner is selected");
        return Vec::new();
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    let is_live = runner.status.is_live();
    match action {
        Action::Restart if !is_live => return vec![Effect::Restart(runner.id)],
        _ if !is_live => {
            let key = state.keys.label(Context::List, Action::Restart);
            state.say(format!("{} has ended; {key} starts it again", runner.name));
        }
        Action::Attach => {
            state.mark_seen(runner.id);
            return vec![Effect::Attach(runner.id)];
        }
        Action::Stop => ask(state, &runner, Deed::Stop),
        Action::Kill => ask(state, &runner, Deed::Kill),
        Action::Restart => ask(state, &runner, Deed::Restart),
        Action::Pause => {
            return vec![Effect::SetPaused(runner.id, runner.status != RunnerStatus::Paused)];
        }
        Action::Type => {
            state.mark_seen(runner.id);
            state.mode = Mode::Typing(runner.id);
        }
        Action::Line => return answer::open(state),
        _ => {}
    }
    Vec::new()
}

/// Applies the answer to the question.
pub(super) fn on_confirm(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Confirm(Confirm { deed, id, .. }) = state.mode else { return Vec::new() };
    state.mode = Mode::List;
    match (action, deed) {
        (Action::Accept, Deed::Stop) => vec![Effect::Stop(id, false)],
        (Action::Accept, Deed::Kill) => vec![Effect::Stop(id, true)],
        (Action::Accept, Deed::Restart) => vec![Effect::Restart(id)],
        _ => Vec::new(),
    }
}

fn ask(state: &mut State, runner: &Runner, deed: Deed) {
    let verb = match deed {
        Deed::Stop => "Stop",
        Deed::Kill => "Kill",
        Deed::Restart => "Restart",
    };
    let how = match deed {
        Deed::Stop => "",
        Deed::Kill => " at once, with no time to save",
        Deed::Restart => " and starts it anew",
    };
    let processes = match runner.processes {
        0 | 1 => String::new(),
        count => format!(" and its {} other processes", count - 1),
    };
    let turn = match runner.activity.state {
        ActivityState::Working => {
            format!("; its turn of {} is lost", age_text(state.age(runner)))
        }
        ActivityState::Blocked => "; its question stays open".to_owned(),
        _ => String::new(),
    };
    let (name, agent) = (&runner.name, &runner.agent);
    let question = format!("{verb} {name}? Ends {agent}{processes}{how}{turn}.");
    state.mode = Mode::Confirm(Confirm { deed, id: runner.id, question });
}
