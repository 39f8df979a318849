//! Moving in the views that are lines to read.

use super::{budgets, changes, conversations, correct, evidence, list, pointer, spending};
use crate::terminal::keys::{MouseAction, MouseButton, MouseEvent};
use crate::ui::{
    effect::Effect,
    keymap::Action,
    state::{LogView, Mode, Page, State, View, Whole, geometry},
};

/// Opens one of the views.
pub(super) fn open(state: &mut State, action: Action) -> Vec<Effect> {
    if action == Action::ShowChanges {
        return changes::open(state);
    }
    if action == Action::ShowEvidence {
        evidence::open(state);
        return Vec::new();
    }
    let (view, follows) = match action {
        Action::ShowEvents => (View::Events, true),
        Action::ShowSettings => (View::Settings, false),
        Action::ShowHealth => (View::Health, false),
        Action::ShowLog => (View::Log, true),
        Action::ShowUsage => (View::Usage, false),
        Action::ShowBudgets => (View::Budgets, false),
        Action::ShowSessions => (View::Sessions, false),
        Action::ShowInbox => (View::Inbox, false),
        _ => return Vec::new(),
    };
    let mut effects = Vec::new();
    if view == View::Log {
        let Some(runner) = state.selected_runner() else {
            state.say("no runner is selected");
            return Vec::new();
        };
        let (id, name) = (runner.id, runner.name.clone());
        state.log = Some(LogView::new(id, name));
        effects.push(Effect::ReadLog(Some(id)));
    }
    state.page = Page { follows, ..Page::default() };
    state.view = view;
    effects
}

/// Applies an action in a view.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let page = state.page_rows(geometry(state).body.height).saturating_sub(1).max(1);
    let last = state.page_lines().len().saturating_sub(1);
    let at = state.page.at;
    let to = match action {
        Action::Down => Some(at.saturating_add(1)),
        Action::Up => Some(at.saturating_sub(1)),
        Action::PageDown => Some(at.saturating_add(page)),
        Action::PageUp => Some(at.saturating_sub(page)),
        Action::First => Some(0),
        Action::Last => Some(last),
        _ => None,
    };
    if let Some(to) = to {
        state.page.at = to.min(last);
        // Who goes up wants to read; who is at the end wants to see what comes.
        let is_growing = matches!(state.view, View::Events | View::Log);
        state.page.follows = is_growing && !state.page.is_whole() && to >= last;
        return Vec::new();
    }
    if state.view == View::Budgets && budgets::on_page(state, action) {
        return Vec::new();
    }
    match action {
        Action::ResumeSession => return spending::resume(state),
        Action::SearchAll => conversations::ask(state),
        Action::ReadSession => return conversations::read(state),
        Action::Inspect if conversations::is_read(state) => return conversations::read(state),
        Action::Correct => {
            let id = state.evidence.as_ref().map(|evidence| evidence.id);
            return id.map(|id| correct::open(state, id)).unwrap_or_default();
        }
        Action::NextBy | Action::PreviousBy | Action::Range | Action::OneProject => {
            spending::act(state, action);
            return conversations::on_project(state);
        }
        Action::Filter if state.is_searched() && !state.page.is_whole() => {
            state.page.find.clear();
            state.mode = Mode::Find;
        }
        Action::Filter | Action::Narrow => state.mode = Mode::Filter,
        Action::NextMatch => next_match(state, true),
        Action::PreviousMatch => next_match(state, false),
        Action::Follow => state.page.follows = !state.page.follows,
        Action::Inspect => inspect(state),
        Action::Help => state.mode = Mode::Help(0),
        Action::GoToNotice => {
            list::go_to_notice(state, 0);
            return Vec::new();
        }
        Action::Cancel => return back(state),
        action => return open(state, action),
    }
    Vec::new()
}

/// The wheel moves as the keys do; a click goes to a line, a double one shows it whole.
pub(super) fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    let areas = geometry(state);
    let action = match mouse.action {
        MouseAction::ScrollUp => Action::Up,
        MouseAction::ScrollDown => Action::Down,
        MouseAction::Press(MouseButton::Left)
            if state.is_on_notice(&areas, mouse.col, mouse.row) =>
        {
            Action::GoToNotice
        }
        MouseAction::Press(MouseButton::Left) if areas.body.contains(mouse.col, mouse.row) => {
            let above = usize::from(areas.body.y) + 1 + state.page_fixed().len();
            let Some(row) = usize::from(mouse.row).checked_sub(above) else { return Vec::new() };
            let at = state.page.top + row;
            if at >= state.page_lines().len() {
                return Vec::new();
            }
            (state.page.at, state.page.follows, state.is_dirty) = (at, false, true);
            if pointer::clicks(state, mouse) != 2 {
                return Vec::new();
            }
            Action::Inspect
        }
        _ => return Vec::new(),
    };
    state.is_dirty = true;
    act(state, action)
}

