//! The panes: what keys do to them, and how they look.

use proptest::prelude::*;

use super::{PRESS, ended, fleet, id, keys, launched, list, mouse, runner, screen, state};
use crate::{
    client::HistoryView,
    domain::{activity::ActivityState, id::RunnerId, size::TerminalSize},
    terminal::keys::{MouseAction, MouseButton},
    ui::{
        effect::Effect,
        event::{Frame, UiEvent},
        state::{Mode, Present, State, View, shown_panes},
        update::update,
    },
};

const WIDE: (u16, u16) = (120, 40);
const DRAG: MouseAction = MouseAction::Drag(MouseButton::Left);
const RELEASE: MouseAction = MouseAction::Release(MouseButton::Left);

/// The runners that an `x` was typed into.
fn typed(effects: Vec<Effect>) -> Vec<RunnerId> {
    let typed = |effect| match effect {
        Effect::SendKeys(id, bytes) if bytes == b"x" => Some(id),
        _ => None,
    };
    effects.into_iter().filter_map(typed).collect()
}

fn frame(state: &mut State, number: u128, size: (u16, u16), text: &str) {
    let size = TerminalSize::new(size.0, size.1);
    let frame = Frame { size, full: true, bytes: text.replace('\n', "\r\n").into() };
    update(state, UiEvent::Frame(id(number), Box::new(frame)));
}

/// Three panes: api-3 on the left, web-1 over web-9 on the right.
fn three(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    keys(&mut state, "v ctrl-\\ v enter ctrl-\\ s j enter ctrl-\\");
    frame(&mut state, 1, (60, 20), "All 214 tests pass.\n\n Do you want to proceed?\n 1. Yes");
    frame(&mut state, 9, (80, 24), "Which port should the server use?\n 3000\n 8080");
    frame(&mut state, 4, (40, 12), "running npm test …");
    state
}

fn panes(state: &State) -> Vec<RunnerId> {
    state.panes.runners()
}

#[test]
fn enter_opens_in_place_and_the_leave_key_comes_back() {
    let mut state = state(WIDE, fleet());
    keys(&mut state, "enter");
    assert_eq!((state.view, &state.mode), (View::Panes, &Mode::Typing(id(1))));
    assert_eq!(keys(&mut state, "q"), [Effect::SendKeys(id(1), b"q".to_vec())]);
    keys(&mut state, "ctrl-\\");
    assert_eq!((state.view, &state.mode, panes(&state)), (View::Dashboard, &Mode::List, vec![]));
}

#[test]
fn what_has_ended_is_looked_at_and_restarted() {
    let mut state = state(WIDE, vec![ended(1, "etl-1", 1, 5)]);
    keys(&mut state, "enter");
    assert_eq!((state.view, &state.mode), (View::Panes, &Mode::List));
    assert_eq!(keys(&mut state, "R"), [Effect::Restart(id(1))]);
    keys(&mut state, "esc");
    assert_eq!(state.view, View::Dashboard);
}

#[test]
fn a_double_click_opens_in_place_too() {
    let mut state = state(WIDE, fleet());
    update(&mut state, mouse(PRESS, 5, 4));
    assert_eq!((state.view, state.selected), (View::Dashboard, Some(id(9))));
    update(&mut state, mouse(PRESS, 5, 4));
    assert_eq!((state.view, &state.mode), (View::Panes, &Mode::Typing(id(9))));
}

#[test]
fn panes_are_opened_moved_among_and_closed() {
    let mut state = three(WIDE);
    assert_eq!(panes(&state), [id(1), id(9), id(4)]);
    assert_eq!(state.panes.focus(), Some(id(4)));
    keys(&mut state, "k");
    assert_eq!((state.panes.focus(), state.selected), (Some(id(9)), Some(id(9))));
    keys(&mut state, "h h");
    assert_eq!(state.panes.focus(), Some(id(1)));
    keys(&mut state, "tab tab tab shift-tab }");
    assert_eq!(panes(&state), [id(4), id(9), id(1)]);
    keys(&mut state, "c");
    assert_eq!((panes(&state), state.panes.focus()), (vec![id(9), id(1)], Some(id(9))));
    keys(&mut state, "u");
    assert_eq!(panes(&state).len(), 3);
}

