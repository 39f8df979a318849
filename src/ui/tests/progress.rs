//! What takes long: told in one line that means something, changes only with what it means, and ends.

use chrono::TimeDelta;

use super::{ended, fleet, id, keys, list, now, press, screen, state};
use crate::{
    client::RunnerUpdate,
    domain::{
        checkout::SETUP_NOT_TRUSTED,
        failure::Failure,
        id::RunnerId,
        launch::Launched,
        runner::{Runner, RunnerStatus},
    },
    ui::{
        effect::{Effect, LaunchOrder},
        event::{Outcome, UiEvent},
        state::{Mode, State, Undo, Work},
        update::update,
        view,
    },
};

fn tick(state: &mut State, milliseconds: i64) {
    update(state, UiEvent::Tick(now() + TimeDelta::milliseconds(milliseconds)));
}

/// Somebody has gone to this runner.
fn choose(state: &mut State, id: RunnerId) {
    state.selected = Some(id);
    state.has_chosen = true;
    tick(state, 0);
}

fn last_line(state: &State) -> String {
    screen(state).lines().last().unwrap().to_owned()
}

fn tell(state: &mut State, outcome: Outcome) {
    update(state, UiEvent::Outcome(outcome));
}

/// A runner of the fleet has got its stop.
fn leaving(state: &mut State, id: RunnerId) {
    let runner = Runner { status: RunnerStatus::Stopping, ..state.runners[&id].clone() };
    let told = RunnerUpdate { runners: vec![runner], removed: Vec::new(), complete: false };
    update(state, UiEvent::Runners(told));
}

fn stopped(id: RunnerId) -> Outcome {
    let runner = ended(u128::from_be_bytes(*id.as_uuid().as_bytes()), "api-1", 0, 0);
    Outcome::Stopped(Box::new(runner), false)
}

/// Stops all live runners of the fleet, seven of them.
fn stopping(size: (u16, u16)) -> (State, Vec<RunnerId>) {
    let mut state = state(size, fleet());
    state.settings.stop_grace = TimeDelta::seconds(10);
    keys(&mut state, "alt-x");
    let Mode::Confirm(confirm) = &state.mode else { panic!("not asked") };
    let asked = confirm.question.clone();
    assert!(asked.starts_with("Stop 7 runners: api-1, api-3, docs-1 and 4 more?"), "{asked}");
    assert!(asked.ends_with("3 turns in progress are lost."), "{asked}");
    let effects = press(&mut state, "y");
    let ids: Vec<RunnerId> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Stop(id, false) => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 7);
    (state, ids)
}

/// Three of seven have answered.
pub(super) fn halfway(size: (u16, u16)) -> State {
    let (mut state, ids) = stopping(size);
    for id in &ids {
        leaving(&mut state, *id);
    }
    for id in &ids[..3] {
        tell(&mut state, stopped(*id));
    }
    tick(&mut state, 1_000);
    state
}

#[test]
fn a_mass_stop_counts_what_has_answered_and_says_how_long_the_rest_may_take() {
    let (mut state, ids) = stopping((120, 40));
    assert!(!last_line(&state).contains("stopping"), "what is over at once is not shown");
    assert!(view::next_change(&state).unwrap() <= TimeDelta::milliseconds(400));
    for id in &ids {
        leaving(&mut state, *id);
    }
    tick(&mut state, 400);
    let text = "stopping 7 runners ░░░░░░ 0/7 · up to 10 s";
    assert!(last_line(&state).contains(text), "{}", last_line(&state));
    for id in &ids[..3] {
        tell(&mut state, stopped(*id));
    }
    tick(&mut state, 2_000);
    let line = last_line(&state);
    assert!(line.contains("stopping 7 runners ▓▓░░░░ 3/7 · up to 8 s · esc hides"), "{line}");
    assert!(line.contains("? help") && line.contains("q quit"), "{line}");
    insta::assert_snapshot!(screen(&state));
    for id in &ids[3..] {
        tell(&mut state, stopped(*id));
    }
    assert!(last_line(&state).contains("· 7 runners are stopped; u starts them again"));
    assert_eq!(state.undo, Some(Undo::Stopped(ids)));
}

