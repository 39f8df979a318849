//! What follows from what.

use super::{
    PRESS, blocked, connect, ended, event, fleet, id, key, launched, list, mouse, now, press,
    project, runner, state,
};
use crate::{
    client::RunnerUpdate,
    domain::{
        activity::ActivityState, failure::Failure, id::RunnerId, runner::RunnerStatus,
        size::TerminalSize,
    },
    terminal::keys::{Key, KeyPress, Modifiers, MouseAction},
    ui::{
        effect::Effect,
        event::{DaemonView, Frame, Outcome, TYPE, UiEvent},
        state::{Connection, Mode, Row, State, Watched, rows, shown},
        update::update,
        view,
    },
};

const WIDE: (u16, u16) = (120, 40);

fn names(state: &State) -> Vec<&str> {
    shown(state).iter().map(|id| state.runners[id].name.as_str()).collect()
}

fn watched(state: &State) -> Vec<RunnerId> {
    state.watched.iter().map(|watched| watched.id).collect()
}

/// The effect that asks for these screens, one of them typed into.
fn watch(ids: &[u128], typed: Option<u128>) -> Effect {
    let watched =
        |number: &u128| Watched { id: id(*number), is_typed_into: Some(*number) == typed };
    Effect::Watch(ids.iter().map(watched).collect())
}

fn ctrl(c: char) -> UiEvent {
    let modifiers = Modifiers { ctrl: true, ..Modifiers::default() };
    UiEvent::Key(KeyPress { key: Key::Char(c), modifiers })
}

#[test]
fn who_needs_a_person_comes_first_then_names_as_people_count() {
    let state = state(WIDE, fleet());
    assert_eq!(
        names(&state),
        ["api-3", "web-1", "etl-1", "api-1", "web-9", "web-10", "docs-1", "docs-2", "etl-2"]
    );
}

#[test]
fn the_selection_follows_the_runner_not_the_line() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "jjj");
    assert_eq!(state.selected, Some(id(2)));
    let mut all = fleet();
    all.push(blocked(20, "aaa-1", "question", "first in the list", 900));
    list(&mut state, all);
    assert_eq!((state.selected, names(&state)[0]), (Some(id(2)), "aaa-1"));
    // Once it is gone, its neighbour is selected.
    let removed = RunnerUpdate { runners: Vec::new(), removed: vec![id(2)], complete: false };
    update(&mut state, UiEvent::Runners(removed));
    assert_eq!(state.selected, Some(id(4)));
}

#[test]
fn before_the_first_key_whoever_stands_first_is_selected() {
    let mut state = state(WIDE, vec![runner(2, "api-1", ActivityState::Starting, 1)]);
    list(&mut state, fleet());
    assert_eq!(state.selected, Some(id(1)));
    press(&mut state, "p");
    let mut all = fleet();
    all.push(blocked(20, "aaa-1", "question", "first in the list", 900));
    list(&mut state, all);
    assert_eq!(state.selected, Some(id(1)));
}

#[test]
fn who_waits_longest_stands_first_and_who_failed_before_who_works() {
    let runners = vec![
        runner(1, "a-1", ActivityState::Working, 5),
        ended(2, "b-1", 1, 5),
        blocked(3, "c-1", "permission", "now", 3),
        blocked(4, "d-1", "permission", "long ago", 300),
    ];
    let state = state((80, 24), runners);
    assert_eq!(shown(&state), [id(4), id(3), id(2), id(1)]);
}

#[test]
fn a_row_that_moves_away_does_not_take_the_list_along() {
    let mut all: Vec<_> =
        (1..=3).map(|n| blocked(n, &format!("q-{n}"), "permission", "go?", 9)).collect();
    all.extend((4..=20).map(|n| runner(n, &format!("w-{n}"), ActivityState::Working, 9)));
    let mut state = state((80, 24), all);
    key(&mut state, Key::Tab);
    // It was answered: it works, then it is done.
    for to in [ActivityState::Working, ActivityState::Done] {
        let runners = vec![runner(2, "q-2", to, 0)];
        let moved = RunnerUpdate { runners, removed: Vec::new(), complete: false };
        update(&mut state, UiEvent::Runners(moved));
        assert_eq!((state.selected, state.scroll), (Some(id(2)), 0));
    }
    // The next key speaks of it, so that it shows.
    press(&mut state, "k");
    assert!(state.scroll > 0);
    key(&mut state, Key::Tab);
    assert_eq!((state.selected, state.scroll), (Some(id(1)), 0));
}