#[test]
fn a_number_goes_there_and_types() {
    let mut state = three(WIDE);
    keys(&mut state, "1");
    assert_eq!(state.mode, Mode::Typing(id(1)));
    keys(&mut state, "alt-shift-right");
    assert_eq!(state.mode, Mode::Typing(id(9)));
    assert_eq!(typed(keys(&mut state, "x")), [id(9)]);
    keys(&mut state, "ctrl-\\ 7");
    assert!(state.toast.is_some());
}

#[test]
fn a_key_goes_to_the_next_that_needs_a_person_wherever_it_is() {
    let mut state = three(WIDE);
    // Not into it: what it asks was not read yet.
    keys(&mut state, "n");
    assert_eq!((state.panes.focus(), &state.mode), (Some(id(1)), &Mode::List));
    keys(&mut state, "n");
    assert_eq!((state.panes.focus(), &state.mode), (Some(id(9)), &Mode::List));
    // One without a pane is shown in place.
    keys(&mut state, "c n");
    assert_eq!((state.panes.focus(), &state.mode), (Some(id(1)), &Mode::List));
    keys(&mut state, "n");
    assert_eq!((state.panes.alone, &state.mode), (Some(id(9)), &Mode::List));
}

#[test]
fn only_what_is_shown_is_asked_for() {
    let mut state = three(WIDE);
    let watched = |state: &State| state.watched.iter().map(|w| w.id).collect::<Vec<_>>();
    assert_eq!(watched(&state), [id(1), id(4), id(9)]);
    keys(&mut state, "z");
    assert_eq!(watched(&state), [id(4)]);
    keys(&mut state, "z ?");
    assert_eq!(watched(&state), []);
    keys(&mut state, "esc");
    // Where all have no room, the one in focus has it.
    update(&mut state, UiEvent::Resized(30, 10));
    assert_eq!(watched(&state), [id(4)]);
}

#[test]
fn a_message_does_not_move_the_panes() {
    let mut state = three(WIDE);
    let before = shown_panes(&state);
    state.say("something happened");
    assert_eq!(shown_panes(&state), before);
}

#[test]
fn what_is_typed_goes_to_all_panes_while_they_are_synchronised() {
    let mut state = three(WIDE);
    keys(&mut state, "S");
    assert_eq!(typed(keys(&mut state, "x")), panes(&state));
    assert!(screen(&state).contains("keys go to all 3 panes at once"));
    assert!(state.watched.iter().all(|watched| watched.is_typed_into));
    keys(&mut state, "ctrl-\\ S enter");
    assert_eq!(typed(keys(&mut state, "x")), [id(4)]);
}

#[test]
fn a_grid_shows_a_project_and_tells_what_has_no_room() {
    let many = (1..=40).map(|n| runner(n, &format!("api-{n}"), ActivityState::Working, 60));
    let mut state = state((80, 24), many.collect());
    keys(&mut state, "#");
    assert_eq!((state.view, panes(&state).len()), (View::Panes, 9));
    assert!(state.toast.as_ref().unwrap().text.contains("31 more of api"));
}

#[test]
fn the_mouse_gives_the_focus_and_moves_dividers() {
    let mut state = three(WIDE);
    update(&mut state, mouse(PRESS, 5, 5));
    update(&mut state, mouse(RELEASE, 5, 5));
    assert_eq!((state.panes.focus(), &state.mode), (Some(id(1)), &Mode::List));
    // A second click types there.
    update(&mut state, mouse(PRESS, 6, 6));
    update(&mut state, mouse(RELEASE, 6, 6));
    assert_eq!(state.mode, Mode::Typing(id(1)));
    let width = |state: &State| shown_panes(state).places.panes[0].area.width;
    let column = width(&state);
    update(&mut state, mouse(PRESS, column, 9));
    for to in [column - 5, 30, 0, 200, 50] {
        update(&mut state, mouse(DRAG, to, 20));
    }
    update(&mut state, mouse(RELEASE, 50, 20));
    assert_eq!(width(&state), 50);
    update(&mut state, mouse(DRAG, 70, 20));
    assert_eq!(width(&state), 50);
}

