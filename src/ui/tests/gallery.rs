//! Every view at the four sizes people have, without colour and with it.
//!
//! With colour means: where the style changes stands what it changes to, as `⟨yellow bold⟩`.

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::{
    blocked, checkout, event, fleet, id, list, now, press, project, runner, screen, state,
};
use crate::{
    domain::{activity::ActivityState, key::KeyPress, size::TerminalSize},
    ui::{
        event::{Frame, UiEvent},
        state::State,
        theme::{Depth, Library},
        update::update,
        view,
    },
};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 50)];

/// A day's work with projects, branches, events, a trend and a screen.
fn busy(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web"), project("shop")]));
    for (cpu, sample) in [2.0, 30.0, 55.0, 90.0, 100.0, 20.0, 10.0, 12.0].into_iter().zip(0..) {
        let mut all = fleet();
        for runner in &mut all {
            runner.cpu_percent = cpu;
            runner.last_heartbeat = Some(now() + chrono::TimeDelta::seconds(sample));
        }
        list(&mut state, all);
    }
    update(&mut state, UiEvent::Branch("/home/ann/src/api".into(), Some(checkout("fix-login"))));
    let asked =
        serde_json::json!({ "state": "blocked", "kind": "permission", "message": "rm -r b" });
    let failed = serde_json::json!({ "reason": "exit code 3" });
    let events = vec![
        event(1, "web-1", "runner.started", serde_json::json!({})),
        event(2, "etl-1", "runner.failed", failed),
        event(3, "api-3", "runner.activity", asked),
    ];
    update(&mut state, UiEvent::Happened(events));
    let bytes = b"All 214 tests pass.\r\n\r\n Do you want to proceed?\r\n 1. Yes\r\n 2. No";
    let frame =
        Frame { size: TerminalSize::new(60, 10), full: true, bytes: bytes.as_slice().into() };
    update(&mut state, UiEvent::Frame(id(1), Box::new(frame)));
    state.themes.all = Library::built_in().list();
    state.config = vec![
        ("attach.detach_key".to_owned(), "ctrl-\\".to_owned(), "default".to_owned()),
        ("notify.bell".to_owned(), "true".to_owned(), "/home/ann/.config/s.yaml".to_owned()),
    ];
    state
}

/// The same where projects are limited, one of them beyond its limit.
fn limited(keys: &str) -> impl Fn((u16, u16)) -> State {
    let keys = keys.to_owned();
    move |size| {
        let mut state = busy(size);
        super::quotas::limit(&mut state);
        for press in keys.split_whitespace() {
            update(&mut state, UiEvent::Key(KeyPress::parse(press).unwrap()));
        }
        state.drawn();
        state
    }
}

fn after(keys: &str) -> impl Fn((u16, u16)) -> State {
    let keys = keys.to_owned();
    move |size| {
        let mut state = busy(size);
        for word in keys.split_whitespace() {
            match KeyPress::parse(word) {
                Ok(press) => drop(update(&mut state, UiEvent::Key(press))),
                Err(_) => drop(press(&mut state, word)),
            }
        }
        state.drawn();
        state
    }
}

/// The screen with what its styles change to.
fn in_colour(state: &State) -> String {
    let theme = Library::built_in().theme("terminal", Depth::Palette, false);
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| view::draw(frame, state, theme)).unwrap();
    let buffer: &Buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..state.size.1 {
        let mut line = String::new();
        let mut before = (Color::Reset, Modifier::empty());
        for x in 0..state.size.0 {
            let cell = &buffer[(x, y)];
            let style = (cell.fg, cell.modifier);
            // A blank looks the same in every colour.
            if style != before && cell.symbol() != " " {
                let words = format!("{} {:?}", style.0, style.1).to_lowercase();
                let words = words.replace("reset ", "").replace("(0x0)", "");
                line.extend(["⟨", words.trim(), "⟩"]);
                before = style;
            }
            line += cell.symbol();
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn show(name: &str, open: impl Fn((u16, u16)) -> State) {
    let mut plain = String::new();
    let mut coloured = String::new();
    for size in SIZES {
        let state = open(size);
        let heading = format!("======== {}x{}\n", size.0, size.1);
        plain.extend([heading.as_str(), &screen(&state), "\n"]);
        coloured.extend([heading.as_str(), &in_colour(&state)]);
    }
    // Times are local.
    let times = [(r"\d\d-\d\d \d\d:\d\d:\d\d", "MM-DD hh:mm:ss"), (r"\d\d:\d\d:\d\d", "hh:mm:ss")];
    insta::with_settings!({ filters => times, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}"), plain);
        insta::assert_snapshot!(format!("{name}_colour"), coloured);
    });
}

#[test]
fn dashboard() {
    show("dashboard", after(""));
    show("dashboard_by_project", after("p"));
    show("dashboard_limited", limited("p"));
}

#[test]
fn first_screen() {
    show("first_screen", |size| state(size, Vec::new()));
}

#[test]
fn daemon_gone() {
    show("daemon_gone", |size| {
        let mut state = busy(size);
        update(&mut state, UiEvent::Disconnected("the daemon left".to_owned()));
        state
    });
}

#[test]
fn pages() {
    show("events", after("E"));
    show("event_whole", after("E enter"));
    show("settings", after(","));
    show("health", after("H"));
    show("help", after("?"));
    show("changes", |size| {
        let mut state = busy(size);
        super::changes::open(&mut state);
        press(&mut state, "jjj");
        state
    });
    show("changes_file", |size| {
        let mut state = busy(size);
        super::changes::open(&mut state);
        press(&mut state, "jjj");
        super::key(&mut state, crate::domain::key::Key::Enter);
        state
    });
    show("log", |size| {
        let mut state = after("l")(size);
        update(&mut state, UiEvent::Log(id(1), "first line\nsecond line\n".to_owned()));
        state
    });
}

#[test]
fn spending() {
    use super::spent::after;
    show("spent", after(""));
    show("spent_by_project", after("p"));
    show("usage", after("U"));
    show("usage_by_session", after("U tab tab"));
    show("budgets", after("B"));
    show("budget_dialog", after("B enter"));
    show("sessions", after("S"));
    show("session", after("S enter"));
}

#[test]
fn conversations() {
    use super::conversations::{found, hits, read};
    show("search", super::spent::after("S s"));
    show("found", found(Ok(hits())));
    show("found_nothing", found(Ok(Vec::new())));
    show("conversation", read);
}

#[test]
fn overlays() {
    show("palette", after(": stop"));
    show("picker", after("ctrl-o"));
    show("themes", after("ctrl-t j"));
    show("launch", after("N"));
    show("quotas", limited("Q"));
    show("question", after("x"));
    show("question_about_all", after("alt-x"));
    show("progress", super::progress::halfway);
    show("notes", |size| {
        let working = |number, name| runner(number, name, ActivityState::Working, 100);
        let mut state = state(size, vec![working(1, "api-1"), working(2, "api-2")]);
        press(&mut state, "g");
        let asks = blocked(2, "api-2", "question", "Which port should it be?", 0);
        list(&mut state, vec![working(1, "api-1"), asks]);
        state
    });
}
