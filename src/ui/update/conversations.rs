//! Searching what was said in all conversations, reading one, and the way back.

use crate::{
    domain::session::SearchFilter,
    ui::{
        effect::Effect,
        event::UiEvent,
        keymap::Action,
        state::{
            ConversationView, FoundView, Mode, Page, SearchAsk, State, Target, TextLine, View,
        },
    },
};

/// Why nothing is asked for.
const AWAY: &str = "not connected to the daemon; wait until it is back";

/// Asks for words, those of the last search first.
pub(super) fn ask(state: &mut State) {
    let last = state.found.as_ref().map_or("", |found| found.ask.text.as_str());
    state.mode = Mode::Words(TextLine::new(last));
}

/// Applies an action while words are typed.
pub(super) fn on_words(state: &mut State, action: Action) -> Vec<Effect> {
    let mode = std::mem::replace(&mut state.mode, Mode::List);
    let Mode::Words(line) = mode else { return Vec::new() };
    if action != Action::Accept || line.is_blank() {
        return Vec::new();
    }
    if SearchFilter::words(line.text()).is_empty() {
        state.complain("there is no word to search for: a word has a letter or a digit");
        return Vec::new();
    }
    let project = state.spending.ask.project.clone();
    search(state, SearchAsk { text: line.text().to_owned(), project })
}

fn search(state: &mut State, ask: SearchAsk) -> Vec<Effect> {
    if !state.is_current() {
        state.complain(AWAY);
        return Vec::new();
    }
    // Whoever searches again goes back to where the first search began.
    let searched = state.found.take().map(|found| found.before);
    let read = state.conversation.as_ref().map(|read| read.before.clone());
    let before = searched.or(read).unwrap_or_else(|| (state.view, std::mem::take(&mut state.page)));
    state.found = Some(Box::new(FoundView::new(ask.clone(), before)));
    state.view = View::Found;
    state.page = Page::default();
    vec![Effect::Search(Box::new(ask))]
}

/// Searches again when the conversations of another project are meant.
pub(super) fn on_project(state: &mut State) -> Vec<Effect> {
    let project = &state.spending.ask.project;
    let found = state.found.as_ref().filter(|_| state.view == View::Found);
    match found.filter(|found| found.ask.project != *project) {
        Some(found) => {
            let ask = SearchAsk { project: project.clone(), ..found.ask.clone() };
            search(state, ask)
        }
        None => Vec::new(),
    }
}

/// Whether the key that shows something whole reads a conversation here.
pub(super) fn is_read(state: &State) -> bool {
    state.view == View::Found || (state.view == View::Sessions && state.page.session.is_some())
}

/// Reads the conversation that is shown or under the cursor, from what was found in it.
pub(super) fn read(state: &mut State) -> Vec<Effect> {
    let found = state.hit_at_cursor().filter(|_| state.view == View::Found);
    let found = found.map(|hit| (hit.session.clone(), State::name_of_hit(hit), Target::new(hit)));
    let (id, about, target) = match (found, state.meant_session()) {
        (Some((id, about, target)), _) => (id, about, Some(target)),
        (None, Some(id)) => (id.clone(), state.name_of_session(&id), None),
        (None, None) => {
            state.say("no conversation is under the cursor");
            return Vec::new();
        }
    };
    if !state.is_current() {
        state.complain(AWAY);
        return Vec::new();
    }
    let before = (state.view, std::mem::take(&mut state.page));
    let find = TextLine::new(target.as_ref().map_or("", Target::words));
    // Without a place to go to, the newest is what is looked for.
    state.page = Page { find, follows: target.is_none(), ..Page::default() };
    let columns = state.conversation_columns();
    state.readings += 1;
    let which = (id, state.readings);
    let shown = ConversationView::new(which.clone(), about, target, before, columns);
    state.conversation = Some(Box::new(shown));
    state.view = View::Conversation;
    vec![Effect::ReadConversation(Some(which))]
}

/// Takes in what was found or said.
pub(super) fn on_event(state: &mut State, event: UiEvent) -> Vec<Effect> {
    match event {
        UiEvent::Found(ask, read) => {
            let found = state.found.as_mut();
            state.is_dirty |= found.is_some_and(|found| found.learn(&ask, read));
        }
        UiEvent::Said(reading, said) => {
            let shown = state.conversation.as_mut();
            let Some(shown) = shown.filter(|it| it.reading == reading && it.is_read_on()) else {
                return Vec::new();
            };
            let gone = shown.take(said);
            let (arrived, is_full) = (shown.arrive(), !shown.is_read_on());
            state.page.at = state.page.at.saturating_sub(gone);
            state.page.top = state.page.top.saturating_sub(gone);
            if let Some(at) = arrived {
                super::page::go_to(state, at);
            }
            state.is_dirty = true;
            if is_full {
                return vec![Effect::ReadConversation(None)];
            }
        }
        UiEvent::SaidAll(reading, went) => {
            let shown = state.conversation.as_mut();
            let Some(shown) = shown.filter(|it| it.reading == reading) else {
                return Vec::new();
            };
            shown.finish(went.map_err(|failure| failure.in_a_line()));
            if let Some(text) = shown.why_not_there() {
                state.say(text);
            }
            // Nothing more comes; once the cursor is at the end it stays there.
            super::page::settle(state);
            state.page.follows = false;
            state.is_dirty = true;
        }
        _ => {}
    }
    Vec::new()
}

/// From a conversation to where it was chosen, from what was found to where it was searched from.
pub(super) fn back(state: &mut State) -> bool {
    let before = match state.view {
        View::Conversation => state.conversation.as_ref().map(|it| &it.before),
        View::Found => state.found.as_ref().map(|it| &it.before),
        _ => None,
    };
    let Some((view, page)) = before.cloned() else { return false };
    (state.view, state.page) = (view, page);
    true
}

/// Whether what is searched for is still that which led here: the way back needs no step of its own.
pub(super) fn is_as_found(state: &State) -> bool {
    let shown = state.conversation.as_ref().filter(|_| state.view == View::Conversation);
    let words = shown.and_then(|it| it.target.as_ref()).map(Target::words);
    words.is_some_and(|words| words == state.page.find.text())
}

/// Nothing is kept or read that nobody sees, and lines are as wide as the screen.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if !matches!(state.view, View::Found | View::Conversation) {
        state.found = None;
    }
    if state.view != View::Conversation {
        let left = state.conversation.take();
        let is_read_on = left.is_some_and(|left| left.is_read_on());
        effects.extend(is_read_on.then_some(Effect::ReadConversation(None)));
    }
    let columns = state.conversation_columns();
    if let Some(shown) = &mut state.conversation {
        state.page.at = shown.rewrap(columns, state.page.at);
    }
}