#[test]
fn failures_are_told_by_name_when_all_is_over() {
    let (mut state, ids) = stopping((120, 40));
    let name = state.runners[&ids[0]].name.clone();
    let silent = Failure::unavailable("STOP_UNFINISHED", "it does not end");
    tell(&mut state, Outcome::Refused(Work::Stop, ids[0], silent));
    assert!(state.toast.is_none(), "the others are not over");
    for id in &ids[1..] {
        tell(&mut state, stopped(*id));
    }
    let toast = state.toast.as_ref().unwrap();
    assert_eq!(toast.text, format!("6 of 7 runners are stopped; {name}: it does not end"));
    assert!(toast.is_failure);
    // One reason for many is told once.
    let (mut state, ids) = stopping((120, 40));
    for id in &ids[..5] {
        let lost = Failure::unavailable("LOST", "the connection was lost");
        tell(&mut state, Outcome::Refused(Work::Stop, *id, lost));
    }
    for id in &ids[5..] {
        tell(&mut state, stopped(*id));
    }
    let text = &state.toast.as_ref().unwrap().text;
    let end = "api-1, api-3, docs-1 and 2 more: the connection was lost";
    assert_eq!(*text, format!("2 of 7 runners are stopped; {end}"));
}

#[test]
fn it_fits_every_size_and_leaves_room_for_keys() {
    for (size, text) in [
        ((40, 12), "stopping 3/7"),
        ((80, 24), "stopping 7 runners ▓▓░░░░ 3/7"),
        ((200, 50), "3/7 · up to 9 s · esc hides this, it goes on"),
    ] {
        let line = last_line(&halfway(size));
        assert!(line.contains(text), "{size:?}: {line}");
        assert!(size.0 == 40 || line.contains("? help"), "{line}");
    }
}

#[test]
fn escape_hides_it_and_what_is_asked_for_goes_on() {
    let (mut state, ids) = stopping((120, 40));
    tick(&mut state, 1_000);
    assert!(last_line(&state).contains("stopping"));
    assert_eq!(keys(&mut state, "esc"), []);
    assert!(!last_line(&state).contains("stopping"));
    for id in ids {
        tell(&mut state, stopped(id));
    }
    assert!(last_line(&state).contains("7 runners are stopped"));
}

#[test]
fn a_single_stop_shows_the_time_that_is_given_and_one_without_a_time_draws_no_bar() {
    let mut state = state((120, 40), fleet());
    state.settings.stop_grace = TimeDelta::seconds(10);
    choose(&mut state, id(2));
    assert_eq!(press(&mut state, "xy"), [Effect::Stop(id(2), false)]);
    leaving(&mut state, id(2));
    tick(&mut state, 5_000);
    let line = last_line(&state);
    assert!(line.contains("stopping api-1 ▓▓▓░░░ · up to 5 s"), "{line}");
    tick(&mut state, 10_100);
    assert!(last_line(&state).contains("· being killed"), "{}", last_line(&state));
    tell(&mut state, stopped(id(2)));
    assert!(last_line(&state).contains("api-1 is stopped; u starts it again"));
    // A launch takes as long as it takes: nothing changes by itself.
    let mut state = self::state((120, 40), Vec::new());
    super::key(&mut state, crate::terminal::keys::Key::Enter);
    state.toast = None;
    tick(&mut state, 1_000);
    assert!(last_line(&state).ends_with("· launching shop"), "{}", last_line(&state));
    assert_eq!(view::next_change(&state), None);
    tell(&mut state, Outcome::NotLaunched("launch", Failure::internal("no")));
    assert!(last_line(&state).contains("failed to launch: no"));
}

#[test]
fn several_are_launched_from_the_dialog_and_counted() {
    let mut state = state((120, 40), fleet());
    keys(&mut state, "N tab tab tab tab tab tab");
    press(&mut state, "*3");
    assert!(screen(&state).contains("starts 3 × claude"), "{}", screen(&state));
    let effects = keys(&mut state, "enter");
    let is_it = |effect: &Effect| matches!(effect, Effect::Launch(order) if order.count == 3);
    assert!(effects.iter().any(is_it), "{effects:?}");
    assert!(state.toast.as_ref().unwrap().text.starts_with("launching 3 × "));
    let launched = |number| {
        let runner = Runner { id: id(number), ..fleet()[1].clone() };
        Outcome::Launched(Box::new(Launched { runner, repeated: false, warnings: Vec::new() }))
    };
    tell(&mut state, launched(90));
    state.toast = None;
    tick(&mut state, 500);
    let line = last_line(&state);
    assert!(line.contains("launching 3 runners ▓▓░░░░ 1/3 · esc hides"), "{line}");
    tell(&mut state, Outcome::NotLaunched("launch", Failure::internal("the quota is full")));
    tell(&mut state, launched(91));
    let text = &state.toast.as_ref().unwrap().text;
    assert_eq!(text, "2 of 3 runners are launched; api: the quota is full");
    keys(&mut state, "N tab tab tab tab tab tab");
    press(&mut state, "*99");
    assert_eq!(keys(&mut state, "enter"), []);
    assert!(screen(&state).contains("`*99` is no number from *1 to *20"), "{}", screen(&state));
}