#[test]
fn a_screen_that_grows_shows_more_from_the_top() {
    let mut state = state((40, 12), fleet());
    press(&mut state, "jjjjjjj");
    assert!(state.scroll > 0);
    update(&mut state, UiEvent::Resized(120, 40));
    assert_eq!(state.scroll, 0);
}

#[test]
fn moving_stops_at_both_ends_and_the_list_scrolls_along() {
    let mut state = state((40, 8), fleet());
    key(&mut state, Key::Up);
    assert_eq!(state.selected, Some(id(1)));
    press(&mut state, "G");
    assert_eq!(state.selected, Some(id(8)));
    press(&mut state, "j");
    assert_eq!((state.selected, state.scroll > 5), (Some(id(8)), true));
    press(&mut state, "g");
    assert_eq!((state.selected, state.scroll), (Some(id(1)), 0));
}

#[test]
fn tab_goes_to_the_longest_waiting_and_round() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "jjj");
    for expected in [1, 9, 1] {
        key(&mut state, Key::Tab);
        assert_eq!(state.selected, Some(id(expected)));
    }
}

#[test]
fn the_filter_narrows_and_escape_shows_all() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "/web work");
    assert_eq!(names(&state), ["web-9", "web-10"]);
    key(&mut state, Key::Enter);
    assert_eq!((&state.mode, state.selected), (&Mode::List, Some(id(4))));
    key(&mut state, Key::Escape);
    assert_eq!(names(&state).len(), 9);
}

#[test]
fn many_finished_runners_are_folded_until_asked_for() {
    let mut all = fleet();
    all.extend((0..6).map(|n| ended(100 + n, &format!("old-{n}"), 0, 9_000)));
    let mut state = state(WIDE, all);
    let is_folded = |state: &State| matches!(rows(state).last(), Some(Row::Group { is_folded, .. }) if *is_folded);
    assert!(is_folded(&state) && names(&state).len() == 8);
    press(&mut state, "f");
    assert_eq!(names(&state).len(), 15);
    press(&mut state, "f");
    assert!(is_folded(&state));
}

#[test]
fn what_destroys_is_asked_first_and_names_what_is_lost() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "jjj");
    assert_eq!(press(&mut state, "x"), []);
    let Mode::Confirm(confirm) = &state.mode else { panic!("not asked") };
    assert_eq!(
        confirm.question,
        "Stop api-1? Ends claude and its 2 other processes; its turn of 2m is lost."
    );
    assert_eq!(press(&mut state, "n"), []);
    assert_eq!(press(&mut state, "xy"), [Effect::Stop(id(2), false)]);
    assert_eq!(press(&mut state, "Xy"), [Effect::Stop(id(2), true)]);
    assert_eq!(press(&mut state, "Ry"), [Effect::Restart(id(2))]);
    // Other keys do not answer it.
    assert_eq!(press(&mut state, "xj "), []);
    assert!(matches!(state.mode, Mode::Confirm(_)));
}

#[test]
fn what_has_ended_is_restarted_at_once_and_nothing_else() {
    let mut state = state(WIDE, vec![ended(1, "etl-1", 1, 5)]);
    for keys in ["x", "i", "t", "a", " "] {
        assert_eq!(press(&mut state, keys), []);
        assert!(state.toast.as_ref().unwrap().text.contains("R starts it again"));
    }
    assert_eq!(press(&mut state, "R"), [Effect::Restart(id(1))]);
}

