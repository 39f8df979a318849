//! The views that are lines to read.

use super::{event, fleet, id, key, press, screen, state};
use crate::{
    domain::key::Key,
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{Mode, State, View},
        update::update,
    },
};

const WIDE: (u16, u16) = (120, 40);

fn with_events() -> State {
    let mut state = state(WIDE, fleet());
    let asked = serde_json::json!({ "state": "blocked", "kind": "permission", "message": "rm" });
    let events = (1..=60).map(|n| match n % 3 {
        0 => event(n, "api-3", "runner.activity", asked.clone()),
        1 => event(n, "etl-1", "runner.failed", serde_json::json!({ "reason": "exit code 3" })),
        _ => event(n, "web-1", "runner.started", serde_json::json!({})),
    });
    update(&mut state, UiEvent::Happened(events.collect()));
    press(&mut state, "E");
    state
}

#[test]
fn events_are_followed_until_one_looks_back() {
    let mut state = with_events();
    assert_eq!((state.view, state.page.at, state.page.follows), (View::Events, 59, true));
    press(&mut state, "k");
    update(&mut state, UiEvent::Happened(vec![event(61, "web-1", "runner.paused", "".into())]));
    assert_eq!((state.page.at, state.page.follows), (58, false));
    press(&mut state, "G");
    assert_eq!((state.page.at, state.page.follows), (60, true));
}

#[test]
fn events_are_searched_and_looked_at_whole() {
    let mut state = with_events();
    press(&mut state, "/permission");
    key(&mut state, Key::Enter);
    assert_eq!(state.page_lines().len(), 20);
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("\"event_type\": \"runner.activity\""), "{shown}");
    // Back from the whole, from the search, from the view.
    for view in [View::Events, View::Events, View::Dashboard] {
        key(&mut state, Key::Escape);
        assert_eq!(state.view, view);
    }
}

#[test]
fn a_log_is_read_while_it_is_shown() {
    let mut state = state(WIDE, fleet());
    let effects = press(&mut state, "l");
    assert!(effects.contains(&Effect::ReadLog(Some(id(1)))), "{effects:?}");
    for n in 0..100 {
        update(&mut state, UiEvent::Log(id(1), format!("line {n}\n")));
    }
    update(&mut state, UiEvent::Log(id(2), "of another\n".to_owned()));
    let shown = screen(&state);
    assert!(shown.contains("line 99") && !shown.contains("line 12"), "{shown}");
    press(&mut state, "/line 5");
    assert_eq!(state.page_lines().len(), 19, "words, as in every filter");
    key(&mut state, Key::Escape);
    assert_eq!(state.mode, Mode::List);
    let effects = key(&mut state, Key::Escape);
    assert!(effects.contains(&Effect::ReadLog(None)), "{effects:?}");
    assert!(state.log.is_none());
}

#[test]
fn settings_and_health_say_where_from_and_how() {
    let mut state = state((80, 24), fleet());
    state.config = vec![
        ("attach.detach_key".to_owned(), "ctrl-\\".to_owned(), "default".to_owned()),
        ("notify.bell".to_owned(), "true".to_owned(), "/home/ann/.config/s.yaml".to_owned()),
    ];
    press(&mut state, ",");
    insta::assert_snapshot!("settings", screen(&state));
    press(&mut state, "H");
    insta::assert_snapshot!("health", screen(&state));
    press(&mut state, "?");
    assert!(screen(&state).contains("Go back: to all lines, then to the dashboard"));
}
