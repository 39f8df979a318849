//! That the right source is believed, at the right time.

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1000 + second, 0).unwrap()
}

fn word(state: ActivityState, second: i64) -> Word {
    Word::new((state, None, None), at(second))
}

fn state(evidence: &Evidence) -> (ActivityState, ActivitySource) {
    state_at(evidence, 1000)
}

fn state_at(evidence: &Evidence, second: i64) -> (ActivityState, ActivitySource) {
    let verdict = evidence.verdict(&Activity::default(), at(second));
    (verdict.state, verdict.source)
}

#[test]
fn the_best_source_that_spoke_is_believed() {
    use ActivitySource::{Hook, Osc7501, Screen, Title};
    use ActivityState::{Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Idle, 0)));
    assert_eq!(state(&evidence), (Idle, Screen));
    evidence.note(Title, Some(word(Working, 1)));
    assert_eq!(state(&evidence), (Working, Title));
    evidence.note(Osc7501, Some(word(Idle, 2)));
    evidence.note(Hook, Some(word(Working, 9)));
    assert_eq!(state(&evidence), (Idle, Osc7501));
    evidence.note(Osc7501, None);
    assert_eq!(state(&evidence), (Working, Hook));
}

#[test]
fn last_words_come_from_who_has_them_about_the_same_turn() {
    use ActivitySource::{Hook, Osc7501};
    use ActivityState::Done;
    let said = |second| Word::new((Done, None, Some("All green.".to_owned())), at(second));
    for (second, message) in [(6, Some("All green.")), (30, None)] {
        let mut evidence = Evidence::default();
        evidence.note(Osc7501, Some(word(Done, 5)));
        evidence.note(Hook, Some(said(second)));
        let verdict = evidence.verdict(&Activity::default(), at(1000));
        assert_eq!((verdict.source, verdict.since), (Osc7501, Some(at(5))));
        assert_eq!(verdict.message.as_deref(), message, "{second}");
    }
}

#[test]
fn esc_which_no_hook_tells_is_seen_by_the_title() {
    use ActivitySource::{Hook, Title};
    use ActivityState::{Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Title, Some(word(Idle, 0)));
    evidence.note(Hook, Some(word(Working, 5)));
    assert_eq!(state(&evidence), (Working, Hook), "the title is older");
    evidence.note(Title, Some(word(Working, 6)));
    evidence.note(Title, Some(word(Idle, 8)));
    assert_eq!(state(&evidence), (Idle, Title));
    evidence.note(Hook, Some(word(Idle, 3)));
    assert_eq!(state(&evidence), (Idle, Hook));
}

#[test]
fn esc_right_after_the_beginning_of_a_turn_is_believed_when_the_hooks_stay_silent() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Hook, Some(word(Working, 5)));
    assert_eq!(evidence.due(at(5)), None);
    evidence.note(Screen, Some(word(Idle, 6)));
    assert_eq!(state_at(&evidence, 6), (Working, Hook), "it may be drawn late");
    assert_eq!(evidence.due(at(6)), Some(at(5) + LATER));
    assert_eq!(state_at(&evidence, 7), (Idle, Screen));
    assert_eq!(evidence.due(at(7)), None);
}

#[test]
fn esc_before_anything_was_drawn_is_seen_on_a_screen_that_says_the_same_again() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Idle, 0)));
    evidence.note(Hook, Some(word(Working, 5)));
    assert_eq!(evidence.due(at(5)), None);
    assert!(!evidence.note(Screen, Some(word(Idle, 6))));
    assert_eq!(evidence.due(at(6)), Some(at(5) + STILL));
    assert_eq!(state_at(&evidence, 8), (Working, Hook), "it may be drawn later still");
    let verdict = evidence.verdict(&Activity::default(), at(9));
    assert_eq!((verdict.state, verdict.source), (Idle, Screen));
    assert_eq!(verdict.since, Some(at(5)), "not as old as what was said before the turn");
    // The next turn.
    evidence.note(Hook, None);
    evidence.note(Hook, Some(word(Working, 20)));
    assert_eq!(state(&evidence), (Working, Hook));
}

