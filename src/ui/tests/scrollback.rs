//! What a runner showed before: scrolled, searched, selected and copied in its pane.

use super::{PRESS, fleet, id, keys, mouse, screen, state};
use crate::{
    client::HistoryView,
    domain::size::TerminalSize,
    terminal::keys::{MouseAction, MouseButton},
    ui::{
        effect::Effect,
        event::{Frame, UiEvent},
        state::{Mode, Present, State},
        update::update,
    },
};

const DRAG: MouseAction = MouseAction::Drag(MouseButton::Left);
const RELEASE: MouseAction = MouseAction::Release(MouseButton::Left);

/// api-3 in place: 60 columns, a screen of 20 rows.
fn opened(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    keys(&mut state, "enter");
    let rows: Vec<String> = (0..20).map(|row| format!("screen {row}")).collect();
    let bytes = rows.join("\r\n").into();
    let frame = Frame { size: TerminalSize::new(60, 20), full: true, bytes };
    update(&mut state, UiEvent::Frame(id(1), Box::new(frame)));
    state
}

/// Answers what is asked about 1 204 lines of history, and what follows from that.
fn answer(state: &mut State, mut effects: Vec<Effect>) -> Vec<Effect> {
    let mut others = Vec::new();
    while !effects.is_empty() {
        let effect = effects.remove(0);
        let event = match effect {
            Effect::OpenScrollback(id) => {
                let rows = (0..20).map(|row| format!("screen {row}")).collect();
                let present = Present { rows, history: 1204, ..Present::default() };
                UiEvent::ScrollbackOpened(id, Box::new(present))
            }
            Effect::ReadScrollback(id, from) => {
                let lines = (from..1204.min(from + 500)).map(|n| format!("\x1b[31mline {n}\x1b[m"));
                let lines = lines.collect();
                UiEvent::ScrollbackRead(id, from, HistoryView { lines, wrapped: Vec::new() })
            }
            Effect::SearchScrollback(id, text) => {
                let lines = (0..1204).filter(|n| format!("line {n}").contains(&text)).collect();
                UiEvent::ScrollbackFound(id, text, lines)
            }
            other => {
                others.push(other);
                continue;
            }
        };
        effects.extend(update(state, event));
    }
    others
}

fn press(state: &mut State, text: &str) -> Vec<Effect> {
    let mut others = Vec::new();
    for key in text.split_whitespace() {
        let effects = keys(state, key);
        others.extend(answer(state, effects));
    }
    others
}

#[test]
fn the_wheel_scrolls_until_a_key_is_typed() {
    let mut state = opened((80, 23));
    let wheel = |state: &mut State, action| {
        let effects = update(state, mouse(action, 5, 5));
        answer(state, effects)
    };
    wheel(&mut state, MouseAction::ScrollDown);
    assert!(state.panes.past.is_empty(), "there is nothing below the present");
    wheel(&mut state, MouseAction::ScrollUp);
    let text = screen(&state);
    assert!(text.contains("history 1,202/1,204") && text.contains("line 1201"), "{text}");
    assert!(text.contains("keys go to api-3"), "{text}");
    // What happens meanwhile does not move it.
    let frame = Frame { size: TerminalSize::new(60, 20), full: true, bytes: "new".into() };
    update(&mut state, UiEvent::Frame(id(1), Box::new(frame)));
    assert!(screen(&state).contains("line 1201"));
    let typed = press(&mut state, "x");
    assert!(typed.contains(&Effect::SendKeys(id(1), b"x".to_vec())));
    assert!(!screen(&state).contains("line 1201") && screen(&state).contains("new"));
    press(&mut state, "shift-pgup shift-pgup shift-pgdn shift-pgdn");
    assert!(state.panes.past.is_empty());
}

