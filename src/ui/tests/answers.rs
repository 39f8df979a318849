//! Answering from the row, and what the dashboard notices by itself.

use chrono::TimeDelta;

use super::{blocked, checkout, event, fleet, id, key, list, now, press, runner, state};
use crate::{
    domain::{
        activity::ActivityState,
        answer::Answer,
        failure::Failure,
        id::RunnerId,
        runner::{Runner, RunnerStatus},
        size::TerminalSize,
    },
    terminal::keys::Key,
    ui::{
        effect::Effect,
        event::{ANSWER, Frame, Outcome, UiEvent},
        state::{Group, Mode, State},
        update::update,
    },
};

const WIDE: (u16, u16) = (120, 40);

/// The screen is drawn and looked at for a second.
fn look(state: &mut State) {
    state.drawn();
    state.now += TimeDelta::seconds(1);
}

fn toast(state: &State) -> &str {
    state.toast.as_ref().map_or("", |toast| &toast.text)
}

/// What was sent to a runner as an answer.
fn sent(effects: &[Effect]) -> (RunnerId, Answer) {
    let [Effect::Answer(order)] = effects else { panic!("{effects:?}") };
    (order.id, order.answer.clone())
}

fn one(change: impl FnOnce(&mut Runner)) -> UiEvent {
    let mut runner = fleet().remove(0);
    change(&mut runner);
    let runners = vec![runner];
    UiEvent::Runners(crate::client::RunnerUpdate { runners, removed: vec![], complete: false })
}

#[test]
fn a_question_is_answered_from_its_row() {
    let looked = || {
        let mut state = state(WIDE, fleet());
        look(&mut state);
        state
    };
    assert_eq!(sent(&press(&mut looked(), "y")), (id(1), Answer::Approve));
    assert_eq!(sent(&press(&mut looked(), "n")), (id(1), Answer::Deny));
    assert_eq!(sent(&press(&mut looked(), "2")), (id(1), Answer::Choose(2)));
    let mut state = looked();
    key(&mut state, Key::Tab);
    // Yes is no answer to which port.
    assert_eq!(press(&mut state, "y"), []);
    assert!(toast(&state).contains("choose by number"), "{}", toast(&state));
    assert_eq!(sent(&press(&mut state, "3")), (id(9), Answer::Choose(3)));
    let mut state = looked();
    key(&mut state, Key::Tab);
    look(&mut state);
    press(&mut state, "r8080");
    let reply = Answer::Reply("8080".to_owned());
    assert_eq!(sent(&key(&mut state, Key::Enter)), (id(9), reply));
}

#[test]
fn a_question_is_answered_once() {
    let mut state = state(WIDE, fleet());
    look(&mut state);
    sent(&press(&mut state, "y"));
    // The agent may be about to ask something else.
    for again in ["y", "n", "1"] {
        assert_eq!(press(&mut state, again), []);
        assert!(toast(&state).contains("was answered"), "{}", toast(&state));
    }
    let failure = Failure::unavailable("X", "it did not arrive");
    update(&mut state, UiEvent::Outcome(Outcome::Failed(ANSWER, failure)));
    sent(&press(&mut state, "y"));
    let asks_again = one(|runner| {
        runner.activity.since = Some(now());
        runner.activity.message = Some("rm -rf".to_owned());
    });
    update(&mut state, asks_again);
    look(&mut state);
    sent(&press(&mut state, "n"));
}

#[test]
fn who_asks_nothing_is_sent_nothing() {
    let mut state = state(WIDE, fleet());
    press(&mut state, "jjj");
    look(&mut state);
    for answer in ["y", "n", "1"] {
        assert_eq!(press(&mut state, answer), []);
        assert!(toast(&state).starts_with("api-1 asks nothing"), "{}", toast(&state));
    }
}

