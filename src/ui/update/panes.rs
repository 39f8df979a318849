//! The panes: opening, arranging and leaving them.

use super::{launch_dialog, list, runner, scrollback};
use crate::ui::{
    effect::Effect,
    keymap::{Action, Context},
    state::{
        Axis, MOST_PANES, Mode, Pick, SavedLayout, Side, State, Tree, View, all_places, for_grid,
        geometry, without_pane,
    },
};
use crate::{domain::id::RunnerId, terminal::keys::KeyPress};

/// Cells that a divider is moved by with one key, across and down.
const STEP: (u16, u16) = (4, 2);

/// Opens panes from the list.
pub(super) fn open(state: &mut State, action: Action) {
    match action {
        Action::ShowPanes => {
            if state.panes.layout.tree.is_none() {
                state.say("no panes yet: v opens the selected runner in one");
                return;
            }
            show(state);
        }
        Action::Grid => grid(state),
        _ => {
            let Some(id) = state.selected_runner().map(|runner| runner.id) else {
                state.say("no runner is selected");
                return;
            };
            match action {
                Action::SplitRight => split(state, Axis::SideBySide, id),
                Action::SplitBelow => split(state, Axis::Stacked, id),
                _ => {
                    state.view = View::Panes;
                    state.panes.alone = Some(id);
                }
            }
            enter(state);
        }
    }
}

/// Applies an action among the panes.
pub(super) fn act(state: &mut State, action: Action, press: Option<KeyPress>) -> Vec<Effect> {
    match action {
        Action::Cancel => leave(state),
        Action::Type => enter(state),
        Action::Scrollback => return scrollback::enter(state, false),
        Action::Search => return scrollback::enter(state, true),
        Action::Help => state.mode = Mode::Help(0),
        Action::Launch => return launch_dialog::open(state),
        Action::FocusLeft => step(state, Side::Left),
        Action::FocusRight => step(state, Side::Right),
        Action::FocusUp => step(state, Side::Up),
        Action::FocusDown => step(state, Side::Down),
        Action::NextNeeding => next_needing(state),
        Action::NextPane => go(state, 1),
        Action::PreviousPane => go(state, -1),
        Action::PaneByNumber => by_number(state, press),
        Action::Attach
        | Action::Stop
        | Action::Kill
        | Action::Restart
        | Action::Pause
        | Action::Line => return runner::act(state, action),
        action => arrange(state, action),
    }
    Vec::new()
}

/// Changes the arrangement.
fn arrange(state: &mut State, action: Action) {
    if let Some(id) = state.panes.alone {
        match action {
            Action::ClosePane => leave(state),
            // Whoever splits a runner that stands alone wants it among the others.
            Action::SplitRight | Action::SplitBelow => split(state, Axis::SideBySide, id),
            Action::Grid => {}
            _ => return,
        }
    }
    let Some(id) = state.panes.layout.focus else { return };
    match action {
        Action::SplitRight => pick(state, Axis::SideBySide),
        Action::SplitBelow => pick(state, Axis::Stacked),
        Action::Zoom => state.panes.layout.is_zoomed = !state.panes.layout.is_zoomed,
        Action::ClosePane => close(state, id),
        Action::SwapNext => swap(state, id, 1),
        Action::SwapPrevious => swap(state, id, -1),
        Action::GrowLeft => grow(state, id, Side::Left),
        Action::GrowRight => grow(state, id, Side::Right),
        Action::GrowUp => grow(state, id, Side::Up),
        Action::GrowDown => grow(state, id, Side::Down),
        Action::Turn => state.panes.change(|layout| {
            if let Some(tree) = &mut layout.tree {
                tree.turn(id);
            }
        }),
        Action::Balance => state.panes.change(|layout| {
            if let Some(tree) = &mut layout.tree {
                tree.balance();
            }
        }),
        Action::Undo if !state.panes.undo() => state.say("nothing to bring back"),
        Action::Grid => grid(state),
        Action::Synchronise => synchronise(state),
        _ => {}
    }
}

/// Applies an action while a runner for a new pane is chosen.
pub(super) fn on_pick(state: &mut State, action: Action) {
    let Mode::Pick(pick) = state.mode else { return };
    let free = without_pane(state);
    let last = free.len().saturating_sub(1);
    let chosen = pick.chosen.min(last);
    let chosen = match action {
        Action::Down => (chosen + 1).min(last),
        Action::Up => chosen.saturating_sub(1),
        Action::Accept => {
            state.mode = Mode::List;
            if let Some(id) = free.get(chosen) {
                split(state, pick.axis, *id);
                enter(state);
            }
            return;
        }
        _ => {
            state.mode = Mode::List;
            return;
        }
    };
    state.mode = Mode::Pick(Pick { chosen, ..pick });
}

