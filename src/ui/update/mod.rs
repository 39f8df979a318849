//! What follows from what happened: a state and an event in, effects out. Pure: no I/O, no clock,
//! no async, so that everything here is tested by calling it.
//!
//! Invariant: after each event the selection names a listed runner if there is one, after what the
//! user did the list is scrolled so that it shows, and exactly the visible screens are asked for.

mod answer;
mod budgets;
mod changes;
mod conversations;
mod correct;
mod daemon;
mod evidence;
mod inbox;
mod launch;
mod launch_dialog;
mod list;
mod lost;
mod outcome;
mod over;
mod page;
mod palette;
mod panes;
mod pointer;
mod quotas;
mod resize;
mod runner;
mod scrollback;
mod several;
mod spending;
mod themes;
mod typing;
mod watch;

pub(super) use self::{
    launch::{default_command, shorten},
    launch_dialog::{directory_of, order_of, program},
};
use super::{
    effect::Effect,
    event::UiEvent,
    keymap::{Action, Context},
    state::{Mode, Reply, Scope, State, View, geometry, position_of, rows, shown},
};
use crate::{
    domain::{answer::Answer, key::KeyPress},
    terminal::keys::{MouseAction, MouseButton, MouseEvent},
};

/// Applies an event and returns what is to be done.
pub(super) fn update(state: &mut State, event: UiEvent) -> Vec<Effect> {
    let size = state.size;
    let is_users = matches!(event, UiEvent::Key(_) | UiEvent::Mouse(_) | UiEvent::Resized(..));
    let mut effects = match event {
        UiEvent::Key(press) => on_key(state, press),
        UiEvent::Paste(text) => typing::on_paste(state, &text),
        UiEvent::Mouse(mouse) => on_mouse(state, mouse),
        UiEvent::Resized(cols, rows) => {
            state.size = (cols, rows);
            state.is_dirty = true;
            Vec::new()
        }
        UiEvent::Stopped => vec![Effect::Suspend(false)],
        UiEvent::Continued => vec![Effect::Redraw],
        UiEvent::Tick(now) => {
            state.now = now;
            state.is_dirty = true;
            Vec::new()
        }
        event @ (UiEvent::ScrollbackOpened(..)
        | UiEvent::ScrollbackRead(..)
        | UiEvent::ScrollbackFound(..)) => {
            scrollback::on_event(state, event);
            Vec::new()
        }
        UiEvent::LayoutFound(found) => {
            panes::on_found(state, found);
            Vec::new()
        }
        UiEvent::Focus(has_focus) => {
            state.has_focus = has_focus;
            Vec::new()
        }
        UiEvent::Frame(id, frame) => {
            // The most frequent of all; it moves nothing unless the agent wants another input.
            if !daemon::on_frame(state, id, &frame) {
                return Vec::new();
            }
            Vec::new()
        }
        event => daemon::on_event(state, event),
    };
    if state.size != size {
        // More of who needs you may have room now.
        state.scroll = 0;
    }
    outcome::note(state, &effects);
    if effects.contains(&Effect::Quit) {
        // Whoever leaves has looked at what is selected.
        if let Some(id) = state.selected {
            state.leave(id);
        }
    }
    settle(state, is_users, &mut effects);
    // Kept before anything that ends the loop.
    let fresh = state.seen.take_fresh().map(Effect::KeepSeen);
    effects.splice(0..0, fresh);
    effects
}

/// Returns the context whose keys work now, `None` while they go to an agent.
pub(super) fn context(state: &State) -> Option<Context> {
    Some(match &state.mode {
        Mode::List if state.view == View::Panes => Context::Panes,
        Mode::List if state.view == View::Inbox => Context::Inbox,
        Mode::List if state.is_page() => Context::Page,
        Mode::List if state.is_empty() => Context::Welcome,
        Mode::List => Context::List,
        Mode::Filter | Mode::Find => Context::Filter,
        Mode::Confirm(_) => Context::Confirm,
        Mode::Launch(_) => Context::Launch,
        Mode::Quotas(_) => Context::Quotas,
        Mode::Budget(_) => Context::Budget,
        Mode::Correct(_) => Context::Correct,
        Mode::Line(..) => Context::Line,
        Mode::Pick(_) => Context::Pick,
        Mode::Palette(_) => Context::Palette,
        Mode::Themes(_) => Context::Themes,
        Mode::Scrollback(_) => Context::History,
        Mode::Search(..) | Mode::Words(_) => Context::Search,
        Mode::Help(_) => Context::Help,
        Mode::Typing(_) | Mode::Held(_) => return None,
    })
}

