//! Runners that have ended go on in their conversations: all that were lost, or one. Of those that were
//! lost, one without a conversation begins anew.

use crate::ui::{
    effect::Effect,
    keymap::{Action, Context},
    state::State,
};

/// Starts all lost ones again, each in its conversation if it had one.
pub(super) fn resume(state: &mut State) -> Vec<Effect> {
    if !is_connected(state) {
        return Vec::new();
    }
    let lost = state.lost();
    if lost.is_empty() {
        state.say("no runner was lost");
    }
    let size = state.launch_size();
    let back = |(id, session)| match session {
        Some(session) => Effect::ResumeRunner(id, session, size),
        None => Effect::Restart(id),
    };
    lost.into_iter().map(back).collect()
}

/// Starts the selected one again in its conversation.
pub(super) fn resume_selected(state: &mut State) -> Vec<Effect> {
    if !is_connected(state) {
        return Vec::new();
    }
    let Some(runner) = state.selected_runner() else { return Vec::new() };
    let (id, name) = (runner.id, runner.name.clone());
    let key = |action| state.keys.label(Context::List, action);
    let text = match &runner.session_id {
        _ if runner.status.is_live() => {
            format!("{name} has not ended; {} restarts it", key(Action::Restart))
        }
        Some(session) => {
            return vec![Effect::ResumeRunner(id, session.clone(), state.launch_size())];
        }
        None => {
            format!("no conversation of {name} is known; {} starts it anew", key(Action::Restart))
        }
    };
    state.say(text);
    Vec::new()
}

fn is_connected(state: &mut State) -> bool {
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
    }
    state.is_current()
}