#[test]
fn typed_keys_go_to_the_agent_until_the_key_that_leaves() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "i");
    assert_eq!(press(&mut state, "q"), [Effect::SendKeys(id(1), b"q".to_vec())]);
    assert_eq!(update(&mut state, ctrl('c')), [Effect::SendKeys(id(1), vec![3])]);
    assert_eq!(
        update(&mut state, UiEvent::Paste("a\nb".to_owned())),
        [Effect::SendKeys(id(1), b"a\rb".to_vec())]
    );
    assert_eq!(update(&mut state, ctrl('\\')), [watch(&[1], None)]);
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn an_agent_that_ends_is_not_typed_into() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "i");
    let mut gone = fleet().remove(0);
    gone.status = RunnerStatus::Terminated;
    let update_of = RunnerUpdate { runners: vec![gone], removed: vec![], complete: false };
    update(&mut state, UiEvent::Runners(update_of));
    // What goes on being typed means nothing, and pastes neither, until there is a pause.
    for letters in ["enjoy", "ky is", "123"] {
        assert_eq!(press(&mut state, letters), []);
        assert_eq!(update(&mut state, UiEvent::Paste("q".to_owned())), []);
    }
    assert!(matches!(&state.mode, Mode::Held(held) if held.why.contains("has ended")));
    state.now += chrono::TimeDelta::seconds(2);
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn a_hole_in_what_is_typed_ends_the_typing() {
    let typing = || {
        let mut state = state(WIDE, fleet());
        press(&mut state, "i");
        state
    };
    let mut lost = typing();
    update(&mut lost, UiEvent::Disconnected("gone".to_owned()));
    assert_eq!(press(&mut lost, "abc"), []);
    update(&mut lost, UiEvent::Connected(DaemonView::default()));
    assert_eq!(press(&mut lost, "def"), [], "the first letters are missing");
    key(&mut lost, Key::Escape);
    assert_eq!(lost.mode, Mode::List);

    let mut refused = typing();
    let failure = Failure::unavailable("X", "it does not read");
    update(&mut refused, UiEvent::Outcome(Outcome::Failed(TYPE, failure)));
    assert_eq!(press(&mut refused, "abc"), []);

    let mut anew = typing();
    let mut runner = fleet().remove(0);
    runner.run += 1;
    let update_of = RunnerUpdate { runners: vec![runner], removed: vec![], complete: false };
    update(&mut anew, UiEvent::Runners(update_of));
    assert_eq!(press(&mut anew, "abc"), [], "half a line is not for another process");
}

#[test]
fn a_line_is_written_and_sent() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "jjjthelo q");
    key(&mut state, Key::Left);
    key(&mut state, Key::Backspace);
    assert_eq!(key(&mut state, Key::Enter), [Effect::SendText(id(2), "heloq".to_owned())]);
    assert_eq!(state.mode, Mode::List);
    // A paste into the list is no series of commands.
    assert_eq!(update(&mut state, UiEvent::Paste("qX".to_owned())), []);
}

#[test]
fn a_lost_daemon_keeps_what_was_known_and_is_watched_again() {
    let mut state = state(WIDE, fleet());
    assert_eq!(watched(&state), [id(1)]);
    update(&mut state, UiEvent::Disconnected("the connection was lost".to_owned()));
    assert!(matches!(state.connection, Connection::Lost(_)));
    assert_eq!((names(&state).len(), watched(&state)), (9, vec![]));
    assert_eq!(press(&mut state, "a"), []);
    assert!(state.toast.as_ref().unwrap().is_failure);
    assert!(connect(&mut state).contains(&watch(&[1], None)));
}

#[test]
fn only_the_visible_screen_is_followed() {
    let mut state = state((80, 24), fleet());
    assert_eq!(press(&mut state, "j"), [watch(&[9], None)]);
    assert_eq!(update(&mut state, UiEvent::Resized(40, 12)), [watch(&[], None)]);
    assert_eq!(press(&mut state, "k"), []);
}

#[test]
fn a_heartbeat_alone_costs_no_frame() {
    let mut state = state((80, 24), fleet());
    state.is_dirty = false;
    let mut all = fleet();
    for runner in &mut all {
        runner.cpu_percent = 99.0;
        runner.last_heartbeat = Some(now());
    }
    // An agent that turns a sign in its title changes nothing that is shown.
    all[1].title = "⠐ Rename the schema's columns".to_owned();
    list(&mut state, all);
    assert!(!state.is_dirty);
    update(&mut state, UiEvent::Resized(200, 50));
    state.is_dirty = false;
    list(&mut state, fleet());
    assert!(state.is_dirty);
}

