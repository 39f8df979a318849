//! The mouse among the panes: it gives the focus, moves dividers, and goes to agents that ask for it.
//!
//! A click goes to an agent only while keys go there too: whoever arranges panes must not answer a
//! dialog by it. The wheel only looks, so it always goes where it turns.

use super::panes;
use crate::{
    domain::{id::RunnerId, key::Modifiers},
    terminal::{
        MouseMode, Pane,
        keys::{MouseAction, MouseButton, MouseEvent, encode_mouse},
    },
    ui::{
        effect::Effect,
        state::{Area, Axis, Drag, Mode, Place, State, View, shown_panes},
    },
};

/// Applies what the mouse did among the panes.
pub(super) fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    if !matches!(state.mode, Mode::List | Mode::Typing(_)) {
        return Vec::new();
    }
    match mouse.action {
        MouseAction::Press(button) => on_press(state, mouse, button),
        MouseAction::Drag(_) => on_drag(state, mouse),
        MouseAction::Release(_) => on_release(state, mouse),
        MouseAction::Move => match state.mode {
            Mode::Typing(id) => pass(state, id, mouse),
            _ => Vec::new(),
        },
        _ => {
            let place = shown_panes(state).places.at(mouse.col, mouse.row);
            place.map_or_else(Vec::new, |place| pass(state, place.id, mouse))
        }
    }
}

fn on_press(state: &mut State, mouse: MouseEvent, button: MouseButton) -> Vec<Effect> {
    let (col, row) = (mouse.col, mouse.row);
    let places = shown_panes(state).places;
    if let Some(divider) = places.divider_at(col, row).filter(|_| button == MouseButton::Left) {
        let (path, axis, whole) = (divider.path.clone(), divider.axis, divider.whole);
        state.panes.drag = Some(Drag::Divider { path, axis, whole });
    }
    let Some(place) = places.at(col, row) else { return Vec::new() };
    let had_focus = state.panes.focus() == Some(place.id);
    if !had_focus {
        panes::focus(state, place.id);
        state.is_dirty = true;
        return Vec::new();
    }
    if !place.screen().contains(col, row) {
        return Vec::new();
    }
    let wants = modes(state, place.id).is_some_and(|modes| modes.mouse != MouseMode::None);
    if wants && state.mode == Mode::Typing(place.id) && !mouse.modifiers.shift {
        state.panes.drag = Some(Drag::Passed(place.id));
        return pass(state, place.id, mouse);
    }
    if button == MouseButton::Left {
        state.panes.drag = Some(Drag::Click(place.id));
    }
    Vec::new()
}

fn on_drag(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    match state.panes.drag.clone() {
        Some(Drag::Divider { path, axis, whole }) => {
            move_divider(state, &path, (axis, whole), mouse);
            Vec::new()
        }
        Some(Drag::Passed(id)) => pass(state, id, mouse),
        Some(Drag::Click(_)) | None => Vec::new(),
    }
}

fn on_release(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    match state.panes.drag.take() {
        Some(Drag::Passed(id)) => return pass(state, id, mouse),
        Some(Drag::Click(id)) if state.mode == Mode::List && state.panes.focus() == Some(id) => {
            state.is_dirty = true;
            panes::enter(state);
        }
        _ => {}
    }
    Vec::new()
}

fn move_divider(state: &mut State, path: &[bool], (axis, whole): (Axis, Area), to: MouseEvent) {
    let (first, length) = match axis {
        Axis::SideBySide => (to.col.saturating_sub(whole.x), whole.width.saturating_sub(1)),
        Axis::Stacked => (to.row.saturating_sub(whole.y), whole.height),
    };
    if let Some(tree) = &mut state.panes.layout.tree {
        tree.set_divider(path, first.min(length), length);
        state.is_dirty = true;
    }
}

/// Tells an agent what the mouse did on its screen, if it wants to know.
fn pass(state: &State, id: RunnerId, mouse: MouseEvent) -> Vec<Effect> {
    let is_live = state.runners.get(&id).is_some_and(|runner| runner.status.is_live());
    let place = shown_panes(state).places.of_runner(id);
    let (Some(place), true) = (place, is_live && state.is_current()) else { return Vec::new() };
    let bytes = on_screen(state, place, mouse)
        .and_then(|mouse| modes(state, id).and_then(|modes| encode_mouse(mouse, &modes)));
    bytes.map_or_else(Vec::new, |bytes| vec![Effect::SendKeys(id, bytes)])
}

/// Returns the event in the columns and rows of the runner's own screen; one that began there and
/// has left it, at its edge.
fn on_screen(state: &State, place: Place, mouse: MouseEvent) -> Option<MouseEvent> {
    let area = place.screen();
    let pane = state.screens.get(&place.id)?.pane.as_ref()?;
    let is_inside = area.contains(mouse.col, mouse.row);
    let may_leave = matches!(mouse.action, MouseAction::Drag(_) | MouseAction::Release(_));
    if area.is_empty() || !(is_inside || may_leave) {
        return None;
    }
    let (top, left) = pane.origin(area.width, area.height);
    let inside = |at: u16, from: u16, cells: u16| at.clamp(from, from + cells - 1) - from;
    let col = inside(mouse.col, area.x, area.width) + left;
    let row = inside(mouse.row, area.y, area.height) + top;
    let (last_col, last_row) = (pane.size().cols() - 1, pane.size().rows() - 1);
    let modifiers = Modifiers { shift: false, ..mouse.modifiers };
    let is_on_it = may_leave || (col <= last_col && row <= last_row);
    let (col, row) = (col.min(last_col), row.min(last_row));
    is_on_it.then_some(MouseEvent { row, col, modifiers, ..mouse })
}

fn modes(state: &State, id: RunnerId) -> Option<crate::terminal::Modes> {
    state.screens.get(&id)?.pane.as_ref().map(Pane::modes)
}

/// Asks our own terminal for as much of the mouse as is needed, and tells agents that ask whether
/// they have the focus.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let typed = match state.mode {
        Mode::Typing(id) => Some(id),
        _ => None,
    };
    let asked = typed.and_then(|id| modes(state, id)).unwrap_or_default();
    let wanted = match (state.view, asked.mouse) {
        (View::Panes, MouseMode::Motion) => MouseMode::Motion,
        (View::Panes, _) => MouseMode::Drag,
        _ => MouseMode::Click,
    };
    if state.mouse != wanted {
        state.mouse = wanted;
        effects.push(Effect::ReportMouse(wanted));
    }
    let focused = typed.filter(|_| state.has_focus && asked.focus && state.is_current());
    if state.focus_told != focused {
        let asks = |id: &RunnerId| modes(state, *id).is_some_and(|modes| modes.focus);
        let is_live = |id: &RunnerId| state.runners.get(id).is_some_and(|r| r.status.is_live());
        let left = state.focus_told.filter(asks).filter(is_live).filter(|_| state.is_current());
        effects.extend(left.map(|id| Effect::SendKeys(id, b"\x1b[O".to_vec())));
        effects.extend(focused.map(|id| Effect::SendKeys(id, b"\x1b[I".to_vec())));
        state.focus_told = focused;
    }
}
