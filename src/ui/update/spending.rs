//! Asks for what is used and may be used when that has changed, and takes in the answers.

use std::time::Duration;

use crate::{
    domain::event::Event,
    ui::{
        effect::Effect,
        keymap::Action,
        state::{Spent, State, View},
    },
};

/// Notes that events change what is used or may be used.
pub(super) fn on_happened(state: &mut State, events: &[Event]) {
    let is_shown = state.view == View::Sessions;
    let matters = |event: &Event| {
        let kind = event.event_type.split_once('.').map_or("", |(kind, _)| kind);
        match kind {
            "tokens" | "budget" => true,
            "session" => is_shown,
            // What is set aside for a runner comes and goes with it.
            "runner" => event.event_type != "runner.activity" && !state.budgets().is_empty(),
            _ => false,
        }
    };
    if events.iter().any(matters) {
        state.spending.outdate();
    }
}

/// Takes in what was read.
pub(super) fn on_spent(state: &mut State, spent: Spent) {
    state.is_dirty |= state.spending.learn(spent);
}

/// Asks for what is wanted and not known.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if !state.is_current() {
        return;
    }
    let wants = state.wants();
    if let Some((wants, pause)) = state.spending.due(&wants, state.now) {
        let pause = pause.to_std().unwrap_or(Duration::ZERO);
        effects.push(Effect::ReadSpending(Box::new(wants), pause));
    }
}

/// Goes on with the conversation that is shown, or under the cursor; whether its agent can, the daemon
/// knows.
pub(super) fn resume(state: &mut State) -> Vec<Effect> {
    let Some(session) = state.meant_session() else {
        state.say("no conversation is under the cursor");
        return Vec::new();
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    state.say(if state.is_empty_session(&session) {
        "nothing was said in it; its agent begins anew …"
    } else {
        "going on with the conversation …"
    });
    vec![Effect::ResumeSession(session, state.launch_size())]
}

/// Applies an action that changes which sums or conversations are shown.
pub(super) fn act(state: &mut State, action: Action) {
    let project = state.selected_runner().map(|runner| runner.project.clone());
    let is_usage = state.view == View::Usage;
    let is_of_sessions = matches!(state.view, View::Sessions | View::Found);
    let ask = &mut state.spending.ask;
    match action {
        Action::NextBy if is_usage => ask.step(true),
        Action::PreviousBy if is_usage => ask.step(false),
        Action::Range if is_usage => ask.is_month = !ask.is_month,
        Action::OneProject if is_usage || is_of_sessions => {
            match project.filter(|_| ask.project.is_empty()) {
                Some(project) => ask.project = project,
                None if ask.project.is_empty() => {
                    state.say("no runner is selected whose project it could be");
                    return;
                }
                None => ask.project.clear(),
            }
        }
        _ => return,
    }
    (state.page.at, state.page.top) = (0, 0);
}