fn on_key(state: &mut State, press: KeyPress) -> Vec<Effect> {
    let had_toast = state.toast.take().is_some();
    state.unread = None;
    if typing::is_held(state, press) {
        return Vec::new();
    }
    let Some(context) = context(state) else {
        // What an agent is typed shows when it echoes it; a frame now would only delay that.
        state.is_dirty |= had_toast;
        return typing::on_key(state, press);
    };
    state.is_dirty = true;
    state.has_chosen = true;
    let Some(action) = state.keys.action(context, press) else {
        typing::edit(state, press);
        return Vec::new();
    };
    dispatch(state, context, action, Some(press))
}

/// Applies an action of a context; `press` is the key that asked for it, if one did.
fn dispatch(
    state: &mut State,
    context: Context,
    action: Action,
    press: Option<KeyPress>,
) -> Vec<Effect> {
    match action {
        Action::Suspend => return vec![Effect::Suspend(true)],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Dump => return vec![Effect::Dump],
        Action::Themes | Action::Palette | Action::Runners if is_free(state) => {
            match action {
                Action::Themes => themes::open(state),
                Action::Palette => palette::open(state, Scope::All),
                _ => palette::open(state, Scope::Runners),
            }
            return Vec::new();
        }
        _ => {}
    }
    match context {
        Context::List if action == Action::Choose => choose(state, press),
        Context::Global | Context::Typing => Vec::new(),
        Context::Panes => panes::act(state, action, press),
        Context::History if action == Action::Help => {
            state.mode = Mode::Help(0);
            Vec::new()
        }
        Context::History => scrollback::act(state, action),
        Context::Search if matches!(state.mode, Mode::Words(_)) => {
            conversations::on_words(state, action)
        }
        Context::Search => scrollback::on_search(state, action),
        Context::Pick => {
            panes::on_pick(state, action);
            Vec::new()
        }
        Context::List => on_list(state, action),
        Context::Welcome => launch::on_welcome(state, action),
        Context::Filter => list::on_filter(state, action),
        Context::Confirm => runner::on_confirm(state, action),
        Context::Launch => launch_dialog::act(state, action),
        Context::Quotas => quotas::act(state, action),
        Context::Budget => budgets::act(state, action),
        Context::Correct => {
            let number = press.and_then(|press| state.keys.position(context, action, press));
            correct::act(state, action, number)
        }
        Context::Line => typing::on_line(state, action),
        Context::Page => page::act(state, action),
        Context::Inbox => {
            let choice = press.and_then(|press| state.keys.position(context, action, press));
            inbox::act(state, action, choice.map(|at| at.saturating_add(1)))
        }
        Context::Palette => palette::act(state, action),
        Context::Themes => themes::act(state, action),
        Context::Help => list::on_help(state, action),
    }
}

fn on_list(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => vec![Effect::Quit],
        Action::Launch => launch_dialog::open(state),
        Action::Quotas => quotas::open(state),
        Action::Attach
        | Action::Stop
        | Action::Kill
        | Action::Restart
        | Action::Pause
        | Action::Type
        | Action::Forget
        | Action::Remove
        | Action::Line => runner::act(state, action),
        Action::StopAll | Action::KillAll | Action::RestartAll | Action::RemoveEnded => {
            several::ask(state, action);
            Vec::new()
        }
        Action::Undo => runner::undo(state),
        Action::ResumeLost => lost::resume(state),
        Action::Continue => lost::resume_selected(state),
        Action::Correct => match state.selected {
            Some(id) => correct::open(state, id),
            None => Vec::new(),
        },
        Action::SearchAll => {
            conversations::ask(state);
            Vec::new()
        }
        Action::Approve => answer::act(state, &Answer::Approve),
        Action::Deny => answer::act(state, &Answer::Deny),
        Action::ShowEvents
        | Action::ShowLog
        | Action::ShowChanges
        | Action::ShowEvidence
        | Action::ShowSettings
        | Action::ShowHealth
        | Action::ShowUsage
        | Action::ShowBudgets
        | Action::ShowInbox
        | Action::ShowSessions => page::open(state, action),
        Action::Open
        | Action::SplitRight
        | Action::SplitBelow
        | Action::ShowPanes
        | Action::Grid => {
            panes::open(state, action);
            Vec::new()
        }
        action => {
            list::act(state, action);
            Vec::new()
        }
    }
}

/// Whether nothing is begun that opening something else would lose.
fn is_free(state: &State) -> bool {
    matches!(state.mode, Mode::List | Mode::Help(_))
}

/// Takes the choice whose number the key has in the table.
fn choose(state: &mut State, press: Option<KeyPress>) -> Vec<Effect> {
    match press.and_then(|press| state.keys.position(Context::List, Action::Choose, press)) {
        Some(at) => answer::act(state, &Answer::Choose(at.saturating_add(1))),
        None => Vec::new(),
    }
}

fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Effect> {
    if state.view == View::Panes {
        return pointer::on_mouse(state, mouse);
    }
    if let Some(effects) = over::on_mouse(state, mouse) {
        state.is_dirty = true;
        return effects;
    }
    if state.is_page() {
        return page::on_mouse(state, mouse);
    }
    let areas = geometry(state);
    let is_press = mouse.action == MouseAction::Press(MouseButton::Left);
    if is_press && state.is_on_notice(&areas, mouse.col, mouse.row) {
        state.is_dirty = true;
        list::go_to_notice(state, 0);
        return Vec::new();
    }
    if !areas.list.contains(mouse.col, mouse.row) || matches!(state.mode, Mode::Confirm(_)) {
        return Vec::new();
    }
    match mouse.action {
        MouseAction::Press(MouseButton::Left) => {
            let at = state.scroll + usize::from(mouse.row.saturating_sub(areas.list.y));
            if let Some(id) = rows(state).get(at).and_then(super::state::Row::runner) {
                state.selected = Some(id);
                state.mode = Mode::List;
                state.toast = None;
                if pointer::clicks(state, mouse) == 2 {
                    panes::open(state, Action::Open);
                }
            }
        }
        MouseAction::ScrollUp => list::step(state, -1),
        MouseAction::ScrollDown => list::step(state, 1),
        _ => return Vec::new(),
    }
    state.is_dirty = true;
    state.has_chosen = true;
    Vec::new()
}

/// Restores the invariant, after something that the user did or that came by itself.
fn settle(state: &mut State, is_users: bool, effects: &mut Vec<Effect>) {
    palette::settle(state);
    let before = state.selected_before;
    let listed = shown(state);
    // A row that goes elsewhere by itself does not take the list with it: who needs you stays.
    let is_led = is_users || !state.has_chosen || before != state.selected;
    if !state.has_chosen {
        state.selected = listed.first().copied();
    }
    let at = state.selected.and_then(|id| listed.iter().position(|listed| *listed == id));
    // If it is gone, its neighbour takes its place.
    state.selected_at = at.unwrap_or(state.selected_at.min(listed.len().saturating_sub(1)));
    state.selected = listed.get(state.selected_at).copied();
    if let Some(left) = before.filter(|_| before != state.selected) {
        state.leave(left);
    }
    state.selected_before = state.selected;
    leave_ended(state);
    if let Mode::Typing(id) = state.mode {
        // Who is inside sees what ends there.
        state.mark_seen(id);
    }
    panes::settle(state);
    state.settle_whole();
    scroll(state, is_led);
    changes::settle(state, effects);
    evidence::settle(state, effects);
    conversations::settle(state, effects);
    page::settle(state);
    state.settle_notices();
    state.settle_toast();
    watch::settle(state, effects);
    spending::settle(state, effects);
    effects.extend(launch_dialog::versions_to_ask(state));
    effects.extend(state.branches_to_read().into_iter().map(Effect::ReadBranch));
    pointer::settle(state, effects);
    resize::settle(state, effects);
    scrollback::settle(state, effects);
    panes::keep(state, effects);
}

/// Nobody types into an agent that has ended.
fn leave_ended(state: &mut State) {
    let (Mode::Typing(id) | Mode::Line(Reply { id, .. })) = &state.mode else { return };
    let runner = state.runners.get(id);
    if runner.is_some_and(|runner| runner.status.is_live()) {
        return;
    }
    let name = runner.map_or("the runner", |runner| runner.name.as_str());
    let why = format!("{name} has ended; nothing more is typed");
    state.hold(why);
}

/// Keeps the list within its rows; scrolls to the selected one if the user led there.
fn scroll(state: &mut State, is_led: bool) {
    let height = usize::from(geometry(state).list.height);
    if height == 0 {
        // It is not shown now and is found again as it was.
        return;
    }
    let rows = rows(state);
    let selected = state.selected.filter(|_| is_led && !matches!(state.mode, Mode::Typing(_)));
    if let Some(at) = selected.and_then(|id| position_of(&rows, id)) {
        // The heading of the first one of a group comes into view with it.
        let from = if at > 0 && rows.get(at - 1).is_some_and(|row| row.runner().is_none()) {
            at - 1
        } else {
            at
        };
        if height <= 1 {
            state.scroll = at;
        } else if from < state.scroll {
            state.scroll = from;
        } else if at >= state.scroll + height {
            state.scroll = at + 1 - height;
        }
    }
    state.scroll = state.scroll.min(rows.len().saturating_sub(height));
}
