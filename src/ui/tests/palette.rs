//! Finding anything by a few letters, and the filter by what runners are at.

use super::{ended, fleet, id, key, press, project, screen, state};
use crate::{
    domain::key::{Key, KeyPress},
    ui::{
        effect::Effect,
        event::UiEvent,
        keymap::{Action, Context},
        state::{Deed, Mode, Palette, Scope, State, View, What, shown},
        update::update,
    },
};

fn palette(state: &State) -> &Palette {
    let Mode::Palette(palette) = &state.mode else { panic!("no palette: {:?}", state.mode) };
    palette
}

fn ctrl(state: &mut State, key: &str) -> Vec<Effect> {
    update(state, UiEvent::Key(KeyPress::parse(key).unwrap()))
}

fn open() -> State {
    let mut state = state((120, 40), fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("shop")]));
    press(&mut state, ":");
    state
}

#[test]
fn a_few_letters_find_actions_runners_and_projects() {
    let mut state = open();
    press(&mut state, "launch");
    insta::assert_snapshot!(screen(&state));
    assert!(matches!(palette(&state).chosen().unwrap().what, What::Action(..)));
    key(&mut state, Key::Enter);
    assert!(matches!(state.mode, Mode::Launch(_)));
    let mut state = open();
    press(&mut state, "shop");
    key(&mut state, Key::Enter);
    assert_eq!(state.filter.text(), "project:shop");
    let mut state = open();
    press(&mut state, "wb10");
    assert_eq!(state.selected, Some(id(3)), "its screen is shown while the cursor is on it");
    key(&mut state, Key::Enter);
    assert_eq!((state.selected, state.view), (Some(id(3)), View::Panes));
}

#[test]
fn escape_goes_back_to_what_was_selected() {
    let mut state = open();
    press(&mut state, "docs");
    assert_ne!(state.selected, Some(id(1)));
    key(&mut state, Key::Escape);
    assert_eq!((&state.mode, state.selected), (&Mode::List, Some(id(1))));
    ctrl(&mut state, "ctrl-o");
    let all = &palette(&state).found;
    assert!(all.iter().all(|entry| matches!(entry.what, What::Runner(_))));
    assert_eq!(all.len(), 9);
}

#[test]
fn an_action_works_on_what_was_selected_before() {
    let mut state = open();
    press(&mut state, "stop the runner");
    key(&mut state, Key::Enter);
    let Mode::Confirm(confirm) = &state.mode else { panic!("not asked: {:?}", state.mode) };
    assert_eq!(confirm.deed, Deed::Stop(id(1)));
}

#[test]
fn the_picker_that_stands_alone_picks_a_live_one_or_none() {
    let mut all = fleet();
    all.push(ended(30, "web-30", 0, 5));
    let mut state = state((80, 24), all);
    state.mode = Mode::Palette(Palette::new(Scope::Standalone, None));
    press(&mut state, "web");
    assert_eq!(palette(&state).found.len(), 3);
    insta::assert_snapshot!(screen(&state));
    assert_eq!(key(&mut state, Key::Enter), [Effect::Picked(id(9))]);
    assert_eq!(key(&mut state, Key::Escape), [Effect::Quit]);
}

#[test]
fn the_filter_knows_states_projects_and_agents() {
    for (filter, count) in [
        ("is:blocked", 2),
        ("is:needs", 2),
        ("is:question", 1),
        ("is:working", 3),
        ("is:done", 1),
        ("is:failed", 1),
        ("is:live", 7),
        ("project:web", 3),
        ("project:web is:working", 2),
        ("agent:codex", 0),
    ] {
        let mut state = state((120, 40), fleet());
        press(&mut state, &format!("/{filter}"));
        assert_eq!(shown(&state).len(), count, "{filter}");
    }
}

