//! Moving in the list, narrowing and arranging it.

use super::page;
use crate::{
    domain::id::RunnerId,
    ui::{
        effect::Effect,
        keymap::Action,
        state::{
            Arrangement, EventsRoom, Group, Mode, Row, State, View, geometry, help, rows, shown,
        },
    },
};

/// Applies an action on the list itself.
pub(super) fn act(state: &mut State, action: Action) {
    let page = isize::try_from(geometry(state).list.height.max(2) - 1).unwrap_or(isize::MAX);
    match action {
        Action::Down => step(state, 1),
        Action::Up => step(state, -1),
        Action::PageDown => step(state, page),
        Action::PageUp => step(state, -page),
        Action::First => step(state, isize::MIN),
        Action::Last => step(state, isize::MAX),
        Action::NextNeeding => next_needing(state),
        Action::Filter => state.mode = Mode::Filter,
        Action::Arrange => {
            state.arrangement = match state.arrangement {
                Arrangement::ByState => Arrangement::ByProject,
                Arrangement::ByProject => Arrangement::ByState,
            };
        }
        Action::Events => {
            state.events_room = match state.events_room {
                EventsRoom::Some => EventsRoom::Half,
                EventsRoom::Half => EventsRoom::Hidden,
                EventsRoom::Hidden => EventsRoom::Some,
            };
        }
        Action::Fold => fold(state),
        Action::Help => state.mode = Mode::Help(0),
        Action::GoToNotice => go_to_notice(state, 0),
        Action::Cancel if state.progress.hide() => {}
        Action::Cancel if !state.notices.is_empty() => state.notices.clear(),
        Action::Cancel => state.filter.clear(),
        _ => {}
    }
}

/// Applies an action while the filter is typed.
pub(super) fn on_filter(state: &mut State, action: Action) -> Vec<Effect> {
    if state.mode == Mode::Find {
        page::on_find(state, action);
        return Vec::new();
    }
    match action {
        Action::Accept => state.mode = Mode::List,
        Action::Cancel if state.is_page() => {
            state.page.search.clear();
            state.mode = Mode::List;
        }
        _ if state.is_page() => {}
        Action::Cancel => {
            state.filter.clear();
            state.mode = Mode::List;
        }
        action => act(state, action),
    }
    Vec::new()
}

/// Applies an action while all keys are listed.
pub(super) fn on_help(state: &mut State, action: Action) -> Vec<Effect> {
    let rows = usize::from(geometry(state).body.height);
    let last = help(state).len().saturating_sub(rows);
    if let Mode::Help(scroll) = &mut state.mode {
        let to = match action {
            Action::Down => scroll.saturating_add(1),
            Action::Up => scroll.saturating_sub(1),
            Action::PageDown => scroll.saturating_add(rows),
            Action::PageUp => scroll.saturating_sub(rows),
            Action::First => 0,
            Action::Last => last,
            _ => {
                state.mode = Mode::List;
                return Vec::new();
            }
        };
        *scroll = to.min(last);
    }
    Vec::new()
}

/// Moves the selection by so many runners, as far as there are any.
pub(super) fn step(state: &mut State, by: isize) {
    let listed = shown(state);
    let at = state.selected.and_then(|id| listed.iter().position(|listed| *listed == id));
    let last = listed.len().saturating_sub(1);
    let to = at.map_or(0, |at| at.saturating_add_signed(by).min(last));
    // A step back before the first must not wrap to the last.
    let to = if by == isize::MIN { 0 } else { to };
    state.selected = listed.get(to).copied();
}

/// Goes to the runner that has waited longest, and from there to the next.
fn next_needing(state: &mut State) {
    let mut waiting: Vec<_> = state
        .runners
        .values()
        .filter(|runner| state.group(runner) == Group::NeedsYou)
        .map(|runner| (state.since(runner), runner.id))
        .collect();
    waiting.sort_unstable();
    let at = waiting.iter().position(|(_, id)| Some(*id) == state.selected);
    let next = at.map_or(0, |at| at + 1);
    match waiting.get(next).or(waiting.first()) {
        Some((_, id)) => {
            let id = *id;
            // The others that wait stand above: they are shown with it as far as there is room.
            state.scroll = 0;
            select(state, id);
        }
        None => state.say("nobody needs you"),
    }
}

/// Selects the runner of a note.
pub(super) fn go_to_notice(state: &mut State, at: usize) {
    match state.notices.get(at).map(|notice| notice.id) {
        Some(id) => {
            state.view = View::Dashboard;
            select(state, id);
        }
        None => state.say("no notes"),
    }
}

/// Selects a runner, which must be seen even if the filter would hide it.
pub(super) fn select(state: &mut State, id: RunnerId) {
    state.selected = Some(id);
    if !shown(state).contains(&id) {
        state.filter.clear();
    }
}

fn fold(state: &mut State) {
    let is_folded = rows(state).iter().any(|row| matches!(row, Row::Group { is_folded: true, .. }));
    let by_project = state.arrangement == Arrangement::ByProject;
    let open = if by_project { state.finished_open == Some(false) } else { is_folded };
    state.finished_open = Some(open);
}
