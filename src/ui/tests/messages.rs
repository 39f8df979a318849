//! The line that says how an action went: where it stands, what it names, when it goes.

use chrono::TimeDelta;

use super::{ended, fleet, id, keys, now, press, screen, state};
use crate::{
    domain::failure::Failure,
    ui::{
        event::{Outcome, UiEvent},
        state::{State, geometry},
        update::update,
        view,
    },
};

fn done(state: &mut State, text: &str) {
    update(state, UiEvent::Outcome(Outcome::Done(text.to_owned())));
}

#[test]
fn a_message_moves_nothing_and_goes_by_itself() {
    for size in [(40, 12), (80, 24), (120, 40)] {
        let mut state = state(size, fleet());
        let before = geometry(&state);
        done(&mut state, "the theme is night");
        let after = geometry(&state);
        assert_eq!((before.list, before.preview), (after.list, after.preview), "{size:?}");
        let shown = screen(&state);
        let last = shown.lines().last().unwrap();
        assert!(last.ends_with("· the theme is night"), "{last}");
        assert!(last.contains("q quit") || size.0 == 40, "the way out is said beside it: {last}");
        assert!(view::next_change(&state).is_some());
        update(&mut state, UiEvent::Tick(now() + TimeDelta::seconds(7)));
        assert!(state.toast.is_some());
        update(&mut state, UiEvent::Tick(now() + TimeDelta::seconds(8)));
        assert!(state.toast.is_none());
    }
}

#[test]
fn a_failure_stays_until_a_key_is_pressed() {
    let mut state = state((80, 24), fleet());
    let failure = Failure::internal("it is not there");
    update(&mut state, UiEvent::Outcome(Outcome::Failed("stop api-1", failure)));
    update(&mut state, UiEvent::Tick(now() + TimeDelta::hours(1)));
    assert!(state.toast.is_some());
    press(&mut state, "j");
    assert!(state.toast.is_none());
}

#[test]
fn a_key_is_named_only_where_it_speaks_of_the_same_runner() {
    let stopped = || UiEvent::Outcome(Outcome::Stopped(Box::new(ended(8, "etl-2", 0, 1)), false));
    let mut state = state((120, 40), fleet());
    state.selected = Some(id(8));
    state.has_chosen = true;
    state.finished_open = Some(true);
    update(&mut state, stopped());
    assert_eq!(state.toast.as_ref().unwrap().text, "etl-2 is stopped; R starts it again");
    keys(&mut state, "g");
    assert_ne!(state.selected, Some(id(8)));
    update(&mut state, stopped());
    let text = &state.toast.as_ref().unwrap().text;
    assert_eq!(text, "etl-2 is stopped; go to it and press R to start it again");
}
