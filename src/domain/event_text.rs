//! An event in words, as the dashboard and the command line tell it beside whom it happened to.

use super::{
    amount::{cost_of_tokens, tokens},
    budget::Limit,
    event::Event,
    usage::{Cost, Quality},
};

/// What an event is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Ordinary.
    Plain,
    /// Of less matter.
    Muted,
    /// As it should be.
    Good,
    /// Not as it should be.
    Warning,
    /// Failed.
    Bad,
}

/// Whom it happened to.
pub fn event_subject(event: &Event) -> &str {
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

fn by(what: &str, who: &str) -> String {
    if who.is_empty() { what.to_owned() } else { format!("{what} by {who}") }
}

fn joined(first: &str, second: &str) -> String {
    match second {
        "" => first.to_owned(),
        second => format!("{first}: {second}"),
    }
}

/// How much a budget is of now, and was of before; nothing where the event does not say it.
fn amounts(event: &Event) -> String {
    let limit = |name: &str| {
        let value = event.data.get(name)?.clone();
        let limit = serde_json::from_value::<Limit>(value).ok()?;
        Some(limit.show(limit.amount()))
    };
    let action = event.data.get("action").and_then(|action| action.as_str());
    let action = action.map(|action| format!(", {action}")).unwrap_or_default();
    match (limit("limit"), limit("before")) {
        (Some(now), Some(before)) => format!(", {now}{action}; it was {before}"),
        (Some(now), None) => format!(", {now}{action}"),
        (None, _) => String::new(),
    }
}

fn activity_text(state: &str, kind: &str, message: &str) -> (String, Mood) {
    match state {
        "blocked" => {
            let what = if kind.is_empty() { "blocked" } else { kind };
            (joined(what, message), Mood::Warning)
        }
        "error" => (joined("error", message), Mood::Bad),
        "done" => (joined("done", message), Mood::Good),
        state => (joined(state, message), Mood::Muted),
    }
}

fn prompt_text(kind: &str, note: &str) -> (String, Mood) {
    match kind {
        "prompt.delivered" => ("prompt typed".to_owned(), Mood::Muted),
        "prompt.queued" => ("a prompt waits until it rests".to_owned(), Mood::Muted),
        "prompt.cancelled" => ("the prompt that waited was taken back".to_owned(), Mood::Muted),
        _ => (joined("prompt not typed", note), Mood::Warning),
    }
}

/// What happened, in words.
pub fn event_text(event: &Event) -> (String, Mood) {
    let field = |name: &str| event.data.get(name).and_then(|value| value.as_str()).unwrap_or("");
    match event.event_type.as_str() {
        "runner.activity" => activity_text(field("state"), field("kind"), field("message")),
        "runner.failed" => (joined("failed", field("reason")), Mood::Bad),
        "runner.stopped" => ("ended".to_owned(), Mood::Plain),
        "runner.starting" if !shared(event).is_empty() => {
            (format!("launching where {} works already", shared(event)), Mood::Warning)
        }
        "worktree.created" => (joined("worktree", field("branch")), Mood::Plain),
        "worktree.removed" => (joined("worktree removed", field("path")), Mood::Plain),
        "worktree.restored" => (joined("worktree restored", field("path")), Mood::Plain),
        "worktree.setup_trusted" => (joined("set-up allowed", field("command")), Mood::Warning),
        "runner.starting" => ("launching".to_owned(), Mood::Muted),
        "runner.removed" => ("removed".to_owned(), Mood::Muted),
        "tokens.used" => {
            let count = |name: &str| event.data.get(name).and_then(serde_json::Value::as_u64);
            let cost = count("cost_nanos").and_then(|nanos| i64::try_from(nanos).ok());
            let used = count("tokens").unwrap_or(0);
            let cost = cost_of_tokens(used, Cost(cost.unwrap_or(0)), Quality::Exact);
            (format!("+{} tokens, {cost}", tokens(used)), Mood::Muted)
        }
        "runner.held" => match field("what") {
            "released" => ("goes on: no budget holds it any more".to_owned(), Mood::Good),
            what => (joined(what, field("reason")), Mood::Warning),
        },
        "runner.corrected" => {
            let was = format!("{} was wrong, it is {}", field("was"), field("state"));
            (joined(&was, field("kind")), Mood::Warning)
        }
        "inbox.opened" | "inbox.updated" => {
            (joined(&format!("in the inbox: {}", field("reason")), field("message")), Mood::Muted)
        }
        "inbox.snoozed" => (joined("put off", field("message")), Mood::Muted),
        "inbox.closed" => match field("state") {
            "answered" => (joined(&by("answered", field("by")), field("answer")), Mood::Plain),
            "dismissed" => (by("put away", field("by")), Mood::Plain),
            _ => (joined("out of the inbox", field("resolution")), Mood::Muted),
        },
        "approval.decided" => {
            let wish = match field("argument") {
                "" => field("tool").to_owned(),
                argument => format!("{}({argument})", field("tool")),
            };
            let tone = if field("decision") == "deny" { Mood::Warning } else { Mood::Muted };
            (joined(&format!("policy says {}", field("decision")), &wish), tone)
        }
        kind if kind.starts_with("prompt.") => prompt_text(kind, field("note")),
        "budget.warning" => (field("text").to_owned(), Mood::Warning),
        "budget.exhausted" => (field("text").to_owned(), Mood::Bad),
        "system.alert" => {
            let tone = match field("severity") {
                "critical" => Mood::Bad,
                "info" => Mood::Plain,
                _ => Mood::Warning,
            };
            (joined(field("component"), field("message")), tone)
        }
        "budget.changed" => {
            let what = format!("{} budget {}", field("period"), field("what"));
            let text = joined(what.trim(), field("scope")) + &amounts(event);
            // The next period begins by itself.
            let who = if field("what") == "began" { "" } else { event.user_id.as_str() };
            (by(&text, who), Mood::Plain)
        }
        "session.created" => ("begins a conversation".to_owned(), Mood::Muted),
        "session.resumed" => ("goes on with a conversation".to_owned(), Mood::Muted),
        "session.ended" => ("its conversation is over".to_owned(), Mood::Muted),
        "project.created" => ("project registered".to_owned(), Mood::Plain),
        "call.denied" => {
            let said = field("said");
            let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
            (joined("refused an agent's call", field("call")) + &said, Mood::Warning)
        }
        "audit.key_shown" => ("the log's verification key was shown".to_owned(), Mood::Warning),
        "backup.made" => ("a backup was taken away, keys included".to_owned(), Mood::Warning),
        "project.deleted" => ("project removed".to_owned(), Mood::Plain),
        "token.created" => (joined("token", &by(field("name"), field("by"))), Mood::Warning),
        "token.revoked" => (joined("token revoked", field("name")), Mood::Plain),
        // The runner's name stands before it.
        other => (other.trim_start_matches("runner.").replace(['.', '_'], " "), Mood::Muted),
    }
}

/// Whether it only repeats, for the inbox, what another event says of a runner.
pub fn is_echo(event: &Event) -> bool {
    match event.event_type.as_str() {
        "inbox.opened" | "inbox.updated" => !event.runner.is_empty(),
        "inbox.closed" => event.data.get("state").is_some_and(|state| state == "resolved"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;

    fn event(event_type: &str, data: Value) -> Event {
        Event {
            position: 1,
            event_id: String::new(),
            timestamp: DateTime::UNIX_EPOCH,
            event_type: event_type.into(),
            entity_type: "runner".into(),
            entity_id: String::new(),
            sequence: 1,
            project: "api".into(),
            runner: "api-1".into(),
            user_id: String::new(),
            hostname: String::new(),
            node_id: String::new(),
            trace_id: String::new(),
            data,
        }
    }

    #[test]
    fn what_the_inbox_and_prompts_tell_is_said_in_words() {
        let text = |kind: &str, data| event_text(&event(kind, data)).0;
        let answered = json!({ "state": "answered", "by": "maja", "answer": "yes" });
        assert_eq!(text("inbox.closed", answered.clone()), "answered by maja: yes");
        assert!(!is_echo(&event("inbox.closed", answered)));
        assert_eq!(text("inbox.closed", json!({ "state": "dismissed" })), "put away");
        let opened = json!({ "reason": "failed", "message": "exit code 1" });
        assert_eq!(text("inbox.opened", opened.clone()), "in the inbox: failed: exit code 1");
        assert!(is_echo(&event("inbox.opened", opened)));
        assert!(is_echo(&event("inbox.closed", json!({ "state": "resolved" }))));
        let decided = json!({ "decision": "deny", "tool": "Bash", "argument": "rm -rf /" });
        assert_eq!(text("approval.decided", decided), "policy says deny: Bash(rm -rf /)");
        assert_eq!(text("node.forgotten", json!({})), "node forgotten");
        assert_eq!(
            text("call.denied", json!({ "call": "GET /" })),
            "refused an agent's call: GET /"
        );
        assert_eq!(
            text("call.denied", json!({ "call": "GetRunner", "said": "stratavore stop x" })),
            "refused an agent's call: GetRunner (stratavore stop x)"
        );
        assert_eq!(text("runner.adopted", json!({})), "adopted");
    }

    #[test]
    fn a_budget_that_changes_says_how_much_and_by_whom() {
        let told = |data| {
            let mut event = event("budget.changed", data);
            event.user_id = "maja".to_owned();
            event_text(&event).0
        };
        let mut set = json!({
            "what": "set", "scope": "project:api", "period": "daily",
            "limit": Limit::Tokens(500_000), "action": null,
        });
        assert_eq!(told(set.clone()), "daily budget set: project:api, 500k tokens by maja");
        set["action"] = json!("pause");
        set["before"] = json!(Limit::Money(Cost(5_000_000_000)));
        assert_eq!(
            told(set),
            "daily budget set: project:api, 500k tokens, pause; it was $5.00 by maja"
        );
        let removed = json!({ "what": "removed", "scope": "global", "period": null });
        assert_eq!(told(removed), "budget removed: global by maja");
        let began = json!({ "what": "began", "scope": "global", "period": "daily" });
        assert_eq!(told(began), "daily budget began: global");
    }

    #[test]
    fn tokens_without_a_price_are_told_as_such() {
        let used = |cost| json!({ "tokens": 1200, "cost_nanos": cost });
        let text = |cost: i64| event_text(&event("tokens.used", used(cost))).0;
        assert_eq!(text(0), "+1.20k tokens, $0?");
        assert_eq!(text(40_000_000), "+1.20k tokens, $0.04");
    }
}