#[test]
fn a_question_that_is_dismissed_at_once_does_not_stay() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Blocked, Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Working, 0)));
    evidence.note(Hook, Some(word(Blocked, 5)));
    let mut unseen = evidence.clone();
    evidence.note(Screen, Some(word(Blocked, 6)));
    evidence.note(Screen, Some(word(Idle, 6)));
    assert_eq!(state_at(&evidence, 6), (Blocked, Hook), "hooks may have a word of it");
    assert_eq!(evidence.due(at(6)), Some(at(5) + LATER));
    assert_eq!(state_at(&evidence, 7), (Idle, Screen));
    // Where no question was seen yet it is about to be drawn.
    unseen.note(Screen, Some(word(Idle, 6)));
    assert_eq!(state_at(&unseen, 60), (Blocked, Hook));
}

#[test]
fn a_turn_that_ended_in_an_error_is_seen_on_the_screen() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Done, Error, Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Working, 5)));
    evidence.note(Hook, Some(word(Done, 8)));
    assert_eq!(state_at(&evidence, 8), (Done, Hook));
    evidence.note(Screen, Some(word(Error, 9)));
    assert_eq!(state_at(&evidence, 9), (Error, Screen));
    // The next turn ends well; its screen is drawn a moment later.
    evidence.note(Hook, Some(word(Working, 20)));
    assert_eq!(state_at(&evidence, 20), (Working, Hook));
    evidence.note(Hook, Some(word(Done, 24)));
    assert_eq!(state_at(&evidence, 24), (Done, Hook));
    evidence.note(Screen, Some(word(Idle, 25)));
    assert_eq!(state_at(&evidence, 60), (Done, Hook));
}

#[test]
fn who_works_at_its_start_is_at_a_turn_when_a_hook_or_time_says_so() {
    use ActivitySource::{Api, Hook, Osc7501};
    use ActivityState::{Idle, Working};
    let mut evidence = Evidence::default();
    assert_eq!(evidence.unproven(at(5)), None);
    evidence.note(Osc7501, Some(word(Working, 5)));
    assert_eq!(evidence.unproven(at(5)), Some(at(5) + UNPROVEN));
    assert_eq!(evidence.unproven(at(5) + UNPROVEN), None);
    evidence.note(Api, Some(word(Idle, 5)));
    assert!(evidence.unproven(at(5)).is_some());
    for source in [Api, Hook] {
        let mut proven = evidence.clone();
        proven.note(source, Some(word(Working, 5)));
        assert_eq!(proven.unproven(at(5)), None);
    }
    evidence.note(Osc7501, Some(word(Idle, 6)));
    assert_eq!(evidence.unproven(at(6)), None);
}

#[test]
fn what_is_drawn_right_behind_a_question_is_older_than_it() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Blocked, Working};
    let mut evidence = Evidence::default();
    evidence.note(Hook, Some(word(Blocked, 5)));
    evidence.note(Screen, Some(word(Working, 6)));
    assert_eq!(state(&evidence), (Blocked, Hook));
    assert_eq!(evidence.due(at(6)), None);
    evidence.note(Screen, None);
    evidence.note(Screen, Some(word(Working, 7)));
    assert_eq!(state(&evidence), (Working, Screen));
}

#[test]
fn a_turn_of_which_no_hook_told_is_seen_and_ends_when_it_is_seen_to_end() {
    use ActivitySource::{Hook, Screen, Title};
    use ActivityState::{Done, Error, Idle, Working};
    for ended in [Done, Error] {
        let mut evidence = Evidence::default();
        evidence.note(Hook, Some(word(ended, 10)));
        evidence.note(Screen, Some(word(Working, 11)));
        assert_eq!(state(&evidence), (ended, Hook), "it was drawn late");
        evidence.note(Screen, Some(word(Idle, 12)));
        evidence.note(Screen, Some(word(Working, 20)));
        assert_eq!(state_at(&evidence, 20), (ended, Hook), "its hook may still come");
        assert_eq!(evidence.due(at(20)), Some(at(20) + LATER));
        assert_eq!(state_at(&evidence, 22), (Working, Screen));
        let working = evidence.verdict(&Activity::default(), at(22));
        assert_eq!(working.since, Some(at(20)));
        evidence.note(Screen, Some(word(Idle, 30)));
        let over = evidence.verdict(&working, at(30));
        assert_eq!((over.state, over.since), (ended, Some(at(30))));
        assert_eq!(evidence.verdict(&over, at(31)).since, Some(at(30)), "and no later");
    }
    let mut evidence = Evidence::default();
    evidence.note(Hook, Some(word(Idle, 10)));
    evidence.note(Title, Some(word(Working, 20)));
    assert_eq!(state(&evidence), (Idle, Hook), "no turn begins a conversation without a hook");
}

