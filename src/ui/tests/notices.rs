//! Notes about runners that nobody looks at.

use chrono::TimeDelta;

use super::{blocked, ended, fleet, id, key, list, mouse, now, press, runner, screen, state};
use crate::{
    domain::{activity::ActivityState, runner::RunnerStatus},
    terminal::keys::{Key, MouseAction, MouseButton},
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{State, geometry},
        update::update,
    },
};

const WIDE: (u16, u16) = (120, 40);

/// A state with agents at work, the first of which is looked at.
fn quiet() -> State {
    let working = |number, name| runner(number, name, ActivityState::Working, 100);
    let mut state =
        state(WIDE, vec![working(1, "api-1"), working(2, "api-2"), working(3, "web-1")]);
    press(&mut state, "g");
    state
}

#[test]
fn news_of_others_is_noted_and_one_key_goes_there() {
    let mut state = quiet();
    list(
        &mut state,
        vec![
            blocked(1, "api-1", "permission", "Bash(rm -r build)", 0),
            blocked(2, "api-2", "question", "Which port should it be?", 0),
            runner(3, "web-1", ActivityState::Done, 0),
        ],
    );
    let about: Vec<_> = state.notices.iter().map(|notice| notice.id).collect();
    assert_eq!(about, [id(2), id(3)], "the one that is looked at needs no note");
    insta::assert_snapshot!(screen(&state));
    press(&mut state, "o");
    assert_eq!((state.selected, state.notices.len()), (Some(id(2)), 1));
    press(&mut state, "o");
    assert_eq!((state.selected, state.notices.len()), (Some(id(3)), 0));
}

#[test]
fn who_is_done_does_not_push_away_who_is_blocked() {
    let mut state = quiet();
    let asks = || blocked(2, "api-2", "question", "Which port?", 0);
    let working =
        |number: u128| runner(number, &format!("docs-{number}"), ActivityState::Working, 100);
    let first = || runner(1, "api-1", ActivityState::Working, 100);
    list(&mut state, [vec![first(), asks()], (10..16).map(working).collect()].concat());
    let mut all = vec![first(), asks(), ended(10, "docs-10", 1, 0)];
    all.extend((11..16).map(|n| runner(n, &format!("docs-{n}"), ActivityState::Done, 0)));
    list(&mut state, all);
    let about: Vec<_> = state.notices.iter().map(|notice| notice.id).collect();
    assert_eq!(about[..3], [id(2), id(10), id(15)]);
    assert!(screen(&state).contains("Which port?  +6  o go"), "{}", screen(&state));
    press(&mut state, "o");
    assert_eq!(state.selected, Some(id(2)));
}

#[test]
fn on_a_small_screen_a_note_covers_no_row() {
    let mut state = quiet();
    update(&mut state, UiEvent::Resized(40, 12));
    let rows = |state: &State| screen(state).lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    let asks = vec![blocked(2, "api-2", "question", "Which port?", 0)];
    list(&mut state, [asks, vec![runner(1, "api-1", ActivityState::Working, 100)]].concat());
    let with_note = rows(&state);
    assert!(screen(&state).lines().nth(1).unwrap().starts_with(" ? api-2 claude question"));
    key(&mut state, Key::Escape);
    assert!(screen(&state).lines().nth(1).unwrap().starts_with("────"));
    assert_eq!(rows(&state), with_note);
}

#[test]
fn a_note_goes_with_its_time_its_truth_or_escape() {
    let raise = || {
        let mut state = quiet();
        let asks = blocked(2, "api-2", "question", "Which port?", 0);
        list(&mut state, vec![runner(1, "api-1", ActivityState::Working, 100), asks]);
        assert_eq!(state.notices.len(), 1);
        state
    };
    let mut late = raise();
    update(&mut late, UiEvent::Tick(now() + TimeDelta::seconds(11)));
    let mut answered = raise();
    list(&mut answered, vec![runner(2, "api-2", ActivityState::Working, 0)]);
    let mut dismissed = raise();
    key(&mut dismissed, Key::Escape);
    let mut clicked = raise();
    let area = clicked.notices_area(&geometry(&clicked));
    update(&mut clicked, mouse(MouseAction::Press(MouseButton::Left), area.x + 1, area.y));
    assert_eq!(clicked.selected, Some(id(2)));
    for state in [late, answered, dismissed, clicked] {
        assert!(state.notices.is_empty());
    }
}

#[test]
fn what_was_so_from_the_start_is_no_news() {
    let mut state = state(WIDE, fleet());
    list(&mut state, fleet());
    assert!(state.notices.is_empty());
}

#[test]
fn bell_and_desktop_are_rung_as_configured() {
    let mut state = quiet();
    state.settings.notify.toasts = false;
    state.settings.notify.bell = true;
    state.settings.notify.desktop = true;
    let failed = ended(3, "web-1", 1, 0);
    let effects = list(&mut state, vec![failed, runner(1, "api-1", ActivityState::Working, 100)]);
    let desktop = Some("web-1: failed · exit code 1".to_owned());
    assert_eq!(effects, [Effect::Alert { bell: true, desktop }]);
    assert!(state.notices.is_empty());
}

#[test]
fn one_that_is_asked_to_leave_tells_how_long_it_may_take() {
    let mut state = quiet();
    let mut leaving = runner(1, "api-1", ActivityState::Working, 100);
    leaving.status = RunnerStatus::Stopping;
    list(&mut state, vec![leaving]);
    state.now += TimeDelta::seconds(2);
    assert!(screen(&state).contains("▓▓░░░░ killed in 3s if it stays"), "{}", screen(&state));
    state.now += TimeDelta::seconds(4);
    assert!(screen(&state).contains("▓▓▓▓▓▓ being killed"));
}
