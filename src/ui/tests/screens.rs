//! What the screen shows, at the sizes people have and at the ones nobody has.

use super::{event, fleet, key, press, project, runner, screen, state};
use crate::{
    domain::{activity::ActivityState, size::TerminalSize},
    terminal::keys::Key,
    ui::{
        event::{Frame, UiEvent},
        state::State,
        update::update,
    },
};

/// The fleet with projects, events and a screen.
fn busy(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web"), project("shop")]));
    // Times are local and so no part of a snapshot: events have a test of their own.
    let frame = Frame {
        size: TerminalSize::new(60, 10),
        full: true,
        bytes: b"All 214 tests pass.\r\n\r\n Do you want to proceed?\r\n 1. Yes\r\n 2. No"
            .as_slice()
            .into(),
    };
    let id = state.selected.unwrap();
    update(&mut state, UiEvent::Frame(id, Box::new(frame)));
    state
}

#[test]
fn phone() {
    insta::assert_snapshot!(screen(&busy((40, 12))));
}

#[test]
fn classic() {
    insta::assert_snapshot!(screen(&busy((80, 24))));
}

#[test]
fn laptop() {
    insta::assert_snapshot!(screen(&busy((120, 40))));
}

#[test]
fn large() {
    insta::assert_snapshot!(screen(&busy((200, 50))));
}

#[test]
fn first_screen() {
    insta::assert_snapshot!(screen(&state((80, 24), Vec::new())));
}

#[test]
fn by_project() {
    let mut state = busy((80, 24));
    press(&mut state, "p");
    insta::assert_snapshot!(screen(&state));
}

#[test]
fn question_and_line_and_filter() {
    let mut state = busy((80, 24));
    press(&mut state, "x");
    let asked = screen(&state);
    press(&mut state, "n");
    state.drawn();
    state.now += chrono::TimeDelta::seconds(1);
    press(&mut state, "thello");
    let line = screen(&state);
    key(&mut state, Key::Escape);
    press(&mut state, "/web");
    let last = |text: &str| text.lines().skip(22).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let all = [asked, line, screen(&state)].map(|text| last(&text)).join("\n--\n");
    insta::assert_snapshot!(all);
}

#[test]
fn launch_dialog() {
    let mut state = busy((80, 12));
    press(&mut state, "N");
    insta::assert_snapshot!(screen(&state));
}

#[test]
fn help() {
    let mut state = busy((80, 30));
    press(&mut state, "?");
    insta::assert_snapshot!(screen(&state));
}

#[test]
fn a_lost_daemon_is_said_in_words() {
    let mut state = busy((80, 24));
    update(&mut state, UiEvent::Disconnected("the connection was lost".to_owned()));
    let text = screen(&state);
    assert!(text.contains("reconnecting…"), "{text}");
    assert!(text.contains("api-3"), "{text}");
}