#[test]
fn what_is_asked_is_told_by_whoever_has_words_for_it() {
    use ActivitySource::{Hook, Osc7501, Screen};
    use ActivityState::Blocked;
    let says =
        |text: &str, second| Word { message: Some(text.to_owned()), ..word(Blocked, second) };
    let told = |evidence: &Evidence| evidence.verdict(&Activity::default(), at(1000)).message;
    let mut evidence = Evidence::default();
    evidence.note(Osc7501, Some(word(Blocked, 20)));
    evidence.note(Hook, Some(says("Bash(rm) of before", 10)));
    assert_eq!(told(&evidence), None);
    evidence.note(Screen, Some(says("$ touch a", 20)));
    assert_eq!(told(&evidence).as_deref(), Some("$ touch a"));
    evidence.note(Hook, Some(says("Bash(touch a)", 19)));
    assert_eq!(told(&evidence).as_deref(), Some("Bash(touch a)"));
    evidence.note(Osc7501, Some(word(ActivityState::Working, 21)));
    assert_eq!(told(&evidence), None);
}

#[test]
fn a_dialog_under_a_title_of_rest_is_seen() {
    let mut evidence = Evidence::default();
    evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
    evidence.note(ActivitySource::Screen, Some(word(ActivityState::Blocked, 0)));
    assert_eq!(state(&evidence), (ActivityState::Blocked, ActivitySource::Screen));
    evidence.note(ActivitySource::Screen, None);
    assert_eq!(state(&evidence), (ActivityState::Idle, ActivitySource::Title));
}

#[test]
fn a_dialog_that_was_answered_is_not_seen_again_under_a_title_of_rest() {
    use ActivitySource::{Screen, Title};
    use ActivityState::{Blocked, Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Title, Some(word(Blocked, 8)));
    evidence.note(Screen, Some(word(Blocked, 8)));
    evidence.note(Title, Some(word(Working, 9)));
    evidence.note(Title, Some(word(Idle, 10)));
    assert_eq!(state(&evidence), (Idle, Title), "the screen was drawn before it was answered");
    assert!(evidence.is_in_doubt());
    assert!(!evidence.note(Screen, Some(word(Blocked, 10))));
    assert!(!evidence.is_in_doubt());
    assert_eq!(state(&evidence), (Blocked, Screen), "it stands there still");
    evidence.note(Screen, Some(word(Idle, 11)));
    evidence.note(Title, Some(word(Working, 12)));
    evidence.note(Title, Some(word(Idle, 13)));
    assert!(!evidence.is_in_doubt(), "nothing is asked");
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Blocked, 1)));
    evidence.note(Title, Some(word(Idle, 2)));
    assert_eq!(state(&evidence), (Blocked, Screen), "a title that was set late");
}

#[test]
fn a_screen_that_says_that_a_turn_was_broken_off_is_believed_at_once() {
    use ActivitySource::{Hook, Screen};
    use ActivityState::{Idle, Working};
    let off = |at| Word { kind: Some(INTERRUPTED.to_owned()), ..word(Idle, at) };
    let mut evidence = Evidence::default();
    let author = |evidence: &Evidence, ms| evidence.author(at(10) + TimeDelta::milliseconds(ms));
    // What was said before the hook spoke is of the turn before.
    evidence.note(Screen, Some(off(9)));
    evidence.note(Hook, Some(word(Working, 10)));
    assert_eq!(author(&evidence, 1000), Some(Hook));
    evidence.note(Screen, Some(word(Working, 10)));
    let seen = at(10) + TimeDelta::milliseconds(300);
    evidence.note(Screen, Some(Word { at: seen, ..off(10) }));
    assert_eq!(author(&evidence, 300), Some(Hook));
    assert_eq!(evidence.due(seen), Some(seen + BROKEN_OFF));
    assert_eq!(author(&evidence, 400), Some(Screen));
    // Rest alone may have been drawn late.
    evidence.note(Screen, Some(Word { at: seen, ..word(Idle, 10) }));
    assert_eq!(author(&evidence, 400), Some(Hook));
}

