//! Gives a runner the size of its pane, but only while keys go there: each change of size makes an
//! agent paint its whole screen anew, and other panes are only looked at.
//!
//! The last one who types decides: somebody who is attached elsewhere gets the size back with the
//! next key, and so does the pane.

use crate::{
    domain::{id::RunnerId, size::TerminalSize},
    terminal::Pane,
    ui::{
        effect::Effect,
        state::{Mode, State, View, shown_panes},
    },
};

/// Asks for the size of the pane that is typed into, if it was another one.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let wanted = wanted(state);
    if state.panes.asked == wanted {
        return;
    }
    state.panes.asked = wanted;
    if let Some((id, size)) = wanted.filter(|(id, size)| real(state, *id) != Some(*size)) {
        effects.push(Effect::Resize(id, size));
    }
}

/// Asks again with a key: somebody else may have taken the size meanwhile.
pub(super) fn on_typed(state: &State, id: RunnerId) -> Option<Effect> {
    let (asked, size) = state.panes.asked?;
    let is_other = real(state, id).is_some_and(|real| real != size);
    let is_fixed = state.panes.fixed == Some(id);
    (asked == id && is_other && !is_fixed).then_some(Effect::Resize(id, size))
}

/// Returns whose terminal should have which size.
fn wanted(state: &State) -> Option<(RunnerId, TerminalSize)> {
    let Mode::Typing(id) = state.mode else { return None };
    if state.view != View::Panes || !state.is_current() || state.panes.drag.is_some() {
        return state.panes.asked.filter(|(asked, _)| *asked == id);
    }
    let area = shown_panes(state).places.of_runner(id)?.screen();
    (!area.is_empty()).then(|| (id, TerminalSize::new(area.width, area.height)))
}

/// The size that the terminal has now, as far as is known.
fn real(state: &State, id: RunnerId) -> Option<TerminalSize> {
    let size = state.screens.get(&id)?.pane.as_ref().map(Pane::size)?;
    Some(TerminalSize::new(size.cols(), size.rows()))
}