#[test]
fn an_agent_that_asks_is_told_of_the_mouse_and_of_the_focus() {
    let mut state = three(WIDE);
    frame(&mut state, 1, (60, 20), "\x1b[?1002h\x1b[?1006h\x1b]7950;0;010\x07");
    keys(&mut state, "h");
    let told = |bytes: &str| Effect::SendKeys(id(1), bytes.as_bytes().to_vec());
    // While panes are arranged a click must not answer a dialog; the wheel only looks.
    assert_eq!(update(&mut state, mouse(PRESS, 4, 5)), []);
    assert_eq!(update(&mut state, mouse(MouseAction::ScrollUp, 4, 5)), [told("\x1b[<64;5;4M")]);
    state.panes.drag = None;
    assert!(keys(&mut state, "enter").contains(&told("\x1b[I")));
    assert_eq!(update(&mut state, mouse(PRESS, 4, 5)), [told("\x1b[<0;5;4M")]);
    assert_eq!(update(&mut state, mouse(DRAG, 119, 39)), [told("\x1b[<32;60;20M")]);
    assert_eq!(update(&mut state, UiEvent::Focus(false)), [told("\x1b[O")]);
    assert_eq!(update(&mut state, UiEvent::Focus(true)), [told("\x1b[I")]);
    assert!(keys(&mut state, "ctrl-\\").contains(&told("\x1b[O")));
}

#[test]
fn only_the_pane_that_is_typed_into_has_its_size() {
    let mut state = three(WIDE);
    let sizes = |effects: Vec<Effect>| -> Vec<(RunnerId, TerminalSize)> {
        let resized = |effect| match effect {
            Effect::Resize(id, size) => Some((id, size)),
            _ => None,
        };
        effects.into_iter().filter_map(resized).collect()
    };
    let left = (id(1), TerminalSize::new(60, 37));
    assert_eq!(sizes(keys(&mut state, "h")), []);
    assert_eq!(sizes(keys(&mut state, "enter")), [left]);
    // Until it has it, each key asks again; then no more.
    assert_eq!(sizes(keys(&mut state, "x")), [left]);
    frame(&mut state, 1, (60, 37), "");
    assert_eq!(sizes(keys(&mut state, "x")), []);
    // Who types elsewhere takes it, who types here takes it back.
    frame(&mut state, 1, (100, 20), "");
    assert_eq!(sizes(keys(&mut state, "x")), [left]);
    update(&mut state, UiEvent::ResizeRefused(id(1)));
    assert_eq!(sizes(keys(&mut state, "x")), []);
    assert_eq!(sizes(keys(&mut state, "ctrl-\\ z")), []);
    assert_eq!(sizes(keys(&mut state, "enter")), [(id(1), TerminalSize::new(120, 37))]);
}

#[test]
fn an_arrangement_is_kept_and_found_but_never_an_empty_one() {
    let mut before = state(WIDE, fleet());
    let kept = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::SaveLayout(layout) => Some(layout),
            _ => None,
        })
    };
    let layout = kept(keys(&mut before, "v")).unwrap();
    assert_eq!(kept(keys(&mut before, "x ctrl-\\ esc")), None);
    keys(&mut before, "w c");
    assert_eq!((before.view, panes(&before)), (View::Dashboard, vec![]));
    let mut after = state(WIDE, vec![]);
    assert_eq!(update(&mut after, UiEvent::LayoutFound(Ok(layout))), []);
    list(&mut after, fleet().split_off(1));
    keys(&mut after, "w");
    // The runner is gone; its name is known, and its pane can be closed.
    assert!(screen(&after).contains("api-3 · gone"), "{}", screen(&after));
    keys(&mut after, "c");
    assert_eq!(after.view, View::Dashboard);
    update(&mut after, UiEvent::LayoutFound(Err("it is damaged".to_owned())));
    assert!(after.toast.unwrap().text.contains("damaged"));
}

