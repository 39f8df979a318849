//! Searching what was said in all conversations, and reading one.

use chrono::TimeDelta;

use super::{key, keys, now, press, screen, spent, state};
use crate::{
    domain::{
        failure::Failure,
        key::Key,
        session::{Hit, Utterance},
    },
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{Mode, SearchAsk, State, View},
        update::update,
    },
};

/// Sessions by their number.
fn session(number: u8) -> String {
    format!("0000000{number}-1111-4222-8333-444444444444")
}

fn hit(number: u8, (project, agent, role): (&str, &str, &str), minutes: i64, said: &str) -> Hit {
    let found = said.replace('[', "\u{2}").replace(']', "\u{3}");
    Hit {
        session: session(number),
        project: project.to_owned(),
        agent: agent.to_owned(),
        summary: String::new(),
        first_prompt: "Fix the login redirect\nand add tests".to_owned(),
        role: role.to_owned(),
        at: now() - TimeDelta::minutes(minutes),
        snippet: found,
    }
}

pub(super) fn hits() -> Vec<Hit> {
    let late = "…every route was looked at from the first to the last of them, and in the end it was \
                the [redirect] that dropped the query…";
    vec![
        hit(1, ("api", "claude", "assistant"), 4, late),
        hit(2, ("web", "codex", "user"), 190, "does the [redirect] keep\nthe port?"),
        hit(1, ("api", "claude", "subagent"), 1_500, "no other [redirect] in src/http"),
    ]
}

fn said(role: &str, minutes: i64, text: &str) -> Utterance {
    let at = Some(now() - TimeDelta::minutes(minutes));
    Utterance { role: role.to_owned(), at, text: text.to_owned() }
}

/// A conversation in which the first hit was said.
pub(super) fn talk() -> Vec<Utterance> {
    let list: Vec<_> = (1..=30).map(|n| format!("{n:2}. route number {n}")).collect();
    let late = "I have looked at every route:\n\n\tthe Redirect that dropped the query is mended.\n\
                \x1b[31mDone.";
    vec![
        said("user", 9, "Fix the login redirect\nand add tests. The key is [redacted: api key]"),
        said("assistant", 8, &list.join("\n")),
        said("assistant", 4, late),
        said("user", 3, "Thanks"),
    ]
}

/// Types the words to search for and returns what is asked of the daemon.
fn search(state: &mut State, words: &str) -> Vec<Effect> {
    press(state, "s");
    press(state, words);
    key(state, Key::Enter)
}

fn asked(text: &str, project: &str) -> SearchAsk {
    SearchAsk { text: text.to_owned(), project: project.to_owned() }
}

/// The view of what was found, with an answer.
pub(super) fn found(answer: Result<Vec<Hit>, Failure>) -> impl Fn((u16, u16)) -> State {
    move |size| {
        let mut state = spent::after("S")(size);
        search(&mut state, "redirect");
        update(&mut state, UiEvent::Found(Box::new(asked("redirect", "")), answer.clone()));
        state
    }
}

/// The conversation of the first of them, read to its end.
pub(super) fn read(size: (u16, u16)) -> State {
    let mut state = found(Ok(hits()))(size);
    key(&mut state, Key::Enter);
    update(&mut state, UiEvent::Said(1, talk()));
    update(&mut state, UiEvent::SaidAll(1, Ok(())));
    state
}

const WIDE: (u16, u16) = (120, 40);

#[test]
fn words_are_searched_and_what_was_found_is_read_where_it_was_said() {
    let mut state = spent::after("S")(WIDE);
    press(&mut state, "j");
    let effects = search(&mut state, "redirect");
    assert!(effects.contains(&Effect::Search(Box::new(asked("redirect", "")))), "{effects:?}");
    assert!(screen(&state).contains("searching …"));
    update(&mut state, UiEvent::Found(Box::new(asked("another", "")), Ok(Vec::new())));
    assert!(screen(&state).contains("searching …"), "that answers another question");
    update(&mut state, UiEvent::Found(Box::new(asked("redirect", "")), Ok(hits())));
    let effects = key(&mut state, Key::Enter);
    assert!(effects.contains(&Effect::ReadConversation(Some((session(1), 1)))), "{effects:?}");
    update(&mut state, UiEvent::Said(7, vec![said("user", 1, "of another reading")]));
    assert!(screen(&state).contains("reading …"));
    for piece in talk() {
        update(&mut state, UiEvent::Said(1, vec![piece]));
    }
    let under = &state.page_lines()[state.page.at];
    assert_eq!(under.text, "    the Redirect that dropped the query is mended.");
    update(&mut state, UiEvent::SaidAll(1, Ok(())));
    // It can be searched on, upwards and downwards.
    press(&mut state, "N");
    assert_eq!(state.page_lines()[state.page.at].text, "Fix the login redirect");
    press(&mut state, "/number 30");
    key(&mut state, Key::Enter);
    assert!(state.page_lines()[state.page.at].text.ends_with("30. route number 30"));
    // The way back: what is searched for now, the conversation, what was found, the sessions.
    let views = [View::Conversation, View::Found, View::Sessions, View::Dashboard];
    for view in views {
        key(&mut state, Key::Escape);
        assert_eq!(state.view, view);
        if view == View::Sessions {
            assert_eq!(state.page.at, 1, "where it was searched from");
        }
    }
    assert!(state.found.is_none() && state.conversation.is_none());
}

