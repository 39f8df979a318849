//! The palette: typing narrows it, the cursor shows the runner it is on, choosing goes or does.

use super::{dispatch, list, runner};
use crate::ui::{
    effect::Effect,
    keymap::{Action, Context},
    state::{Mode, Page, Palette, Scope, State, TextLine, View, What},
};

/// Opens the palette.
pub(super) fn open(state: &mut State, scope: Scope) {
    state.mode = Mode::Palette(Palette::new(scope, state.selected));
}

/// Applies an action in it.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Palette(palette) = &mut state.mode else { return Vec::new() };
    let last = palette.found.len().saturating_sub(1);
    match action {
        Action::Down => palette.at = (palette.at + 1).min(last),
        Action::Up => palette.at = palette.at.saturating_sub(1),
        Action::PageDown => palette.at = (palette.at + 10).min(last),
        Action::PageUp => palette.at = palette.at.saturating_sub(10),
        Action::Accept => return choose(state),
        _ => return cancel(state),
    }
    Vec::new()
}

/// After every event: what is known or typed may have changed, and the runner under the cursor is
/// the one that is shown.
pub(super) fn settle(state: &mut State) {
    if !matches!(state.mode, Mode::Palette(_)) {
        return;
    }
    let Mode::Palette(mut palette) = std::mem::replace(&mut state.mode, Mode::List) else { return };
    palette.search(state);
    let under = match palette.chosen().map(|entry| &entry.what) {
        Some(What::Runner(id)) => Some(*id),
        _ => palette.before,
    };
    // The first one that is found may come before any key.
    if state.view != View::Panes && under.is_some() {
        state.selected = under;
        state.has_chosen = true;
    }
    state.mode = Mode::Palette(palette);
}

fn choose(state: &mut State) -> Vec<Effect> {
    let Mode::Palette(palette) = &state.mode else { return Vec::new() };
    let (scope, before) = (palette.scope, palette.before);
    let Some(what) = palette.chosen().map(|entry| entry.what.clone()) else {
        return Vec::new();
    };
    match what {
        What::Runner(id) if scope == Scope::Standalone => return vec![Effect::Picked(id)],
        What::Runner(id) => {
            state.mode = Mode::List;
            list::select(state, id);
            return dispatch(state, Context::List, Action::Open, None);
        }
        What::Project(name) => {
            state.mode = Mode::List;
            state.view = View::Dashboard;
            state.filter = TextLine::new(&format!("project:{name}"));
        }
        What::Forget(name) => {
            state.mode = Mode::List;
            state.view = View::Dashboard;
            state.selected = before;
            runner::forget(state, &name);
        }
        What::Session(id) => {
            state.mode = Mode::List;
            state.selected = before;
            if state.view != View::Sessions {
                // All were read for the palette.
                state.spending.ask.project.clear();
            }
            state.view = View::Sessions;
            state.page = Page { session: Some(id), ..Page::default() };
        }
        What::Action(context, action) => {
            state.mode = Mode::List;
            state.selected = before;
            return dispatch(state, context, action, None);
        }
    }
    Vec::new()
}

fn cancel(state: &mut State) -> Vec<Effect> {
    let Mode::Palette(palette) = std::mem::replace(&mut state.mode, Mode::List) else {
        return Vec::new();
    };
    if palette.scope == Scope::Standalone {
        return vec![Effect::Quit];
    }
    state.selected = palette.before;
    Vec::new()
}