#[test]
fn every_size_and_arrangement_is_drawn() {
    for size in [(1, 1), (2, 40), (40, 3), (17, 9), (40, 12), (80, 24), (500, 200)] {
        for text in ["", "z", "S", "v", "s", "#", "x", "?", "n", "1", "c c c"] {
            let mut state = three(WIDE);
            update(&mut state, UiEvent::Resized(size.0, size.1));
            keys(&mut state, text);
            assert_eq!(screen(&state).split('\n').count(), usize::from(size.1), "{size:?}");
        }
    }
}

macro_rules! looks {
    ($name:ident, $size:expr, $keys:expr) => {
        #[test]
        fn $name() {
            let mut state = three($size);
            keys(&mut state, $keys);
            insta::assert_snapshot!(screen(&state));
        }
    };
}

looks!(phone, (40, 12), "");
looks!(classic, (80, 24), "");
looks!(laptop, (120, 40), "");
looks!(large, (200, 50), "");
looks!(classic_typing, (80, 24), "1");
looks!(classic_synchronised, (80, 24), "S");
looks!(classic_zoomed, (80, 24), "z");
looks!(classic_picking, (80, 24), "v");

#[test]
fn what_is_launched_among_the_panes_gets_one() {
    let mut state = three(WIDE);
    keys(&mut state, "N");
    assert!(matches!(state.mode, Mode::Launch(_)));
    keys(&mut state, "esc");
    let new = runner(50, "shop-1", ActivityState::Starting, 0);
    update(&mut state, launched(new));
    assert_eq!((panes(&state).len(), &state.mode), (4, &Mode::Typing(id(50))));
}

/// Keys that mean something in some context.
const ANY: [&str; 38] = [
    "h",
    "j",
    "k",
    "l",
    "v",
    "s",
    "c",
    "z",
    "u",
    "o",
    "=",
    "H",
    "J",
    "K",
    "L",
    "{",
    "}",
    "#",
    "S",
    "[",
    "/",
    "n",
    "y",
    "V",
    "w",
    "b",
    "g",
    "G",
    "1",
    "2",
    "tab",
    "enter",
    "esc",
    "ctrl-\\",
    "shift-pgup",
    "pgup",
    "?",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_done_to_them_fails(
        steps in prop::collection::vec((0..60_usize, 0..130_u16, 0..45_u16), 1..40),
        size in (1..130_u16, 1..45_u16),
    ) {
        let mut state = three(WIDE);
        update(&mut state, UiEvent::Resized(size.0, size.1));
        for (what, col, row) in steps {
            match what {
                38..=41 => drop(update(&mut state, mouse(PRESS, col, row))),
                42..=45 => drop(update(&mut state, mouse(DRAG, col, row))),
                46..=49 => drop(update(&mut state, mouse(RELEASE, col, row))),
                50..=53 => drop(update(&mut state, mouse(MouseAction::ScrollUp, col, row))),
                54 => drop(update(&mut state, UiEvent::Resized(col.max(1), row.max(1)))),
                55..=57 => {
                    let rows = vec!["text".to_owned(); usize::from(row)];
                    let wrapped = vec![row % 2 == 0; rows.len()];
                    let (history, forgotten) = (u64::from(col), u64::from(row));
                    let piece = HistoryView { lines: rows.clone(), wrapped: wrapped.clone() };
                    let present = Present { rows, wrapped, history, forgotten };
                    update(&mut state, UiEvent::ScrollbackOpened(id(1), Box::new(present)));
                    update(&mut state, UiEvent::ScrollbackRead(id(1), 0, piece));
                }
                58 => frame(&mut state, 1, (col.max(2), row.max(2)), "日本語\n\x1b[?1003h\x1b[?1006h"),
                59 => drop(list(&mut state, fleet().split_off(usize::from(row % 9)))),
                key => drop(keys(&mut state, ANY[key])),
            }
        }
        prop_assert_eq!(screen(&state).split('\n').count(), usize::from(state.size.1));
    }
}