#[test]
fn an_agent_that_wants_the_wheel_gets_it() {
    let mut state = opened((80, 23));
    let bytes = "\x1b[?1000h\x1b[?1006h".into();
    let frame = Frame { size: TerminalSize::new(60, 20), full: true, bytes };
    update(&mut state, UiEvent::Frame(id(1), Box::new(frame)));
    let told = Effect::SendKeys(id(1), b"\x1b[<64;6;4M".to_vec());
    assert_eq!(update(&mut state, mouse(MouseAction::ScrollUp, 5, 5)), [told]);
}

#[test]
fn a_text_is_searched_upwards_and_its_lines_are_gone_through() {
    let mut state = opened((80, 23));
    keys(&mut state, "ctrl-\\ v ctrl-\\");
    press(&mut state, "/ l i n e space 7 enter");
    let text = screen(&state);
    assert!(text.contains("111 match"), "{text}");
    let line = |state: &State| {
        let past = &state.panes.past[&id(1)];
        past.line(past.cursor.unwrap().line).unwrap_or_default().to_owned()
    };
    assert_eq!(line(&state), "\x1b[31mline 799\x1b[m");
    press(&mut state, "n n");
    assert_eq!(line(&state), "\x1b[31mline 797\x1b[m");
    press(&mut state, "N");
    assert_eq!(line(&state), "\x1b[31mline 798\x1b[m");
    assert!(screen(&state).contains("line 798"));
    press(&mut state, "esc");
    assert_eq!(state.mode, Mode::List);
    assert!(screen(&state).contains("screen 19"));
}

#[test]
fn keys_come_back_to_an_agent_that_stands_alone() {
    let mut state = opened((80, 23));
    press(&mut state, "alt-pgup k");
    assert_eq!(state.mode, Mode::Scrollback(id(1)));
    press(&mut state, "esc");
    assert_eq!(state.mode, Mode::Typing(id(1)));
}

#[test]
fn keys_select_and_copy() {
    let mut state = opened((80, 23));
    keys(&mut state, "ctrl-\\ v ctrl-\\");
    press(&mut state, "[ k k v $ j");
    let copied = press(&mut state, "y");
    assert!(copied.contains(&Effect::Copy("screen 17\nscreen 18".to_owned())), "{copied:?}");
    assert_eq!(state.toast.as_ref().unwrap().text, "copied 2 lines, 19 characters");
    press(&mut state, "[ g");
    assert!(screen(&state).contains("history 1/1,204"), "{}", screen(&state));
    assert!(press(&mut state, "y").contains(&Effect::Copy("line 0".to_owned())));
}

#[test]
fn the_mouse_selects_and_copies() {
    let mut state = opened((80, 23));
    let mut copied = |events: &[(MouseAction, u16, u16)]| {
        let mut effects = Vec::new();
        for (action, col, row) in events {
            let next = update(&mut state, mouse(*action, *col, *row));
            effects.extend(answer(&mut state, next));
        }
        effects.into_iter().find_map(|effect| match effect {
            Effect::Copy(text) => Some(text),
            _ => None,
        })
    };
    let click = [(PRESS, 7, 5), (RELEASE, 7, 5)];
    let drag = [(PRESS, 7, 3), (DRAG, 8, 3), (DRAG, 7, 4), (RELEASE, 7, 4)];
    assert_eq!(copied(&drag), Some("1\nscreen 2".to_owned()));
    assert_eq!(copied(&click), None);
    assert_eq!(copied(&click), Some("3".to_owned()));
    assert_eq!(copied(&click), Some("screen 3".to_owned()));
    let up = [(PRESS, 0, 2), (DRAG, 0, 1), (DRAG, 0, 0), (RELEASE, 0, 0)];
    assert_eq!(copied(&up).unwrap().lines().next(), Some("line 1202"));
    assert!(state.panes.past.is_empty(), "the present is shown again");
}

#[test]
fn history_looks() {
    let mut state = opened((80, 23));
    keys(&mut state, "ctrl-\\ v ctrl-\\");
    press(&mut state, "[ pgup v w w k");
    insta::assert_snapshot!(screen(&state));
}