#[test]
fn nothing_wakes_up_before_an_age_reads_differently() {
    let one = |seconds| state(WIDE, vec![runner(1, "api-1", ActivityState::Idle, seconds)]);
    let seconds = |state: &State| view::next_change(state).map(|change| change.num_seconds());
    assert_eq!(seconds(&one(59)), Some(1));
    assert_eq!(seconds(&one(60)), Some(60));
    assert_eq!(seconds(&state(WIDE, Vec::new())), None);
}

#[test]
fn frames_are_drawn_from_the_first_whole_one_on() {
    let mut state = state(WIDE, fleet());
    let frame = |full, bytes: &'static [u8]| {
        let size = TerminalSize::new(20, 5);
        UiEvent::Frame(id(1), Box::new(Frame { size, full, bytes: bytes.into() }))
    };
    update(&mut state, frame(false, b"early"));
    assert!(state.screens[&id(1)].pane.is_none());
    update(&mut state, frame(true, b"whole"));
    assert!(super::screen(&state).contains("whole"));
    // Of another runner: too late, it is no longer shown.
    press(&mut state, "j");
    update(&mut state, frame(true, b"late"));
    assert!(!super::screen(&state).contains("late"));
}

#[test]
fn the_first_screen_launches_with_one_key() {
    let mut state = state(WIDE, Vec::new());
    let effects = key(&mut state, Key::Enter);
    let [Effect::Launch(order)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((order.project.as_str(), order.command[0].to_str()), ("shop", Some("claude")));
    assert_eq!(order.register.as_ref().unwrap().path, order.cwd);
    let effects = press(&mut state, "s");
    let [Effect::Launch(order)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(order.command[0].to_str(), Some("/bin/bash"));
}

#[test]
fn the_dialog_finds_the_project_around_the_directory() {
    let mut state = state(WIDE, fleet());
    update(&mut state, UiEvent::Projects(vec![project("shop"), project("api")]));
    assert_eq!(press(&mut state, "N")[0], Effect::ListProjects);
    press(&mut state, "fix it");
    key(&mut state, Key::Tab);
    update(&mut state, ctrl('u'));
    let effects = key(&mut state, Key::Enter);
    let Mode::Launch(dialog) = &state.mode else { panic!("{effects:?}") };
    assert_eq!(dialog.wrong.as_deref(), Some("the command is empty"));
    press(&mut state, "codex --search");
    for _ in 0..3 {
        key(&mut state, Key::Tab);
    }
    update(&mut state, ctrl('u'));
    press(&mut state, "~/src/api/crates");
    let effects = key(&mut state, Key::Enter);
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((order.project.as_str(), order.register.is_none()), ("api", true));
    assert_eq!(order.command, ["codex", "--search", "--", "fix it"]);
    assert_eq!(order.cwd.to_str(), Some("/home/ann/src/api/crates"));
}

#[test]
fn a_launched_runner_is_selected_and_failures_are_told_until_the_next_key() {
    let mut state = state(WIDE, fleet());
    let new = runner(50, "shop-1", ActivityState::Starting, 0);
    update(&mut state, launched(new));
    assert_eq!(state.selected, Some(id(50)));
    let failure = Failure::conflict("X", "it is locked").with_hint("unlock it");
    update(&mut state, UiEvent::Outcome(Outcome::Failed("launch", failure)));
    assert_eq!(state.toast.as_ref().unwrap().text, "failed to launch: it is locked (unlock it)");
    press(&mut state, "k");
    assert_eq!(state.toast, None);
}

#[test]
fn events_are_kept_in_order_and_not_twice() {
    let mut state = state(WIDE, fleet());
    let started = |n| event(n, "api-1", "runner.started", serde_json::json!({}));
    update(&mut state, UiEvent::Happened(vec![started(1), started(2)]));
    update(&mut state, UiEvent::Happened(vec![started(2), started(3)]));
    assert_eq!(state.events.iter().map(|e| e.position).collect::<Vec<_>>(), [1, 2, 3]);
    let many = (4..1_000).map(started).collect();
    update(&mut state, UiEvent::Happened(many));
    assert_eq!(state.events.len(), 200);
}

#[test]
fn the_mouse_selects_and_scrolls() {
    let mut state = state(WIDE, fleet());
    update(&mut state, mouse(PRESS, 5, 4));
    assert_eq!(state.selected, Some(id(9)));
    update(&mut state, mouse(MouseAction::ScrollDown, 5, 4));
    assert_eq!(state.selected, Some(id(7)));
    update(&mut state, mouse(PRESS, 5, 2));
    assert_eq!(state.selected, Some(id(7)));
}

#[test]
fn nobody_types_blindly_where_there_is_no_room_for_both() {
    let mut state = state((40, 12), fleet());
    assert_eq!(watched(&state), []);
    assert_eq!(press(&mut state, "i"), [watch(&[1], Some(1))]);
    let frame = Frame { size: TerminalSize::new(40, 9), full: true, bytes: "❯ 1. Yes".into() };
    update(&mut state, UiEvent::Frame(id(1), Box::new(frame)));
    assert!(super::screen(&state).contains("❯ 1. Yes"));
    assert_eq!(update(&mut state, ctrl('\\')), [watch(&[], None)]);
}

#[test]
fn keys_are_the_ones_configured() {
    let mut state = state(WIDE, fleet());
    let settings = r#"{ "list": { "stop": "ctrl-x", "help": "f1" } }"#;
    let config = serde_json::from_str(settings).unwrap();
    state.keys = crate::ui::keymap::Keymap::new(&config, false);
    press(&mut state, "jjj");
    assert_eq!(press(&mut state, "x?"), []);
    assert_eq!(state.mode, Mode::List);
    assert!(super::screen(&state).contains("ctrl-x stop"));
    update(&mut state, ctrl('x'));
    assert!(matches!(state.mode, Mode::Confirm(_)));
}

#[test]
fn a_stop_and_a_deletion_can_be_taken_back() {
    let mut state = state(WIDE, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("etl")]));
    assert_eq!(press(&mut state, "u"), []);
    let mut stopped = fleet().remove(1);
    stopped.status = RunnerStatus::Terminated;
    let runners = vec![stopped.clone()];
    update(
        &mut state,
        UiEvent::Runners(RunnerUpdate { runners, removed: vec![], complete: false }),
    );
    update(&mut state, UiEvent::Outcome(Outcome::Stopped(Box::new(stopped), false)));
    assert_eq!(state.toast.as_ref().unwrap().text, "api-1 is stopped; u starts it again");
    assert_eq!(press(&mut state, "u"), [Effect::Restart(id(2))]);
    assert_eq!(press(&mut state, "u"), [], "once");
    // A project with live runners is not deleted.
    press(&mut state, "D");
    assert!(state.toast.as_ref().unwrap().text.contains("has live runners"));
    press(&mut state, ":delete etl");
    key(&mut state, Key::Enter);
    let Mode::Confirm(confirm) = &state.mode else { panic!("{:?}", state.mode) };
    assert!(confirm.question.contains("2 runners that have ended"), "{}", confirm.question);
    let effects = press(&mut state, "y");
    let [Effect::DeleteProject(deleted)] = effects.as_slice() else { panic!("{effects:?}") };
    update(&mut state, UiEvent::Outcome(Outcome::Forgotten(deleted.clone())));
    let again = press(&mut state, "u");
    assert_eq!(again, [Effect::CreateProject(deleted.clone())]);
}

#[test]
fn being_asked_to_stop_gives_the_terminal_back() {
    let mut state = state(WIDE, fleet());
    assert_eq!(update(&mut state, UiEvent::Stopped), [Effect::Suspend(false)]);
    press(&mut state, "i");
    assert_eq!(update(&mut state, UiEvent::Stopped), [Effect::Suspend(false)], "wherever keys go");
    assert_eq!(update(&mut state, UiEvent::Continued), [Effect::Redraw]);
}
