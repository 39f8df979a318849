//! The views that are lines to read.

use super::{PRESS, event, fleet, id, key, mouse, now, press, screen, state};
use crate::{
    domain::{
        inbox::{Class, Item, ItemState, Reason},
        key::Key,
        usage::{Cost, Quality},
    },
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
    press(&mut state, "&line 5");
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

#[test]
fn what_is_cut_is_read_whole_and_left_again() {
    let mut state = state((40, 12), fleet());
    press(&mut state, "l");
    let long = "the build failed because the linker was not found in any of the directories";
    update(&mut state, UiEvent::Log(id(1), format!("short\n{long} END\nlast\n")));
    assert!(!screen(&state).contains("END"));
    press(&mut state, "k");
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("END") && shown.contains(" LOG of api-3 · one line\n"), "{shown}");
    key(&mut state, Key::Escape);
    assert_eq!((state.view, state.page.at), (View::Log, 1));
    press(&mut state, "E");
    let asked = serde_json::json!({ "message": format!("{long} END") });
    update(&mut state, UiEvent::Happened(vec![event(1, "api-3", "runner.activity", asked)]));
    key(&mut state, Key::Enter);
    press(&mut state, "G");
    assert!(screen(&state).contains("END"), "{}", screen(&state));
}

#[test]
fn a_setting_says_where_it_is_from_in_any_width() {
    let row = |key: &str, value: &str, source: &str| (key.into(), value.into(), source.into());
    let file = "/home/ann/.config/stratavore/config.yaml";
    let mut state = state((40, 12), fleet());
    state.config = vec![
        row("dashboard.theme", "", "default"),
        row("notify.bell", "true", file),
        row("attach.detach_key", "ctrl-\\", "default"),
    ];
    state.themes.shown = "night".to_owned();
    press(&mut state, ",");
    let shown = screen(&state);
    assert!(shown.contains("config.yaml") && shown.contains("default"), "{shown}");
    press(&mut state, "j");
    key(&mut state, Key::Enter);
    let whole: String =
        screen(&state).lines().map(|line| line.trim_start_matches('▌').trim()).collect();
    assert!(whole.contains("notify.bell") && whole.contains(file), "{whole}");
    state.themes.is_chosen = true;
    state.page.whole = None;
    let lines = state.page_lines();
    assert_eq!(
        (lines[0].text.as_str(), lines[0].tail.as_str()),
        ("night", "chosen in the dashboard")
    );
    state.themes.set_in = Some(file.to_owned());
    assert_eq!(state.page_lines()[0].text, "night until you leave");
}

#[test]
fn health_is_sorted_and_counts_in_english() {
    let mut all = fleet();
    for runner in &mut all {
        runner.processes = 1;
    }
    let mut state = state((80, 40), all);
    press(&mut state, "H");
    let shown = screen(&state);
    assert!(shown.contains(", 1 process\n") && !shown.contains("processes"), "{shown}");
    let at = |name: &str| shown.find(name).unwrap();
    assert!(at("  api-1 ") < at("  api-3 ") && at("  web-9 ") < at("  web-10 "), "{shown}");
}

#[test]
fn no_key_is_cut_off_where_it_is_narrow() {
    let mut state = state((40, 12), fleet());
    press(&mut state, "?");
    let mut all = String::new();
    for _ in 0..400 {
        all += &screen(&state);
        press(&mut state, "j");
    }
    for word in ["so on", "with shift", "1 … 9", "  pgdn space", "  ctrl-d"] {
        assert!(all.contains(word), "{word}");
    }
    press(&mut state, "G");
    let end = screen(&state);
    let last: Vec<&str> = end.lines().rev().skip(1).collect();
    assert!(!last[0].trim().is_empty(), "{end}");
}

fn with_log(lines: std::ops::Range<u32>) -> State {
    let mut state = state(WIDE, fleet());
    press(&mut state, "l");
    for n in lines {
        update(&mut state, UiEvent::Log(id(1), format!("line {n}\n")));
    }
    state
}

