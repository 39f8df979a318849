//! Every size, view and mode is drawn; what happened can be told and played again.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{event, fleet, key, list, mouse, press, project, screen, state};
use crate::{
    domain::key::{Key, KeyPress},
    terminal::keys::{MouseAction, MouseButton},
    ui::{
        event::UiEvent,
        recorder::{Happening, Recorder},
        report,
        state::{State, Surroundings},
        theme::Library,
        update::update,
    },
};

/// Keys that lead into every view and mode.
const WAYS: [&str; 22] = [
    "", "p", "x", "X", "rhello", "/zzz", "?", "N", "i", "e", "ee", "E", "E/x", "l", ",", "H", ":",
    ":web", "v", "vv", "#", "f",
];

fn busy(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web")]));
    let events = (1..30).map(|n| event(n, "api-1", "runner.started", serde_json::json!({})));
    update(&mut state, UiEvent::Happened(events.collect()));
    state.themes.all = Library::built_in().list();
    state
}

fn command(state: &mut State, text: &str) {
    update(state, UiEvent::Key(KeyPress::parse(text).unwrap()));
}

#[test]
fn every_view_and_mode_is_drawn_at_every_size() {
    for (columns, rows) in [
        (1, 1),
        (2, 2),
        (1, 40),
        (40, 1),
        (7, 3),
        (20, 5),
        (40, 12),
        (59, 17),
        (100, 9),
        (500, 200),
    ] {
        for way in WAYS {
            let mut state = busy((columns, rows));
            press(&mut state, way);
            state.drawn();
            screen(&state);
        }
        for way in ["ctrl-t", "ctrl-p", "ctrl-o"] {
            let mut state = busy((columns, rows));
            command(&mut state, way);
            command(&mut state, "down");
            screen(&state);
        }
    }
}

/// What a person or a daemon may do next.
#[derive(Debug, Clone)]
enum Step {
    Press(char),
    Command(&'static str),
    Click(u16, u16),
    Wheel(u16, u16),
    Resize(u16, u16),
    Fleet(usize),
    Gone,
    Back,
}

fn step() -> impl Strategy<Value = Step> {
    let commands = [
        "enter",
        "esc",
        "tab",
        "shift-tab",
        "up",
        "down",
        "pgup",
        "pgdn",
        "ctrl-p",
        "ctrl-o",
        "ctrl-t",
        "ctrl-s",
        "backspace",
        "ctrl-u",
        "ctrl-\\",
        "left",
        "right",
        "home",
        "end",
    ];
    prop_oneof![
        6 => prop::sample::select("abcdefhijklmnoprstuvwxyzENRSHGX123/:?, #".chars().collect::<Vec<_>>())
            .prop_map(Step::Press),
        4 => prop::sample::select(commands.to_vec()).prop_map(Step::Command),
        1 => (0..210u16, 0..60u16).prop_map(|(col, row)| Step::Click(col, row)),
        1 => (0..210u16, 0..60u16).prop_map(|(col, row)| Step::Wheel(col, row)),
        1 => (1..210u16, 1..60u16).prop_map(|(cols, rows)| Step::Resize(cols, rows)),
        1 => (0..10usize).prop_map(Step::Fleet),
        1 => Just(Step::Gone),
        1 => Just(Step::Back),
    ]
}

fn apply(state: &mut State, step: &Step) {
    match step {
        Step::Press(c) => drop(key(state, Key::Char(*c))),
        Step::Command(text) => command(state, text),
        Step::Click(col, row) => {
            update(state, mouse(MouseAction::Press(MouseButton::Left), *col, *row));
        }
        Step::Wheel(col, row) => drop(update(state, mouse(MouseAction::ScrollDown, *col, *row))),
        Step::Resize(cols, rows) => drop(update(state, UiEvent::Resized(*cols, *rows))),
        Step::Fleet(count) => {
            let mut all = fleet();
            all.truncate(*count);
            list(state, all);
        }
        Step::Gone => drop(update(state, UiEvent::Disconnected("gone".to_owned()))),
        Step::Back => drop(super::connect(state)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_is_pressed_or_told_panics(steps in prop::collection::vec(step(), 1..40)) {
        let mut state = busy((80, 24));
        for step in &steps {
            apply(&mut state, step);
            state.drawn();
            screen(&state);
        }
    }
}

#[test]
fn what_happened_is_told_and_leads_to_the_same_screen_again() {
    let here = || Surroundings { cwd: "/home/ann/src/shop".into(), ..Surroundings::default() };
    let recorder: report::Shared = Arc::new(Mutex::new(Recorder::default()));
    let mut state = State::new(here(), super::now(), (120, 40));
    let runners = fleet();
    let all = crate::client::RunnerUpdate { runners, removed: vec![], complete: true };
    let mut happened = vec![
        UiEvent::Connected(super::super::event::DaemonView::default()),
        UiEvent::Projects(vec![project("api")]),
        UiEvent::Runners(all),
    ];
    // So much that the beginning falls out of the ring.
    let down = UiEvent::Key(KeyPress::parse("j").unwrap());
    let up = UiEvent::Key(KeyPress::parse("k").unwrap());
    happened.extend((0..200).flat_map(|_| [down.clone(), up.clone()]));
    happened.extend([down.clone(), down]);
    for happened in happened {
        recorder.lock().unwrap().note(&state, &happened);
        update(&mut state, happened);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = report::write_events(directory.path(), &recorder).unwrap();
    let told = std::fs::read_to_string(path).unwrap();
    let mut again = State::new(here(), super::now(), (1, 1));
    for line in told.lines() {
        let happening: Happening = serde_json::from_str(line).unwrap();
        if let Some(event) = happening.again() {
            update(&mut again, event);
        }
    }
    assert_eq!(screen(&again), screen(&state));
}

#[test]
fn what_was_typed_is_not_told() {
    let mut recorder = Recorder::default();
    let mut state = state((120, 40), fleet());
    for text in ["i", "s", "e", "c", "r", "enter"] {
        let event = UiEvent::Key(KeyPress::parse(text).unwrap());
        recorder.note(&state, &event);
        update(&mut state, event);
    }
    recorder.note(&state, &UiEvent::Paste("hunter2".to_owned()));
    let told = recorder.tell();
    assert!(told.contains("{\"key\":\"i\"}") && told.contains("{\"paste\":7}"), "{told}");
    assert!(!told.contains("\"s\"") && !told.contains("hunter2"), "{told}");
}