#[test]
fn a_question_that_was_not_read_is_not_answered() {
    let mut state = state(WIDE, fleet());
    assert_eq!(press(&mut state, "y"), [], "it was never drawn");
    look(&mut state);
    // Another question came between the last frame and the key.
    update(&mut state, one(|runner| runner.activity.since = Some(now())));
    assert_eq!(press(&mut state, "y"), []);
    assert!(toast(&state).contains("look again"));
    look(&mut state);
    assert_eq!(sent(&press(&mut state, "y")).0, id(1));
    update(&mut state, one(|runner| runner.activity.state = ActivityState::Working));
    assert_eq!(press(&mut state, "y"), []);
}

#[test]
fn a_question_without_room_is_shown_whole_before_it_is_answered() {
    let text = "Bash(psql -h db.internal -c 'DROP TABLE customers CASCADE' production)";
    let mut state = state((40, 12), vec![blocked(1, "data-4", "permission", text, 32)]);
    look(&mut state);
    assert_eq!(press(&mut state, "y"), []);
    let shown = super::screen(&state);
    assert!(shown.contains("CASCADE'\n production)"), "{shown}");
    assert_eq!(press(&mut state, "y"), [], "nobody reads as fast as a key repeats");
    look(&mut state);
    // Another key takes it away.
    press(&mut state, "j");
    look(&mut state);
    assert_eq!(press(&mut state, "y"), []);
    look(&mut state);
    assert_eq!(sent(&press(&mut state, "y")).0, id(1));
    // Where it fits, one key does.
    update(&mut state, UiEvent::Resized(120, 40));
    let short = blocked(1, "data-4", "permission", "Bash(ls)", 31);
    list(&mut state, vec![short]);
    look(&mut state);
    assert_eq!(sent(&press(&mut state, "y")).0, id(1));
    // What no screen has room for is not answered from the row.
    update(&mut state, UiEvent::Resized(40, 12));
    list(&mut state, vec![blocked(1, "data-4", "permission", &text.repeat(9), 30)]);
    look(&mut state);
    assert_eq!(press(&mut state, "y"), []);
    assert!(toast(&state).contains("does not fit"), "{}", toast(&state));
}

#[test]
fn a_reply_goes_to_the_question_it_was_begun_for() {
    let mut state = state(WIDE, fleet());
    look(&mut state);
    press(&mut state, "rnot now");
    update(&mut state, one(|runner| runner.activity.state = ActivityState::Working));
    assert_eq!(key(&mut state, Key::Enter), []);
    assert!(toast(&state).contains("no longer asks that"), "{}", toast(&state));
    let Mode::Line(reply) = &state.mode else { panic!("the line was lost") };
    assert_eq!(reply.line.text(), "not now");
    // Now it is a line for whatever the agent is at.
    assert_eq!(key(&mut state, Key::Enter), [Effect::SendText(id(1), "not now".to_owned())]);
}

#[test]
fn done_is_seen_once_it_was_looked_at_and_left() {
    let done = runner(1, "api-1", ActivityState::Done, 60);
    let mut state = state(WIDE, vec![done.clone(), runner(2, "api-2", ActivityState::Done, 60)]);
    let frame = |number| {
        let size = TerminalSize::new(20, 5);
        UiEvent::Frame(id(number), Box::new(Frame { size, full: true, bytes: "x".into() }))
    };
    update(&mut state, frame(1));
    press(&mut state, "k");
    look(&mut state);
    let group = |state: &State, number| state.group(&state.runners[&id(number)]);
    assert_eq!(group(&state, 1), Group::Done, "it does not move away under the eye");
    press(&mut state, "j");
    assert_eq!((group(&state, 1), group(&state, 2)), (Group::Idle, Group::Done));
    // Passing by is not looking.
    update(&mut state, frame(2));
    state.drawn();
    press(&mut state, "k");
    assert_eq!(group(&state, 2), Group::Done);
    // The next turn that ends is news again.
    let again = Runner { activity: runner(1, "api-1", ActivityState::Done, 1).activity, ..done };
    list(&mut state, vec![again]);
    assert_eq!(group(&state, 1), Group::Done);
}

