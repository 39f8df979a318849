//! Quotas: shown beside what is used, changed in their dialog.

use super::{fleet, key, press, project, screen, state};
use crate::{
    domain::{
        key::{Key, KeyPress},
        quota::{ProjectQuota, Quota, QuotaChange, QuotaName, QuotaUse},
    },
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{Mode, State},
        update::update,
    },
};

/// Limits three projects: one is below its limits, one beyond, one has none.
pub(super) fn limit(state: &mut State) {
    let quota = |project: &str, quota| ProjectQuota {
        project: project.to_owned(),
        quota,
        used: QuotaUse { tokens_today: 120_000, ..QuotaUse::default() },
        is_enforced: false,
    };
    let web =
        Quota { max_concurrent_runners: Some(5), max_memory_mb: Some(4096), ..Quota::default() };
    let api =
        Quota { max_memory_mb: Some(512), max_tokens_per_day: Some(500_000), ..Quota::default() };
    let quotas = vec![quota("web", web), quota("api", api), quota("shop", Quota::default())];
    update(state, UiEvent::Quotas(quotas));
}

fn open(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web"), project("shop")]));
    limit(&mut state);
    assert!(press(&mut state, "Q").contains(&Effect::ListQuotas));
    state
}

fn typed(state: &mut State, text: &str) {
    update(state, UiEvent::Key(KeyPress::parse("ctrl-u").unwrap()));
    press(state, text);
}

#[test]
fn what_is_used_and_allowed_stands_with_the_project() {
    let mut state = state((120, 40), fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web")]));
    limit(&mut state);
    assert!(screen(&state).contains("web 3/5"), "{}", screen(&state));
    press(&mut state, "p");
    let shown = screen(&state);
    assert!(shown.contains("3/5 runners  1020 MiB/4 GiB"), "{shown}");
    assert!(shown.contains("680/512 MiB  120k/500k tokens"), "{shown}");
    // Where there is room for it; the palette and the help have it always.
    state.size = (200, 50);
    assert!(screen(&state).contains("Q quotas"), "{}", screen(&state));
}

#[test]
fn the_key_is_told_also_while_a_question_is_selected() {
    for size in [(120, 40), (200, 50)] {
        let mut state = state(size, fleet());
        limit(&mut state);
        let shown = screen(&state);
        let hints = shown.lines().last().unwrap();
        assert!(hints.starts_with(" y approve  n deny  1 2… choose  r reply  ⏎ open"), "{hints}");
        assert!(hints.contains("Q quotas") && hints.contains("tab next that"), "{hints}");
    }
}

#[test]
fn what_can_be_done_with_an_ended_runner_is_told_first() {
    let mut state = state((80, 24), fleet());
    state.has_chosen = true;
    state.selected = Some(super::id(7));
    let shown = screen(&state);
    let hints = shown.lines().last().unwrap();
    assert!(hints.contains("R restart  l log  d remove"), "{hints}");
}

#[test]
fn only_what_was_changed_is_set() {
    let mut state = open((80, 24));
    let Mode::Quotas(dialog) = &state.mode else { panic!("no dialog") };
    assert_eq!(dialog.project, "api", "that of the selected runner");
    typed(&mut state, "3");
    key(&mut state, Key::Tab);
    typed(&mut state, "");
    key(&mut state, Key::Tab);
    typed(&mut state, "150");
    let change = QuotaChange::from([
        (QuotaName::Runners, Some(3)),
        (QuotaName::Memory, None),
        (QuotaName::Cpu, Some(150)),
    ]);
    assert!(key(&mut state, Key::Enter).contains(&Effect::SetQuota("api".to_owned(), change)));
    assert_eq!(state.mode, Mode::List);
    let mut state = open((80, 24));
    let sets = |effect: &Effect| matches!(effect, Effect::SetQuota(..));
    assert!(!key(&mut state, Key::Enter).iter().any(sets), "nothing was changed");
}

#[test]
fn what_is_no_limit_is_said_and_nothing_is_set() {
    let mut state = open((80, 24));
    typed(&mut state, "many");
    assert_eq!(key(&mut state, Key::Enter), []);
    assert!(screen(&state).contains("× `many` is no limit like 5"), "{}", screen(&state));
    press(&mut state, "x");
    assert!(matches!(state.mode, Mode::Quotas(_)));
    key(&mut state, Key::Escape);
    assert_eq!(state.mode, Mode::List);
}

#[test]
fn the_other_projects_are_within_reach() {
    let mut state = open((80, 24));
    key(&mut state, Key::Down);
    key(&mut state, Key::Down);
    assert!(screen(&state).contains("QUOTAS OF web"));
    key(&mut state, Key::Down);
    assert!(screen(&state).contains("QUOTAS OF api"));
    key(&mut state, Key::Up);
    assert!(screen(&state).contains("QUOTAS OF web"));
    typed(&mut state, "0");
    let change = QuotaChange::from([(QuotaName::Runners, Some(0))]);
    assert!(key(&mut state, Key::Enter).contains(&Effect::SetQuota("web".to_owned(), change)));
}

#[test]
fn a_change_elsewhere_is_read_again_and_the_palette_knows_the_dialog() {
    let mut state = state((120, 40), fleet());
    let changed = super::event(9, "", "quota.changed", serde_json::json!({}));
    let effects = update(&mut state, UiEvent::Happened(vec![changed]));
    assert!(effects.contains(&Effect::ListQuotas), "{effects:?}");
    press(&mut state, ":quotas");
    key(&mut state, Key::Enter);
    assert!(matches!(state.mode, Mode::Quotas(_)), "{:?}", state.mode);
}