#[test]
fn a_click_takes_the_entry_and_nothing_under_it() {
    let mut state = state((120, 40), fleet());
    ctrl(&mut state, "ctrl-o");
    update(&mut state, super::mouse(super::PRESS, 5, 30));
    assert!(matches!(state.mode, Mode::Palette(_)), "there is no entry");
    update(&mut state, super::mouse(super::PRESS, 5, 4));
    assert_eq!((state.selected, state.view), (Some(id(9)), View::Panes));
    let mut state = super::state((120, 40), fleet());
    press(&mut state, "N");
    update(&mut state, super::mouse(super::PRESS, 5, 4));
    assert!(matches!(state.mode, Mode::Launch(_)), "the dialog is not lost by a click");
}

#[test]
fn all_keys_can_be_scrolled_to_and_no_further() {
    let mut state = state((80, 24), fleet());
    press(&mut state, "?G");
    let shown = screen(&state);
    assert!(!shown.contains("KEYS THAT WORK HERE"), "{shown}");
    let last: Vec<&str> = shown.lines().rev().skip(1).collect();
    assert!(!last[0].trim().is_empty(), "the last line is the last key: {shown}");
    press(&mut state, "jj");
    assert_eq!(screen(&state), shown);
    press(&mut state, "g");
    assert!(screen(&state).contains("KEYS THAT WORK HERE"));
}

/// What is found first by these letters.
fn first(state: &mut State, letters: &str) -> What {
    press(state, &format!(":{letters}"));
    let what = palette(state).chosen().map(|entry| entry.what.clone());
    key(state, Key::Escape);
    what.unwrap_or_else(|| panic!("nothing like {letters}"))
}

#[test]
fn a_whole_name_goes_before_a_longer_one() {
    let names = [(1, "shop-10"), (2, "shop-11"), (3, "shop-1")];
    let all = names.map(|(number, name)| super::blocked(number, name, "question", "Which?", 5));
    let mut state = state((120, 40), all.to_vec());
    assert_eq!(first(&mut state, "shop-1"), What::Runner(id(3)));
    assert_eq!(first(&mut state, "SHOP-10"), What::Runner(id(1)));
    ctrl(&mut state, "ctrl-o");
    press(&mut state, "hop-1");
    assert_eq!(palette(&state).chosen().unwrap().text, "shop-1", "the shorter of two alike");
}

#[test]
fn actions_and_views_are_found_by_their_names() {
    let mut state = state((120, 40), fleet());
    let names = [
        ("health", Action::ShowHealth),
        ("settings", Action::ShowSettings),
        ("events", Action::ShowEvents),
        ("logs", Action::ShowLog),
        ("log", Action::ShowLog),
        ("restart", Action::Restart),
        ("split", Action::SplitRight),
    ];
    for (name, action) in names {
        assert_eq!(first(&mut state, name), What::Action(Context::List, action), "{name}");
    }
    press(&mut state, "v");
    ctrl(&mut state, "ctrl-\\");
    assert_eq!(first(&mut state, "undo"), What::Action(Context::Panes, Action::Undo));
    press(&mut state, ":health");
    key(&mut state, Key::Enter);
    assert_eq!(state.view, View::Health, "from among the panes, too");
}

#[test]
fn runners_are_found_by_what_they_are_at() {
    let mut state = state((120, 40), fleet());
    let mut found = |letters: &str| {
        ctrl(&mut state, "ctrl-o");
        press(&mut state, letters);
        let found = palette(&state).found.iter().map(|entry| entry.text.clone()).collect();
        key(&mut state, Key::Escape);
        found
    };
    let blocked: Vec<String> = found("is:blocked");
    assert_eq!(blocked, ["api-3", "web-1"]);
    assert_eq!(found("is:blocked project:web"), ["web-1"]);
    assert_eq!(found("blocked"), ["api-3", "web-1"]);
    assert_eq!(found("is:working web"), ["web-9", "web-10"]);
    assert!(found("agent:none").is_empty());
}