#[test]
fn a_dialog_of_which_a_file_does_not_tell_is_seen() {
    use ActivitySource::{File, Screen};
    use ActivityState::{Blocked, Working};
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(word(Blocked, 9)));
    evidence.note(File, Some(word(Working, 10)));
    assert_eq!(state(&evidence), (Working, File), "it was answered");
    evidence.note(Screen, None);
    evidence.note(Screen, Some(word(Blocked, 12)));
    assert_eq!(state(&evidence), (Blocked, Screen));
    evidence.note(File, Some(word(Blocked, 12)));
    assert_eq!(state(&evidence), (Blocked, File));
}

#[test]
fn rest_after_a_turn_is_a_turn_done() {
    let mut evidence = Evidence::default();
    evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
    let working = Activity { state: ActivityState::Working, ..Activity::default() };
    assert_eq!(evidence.verdict(&working, at(1000)).state, ActivityState::Done);
    assert_eq!(evidence.verdict(&Activity::default(), at(1000)).state, ActivityState::Idle);
}

#[test]
fn a_turn_that_is_over_is_not_over_again_when_another_source_tells_of_rest() {
    let mut evidence = Evidence::default();
    evidence.note(ActivitySource::Screen, Some(word(ActivityState::Idle, 9)));
    let done = Activity {
        state: ActivityState::Done,
        since: Some(at(3)),
        source: ActivitySource::File,
        ..Activity::default()
    };
    let verdict = evidence.verdict(&done, at(1000));
    assert_eq!((verdict.state, verdict.since), (ActivityState::Done, Some(at(3))));
    let working = Activity { state: ActivityState::Working, ..done };
    assert_eq!(evidence.verdict(&working, at(1000)).since, Some(at(9)));
}

#[test]
fn a_turn_that_was_broken_off_is_not_done() {
    let mut evidence = Evidence::default();
    let kind = Some(INTERRUPTED.to_owned());
    let rest = Word { kind, ..word(ActivityState::Idle, 0) };
    evidence.note(ActivitySource::Api, Some(rest));
    let working = Activity { state: ActivityState::Working, ..Activity::default() };
    assert_eq!(evidence.verdict(&working, at(1000)).state, ActivityState::Idle);
    // Where the best source has no word for it, the screen's is taken, if it is of the same rest.
    for (second, state) in [(11, ActivityState::Idle), (30, ActivityState::Done)] {
        let mut evidence = Evidence::default();
        let kind = Some(INTERRUPTED.to_owned());
        let seen = Word { kind, ..word(ActivityState::Idle, 10) };
        evidence.note(ActivitySource::Screen, Some(seen));
        evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, second)));
        assert_eq!(evidence.verdict(&working, at(1000)).state, state);
    }
}

#[test]
fn rest_after_signing_in_is_no_turn_done() {
    let mut evidence = Evidence::default();
    evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
    let blocked = |kind: &str| Activity {
        state: ActivityState::Blocked,
        kind: Some(kind.to_owned()),
        ..Activity::default()
    };
    assert_eq!(evidence.verdict(&blocked("auth"), at(1000)).state, ActivityState::Idle);
    assert_eq!(evidence.verdict(&blocked("permission"), at(1000)).state, ActivityState::Done);
}

#[test]
fn what_is_said_again_keeps_its_age_and_another_run_begins_with_nothing() {
    let mut evidence = Evidence::default();
    assert!(evidence.note(ActivitySource::Hook, Some(word(ActivityState::Idle, 0))));
    assert!(!evidence.note(ActivitySource::Hook, Some(word(ActivityState::Idle, 50))));
    assert_eq!(evidence.clone().of_run(0), evidence);
    assert!(evidence.of_run(1).words.is_empty());
}

#[test]
fn another_dialog_under_the_same_words_is_another_question() {
    use ActivitySource::{Hook, Screen, Title};
    use ActivityState::{Blocked, Working};
    let since = |evidence: &Evidence| evidence.verdict(&Activity::default(), at(90)).since;
    let seen = |dialog: &str, second| word(Blocked, second).with_dialog(Some(dialog.to_owned()));
    for author in [Hook, Title] {
        let mut evidence = Evidence::default();
        evidence.note(author, Some(word(Blocked, 0)));
        assert!(evidence.note(Screen, Some(seen("one", 1))));
        assert_eq!(since(&evidence), Some(at(0)));
        assert!(!evidence.note(Screen, Some(seen("one", 5))));
        assert_eq!(since(&evidence), Some(at(0)));
        assert!(evidence.note(Screen, Some(seen("two", 7))));
        assert_eq!(since(&evidence), Some(at(7)));
        // It survives the daemon.
        let kept = serde_json::to_string(&evidence).unwrap();
        assert_eq!(since(&serde_json::from_str(&kept).unwrap()), Some(at(7)));
        // One that the author has told of itself is as old as its word.
        evidence.note(author, Some(word(Working, 10)));
        evidence.note(author, Some(word(Blocked, 12)));
        evidence.note(Screen, Some(seen("three", 13)));
        assert_eq!(since(&evidence), Some(at(12)));
    }
    let mut evidence = Evidence::default();
    evidence.note(Screen, Some(seen("one", 1)));
    evidence.note(Screen, Some(word(Blocked, 2)));
    evidence.note(Screen, Some(seen("two", 3)));
    assert_eq!(since(&evidence), Some(at(3)), "between them none could be read");
}

