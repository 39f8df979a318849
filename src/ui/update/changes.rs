//! The view of what a runner has changed: opening it, going into a file and back, leaving.

use crate::ui::{
    effect::Effect,
    state::{ChangesView, Page, State, View},
};

/// Shows what the selected runner has changed.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(runner) = state.selected_runner() else {
        state.say("no runner is selected");
        return Vec::new();
    };
    let (id, name) = (runner.id, runner.name.clone());
    if runner.checkout.is_none() {
        state.say(format!("{name} was not launched in a git repository: nobody can tell"));
        return Vec::new();
    }
    state.changes = Some(ChangesView::new(id, name));
    state.page = Page::default();
    state.view = View::Changes;
    vec![Effect::ReadChanges(Some(id))]
}

/// Shows the difference of the file under the cursor; false when there is none.
pub(super) fn inspect(state: &mut State) -> bool {
    let at = state.page.at;
    let Some(file) = state.file_at_cursor() else { return false };
    let is_open = state.changes.as_mut().is_some_and(|changes| changes.open(file, at));
    if is_open {
        state.page = Page { search: std::mem::take(&mut state.page.search), ..Page::default() };
        state.page.search.clear();
    }
    is_open
}

/// From a file to all files; false when none was open.
pub(super) fn back(state: &mut State) -> bool {
    let at = state.changes.as_mut().and_then(ChangesView::close);
    if let Some(at) = at {
        state.page = Page { at, ..Page::default() };
    }
    at.is_some()
}

/// Nothing is read that nobody sees.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.view != View::Changes && state.changes.take().is_some() {
        effects.push(Effect::ReadChanges(None));
    }
}
