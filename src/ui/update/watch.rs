//! Asks for exactly the screens that are visible, and forgets those that can no longer be.

use std::collections::BTreeSet;

use crate::{
    domain::{id::RunnerId, runner::RunnerStatus},
    ui::{
        effect::Effect,
        state::{Mode, State, View, Watched, geometry, shown_panes},
    },
};

/// Asks for what is visible, if that is another set than before.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let visible = visible(state);
    let panes = state.panes.runners();
    let kept = visible.iter().copied().chain(state.selected).chain(panes);
    let kept: BTreeSet<RunnerId> = kept.collect();
    state.screens.retain(|id, _| kept.contains(id));
    let is_synchronised = state.panes.is_synchronised && state.view == View::Panes;
    let mut wanted = BTreeSet::new();
    for id in visible {
        let Some(status) = state.runners.get(&id).map(|runner| runner.status) else { continue };
        let is_current = state.is_current();
        let screen = state.screens.entry(id).or_default();
        if is_current && !status.is_live() && !screen.is_last_asked {
            screen.is_last_asked = true;
            effects.push(Effect::LastScreen(id));
        }
        if is_current && matches!(status, RunnerStatus::Running | RunnerStatus::Paused) {
            let is_typed_into = match state.mode {
                Mode::Typing(typed) => typed == id || is_synchronised,
                _ => false,
            };
            wanted.insert(Watched { id, is_typed_into });
        }
    }
    if state.watched != wanted {
        state.watched.clone_from(&wanted);
        effects.push(Effect::Watch(wanted));
    }
}

/// Returns the runners whose screens have a place on the terminal now.
fn visible(state: &State) -> Vec<RunnerId> {
    match state.view {
        _ if is_full(state) => Vec::new(),
        View::Dashboard if geometry(state).preview.is_empty() => Vec::new(),
        _ if state.is_page() => Vec::new(),
        View::Dashboard => state.selected_runner().map(|runner| runner.id).into_iter().collect(),
        View::Panes => {
            let panes = shown_panes(state).places.panes;
            let has_room = panes.iter().filter(|place| !place.screen().is_empty());
            has_room.map(|place| place.id).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether something takes the whole screen.
fn is_full(state: &State) -> bool {
    matches!(state.mode, Mode::Help(_) | Mode::Launch(_) | Mode::Quotas(_) | Mode::Budget(_))
}