/// Applies a key that works while an agent is typed into; `None` when it is the agent's.
pub(super) fn on_typing_key(state: &mut State, press: KeyPress) -> Option<Vec<Effect>> {
    if state.here.leave == Some(press) {
        if state.panes.alone.is_some() {
            leave(state);
        } else {
            state.mode = Mode::List;
        }
        return Some(Vec::new());
    }
    let side = match state.keys.action(Context::Typing, press) {
        Some(Action::FocusLeft) => Side::Left,
        Some(Action::FocusRight) => Side::Right,
        Some(Action::FocusUp) => Side::Up,
        Some(Action::FocusDown) => Side::Down,
        Some(Action::PageUp) => return Some(scrollback::page(state, false)),
        Some(Action::PageDown) => return Some(scrollback::page(state, true)),
        Some(Action::Scrollback) => return Some(scrollback::enter(state, false)),
        _ => return None,
    };
    step(state, side);
    enter(state);
    Some(Vec::new())
}

/// Makes the keys go to the runner in focus, if it lives.
pub(super) fn enter(state: &mut State) {
    let Some(id) = state.panes.focus() else { return };
    state.selected = Some(id);
    let is_live = state.runners.get(&id).is_some_and(|runner| runner.status.is_live());
    state.mode = if is_live { Mode::Typing(id) } else { Mode::List };
}

/// Gives a runner's pane the focus; whoever was typing goes on there.
pub(super) fn focus(state: &mut State, id: RunnerId) {
    if state.panes.focus() == Some(id) {
        return;
    }
    state.panes.layout.focus = Some(id);
    match state.mode {
        Mode::Typing(_) => enter(state),
        Mode::Scrollback(_) => state.mode = Mode::List,
        _ => {}
    }
}

/// Shows a runner that was launched from among the panes beside the one in focus.
pub(super) fn on_launched(state: &mut State, id: RunnerId) {
    if state.view == View::Panes && state.panes.alone.is_none() && state.mode == Mode::List {
        split(state, Axis::SideBySide, id);
        enter(state);
    }
}

/// Begins with what the last start had arranged.
pub(super) fn on_found(state: &mut State, found: Result<Box<SavedLayout>, String>) {
    match found {
        Ok(layout) => {
            state.panes.kept = Some((*layout).clone());
            layout.restore(&mut state.panes);
        }
        Err(why) => state.complain(why),
    }
}

/// Has the arrangement kept if it is another one; an empty one never replaces what is kept.
pub(super) fn keep(state: &mut State, effects: &mut Vec<Effect>) {
    // A divider that is being dragged is kept where it is let go.
    if state.panes.drag.is_some() {
        return;
    }
    let Some(now) = SavedLayout::of(&state.panes) else { return };
    if state.panes.kept.as_ref().is_none_or(|kept| !kept.is_like(&now)) {
        state.panes.kept = Some(now.clone());
        effects.push(Effect::SaveLayout(Box::new(now)));
    }
}

/// Keeps what the panes stand on true: the focus, the selection, the names.
pub(super) fn settle(state: &mut State) {
    for id in state.panes.runners() {
        if let Some(runner) = state.runners.get(&id)
            && state.panes.names.get(&id) != Some(&runner.name)
        {
            state.panes.names.insert(id, runner.name.clone());
        }
    }
    let runners = state.panes.runners();
    if !state.panes.layout.focus.is_some_and(|id| runners.contains(&id)) {
        state.panes.layout.focus = runners.first().copied();
    }
    if state.view != View::Panes {
        return;
    }
    if state.panes.focus().is_none() {
        leave(state);
        return;
    }
    state.selected = state.panes.focus().filter(|id| state.runners.contains_key(id));
}

/// Goes back to the dashboard; nobody types into several agents from there.
pub(super) fn leave(state: &mut State) {
    state.view = View::Dashboard;
    state.mode = Mode::List;
    state.panes.alone = None;
    state.panes.is_synchronised = false;
}

fn show(state: &mut State) {
    state.view = View::Panes;
    state.panes.alone = None;
    state.mode = Mode::List;
}