#[test]
fn a_conversation_is_read_from_its_row_and_from_its_facts_and_from_its_end() {
    for way in ["S l", "S enter enter", "S enter l"] {
        let mut state = spent::after("")(WIDE);
        keys(&mut state, "S");
        spent::answer_view(&mut state);
        let effects = keys(&mut state, &way[2..]);
        let is_read = |effect: &Effect| matches!(effect, Effect::ReadConversation(Some(_)));
        assert!(effects.iter().any(is_read), "{way}: {effects:?}");
        update(&mut state, UiEvent::Said(1, talk()));
        update(&mut state, UiEvent::SaidAll(1, Ok(())));
        assert_eq!(state.page.at, state.page_lines().len() - 1);
        let shown = screen(&state);
        assert!(shown.contains("CONVERSATION · Fix the login redirect and add"), "{shown}");
        assert!(shown.contains("·[31mDone.") && !shown.contains("following"), "{shown}");
        let effects = press(&mut state, "r");
        let is_resumed = |effect: &Effect| matches!(effect, Effect::ResumeSession(..));
        assert!(effects.iter().any(is_resumed), "{effects:?}");
        key(&mut state, Key::Escape);
        assert_eq!(state.view, View::Sessions);
    }
}

#[test]
fn who_leaves_reads_no_further() {
    let mut state = found(Ok(hits()))(WIDE);
    key(&mut state, Key::Enter);
    update(&mut state, UiEvent::Said(1, talk()));
    let effects = press(&mut state, "H");
    assert!(effects.contains(&Effect::ReadConversation(None)), "{effects:?}");
    assert_eq!((state.found, state.conversation), (None, None));
}

#[test]
fn what_cannot_be_searched_or_read_is_told() {
    let mut state = spent::after("S")(WIDE);
    assert!(search(&mut state, "!").is_empty());
    assert!(screen(&state).contains("no word to search for"));
    let failure = Failure::unavailable("DATABASE", "the database is away").with_hint("wait");
    let mut state = found(Err(failure.clone()))(WIDE);
    assert!(screen(&state).contains("failed to search: the database is away; wait"));
    update(&mut state, UiEvent::Disconnected("the daemon left".to_owned()));
    press(&mut state, "s");
    assert_eq!(key(&mut state, Key::Enter), []);
    assert!(screen(&state).contains("not connected to the daemon"));
    let mut state = found(Ok(hits()))(WIDE);
    update(&mut state, UiEvent::Disconnected("the daemon left".to_owned()));
    key(&mut state, Key::Enter);
    assert_eq!(state.view, View::Found);
    // In the middle of it.
    let mut state = found(Ok(hits()))(WIDE);
    key(&mut state, Key::Enter);
    update(&mut state, UiEvent::SaidAll(1, Err(failure.clone())));
    assert!(screen(&state).contains("failed to read it: the database is away; wait"));
    let mut state = found(Ok(hits()))(WIDE);
    key(&mut state, Key::Enter);
    update(&mut state, UiEvent::Said(1, talk()));
    update(&mut state, UiEvent::SaidAll(1, Err(failure)));
    assert!(state.page_lines().last().unwrap().text.starts_with("failed to read on: the database"));
}

#[test]
fn what_is_not_in_the_transcript_itself_is_told() {
    let mut state = found(Ok(hits()))(WIDE);
    press(&mut state, "G");
    key(&mut state, Key::Enter);
    update(&mut state, UiEvent::Said(1, talk()));
    update(&mut state, UiEvent::SaidAll(1, Ok(())));
    assert!(screen(&state).contains("a subagent said it"), "{}", screen(&state));
}

#[test]
fn one_project_is_searched_and_the_words_are_kept_for_more() {
    let mut state = found(Ok(hits()))(WIDE);
    let effects = press(&mut state, "p");
    assert!(effects.contains(&Effect::Search(Box::new(asked("redirect", "api")))), "{effects:?}");
    assert!(screen(&state).contains("CONVERSATIONS of api with `redirect`"));
    press(&mut state, "s");
    press(&mut state, " port");
    let effects = key(&mut state, Key::Enter);
    assert!(
        effects.contains(&Effect::Search(Box::new(asked("redirect port", "api")))),
        "{effects:?}"
    );
    key(&mut state, Key::Escape);
    assert_eq!(state.view, View::Sessions);
}

#[test]
fn from_the_dashboard_the_palette_leads_there_and_back() {
    let mut state = state(WIDE, super::fleet());
    press(&mut state, ":said in all");
    key(&mut state, Key::Enter);
    assert!(matches!(state.mode, Mode::Words(_)), "{:?}", state.mode);
    key(&mut state, Key::Escape);
    assert_eq!((state.view, &state.mode), (View::Dashboard, &Mode::List));
    press(&mut state, ":said in all");
    key(&mut state, Key::Enter);
    press(&mut state, "port");
    key(&mut state, Key::Enter);
    assert_eq!(state.view, View::Found);
    key(&mut state, Key::Escape);
    assert_eq!(state.view, View::Dashboard);
}

#[test]
fn the_place_is_kept_when_the_screen_gets_another_width() {
    let mut state = read(WIDE);
    let under = |state: &State| state.page_lines()[state.page.at].text.clone();
    assert!(under(&state).contains("Redirect"));
    update(&mut state, UiEvent::Resized(40, 12));
    assert!(under(&state).contains("Redirect"), "{}", under(&state));
    assert!(screen(&state).contains("the Redirect"), "{}", screen(&state));
}
