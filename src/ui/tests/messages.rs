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
fn the_key_that_takes_a_stop_back_speaks_of_what_was_stopped() {
    let stopped = || UiEvent::Outcome(Outcome::Stopped(Box::new(ended(8, "etl-2", 0, 1)), false));
    let mut state = state((120, 40), fleet());
    assert_ne!(state.selected, Some(id(8)));
    update(&mut state, stopped());
    assert_eq!(state.toast.as_ref().unwrap().text, "etl-2 is stopped; u starts it again");
    // Among the panes that key brings an arrangement back.
    keys(&mut state, "j j j j v ctrl-\\");
    update(&mut state, stopped());
    assert_eq!(state.toast.as_ref().unwrap().text, "etl-2 is stopped; R starts it again");
}

#[test]
fn a_message_that_needs_more_room_is_not_cut() {
    for keys_ in ["", "v ctrl-\\"] {
        let mut state = state((40, 12), fleet());
        keys(&mut state, keys_);
        let failure =
            Failure::internal("open the database: the disk is full, on /home").with_hint("END");
        update(&mut state, UiEvent::Outcome(Outcome::Failed("stop api-1", failure)));
        let shown = screen(&state);
        assert!(shown.contains("(END)") && shown.contains("× failed to stop"), "{shown}");
    }
}

#[test]
fn a_message_among_panes_covers_nothing_of_the_header() {
    let mut state = state((80, 24), fleet());
    keys(&mut state, "v ctrl-\\");
    state.daemon.unwell = vec!["broker: away".to_owned()];
    done(&mut state, "the theme is night");
    let shown = screen(&state);
    let header = shown.lines().next().unwrap();
    assert!(header.contains("! broker: away") && header.contains("2 need you"), "{header}");
    assert!(header.ends_with("· the theme is night"), "{header}");
}
