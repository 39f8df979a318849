//! Why a state is what it is, and one that is wrong.

use chrono::TimeDelta;

use super::{blocked, fleet, id, key, keys, list, now, press, screen, state};
use crate::{
    domain::{
        activity::{ActivitySource, ActivityState},
        correction::{Correction, Screenshot, Truth},
        evidence::{Explanation, Word},
        failure::Failure,
        hook::{Hold, HoldLevel},
        key::Key,
    },
    ui::{
        effect::Effect,
        event::{CORRECT, Outcome, UiEvent},
        state::{Mode, State, View},
        update::update,
    },
};

fn word(state: ActivityState, message: Option<&str>, seconds: i64) -> Word {
    let kind = message.map(|_| "permission".to_owned());
    Word::new((state, kind, message.map(str::to_owned)), now() - TimeDelta::seconds(seconds))
}

/// The view of why `api-3` is blocked, with what was told.
fn explained(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    let effects = press(&mut state, "I");
    assert!(effects.contains(&Effect::Explain(id(1))), "{effects:?}");
    let told = Explanation {
        runner: state.runners.get(&id(1)).unwrap().clone(),
        words: vec![
            (ActivitySource::Osc7501, word(ActivityState::Blocked, Some("Bash(git push)"), 252)),
            (ActivitySource::Title, word(ActivityState::Working, None, 300)),
        ],
        author: Some(ActivitySource::Osc7501),
        rules: vec![(ActivitySource::Title, "^[\u{2800}-\u{28ff}] ".to_owned())],
    };
    update(&mut state, UiEvent::Explained(id(1), Ok(Box::new(told))));
    state
}

fn draft(state: &State, lines: &[&str], refused: &str) -> Correction {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    Correction {
        runner: state.runners.get(&id(2)).unwrap().clone(),
        truth: Truth::parse("blocked", "permission").unwrap(),
        looked: Screenshot { title: "t".to_owned(), lines: vec!["as it was".to_owned()] },
        line: lines.first().cloned().unwrap_or_default(),
        // The last one is a footer that others show, too.
        changes: (1..=lines.len())
            .map(|n| if n == lines.len() { vec!["api-2".to_owned()] } else { Vec::new() })
            .collect(),
        lines,
        rule: String::new(),
        tested: 9,
        refused: refused.to_owned(),
        file: String::new(),
        fixture: String::new(),
        is_accepted: false,
    }
}

fn told(state: &mut State, told: Correction) {
    update(state, UiEvent::Outcome(Outcome::Corrected(Box::new(told))));
}

#[test]
fn every_sources_last_word_is_told_and_who_is_believed() {
    for size in [(40, 12), (80, 24), (120, 40), (200, 50)] {
        insta::assert_snapshot!(
            format!("evidence_{}x{}", size.0, size.1),
            screen(&explained(size))
        );
    }
    let mut state = explained((120, 40));
    let mut all = fleet();
    all[0] = blocked(1, "api-3", "permission", "another", 1);
    assert!(list(&mut state, all).contains(&Effect::Explain(id(1))), "it is asked again");
    key(&mut state, Key::Escape);
    assert_eq!((state.view, state.evidence.is_none()), (View::Dashboard, true));
}

#[test]
fn that_a_budget_holds_it_is_told_beside_what_its_sources_say() {
    let mut state = explained((80, 24));
    let evidence = state.evidence.as_mut().unwrap();
    let Some(Ok(told)) = evidence.told.as_mut() else { panic!("{evidence:?}") };
    let reason = "the daily budget for project:api is used up: 12.6k of 12k tokens".to_owned();
    told.runner.hold = Some(Hold { level: HoldLevel::Prompts, reason });
    let shown = screen(&state);
    assert!(shown.contains("held       its prompts are held: the daily budget"), "{shown}");
    assert!(shown.contains("12.6k of 12k tokens"), "{shown}");
}