#[test]
fn a_log_is_searched_as_in_a_pager() {
    let mut state = with_log(0..300);
    press(&mut state, "/line 15");
    key(&mut state, Key::Enter);
    assert_eq!(
        (state.page.at, state.page.follows),
        (159, false),
        "the last one, seen from the end"
    );
    let shown = screen(&state);
    assert!(shown.contains("11 of 11 with `line 15`") && shown.contains("line 160"), "{shown}");
    press(&mut state, "NN");
    assert_eq!(state.page.at, 157);
    press(&mut state, "nnn");
    assert_eq!(state.page.at, 15, "round and round");
    assert!(state.toast.as_ref().unwrap().text.contains("first line again"));
    // Lines that do not match are still there, unless they are taken away.
    assert_eq!(state.page_lines().len(), 300);
    press(&mut state, "&15");
    key(&mut state, Key::Enter);
    assert_eq!(state.page_lines().len(), 13);
    press(&mut state, "/nowhere");
    key(&mut state, Key::Enter);
    assert!(state.toast.as_ref().unwrap().text.contains("is nowhere"));
    for view in [View::Log, View::Log, View::Dashboard] {
        key(&mut state, Key::Escape);
        assert_eq!(state.view, view);
    }
}

#[test]
fn a_reader_keeps_the_place_while_old_lines_are_forgotten() {
    let mut state = with_log(0..5_000);
    press(&mut state, "g");
    for _ in 0..4 {
        key(&mut state, Key::PageDown);
    }
    let at = |state: &State| state.page_lines()[state.page.at].text.clone();
    let (line, top) = (at(&state), state.page.at - state.page.top);
    update(&mut state, UiEvent::Log(id(1), "more\n".repeat(70)));
    assert_eq!((at(&state), state.page.at - state.page.top), (line, top));
    let mut state = with_events();
    let more = |range: std::ops::RangeInclusive<u64>| {
        range.map(|n| event(n, "web-1", "runner.started", serde_json::json!({}))).collect()
    };
    update(&mut state, UiEvent::Happened(more(61..=200)));
    press(&mut state, "kkkkk");
    let (before, at) = (state.event_at_cursor().unwrap().position, state.page.at);
    update(&mut state, UiEvent::Happened(more(201..=230)));
    assert_eq!(state.event_at_cursor().unwrap().position, before);
    assert_eq!(state.page.at, at - 30);
}

#[test]
fn the_mouse_goes_to_lines_fields_and_themes() {
    let mut state = with_events();
    let top = state.page.top;
    update(&mut state, mouse(PRESS, 5, 6));
    assert_eq!((state.page.at, state.page.follows), (top + 3, false));
    update(&mut state, mouse(PRESS, 5, 6));
    assert!(state.page.inspected.is_some(), "a double click shows it whole");
    let mut state = self::state(WIDE, fleet());
    press(&mut state, "N");
    let at = screen(&state).lines().position(|line| line.contains(" directory ")).unwrap();
    update(&mut state, mouse(PRESS, 4, u16::try_from(at).unwrap()));
    let Mode::Launch(dialog) = &state.mode else { panic!("{:?}", state.mode) };
    assert_eq!(dialog.field, crate::ui::state::LaunchField::Directory);
    let mut state = self::state(WIDE, fleet());
    state.themes.all = ["night", "day"].map(|name| (name.to_owned(), String::new())).to_vec();
    update(&mut state, UiEvent::Key(crate::domain::key::KeyPress::parse("ctrl-t").unwrap()));
    let at = screen(&state).lines().position(|line| line.contains(" day")).unwrap();
    update(&mut state, mouse(PRESS, 100, u16::try_from(at).unwrap()));
    assert_eq!(state.themes.shown, "day");
}

#[test]
fn the_inbox_says_how_to_get_back_whatever_else_can_be_done() {
    let item = Item {
        id: uuid::Uuid::from_u128(7),
        class: Class::Ask,
        reason: Reason::Permission,
        state: ItemState::Open,
        runner_id: id(1),
        runner: "api-3".to_owned(),
        project: "api".to_owned(),
        node_id: "node".to_owned(),
        agent: "claude".to_owned(),
        message: "Bash(git push)".to_owned(),
        lines: Vec::new(),
        channel: String::new(),
        asked_at: now(),
        cost_then: Cost::default(),
        cost: Cost::default(),
        quality: Quality::default(),
        opened_at: now(),
        snoozed_until: None,
        closed_at: None,
        closed_by: String::new(),
        answer: String::new(),
        resolution: String::new(),
    };
    for size in [(40, 12), (80, 24), (120, 40)] {
        let mut state = state(size, fleet());
        update(&mut state, UiEvent::Inbox(vec![item.clone()]));
        press(&mut state, "A");
        let shown = screen(&state);
        assert!(shown.lines().last().unwrap().contains("esc back"), "{shown}");
        assert_eq!(state.view, View::Inbox);
    }
}