#[test]
fn an_age_is_that_of_the_status() {
    let mut state = state(WIDE, fleet());
    let paused = |minutes| {
        one(move |runner| {
            runner.status = RunnerStatus::Paused;
            runner.updated_at = now() + TimeDelta::minutes(minutes);
        })
    };
    let age = |state: &State| state.age(&state.runners[&id(1)]).num_minutes();
    update(&mut state, paused(0));
    state.now += TimeDelta::minutes(5);
    update(&mut state, paused(5));
    assert_eq!(age(&state), 5, "a heartbeat is no pause");
    let mut told = event(1, "api-3", "runner.paused", serde_json::json!({}));
    told.entity_id = id(1).to_string();
    told.timestamp = now() - TimeDelta::minutes(2);
    update(&mut state, UiEvent::Happened(vec![told]));
    assert_eq!(age(&state), 7, "the event knows better");
}

#[test]
fn cpu_is_remembered_as_it_was_sampled() {
    let mut state = state((200, 50), fleet());
    for sample in 0..40_u8 {
        update(
            &mut state,
            one(|runner| {
                runner.cpu_percent = f64::from(sample);
                runner.last_heartbeat = Some(now() + TimeDelta::seconds(sample.into()));
            }),
        );
    }
    let cpu = &state.history(id(1)).unwrap().cpu;
    assert_eq!((cpu.len(), cpu.back()), (32, Some(&39.0)));
    assert!(super::screen(&state).contains("▃▃▃▃▃▃▄▄"), "{}", super::screen(&state));
}

#[test]
fn branches_are_read_where_they_are_shown_and_when_something_happened() {
    let mut state = state((120, 40), fleet());
    assert!(!press(&mut state, "j").iter().any(|e| matches!(e, Effect::ReadBranch(_))));
    let effects = update(&mut state, UiEvent::Resized(200, 50));
    let read = effects.iter().filter(|e| matches!(e, Effect::ReadBranch(_))).count();
    assert_eq!(read, 4, "one for each directory");
    let api = std::path::PathBuf::from("/home/ann/src/api");
    update(&mut state, UiEvent::Branch(api.clone(), Some(checkout("fix-login"))));
    assert!(super::screen(&state).contains("⎇ fix-login +12 −3"));
    press(&mut state, "kk");
    let told = event(1, "api-3", "runner.activity", serde_json::json!({}));
    assert_eq!(update(&mut state, UiEvent::Happened(vec![told])), [Effect::ReadBranch(api)]);
}

#[test]
fn what_only_the_user_may_decide_is_not_even_begun() {
    let mut state = state(WIDE, vec![blocked(1, "api-1", "auth", "sign in", 30)]);
    look(&mut state);
    for answer in ["y", "n", "1", "r"] {
        assert_eq!(press(&mut state, answer), []);
        assert_eq!(state.mode, Mode::List);
        assert!(toast(&state).contains("only you may decide"), "{}", toast(&state));
    }
}

#[test]
fn what_is_asked_of_a_new_runner_is_not_confused_with_idle() {
    let mut fresh = runner(1, "api-1", ActivityState::Starting, 1);
    fresh.status = RunnerStatus::Running;
    let state = state(WIDE, vec![fresh, blocked(2, "api-2", "auth", "sign in", 3)]);
    assert_eq!(state.group(&state.runners[&id(1)]), Group::Starting);
}

/// A live screen of the selected runner.
fn screen_of(state: &mut State, number: u128, size: (u16, u16), text: &str) {
    let size = TerminalSize::new(size.0, size.1);
    let bytes = text.to_owned().into();
    update(state, UiEvent::Frame(id(number), Box::new(Frame { size, full: true, bytes })));
}