#[test]
fn what_is_to_be_known_of_several_launches_is_told_with_their_number() {
    let mut state = state((120, 40), fleet());
    keys(&mut state, "N tab tab tab tab tab tab");
    press(&mut state, "*2");
    keys(&mut state, "enter");
    for (number, with) in [(90, "api-1 works"), (91, "api-1, api-2 work")] {
        let runner = Runner { id: id(number), ..fleet()[1].clone() };
        let warnings = vec![format!("{with} in the same directory")];
        tell(
            &mut state,
            Outcome::Launched(Box::new(Launched { runner, repeated: false, warnings })),
        );
    }
    let text = &state.toast.as_ref().unwrap().text;
    assert_eq!(text, "2 runners are launched; api-1, api-2 work in the same directory");
}

#[test]
fn launches_that_wait_for_trust_are_neither_done_nor_failed() {
    let mut state = state((120, 40), fleet());
    keys(&mut state, "N tab tab tab tab tab");
    press(&mut state, "new");
    keys(&mut state, "tab");
    press(&mut state, "*4");
    let effects = keys(&mut state, "enter");
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((order.count, order.worktree.is_some()), (4, true));
    let launched = |number| {
        let runner = Runner { id: id(number), ..fleet()[1].clone() };
        Outcome::Launched(Box::new(Launched { runner, repeated: false, warnings: Vec::new() }))
    };
    tell(&mut state, launched(90));
    tell(&mut state, launched(91));
    // Its set-up command was changed in between.
    let rest = LaunchOrder { count: 2, ..(**order).clone() };
    let why = Failure::denied(SETUP_NOT_TRUSTED, "api has `npm ci` run");
    tell(&mut state, Outcome::Untrusted(Box::new(rest), why));
    assert_eq!(state.toast.as_ref().unwrap().text, "2 runners are launched");
    assert!(matches!(state.mode, Mode::Confirm(_)));
    tick(&mut state, 1_000);
    assert!(!last_line(&state).contains("launching"), "{}", last_line(&state));
    let effects = press(&mut state, "y");
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(order.count, 2);
    state.toast = None;
    tick(&mut state, 2_000);
    assert!(last_line(&state).contains("launching 2 runners"), "{}", last_line(&state));
}

#[test]
fn what_is_filtered_is_what_is_meant() {
    let mut state = state((120, 40), fleet());
    press(&mut state, "/project:web");
    keys(&mut state, "enter");
    keys(&mut state, "alt-x");
    let Mode::Confirm(confirm) = &state.mode else { panic!("not asked") };
    let asked = &confirm.question;
    assert!(asked.contains("3 runners that match `project:web`: web-1, web-9, web-10?"), "{asked}");
    keys(&mut state, "n alt-d");
    assert_eq!(state.mode, Mode::List, "none of these has ended");
    assert!(state.toast.as_ref().unwrap().text.contains("no runner that is listed has ended"));
}

#[test]
fn ended_runners_are_removed_also_those_that_are_folded() {
    let mut state = state((80, 24), fleet());
    state.finished_open = Some(true);
    choose(&mut state, id(8));
    assert_eq!(press(&mut state, "d"), []);
    assert!(screen(&state).contains("Remove etl-2?"), "{}", screen(&state));
    assert!(screen(&state).contains("its project's files stay."), "{}", screen(&state));
    assert_eq!(press(&mut state, "y"), [Effect::Remove(id(8))]);
    let etl = state.runners[&id(8)].clone();
    tell(&mut state, Outcome::Removed(Box::new(etl)));
    assert!(!state.runners.contains_key(&id(8)));
    assert!(last_line(&state).contains("etl-2 is removed"));
    // A live one is not asked about.
    choose(&mut state, id(2));
    assert_eq!(press(&mut state, "d"), []);
    assert_eq!(state.mode, Mode::List);

    let many = (0..40).map(|n| ended(100 + n, &format!("old-{n}"), 0, 90_000)).collect();
    list(&mut state, many);
    state.finished_open = Some(false);
    keys(&mut state, "alt-d");
    assert_eq!(press(&mut state, "y").len(), 40);
}