fn split(state: &mut State, axis: Axis, id: RunnerId) {
    let runners = state.panes.runners();
    if runners.len() >= MOST_PANES && !runners.contains(&id) {
        state.say(format!("there are {MOST_PANES} panes, which is the most; close one first"));
        return;
    }
    state.panes.open(axis, id);
    show(state);
}

fn close(state: &mut State, id: RunnerId) {
    state.panes.close(id);
    if state.panes.layout.tree.is_none() {
        leave(state);
        state.selected = Some(id);
    }
}

fn pick(state: &mut State, axis: Axis) {
    if without_pane(state).is_empty() {
        state.say("every live runner has a pane already; the dashboard launches more");
    } else {
        state.mode = Mode::Pick(Pick { axis, chosen: 0 });
    }
}

fn step(state: &mut State, side: Side) {
    if state.panes.alone.is_some() {
        return;
    }
    let places = all_places(state);
    if let Some(next) = state.panes.layout.focus.and_then(|id| places.beside(id, side)) {
        state.panes.layout.focus = Some(next);
    }
}

fn go(state: &mut State, by: isize) {
    if state.panes.alone.is_none() {
        state.panes.layout.focus = state.panes.further(by);
    }
}

/// Goes to the runner that has waited longest for a person, in its pane if it has one.
fn next_needing(state: &mut State) {
    let before = state.selected;
    list::act(state, Action::NextNeeding);
    let Some(id) = state.selected.filter(|id| before != Some(*id)) else { return };
    if state.panes.runners().contains(&id) {
        state.panes.alone = None;
        state.panes.layout.focus = Some(id);
    } else {
        state.panes.alone = Some(id);
    }
    // Not into it: the next key may have been pressed before the question could be read.
    state.mode = Mode::List;
}

/// Goes to a pane by its number and types there.
fn by_number(state: &mut State, press: Option<KeyPress>) {
    let at =
        press.and_then(|press| state.keys.position(Context::Panes, Action::PaneByNumber, press));
    let id = at.and_then(|at| state.panes.runners().get(usize::from(at)).copied());
    match id.filter(|_| state.panes.alone.is_none()) {
        Some(id) => {
            state.panes.layout.focus = Some(id);
            enter(state);
        }
        None => state.say("there is no pane with this number"),
    }
}

fn swap(state: &mut State, id: RunnerId, by: isize) {
    let Some(other) = state.panes.further(by).filter(|other| *other != id) else { return };
    state.panes.change(|layout| {
        if let Some(tree) = &mut layout.tree {
            tree.swap(id, other);
        }
    });
}

/// Moves the divider on a side of a pane by a step.
fn grow(state: &mut State, id: RunnerId, side: Side) {
    let places = all_places(state);
    let Some(tree) = &mut state.panes.layout.tree else { return };
    let Some(path) = tree.divider_towards(id, side) else { return };
    let Some(divider) = places.dividers.iter().find(|divider| divider.path == path) else { return };
    let (first, length) = divider.lengths();
    let first = match side {
        Side::Left => first.saturating_sub(STEP.0),
        Side::Right => first + STEP.0,
        Side::Up => first.saturating_sub(STEP.1),
        Side::Down => first + STEP.1,
    };
    tree.set_divider(&path, first.min(length), length);
}

/// Shows all live runners of the selected one's project.
fn grid(state: &mut State) {
    let Some(project) = state.selected_runner().map(|runner| runner.project.clone()) else {
        state.say("no runner is selected, so there is no project to show");
        return;
    };
    state.view = View::Panes;
    let area = geometry(state).body;
    let (runners, left_out) = for_grid(state, &project, area);
    let Some(tree) = Tree::grid(&runners, area) else {
        state.view = View::Dashboard;
        state.say(format!("no runner of {project} is live"));
        return;
    };
    let focus = state.selected.filter(|id| runners.contains(id)).or(runners.first().copied());
    state.panes.change(|layout| {
        layout.tree = Some(tree);
        layout.focus = focus;
        layout.is_zoomed = false;
    });
    show(state);
    if left_out > 0 {
        state.say(format!("{left_out} more of {project} have no room here"));
    }
}

fn synchronise(state: &mut State) {
    let panes = &mut state.panes;
    panes.is_synchronised = !panes.is_synchronised;
    if panes.is_synchronised && panes.runners().len() < 2 {
        panes.is_synchronised = false;
        state.say("there is only one pane");
    } else if panes.is_synchronised {
        enter(state);
    }
}
