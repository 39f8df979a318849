//! Choosing a theme: each is shown while the cursor is on it, and kept when it is chosen.

use crate::ui::{
    effect::Effect,
    keymap::Action,
    state::{Mode, State, ThemePicker},
};

/// Opens the list.
pub(super) fn open(state: &mut State) {
    let before = state.themes.shown.clone();
    let at = state.themes.all.iter().position(|(name, _)| *name == before).unwrap_or(0);
    state.mode = Mode::Themes(ThemePicker { at, before });
}

/// Shows the one in a row of the list.
pub(super) fn show(state: &mut State, row: usize) -> Vec<Effect> {
    if let Mode::Themes(picker) = &mut state.mode {
        picker.at = row;
    }
    if let Some((name, _)) = state.themes.all.get(row) {
        state.themes.shown.clone_from(name);
    }
    Vec::new()
}

/// Applies an action in the list.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Themes(picker) = &mut state.mode else { return Vec::new() };
    let last = state.themes.all.len().saturating_sub(1);
    match action {
        Action::Down => picker.at = (picker.at + 1).min(last),
        Action::Up => picker.at = picker.at.saturating_sub(1),
        Action::First => picker.at = 0,
        Action::Last => picker.at = last,
        Action::Accept => {
            state.mode = Mode::List;
            let name = state.themes.shown.clone();
            state.themes.is_chosen = state.themes.set_in.is_none();
            state.say(match &state.themes.set_in {
                Some(place) => format!("{name} until you leave: {place} sets dashboard.theme"),
                None => format!("the theme is {name}"),
            });
            return vec![Effect::KeepTheme(name)];
        }
        _ => {
            state.themes.shown = std::mem::take(&mut picker.before);
            state.mode = Mode::List;
            return Vec::new();
        }
    }
    if let Some((name, _)) = state.themes.all.get(picker.at) {
        state.themes.shown.clone_from(name);
    }
    Vec::new()
}
