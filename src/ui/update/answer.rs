//! Answering an agent's question from its row, without going in.
//!
//! Invariant: a key is an answer only to the question that was on the screen, whole, when it was
//! pressed;
//! whoever sends it compares once more with what the daemon knows then.

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        answer::{self, Answer},
        runner::Runner,
    },
    ui::{
        effect::{AnswerOrder, Effect},
        keymap::{Action, Context},
        state::{Mode, Reply, State, TextLine, Unread, question},
    },
};

/// Answers the selected runner's question, or says why not.
pub(super) fn act(state: &mut State, answer: &Answer) -> Vec<Effect> {
    let Some(runner) = state.selected_runner().cloned() else {
        state.say("no runner is selected");
        return Vec::new();
    };
    let Some(asked) = question(&runner) else {
        let launch = state.keys.label(Context::List, Action::Launch);
        state.say(format!("{} asks nothing; {launch} launches a new agent", runner.name));
        return Vec::new();
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; nothing was answered");
        return Vec::new();
    }
    if is_read(state, &runner, asked) { send(state, &runner, asked, answer) } else { Vec::new() }
}

/// Whether the question can have been read whole; if not, sees to it, or says how.
fn is_read(state: &mut State, runner: &Runner, asked: DateTime<Utc>) -> bool {
    if !state.is_question_read(runner) {
        state.say(format!("{} asks something new; look again", runner.name));
        return false;
    }
    if state.is_question_read_whole(runner) {
        return true;
    }
    if !state.show_whole(Unread { id: runner.id, asked }) {
        let key = state.keys.label(Context::List, Action::Type);
        state.say(format!("what {} asks does not fit here; {key} goes in", runner.name));
    }
    false
}

/// Opens a line for the selected runner: a reply if it asks something.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    if let Some(runner) = state.selected_runner().cloned() {
        let (id, asked) = (runner.id, question(&runner));
        let kind = runner.activity.kind.as_deref().unwrap_or_default();
        let reply = Answer::Reply(String::new());
        if asked.is_some()
            && let Err(why) = answer::steps(&runner.agent, kind, &reply)
        {
            state.say(format!("{} {why}", runner.name));
            return Vec::new();
        }
        if asked.is_some_and(|asked| !is_read(state, &runner, asked)) {
            return Vec::new();
        }
        state.mode = Mode::Line(Reply { id, asked, line: TextLine::default() });
    }
    Vec::new()
}

/// Sends the line that was typed, unless the agent is at something else by now.
pub(super) fn submit(state: &mut State, reply: Reply) -> Vec<Effect> {
    let text = reply.line.text().to_owned();
    let Some(runner) = state.runners.get(&reply.id).cloned() else { return Vec::new() };
    let refused = if !state.is_current() {
        Some("not connected to the daemon; nothing was sent".to_owned())
    } else if question(&runner) != reply.asked {
        let what = if reply.asked.is_some() { "no longer asks that" } else { "asks something now" };
        Some(format!("{} {what}; nothing was sent", runner.name))
    } else {
        None
    };
    if let Some(refused) = refused {
        let asked = question(&runner);
        // What was typed is not lost: the next ⏎ is meant for what is asked now.
        state.mode = Mode::Line(Reply { asked, ..reply });
        state.complain(refused);
        return Vec::new();
    }
    match reply.asked {
        Some(asked) => send(state, &runner, asked, &Answer::Reply(text)),
        None => vec![Effect::SendText(reply.id, text)],
    }
}

fn send(state: &mut State, runner: &Runner, asked: DateTime<Utc>, answer: &Answer) -> Vec<Effect> {
    // Until the agent says otherwise it may have gone on to ask something that nobody has seen.
    if state.histories.get(&runner.id).is_some_and(|history| history.answered == Some(asked)) {
        let open = state.keys.label(Context::List, Action::Open);
        state.say(format!("{} was answered just now; {open} opens it", runner.name));
        return Vec::new();
    }
    let kind = runner.activity.kind.as_deref().unwrap_or_default();
    if let Err(why) = answer::steps(&runner.agent, kind, answer) {
        state.say(format!("{} {why}", runner.name));
        return Vec::new();
    }
    let said = match answer {
        Answer::Approve => "is told yes".to_owned(),
        Answer::Deny => "is told no".to_owned(),
        Answer::Choose(number) => format!("is told choice {number}"),
        Answer::Reply(_) => "was sent the reply".to_owned(),
    };
    let said = format!("{} {said}", runner.name);
    state.histories.entry(runner.id).or_default().answered = Some(asked);
    let answer = answer.clone();
    vec![Effect::Answer(Box::new(AnswerOrder { id: runner.id, asked, answer, said }))]
}