/// Applies an action while a text to search for is typed.
pub(super) fn on_find(state: &mut State, action: Action) {
    match action {
        Action::Accept => {
            state.mode = Mode::List;
            let matches = state.page_matches();
            let at = state.page.at;
            // From here on as a pager does; from the end, where logs are read first, backwards.
            let below = matches.iter().find(|found| **found >= at);
            match below.or(matches.last()) {
                Some(found) => go_to(state, *found),
                None if state.page.find.is_blank() => {}
                None => {
                    let text = state.page.find.text().to_owned();
                    state.say(format!("`{text}` is nowhere in what is shown here"));
                }
            }
        }
        Action::Cancel => {
            state.page.find.clear();
            state.mode = Mode::List;
        }
        _ => {}
    }
}

/// Goes to the next line with what was searched for, round and round.
fn next_match(state: &mut State, forward: bool) {
    let matches = state.page_matches();
    let at = state.page.at;
    let (next, again) = if forward {
        (matches.iter().find(|found| **found > at), matches.first())
    } else {
        (matches.iter().rev().find(|found| **found < at), matches.last())
    };
    match (next, again) {
        (Some(found), _) => go_to(state, *found),
        (None, Some(found)) => {
            state.say(if forward {
                "from the first line again"
            } else {
                "from the last line again"
            });
            go_to(state, *found);
        }
        (None, None) => state.say("nothing was searched for, or nothing found"),
    }
}

/// Goes to a line, which is shown in the middle if it was not shown before.
pub(super) fn go_to(state: &mut State, at: usize) {
    let rows = state.page_rows(geometry(state).body.height);
    let page = &mut state.page;
    page.follows = false;
    page.at = at;
    if !(page.top..page.top + rows).contains(&at) {
        page.top = at.saturating_sub(rows / 2);
    }
}

/// Restores the invariant.
pub(super) fn settle(state: &mut State) {
    if !state.is_page() {
        return;
    }
    let last = state.page_lines().len().saturating_sub(1);
    let rows = state.page_rows(geometry(state).body.height);
    let page = &mut state.page;
    page.at = if page.follows { last } else { page.at.min(last) };
    let low = (page.at + 1).saturating_sub(rows);
    page.top = page.top.clamp(low, page.at).min((last + 1).saturating_sub(rows));
}

fn inspect(state: &mut State) {
    let is_whole = state.page.is_whole() || state.view == View::Conversation;
    if is_whole || changes::inspect(state) {
        return;
    }
    let at = state.page.at;
    if state.view == View::Events {
        state.page.inspected = state.event_at_cursor().map(|event| event.position);
    } else if state.view == View::Sessions {
        state.page.session = state.session_at_cursor();
    } else if state.view == View::Inbox {
        state.page.item = state.item_at_cursor().map(|item| item.id);
    } else {
        let line = state.page_lines().into_iter().nth(at);
        state.page.whole = line.map(|line| Whole { line, at });
    }
    if state.page.is_whole() {
        state.page.follows = false;
        (state.page.at, state.page.top) = (0, 0);
    }
}

/// From the whole to the list, from the found to all, from the view to the dashboard.
fn back(state: &mut State) -> Vec<Effect> {
    if let Some(whole) = state.page.whole.take() {
        state.page.at = whole.at;
        return Vec::new();
    }
    if let Some(position) = state.page.inspected.take() {
        let at = state.events.iter().position(|event| event.position == position);
        state.page.at = at.unwrap_or(0);
        return Vec::new();
    }
    if let Some(id) = state.page.session.take() {
        state.page.at = state.line_of_session(&id).unwrap_or(0);
        return Vec::new();
    }
    if let Some(id) = state.page.item.take() {
        state.page.at = state.line_of_item(id).unwrap_or(0);
        return Vec::new();
    }
    if !state.page.find.is_blank() && !conversations::is_as_found(state) {
        state.page.find.clear();
        return Vec::new();
    }
    if !state.page.search.is_blank() {
        state.page.search.clear();
        return Vec::new();
    }
    if changes::back(state) || conversations::back(state) {
        return Vec::new();
    }
    let was_log = state.view == View::Log;
    state.view = View::Dashboard;
    state.log = None;
    if was_log { vec![Effect::ReadLog(None)] } else { Vec::new() }
}
