//! Keys that become text: in a line of our own, or in an agent.

use super::answer;
use crate::{
    terminal::{
        Modes, Pane,
        keys::{self, Key, KeyPress},
        paste,
    },
    ui::{
        effect::Effect,
        keymap::Action,
        state::{Mode, State, TextLine},
    },
};

/// Sends a key to the agent, or comes back from it.
pub(super) fn on_key(state: &mut State, press: KeyPress) -> Vec<Effect> {
    let Mode::Typing(id) = state.mode else { return Vec::new() };
    if state.here.leave == Some(press) {
        state.mode = Mode::List;
        state.is_dirty = true;
        return Vec::new();
    }
    if !state.is_current() {
        state.complain("not connected to the daemon; nothing was typed");
        return Vec::new();
    }
    let bytes = keys::encode(press, &modes(state));
    if bytes.is_empty() { Vec::new() } else { vec![Effect::SendKeys(id, bytes)] }
}

/// Takes in pasted text where text is wanted; elsewhere it would be a series of commands.
pub(super) fn on_paste(state: &mut State, text: &str) -> Vec<Effect> {
    state.is_dirty = true;
    if let Mode::Typing(id) = state.mode {
        let bytes = paste::encode(text, modes(state).bracketed_paste);
        return if bytes.is_empty() { Vec::new() } else { vec![Effect::SendKeys(id, bytes)] };
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
    if let Mode::Launch(dialog) = &mut state.mode {
        dialog.wrong = None;
    }
}

fn line(state: &mut State) -> Option<&mut TextLine> {
    match &mut state.mode {
        Mode::Filter => Some(&mut state.filter),
        Mode::Line(reply) => Some(&mut reply.line),
        Mode::Launch(dialog) => Some(dialog.line()),
        _ => None,
    }
}

/// The input modes of the agent that is typed into.
fn modes(state: &State) -> Modes {
    let screen = match state.mode {
        Mode::Typing(id) => state.screens.get(&id),
        _ => None,
    };
    screen.and_then(|screen| screen.pane.as_ref()).map(Pane::modes).unwrap_or_default()
}
