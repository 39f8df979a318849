//! The mouse among the panes: it gives the focus, moves dividers, and goes to agents that ask for it.
//!
//! A click goes to an agent only while keys go there too: whoever arranges panes must not answer a
//! dialog by it. The wheel only looks, so it always goes where it turns.

use chrono::TimeDelta;

use super::{panes, scrollback};
use crate::{
    domain::{id::RunnerId, key::Modifiers},
    terminal::{
        MouseMode, Pane,
        keys::{MouseAction, MouseButton, MouseEvent, encode_mouse},
    },
    ui::{
        effect::Effect,
        state::{
            Area, Axis, Click, Drag, Mode, Place, Selection, Spot, State, Unit, View, shown_panes,
        },
    },
};

/// Lines for one notch of the wheel.
const WHEEL: i64 = 3;
/// Two clicks at the same place within so long are a double one.
const DOUBLE: TimeDelta = TimeDelta::milliseconds(400);

/// Applies what the mouse did among the panes.
pub(super) fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    if !matches!(state.mode, Mode::List | Mode::Typing(_) | Mode::Scrollback(_)) {
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
            place.map_or_else(Vec::new, |place| on_wheel(state, place.id, mouse))
        }
    }
}

/// Turns the wheel where an agent wants it, else scrolls what the runner showed before.
fn on_wheel(state: &mut State, id: RunnerId, mouse: MouseEvent) -> Vec<Effect> {
    let passed = if state.panes.past.contains_key(&id) || mouse.modifiers.shift {
        Vec::new()
    } else {
        pass(state, id, mouse)
    };
    match mouse.action {
        _ if !passed.is_empty() => passed,
        MouseAction::ScrollUp => scrollback::scroll(state, id, WHEEL),
        MouseAction::ScrollDown => scrollback::scroll(state, id, -WHEEL),
        _ => Vec::new(),
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
    }
    if !place.screen().contains(col, row) {
        return Vec::new();
    }
    let wants = modes(state, place.id).is_some_and(|modes| modes.mouse != MouseMode::None);
    let is_typed_into = state.mode == Mode::Typing(place.id) && had_focus;
    let is_past = state.panes.past.contains_key(&place.id);
    if wants && is_typed_into && !is_past && !mouse.modifiers.shift {
        state.panes.drag = Some(Drag::Passed(place.id));
        return pass(state, place.id, mouse);
    }
    match scrollback::spot_at(state, place.id, col, row) {
        Some(from) if button == MouseButton::Left => {
            on_text(state, place.id, from, had_focus, mouse)
        }
        _ => Vec::new(),
    }
}

/// Counts a click with those just before at the same place: 1, 2, 3 and 1 again.
pub(super) fn clicks(state: &mut State, mouse: MouseEvent) -> u8 {
    let cell = (mouse.col, mouse.row);
    let before = state.panes.click.filter(|click| click.cell == cell);
    let before = before.filter(|click| state.now - click.at < DOUBLE);
    let count = before.map_or(1, |click| click.count % 3 + 1);
    state.panes.click = Some(Click { at: state.now, cell, count });
    count
}

/// The button went down on text: a second click there selects the word, a third one the line.
fn on_text(
    state: &mut State,
    id: RunnerId,
    from: Spot,
    had_focus: bool,
    mouse: MouseEvent,
) -> Vec<Effect> {
    let unit = match clicks(state, mouse) {
        1 => Unit::Cells,
        2 => Unit::Words,
        _ => Unit::Lines,
    };
    state.panes.drag = Some(Drag::Screen { id, from, unit, had_focus });
    if let Some(past) = state.panes.past.get_mut(&id) {
        past.selection = None;
        state.is_dirty = true;
    }
    if unit == Unit::Cells { Vec::new() } else { select(state, id, (from, from), unit) }
}

/// Selects from one place to another, on a screen that is held still for that.
fn select(
    state: &mut State,
    id: RunnerId,
    (anchor, head): (Spot, Spot),
    unit: Unit,
) -> Vec<Effect> {
    let effects = scrollback::open(state, id);
    if let Some(past) = state.panes.past.get_mut(&id) {
        past.selection = Some(Selection { anchor, head, unit });
        state.is_dirty = true;
    }
    effects
}

fn on_drag(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    match state.panes.drag.clone() {
        Some(Drag::Divider { path, axis, whole }) => {
            move_divider(state, &path, (axis, whole), mouse);
            Vec::new()
        }
        Some(Drag::Passed(id)) => pass(state, id, mouse),
        Some(Drag::Screen { id, from, unit, .. }) => drag_over_text(state, id, from, unit, mouse),
        None => Vec::new(),
    }
}

fn drag_over_text(
    state: &mut State,
    id: RunnerId,
    from: Spot,
    unit: Unit,
    mouse: MouseEvent,
) -> Vec<Effect> {
    let Some(place) = shown_panes(state).places.of_runner(id) else { return Vec::new() };
    let area = place.screen();
    let mut effects = Vec::new();
    // Beyond an edge it goes on.
    if mouse.row < area.y {
        effects.extend(scrollback::scroll(state, id, 1));
    } else if mouse.row >= area.y + area.height && state.panes.past.contains_key(&id) {
        effects.extend(scrollback::scroll(state, id, -1));
    }
    if let Some(to) = scrollback::spot_at(state, id, mouse.col, mouse.row)
        && (to != from || state.panes.past.get(&id).is_some_and(|past| past.selection.is_some()))
    {
        effects.extend(select(state, id, (from, to), unit));
    }
    effects
}

fn on_release(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    match state.panes.drag.take() {
        Some(Drag::Passed(id)) => return pass(state, id, mouse),
        Some(Drag::Screen { id, had_focus, .. }) => {
            let past = state.panes.past.get(&id);
            if past.is_some_and(|past| past.selection.is_some()) {
                return scrollback::copy(state, id);
            }
            // A click where keys could go and nothing is looked at: they go there.
            if had_focus && state.mode == Mode::List && past.is_none() {
                state.is_dirty = true;
                panes::enter(state);
            }
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
