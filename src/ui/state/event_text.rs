//! An event in words.

use super::Tone;
use crate::domain::{
    amount::{money, tokens},
    event::Event,
    usage::Cost,
};

/// Whom it happened to.
pub(in crate::ui) fn event_subject(event: &Event) -> &str {
    match (event.runner.as_str(), event.project.as_str()) {
        ("", "") => &event.entity_type,
        ("", project) => project,
        (runner, _) => runner,
    }
}

/// The runners that worked in a directory already when another was launched there.
fn shared(event: &Event) -> String {
    let names = event.data.get("shares_directory_with").and_then(|names| names.as_array());
    let names = names.into_iter().flatten().filter_map(|name| name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// What happened, in words.
pub(in crate::ui) fn event_text(event: &Event) -> (String, Tone) {
    let field = |name: &str| event.data.get(name).and_then(|value| value.as_str()).unwrap_or("");
    let joined = |first: &str, second: &str| match second {
        "" => first.to_owned(),
        second => format!("{first}: {second}"),
    };
    match event.event_type.as_str() {
        "runner.activity" => match field("state") {
            "blocked" => {
                let what = if field("kind").is_empty() { "blocked" } else { field("kind") };
                (joined(what, field("message")), Tone::Warning)
            }
            "error" => (joined("error", field("message")), Tone::Bad),
            "done" => (joined("done", field("message")), Tone::Good),
            state => (joined(state, field("message")), Tone::Muted),
        },
        "runner.failed" => (joined("failed", field("reason")), Tone::Bad),
        "runner.stopped" => ("ended".to_owned(), Tone::Plain),
        "runner.starting" if !shared(event).is_empty() => {
            (format!("launching where {} works already", shared(event)), Tone::Warning)
        }
        "worktree.created" => (joined("worktree", field("branch")), Tone::Plain),
        "worktree.removed" => (joined("worktree removed", field("path")), Tone::Plain),
        "worktree.restored" => (joined("worktree restored", field("path")), Tone::Plain),
        "worktree.setup_trusted" => (joined("set-up allowed", field("command")), Tone::Warning),
        "runner.starting" => ("launching".to_owned(), Tone::Muted),
        "runner.removed" => ("removed".to_owned(), Tone::Muted),
        "tokens.used" => {
            let count = |name: &str| event.data.get(name).and_then(serde_json::Value::as_u64);
            let cost = count("cost_nanos").and_then(|nanos| i64::try_from(nanos).ok());
            let used = format!("+{} tokens", tokens(count("tokens").unwrap_or(0)));
            (format!("{used}, {}", money(Cost(cost.unwrap_or(0)))), Tone::Muted)
        }
        "runner.held" => match field("what") {
            "released" => ("goes on: no budget holds it any more".to_owned(), Tone::Good),
            what => (joined(what, field("reason")), Tone::Warning),
        },
        "runner.corrected" => {
            let was = format!("{} was wrong, it is {}", field("was"), field("state"));
            (joined(&was, field("kind")), Tone::Warning)
        }
        "budget.warning" => (field("text").to_owned(), Tone::Warning),
        "budget.exhausted" => (field("text").to_owned(), Tone::Bad),
        "system.alert" => {
            let tone = if field("severity") == "critical" { Tone::Bad } else { Tone::Warning };
            (joined(field("component"), field("message")), tone)
        }
        "budget.changed" => {
            let what = format!("{} budget {}", field("period"), field("what"));
            (joined(what.trim(), field("scope")), Tone::Plain)
        }
        "session.created" => ("begins a conversation".to_owned(), Tone::Muted),
        "session.resumed" => ("goes on with a conversation".to_owned(), Tone::Muted),
        "session.ended" => ("its conversation is over".to_owned(), Tone::Muted),
        "project.created" => ("project registered".to_owned(), Tone::Plain),
        "project.deleted" => ("project removed".to_owned(), Tone::Plain),
        other => {
            let words = other.split_once('.').map_or(other, |(_, what)| what);
            (words.to_owned(), Tone::Muted)
        }
    }
}