#[test]
fn what_is_wrong_is_put_right_in_three_keys() {
    let mut state = state((120, 40), fleet());
    keys(&mut state, "j j j");
    assert_eq!(state.selected, Some(id(2)));
    let effects = press(&mut state, "!");
    assert!(effects.contains(&Effect::LookAt(id(2))), "{effects:?}");
    let looked = Screenshot { title: "t".to_owned(), lines: vec!["as it was".to_owned()] };
    update(&mut state, UiEvent::LookedAt(id(2), Box::new(looked.clone())));
    insta::assert_snapshot!("correct_choose", screen(&state));
    let effects = press(&mut state, "3");
    let request = effects.iter().find_map(|effect| match effect {
        Effect::Correct(request) => Some(request),
        _ => None,
    });
    let request = request.unwrap();
    assert!(request.is_draft && request.looked.as_ref() == Some(&looked));
    assert_eq!(request.truth.to_string(), "blocked (permission)");
    let lines = ["Do you want to push?", "Esc to cancel"];
    let drafted = draft(&state, &lines, "");
    told(&mut state, drafted);
    insta::assert_snapshot!("correct_line", screen(&state));
    press(&mut state, "j");
    insta::assert_snapshot!("correct_line_of_others", screen(&state));
    let effects = key(&mut state, Key::Enter);
    let [Effect::Correct(request)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(!request.is_draft);
    assert_eq!(request.line.as_deref(), Some("Esc to cancel"));
    let kept = Correction {
        fixture: "/f".to_owned(),
        is_accepted: true,
        line: "Esc to cancel".to_owned(),
        ..draft(&state, &lines, "")
    };
    told(&mut state, kept);
    assert_eq!(state.mode, Mode::List);
    let shown = screen(&state);
    assert!(shown.contains("learnt: claude is blocked (permission)"), "{shown}");
}

#[test]
fn what_cannot_be_told_apart_is_said_and_nothing_is_learnt_by_going_back() {
    let mut state = state((80, 24), fleet());
    keys(&mut state, "j j j ! 3");
    let refused = draft(&state, &[], "every line of the screen stands in working-1 as well");
    told(&mut state, refused);
    let shown = screen(&state);
    assert!(shown.contains("No rule: every line of the screen"), "{shown}");
    key(&mut state, Key::Escape);
    assert!(matches!(&state.mode, Mode::Correct(dialog) if dialog.draft.is_none()));
    key(&mut state, Key::Escape);
    assert_eq!(state.mode, Mode::List);
    keys(&mut state, "! 1");
    let gone = Failure::conflict("RUNNER_NOT_LIVE", "api-1 has ended");
    update(&mut state, UiEvent::Outcome(Outcome::Failed(CORRECT, gone)));
    assert_eq!(state.mode, Mode::List);
    assert!(screen(&state).contains("api-1 has ended"));
}

#[test]
fn every_other_state_is_offered_under_its_own_number_and_what_is_said_is_not() {
    let mut state = state((80, 24), fleet());
    keys(&mut state, "j j j !");
    let shown = screen(&state);
    for text in ["▌1 idle", " 3 blocked", " 4 blocked", " 7 blocked", " 8 error"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(!shown.contains("2 working"), "{shown}");
    let effects = press(&mut state, "2");
    assert!(effects.is_empty() && matches!(state.mode, Mode::Correct(_)), "{effects:?}");
    assert!(screen(&state).contains("what is said of api-1 already"), "{}", screen(&state));
    press(&mut state, "j");
    assert!(screen(&state).contains("▌3 blocked"), "{}", screen(&state));
    press(&mut state, "k");
    assert!(screen(&state).contains("▌1 idle"), "{}", screen(&state));
}

#[test]
fn what_has_no_room_is_counted_where_there_is_least_of_it() {
    let mut state = state((40, 12), fleet());
    keys(&mut state, "j j j !");
    let shown = screen(&state);
    assert!(
        shown.contains("▌1 idle") && shown.contains("↓ ") && shown.contains(" more"),
        "{shown}"
    );
    press(&mut state, "jjjjjj");
    let shown = screen(&state);
    assert!(shown.contains("▌8 error") && shown.contains("↑ "), "{shown}");
}
