//! Keys that become text: in a line of our own, or in an agent.

use chrono::TimeDelta;

use super::{answer, panes, resize, scrollback};
use crate::{
    domain::id::RunnerId,
    terminal::{
        Modes, Pane,
        keys::{self, Key, KeyPress},
        paste,
    },
    ui::{
        effect::Effect,
        keymap::Action,
        state::{Mode, State, TextLine, View, shown_panes},
    },
};

/// Why keys are held when there is no daemon: typed later they would leave a hole in the text.
const LOST: &str = "the daemon is away; from this key on nothing was typed";

/// Keys that follow each other this closely belong to what was being typed.
const PAUSE: TimeDelta = TimeDelta::milliseconds(1000);

/// Whether a key is held back because it was meant for what is no longer there; after a pause, or the
/// key that leaves, keys mean something again.
pub(super) fn is_held(state: &mut State, press: KeyPress) -> bool {
    let (now, leave) = (state.now, state.here.leave);
    let Mode::Held(held) = &mut state.mode else { return false };
    let leaves = press.key == Key::Escape || leave == Some(press);
    let has_paused = now - held.last >= PAUSE;
    held.last = now;
    if leaves || has_paused {
        state.mode = Mode::List;
        state.is_dirty = true;
    }
    leaves || !has_paused
}

/// Sends a key to the agent, or comes back from it.
pub(super) fn on_key(state: &mut State, press: KeyPress) -> Vec<Effect> {
    let Mode::Typing(id) = state.mode else { return Vec::new() };
    if state.view == View::Panes
        && let Some(effects) = panes::on_typing_key(state, press)
    {
        state.is_dirty = true;
        return effects;
    }
    if state.here.leave == Some(press) {
        state.mode = Mode::List;
        state.is_dirty = true;
        return Vec::new();
    }
    if !state.is_current() {
        state.hold(LOST);
        return Vec::new();
    }
    // Whoever types wants to see what comes of it.
    scrollback::close(state, id);
    let mut effects = send(state, id, |modes| keys::encode(press, modes));
    effects.extend(resize::on_typed(state, id));
    effects
}

/// Takes in pasted text where text is wanted; elsewhere it would be a series of commands.
pub(super) fn on_paste(state: &mut State, text: &str) -> Vec<Effect> {
    state.is_dirty = true;
    if let Mode::Typing(id) = state.mode {
        if !state.is_current() {
            state.hold(LOST);
            return Vec::new();
        }
        scrollback::close(state, id);
        return send(state, id, |modes| paste::encode(text, modes.bracketed_paste));
    }
    if let Some(line) = line(state) {
        line.insert_text(text);
    }
    Vec::new()
}

/// Applies an action while a line for an agent is typed.
pub(super) fn on_line(state: &mut State, action: Action) -> Vec<Effect> {
    let mode = std::mem::replace(&mut state.mode, Mode::List);
    match (action, mode) {
        (Action::Accept, Mode::Line(reply)) if !reply.line.text().is_empty() => {
            answer::submit(state, reply)
        }
        _ => Vec::new(),
    }
}

/// Edits the line that is being typed, if one is.
pub(super) fn edit(state: &mut State, press: KeyPress) {
    if let Mode::Palette(palette) = &mut state.mode {
        // Other letters find others: the best of them first.
        palette.found.clear();
    }
    let Some(line) = line(state) else { return };
    match (press.key, press.modifiers.ctrl, press.modifiers.alt) {
        (Key::Char(c), false, false) => line.insert(c),
        (Key::Char('h'), true, false) | (Key::Backspace, false, false) => line.backspace(),
        (Key::Char('w'), true, false) | (Key::Backspace, ..) => line.delete_word(),
        (Key::Char('u'), true, false) => line.clear(),
        (Key::Char('a'), true, false) | (Key::Home, ..) => line.jump(false),
        (Key::Char('e'), true, false) | (Key::End, ..) => line.jump(true),
        (Key::Left, ..) => line.step(false),
        (Key::Right, ..) => line.step(true),
        (Key::Delete, ..) => line.delete(),
        _ => {}
    }
    match &mut state.mode {
        Mode::Launch(dialog) => dialog.wrong = None,
        Mode::Quotas(dialog) => dialog.wrong = None,
        Mode::Budget(dialog) => dialog.wrong = None,
        _ => {}
    }
}

fn line(state: &mut State) -> Option<&mut TextLine> {
    let is_page = state.is_page();
    match &mut state.mode {
        Mode::Palette(palette) => Some(&mut palette.line),
        Mode::Find => Some(&mut state.page.find),
        Mode::Filter if is_page => Some(&mut state.page.search),
        Mode::Filter => Some(&mut state.filter),
        Mode::Search(_, line) | Mode::Words(line) => Some(line),
        Mode::Line(reply) => Some(&mut reply.line),
        Mode::Launch(dialog) => Some(dialog.line()),
        Mode::Quotas(dialog) => Some(dialog.line()),
        Mode::Budget(dialog) => Some(dialog.line()),
        _ => None,
    }
}

/// Types into an agent, or into all that are typed into at once, as each of them expects it.
fn send(state: &State, id: RunnerId, encode: impl Fn(&Modes) -> Vec<u8>) -> Vec<Effect> {
    let all = state.panes.is_synchronised && state.view == View::Panes;
    let to = if all { shown_panes(state).places.panes } else { Vec::new() };
    let to: Vec<RunnerId> = if all { to.iter().map(|p| p.id).collect() } else { vec![id] };
    let is_live = |id: &RunnerId| state.runners.get(id).is_some_and(|r| r.status.is_live());
    let typed = to.into_iter().filter(is_live).map(|id| (id, encode(&modes(state, id))));
    typed.filter(|(_, bytes)| !bytes.is_empty()).map(|(id, b)| Effect::SendKeys(id, b)).collect()
}

/// The input modes of an agent.
fn modes(state: &State, id: RunnerId) -> Modes {
    let screen = state.screens.get(&id);
    screen.and_then(|screen| screen.pane.as_ref()).map(Pane::modes).unwrap_or_default()
}
