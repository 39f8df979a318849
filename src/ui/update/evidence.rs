//! The view of why a runner's state is what it is.

use crate::ui::{
    effect::Effect,
    state::{EvidenceView, Page, State, View},
};

/// Shows it for the selected runner.
pub(super) fn open(state: &mut State) {
    let Some(runner) = state.selected_runner() else {
        state.say("no runner is selected");
        return;
    };
    let (id, name) = (runner.id, runner.name.clone());
    state.evidence = Some(EvidenceView { id, name, told: None, asked: None });
    state.page = Page::default();
    state.view = View::Evidence;
}

/// Asks again when the runner is at something else; nothing is read that nobody sees.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.view != View::Evidence {
        state.evidence = None;
        return;
    }
    let is_current = state.is_current();
    let Some(evidence) = state.evidence.as_mut().filter(|_| is_current) else { return };
    let Some(runner) = state.runners.get(&evidence.id) else { return };
    let now = (runner.activity.clone(), runner.run);
    if evidence.asked.as_ref() != Some(&now) {
        evidence.asked = Some(now);
        effects.push(Effect::Explain(evidence.id));
    }
}