#[test]
fn an_answer_is_meant_for_the_dialog_that_was_shown() {
    let (item, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let seen = |dialog: &str| word(ActivityState::Blocked, 0).with_dialog(Some(dialog.to_owned()));
    let mut evidence = Evidence::default();
    assert_eq!(evidence.dialog_of(Some(item)), None);
    evidence.note(ActivitySource::Screen, Some(seen("now")));
    evidence.shown = Some(Shown { item, dialog: "then".to_owned() });
    assert_eq!(evidence.dialog_of(Some(item)), Some("then"));
    assert_eq!(evidence.dialog_of(Some(other)), Some("now"));
    assert_eq!(evidence.dialog_of(None), Some("now"));
    evidence.note(ActivitySource::Screen, Some(word(ActivityState::Working, 1)));
    assert_eq!(evidence.dialog_of(None), None);
}

#[test]
fn a_reminder_in_general_words_takes_the_place_of_no_better_ones() {
    let asks = |message: &str, second, is_reminder| Word {
        message: Some(message.to_owned()),
        is_reminder,
        ..word(ActivityState::Blocked, second)
    };
    let mut evidence = Evidence::default();
    let said = |evidence: &Evidence| evidence.verdict(&Activity::default(), at(9)).message;
    assert!(evidence.note(ActivitySource::Hook, Some(asks("Bash(touch a)", 0, false))));
    assert!(!evidence.note(ActivitySource::Hook, Some(asks("it needs you", 1, true))));
    assert_eq!(said(&evidence).as_deref(), Some("Bash(touch a)"));
    // Of an agent that tells no more it is all there is.
    evidence.note(ActivitySource::Hook, None);
    assert!(evidence.note(ActivitySource::Hook, Some(asks("it needs you", 2, true))));
    assert!(evidence.note(ActivitySource::Hook, Some(asks("it needs you more", 3, true))));
    assert_eq!(said(&evidence).as_deref(), Some("it needs you more"));
}

#[test]
fn an_end_that_was_looked_at_is_rest_until_the_next() {
    use ActivitySource::Hook;
    use ActivityState::{Done, Idle, Working};
    let mut evidence = Evidence::default();
    let said = |second| Word::new((Done, None, Some("All green.".to_owned())), at(second));
    evidence.note(Hook, Some(said(5)));
    evidence.looked = Some(at(4));
    let before = evidence.verdict(&Activity::default(), at(6));
    assert_eq!(before.state, Done, "it was looked at before that");
    evidence.looked = Some(at(6));
    let after = evidence.verdict(&before, at(6));
    assert_eq!((after.state, after.message.as_deref(), after.since), (Idle, None, before.since));
    assert_eq!(evidence.verdict(&after, at(60)), after, "whatever else is said meanwhile");
    evidence.note(Hook, Some(word(Working, 70)));
    evidence.note(Hook, Some(said(80)));
    assert_eq!(evidence.verdict(&after, at(81)).state, Done);
}

#[test]
fn a_title_of_rest_hides_no_failure_on_the_screen() {
    use ActivitySource::{Screen, Title};
    use ActivityState::{Error, Idle, Working};
    let mut evidence = Evidence::default();
    evidence.note(Title, Some(word(Working, 1)));
    evidence.note(Screen, Some(word(Error, 5)));
    assert_eq!(state(&evidence), (Working, Title), "the next turn may have begun");
    evidence.note(Title, Some(word(Idle, 6)));
    assert_eq!(state(&evidence), (Error, Screen));
    evidence.note(Title, Some(word(Working, 20)));
    evidence.note(Title, Some(word(Idle, 30)));
    assert_eq!(state(&evidence), (Idle, Title), "that failure was long before");
}