#[test]
fn events_say_who_and_what() {
    let mut state = busy((120, 40));
    let data = serde_json::json!({ "state": "blocked", "kind": "permission", "message": "rm" });
    let failed = serde_json::json!({ "reason": "exit code 3" });
    update(
        &mut state,
        UiEvent::Happened(vec![
            event(1, "api-3", "runner.activity", data),
            event(2, "etl-1", "runner.failed", failed),
        ]),
    );
    let text = screen(&state);
    for expected in ["api-3   permission: rm", "etl-1   failed: exit code 3"] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn everything_is_drawn_at_every_size_without_a_panic() {
    let sizes = (1..=10).flat_map(|cols| (1..=10).map(move |rows| (cols, rows)));
    let large = [(500, 200), (1, 200), (500, 1), (59, 15), (60, 16), (61, 17), (99, 8), (100, 9)];
    for size in sizes.chain(large) {
        for keys in ["", "p", "x", "thello", "/zzz", "?", "N", "i", "e", "ee"] {
            let mut state = busy((120, 40));
            update(&mut state, UiEvent::Resized(size.0, size.1));
            press(&mut state, keys);
            assert_eq!(screen(&state).split('\n').count(), usize::from(size.1), "{size:?}");
        }
        screen(&state(size, Vec::new()));
    }
}

#[test]
fn wide_characters_are_cut_by_columns() {
    let mut runner = runner(1, "api-1", ActivityState::Working, 5);
    runner.title = "日本語のとても長いタイトル".repeat(5);
    let state = state((50, 10), vec![runner]);
    let text = screen(&state);
    assert!(text.contains('…'), "{text}");
}

#[test]
fn long_names_keep_what_tells_them_apart() {
    let long = |n: u128| format!("a-really-long-project-name-for-a-shop-{n}");
    let all = (1..=12).map(|n| runner(n, &long(n), ActivityState::Working, 90));
    let all: Vec<_> = all.collect();
    for size in [(40, 12), (80, 24), (120, 40), (200, 50)] {
        let mut state = state(size, all.clone());
        let names: Vec<_> =
            ["another-really-long-name", "and-one-more-of-them", "shop", "web"].into();
        update(&mut state, UiEvent::Projects(names.into_iter().map(project).collect()));
        let text = screen(&state);
        assert!(text.contains("…-2 ") && text.contains("…-3 "), "{text}");
        assert!(size.0 != 120 || text.contains(" more"), "{text}");
    }
    let mut state = state((80, 24), all);
    press(&mut state, ":shop-2");
    assert!(screen(&state).contains("…-2 "), "{}", screen(&state));
    key(&mut state, Key::Escape);
    press(&mut state, "vv");
    let text = screen(&state);
    assert!(text.contains("working 1m"), "{text}");
}

#[test]
fn outside_of_repositories_the_command_stands_where_others_say_something() {
    let mut quiet = runner(1, "etl-7", ActivityState::Working, 5);
    quiet.command = vec!["bash".to_owned(), "-c".to_owned(), "make".to_owned()];
    let state = state((200, 50), vec![quiet]);
    let all = screen(&state);
    let is_row = |line: &&str| line.trim_start_matches('▌').trim_start().starts_with("● etl-7");
    let line = all.lines().find(is_row).unwrap();
    let said = line.find("bash -c make").unwrap();
    assert!(said < 45, "{line}");
}

#[test]
fn the_agent_stands_in_its_column_whatever_is_asked() {
    let mut long = runner(1, "etl-7", ActivityState::Blocked, 5);
    long.activity.message = Some("may I do ".to_owned() + &"this and that ".repeat(9));
    let state = state((80, 24), vec![long, runner(2, "etl-8", ActivityState::Working, 5)]);
    let all = screen(&state);
    let at = |name: &str| {
        let line = all.lines().find(|line| line.contains(name)).unwrap();
        line.find("claude").map(|byte| line[..byte].chars().count())
    };
    assert!(at("etl-7").is_some() && at("etl-7") == at("etl-8"), "{all}");
}

#[test]
fn who_does_everything_without_asking_is_told_by_a_word() {
    let mut god = runner(2, "api-2", ActivityState::Working, 100);
    god.command = vec!["claude".to_owned(), "--dangerously-skip-permissions".to_owned()];
    for size in [(80, 24), (120, 40), (200, 50)] {
        let all = vec![god.clone(), runner(1, "api-1", ActivityState::Working, 100)];
        let shown = screen(&state(size, all));
        let has = |name: &str, word: &str| {
            shown.lines().any(|line| line.contains(name) && line.contains(word))
        };
        assert!(has("api-2", "god · ") && !has("api-1", "god"), "{shown}");
    }
    let mut state = state((120, 40), vec![god]);
    press(&mut state, "j");
    assert!(screen(&state).contains("api-2 god mode · claude"), "{}", screen(&state));
}

#[test]
fn the_agent_is_named_in_one_column_from_120_columns_on() {
    for size in [(80, 24), (120, 40), (200, 50)] {
        let mut other = runner(2, "etl-8", ActivityState::Working, 5);
        other.agent = "codex".to_owned();
        other.title = "one thing".to_owned();
        let mut first = runner(1, "etl-7", ActivityState::Working, 5);
        first.title = "another thing".to_owned();
        let all = screen(&state(size, vec![first, other]));
        let at = |name: &str, agent: &str| {
            let sign = format!("● {name}");
            let line = all.lines().find(|line| line.contains(&sign)).unwrap_or_default();
            line.find(agent).map(|byte| line[..byte].chars().count())
        };
        assert!(at("etl-7", "claude").is_some(), "{all}");
        assert_eq!(at("etl-7", "claude"), at("etl-8", "codex"), "{all}");
    }
}

#[test]
fn a_title_takes_the_room_of_columns_that_have_nothing_in_its_line() {
    let title = "Rename the columns of the schema in every table and test";
    let mut quiet = runner(1, "etl-7", ActivityState::Working, 5);
    quiet.command = vec!["claude".to_owned()];
    quiet.title = title.to_owned();
    let mut ended = super::ended(2, "etl-8", 0, 100);
    ended.reason = Some(title.to_owned());
    let mut used = runner(3, "etl-9", ActivityState::Working, 5);
    (used.command, used.tokens_used) = (quiet.command.clone(), 1200);
    let all = screen(&state((200, 50), vec![quiet, ended, used]));
    let row = |name: &str| all.lines().find(|line| line.contains(name)).unwrap();
    assert!(row("● etl-7").contains("in every ta"), "it has used nothing: {all}");
    assert!(row("· etl-8").contains(title), "it has ended, and has no figures: {all}");
    let cpu = |name: &str| {
        let line = row(name);
        line.find("12 %").map(|byte| line[..byte].chars().count())
    };
    assert_eq!(cpu("● etl-7"), cpu("● etl-9"), "the figures stay in their column: {all}");
}