#[test]
fn a_screen_that_cuts_a_question_is_not_where_it_was_read() {
    let long = "Bash(psql -h db.internal -c 'DROP TABLE customers CASCADE' production)";
    let asks = || {
        let mut state = state(WIDE, vec![blocked(1, "data-4", "permission", long, 32)]);
        press(&mut state, "k");
        state
    };
    for key_ in ["y", "1", "r"] {
        let mut cut = asks();
        screen_of(&mut cut, 1, (120, 20), &format!("{}{long}", " ".repeat(40)));
        look(&mut cut);
        assert_eq!((press(&mut cut, key_), &cut.mode), (vec![], &Mode::List));
        assert!(super::screen(&cut).contains("the same key again answers"));
    }
    // A screen that says nothing of it.
    let mut silent = asks();
    screen_of(&mut silent, 1, (120, 20), "waiting");
    look(&mut silent);
    assert_eq!(press(&mut silent, "y"), []);
    assert!(super::screen(&silent).contains("the same key again answers"));
    let mut whole = asks();
    let dialog = "│ Bash command │\r\n│ psql -h db.internal -c 'DROP TAB │\r\n│ LE customers CASCADE' \
                  production │\r\n────────────────────";
    screen_of(&mut whole, 1, (120, 20), dialog);
    look(&mut whole);
    assert_eq!(sent(&press(&mut whole, "y")).0, id(1));
}

#[test]
fn a_text_answers_only_what_was_read() {
    let mut state = state(WIDE, fleet());
    assert_eq!(press(&mut state, "r"), []);
    assert_eq!(state.mode, Mode::List, "it was never drawn");
    look(&mut state);
    press(&mut state, "r");
    assert!(matches!(state.mode, Mode::Line(_)));
    // Among the panes, too, where the runner's own screen is what is read.
    key(&mut state, Key::Escape);
    press(&mut state, "v");
    let leave = crate::terminal::keys::KeyPress::parse("ctrl-\\").unwrap();
    update(&mut state, UiEvent::Key(leave));
    update(&mut state, one(|runner| runner.activity.since = Some(now())));
    screen_of(&mut state, 1, (60, 10), "Bash command\r\ngit push origin fix-login\r\nMay I?");
    assert_eq!(press(&mut state, "r"), []);
    assert_eq!(state.mode, Mode::List, "nobody has seen it yet");
    look(&mut state);
    press(&mut state, "r");
    assert!(matches!(state.mode, Mode::Line(_)), "{}", toast(&state));
}

#[test]
fn what_was_looked_at_is_kept_and_known_again() {
    let done = runner(1, "api-1", ActivityState::Done, 60);
    let mut first = state(WIDE, vec![done.clone(), runner(2, "api-2", ActivityState::Done, 60)]);
    press(&mut first, "k");
    screen_of(&mut first, 1, (20, 5), "x");
    look(&mut first);
    let effects = press(&mut first, "q");
    let [Effect::KeepSeen(looked), Effect::Quit] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(looked.keys().collect::<Vec<_>>(), [&id(1)]);
    let mut next = state(WIDE, vec![done, runner(2, "api-2", ActivityState::Done, 60)]);
    let effects = update(&mut next, UiEvent::SeenFound(Ok(looked.clone())));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::KeepSeen(_))));
    let group = |number| next.group(&next.runners[&id(number)]);
    assert_eq!((group(1), group(2)), (Group::Idle, Group::Done));
}

#[test]
fn a_question_without_words_is_read_on_the_screen_alone() {
    let asks = || {
        let mut silent = blocked(1, "codex-1", "permission", "", 32);
        silent.activity.message = None;
        silent.title = "[ ! ] Action Required | shop".to_owned();
        let mut state = state(WIDE, vec![silent]);
        press(&mut state, "k");
        state
    };
    let mut unseen = asks();
    look(&mut unseen);
    assert!(super::screen(&unseen).contains("  Action Required | shop"), "nothing turns in a row");
    assert_eq!(press(&mut unseen, "y"), []);
    assert!(toast(&unseen).contains("does not fit here"), "{}", toast(&unseen));
    let mut seen = asks();
    screen_of(&mut seen, 1, (50, 12), "Run it?\r\n1. Yes");
    look(&mut seen);
    assert_eq!(sent(&press(&mut seen, "y")).0, id(1));
}
