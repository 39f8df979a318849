//! Events in words for people who do not see the dashboard.

use chrono::DateTime;
use serde_json::Value;

use super::{Asks, Notification, Severity};
use crate::domain::{
    amount::{money, tokens},
    event::Event,
    usage::Cost,
};

/// Characters of an agent's own words that are told, and of the user's.
const MOST: usize = 1500;
const MOST_OF_YOURS: usize = 16_000;

/// Characters of a title: what stands in bold, in a header, in one line of a list.
const MOST_OF_TITLE: usize = 200;

/// Returns what an event says to people outside; `None` when it says nothing to them.
pub fn compose(event: &Event) -> Option<Notification> {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or("");
    let who = if event.runner.is_empty() { &event.project } else { &event.runner };
    let told = match event.event_type.as_str() {
        "runner.activity" => activity(event, who)?,
        "runner.started" => info("▶️", format!("{who} started"), started(event)),
        "runner.stopped" => {
            let was_stopped = event.data.get("stopped") == Some(&Value::Bool(true));
            let what = if was_stopped { "was stopped" } else { "ended" };
            let survivors = list(&event.data, "survivors");
            if survivors.is_empty() {
                info("⏹️", format!("{who} {what}"), String::new())
            } else {
                let body = format!("What it started survives: {survivors}");
                Told {
                    severity: Severity::Warning, ..info("⚠️", format!("{who} {what}"), body)
                }
            }
        }
        "runner.failed" => {
            let title = format!("{who} failed");
            warning("❌", title, sentence(text("reason"))).key(text("reason"))
        }
        "runner.held" => match text("what") {
            "released" => info("🟢", format!("{who} goes on: no budget holds it"), String::new()),
            what => {
                let title = format!("{who} is held by its budget");
                warning("✋", title, joined(what, text("reason")))
            }
        },
        "budget.warning" => {
            warning("💸", format!("Budget of {}", text("scope")), own(text("text")))
        }
        "budget.exhausted" => {
            critical("🛑", format!("Budget of {} is used up", text("scope")), own(text("text")))
        }
        "system.alert" => alert(event)?,
        "daemon.started" => daemon(event, "🚀", "started"),
        "daemon.stopped" => daemon(event, "💤", "stopped"),
        "node.forgotten" => {
            warning("🗑️", format!("Node {} was forgotten", text("hostname")), String::new())
        }
        "notification.requested" => {
            let severity = Severity::parse(text("severity")).unwrap_or_default();
            let emoji = match severity {
                Severity::Info => "💬",
                Severity::Warning => "⚠️",
                Severity::Critical => "🚨",
            };
            let (title, body) = first_line(text("text"));
            let channel = text("channel");
            let channels = if channel.is_empty() { vec![] } else { vec![channel.to_owned()] };
            let key = Some(event.event_id.clone());
            Told { severity, key, channels, ..info(emoji, title, body) }
        }
        "metrics.summary" => {
            let key = Some(event.event_id.clone());
            Told { key, ..info("📊", "Summary".to_owned(), summary(&event.data)) }
        }
        _ => return None,
    };
    told.into_notification(event)
}

/// What is told, before it is known of which event.
struct Told {
    severity: Severity,
    emoji: &'static str,
    title: String,
    body: String,
    /// What sets it apart from others of its type and entity.
    key: Option<String>,
    is_while: bool,
    asks: Option<String>,
    channels: Vec<String>,
    not_by: String,
}

fn info(emoji: &'static str, title: String, body: String) -> Told {
    Told {
        severity: Severity::Info,
        emoji,
        title,
        body,
        key: None,
        is_while: false,
        asks: None,
        channels: Vec::new(),
        not_by: String::new(),
    }
}

fn warning(emoji: &'static str, title: String, body: String) -> Told {
    Told { severity: Severity::Warning, ..info(emoji, title, body) }
}

fn critical(emoji: &'static str, title: String, body: String) -> Told {
    Told { severity: Severity::Critical, ..info(emoji, title, body) }
}

impl Told {
    fn key(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    fn into_notification(self, event: &Event) -> Option<Notification> {
        let since = event.data.get("since").and_then(Value::as_str);
        let since = since.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let since = since.map_or(event.timestamp, |since| since.to_utc());
        let is_runner = event.entity_type == "runner";
        Some(Notification {
            event_id: event.event_id.parse().ok()?,
            position: event.position,
            event_type: event.event_type.clone(),
            at: event.timestamp,
            severity: self.severity,
            emoji: self.emoji.to_owned(),
            key: format!(
                "{}/{}/{}",
                event.event_type,
                event.entity_id,
                self.key.unwrap_or_else(|| format!("{}\n{}", self.title, self.body))
            ),
            title: self.title,
            body: self.body,
            project: event.project.clone(),
            runner: event.runner.clone(),
            runner_id: if is_runner { event.entity_id.clone() } else { String::new() },
            while_since: self.is_while.then_some(since),
            asks: self.asks.map(|kind| Asks { kind, at: since }),
            channels: self.channels,
            not_by: self.not_by,
            trace_id: event.trace_id.clone(),
        })
    }
}

/// What an agent is at: told while it is.
fn activity(event: &Event, who: &str) -> Option<Told> {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or("");
    let message = own(text("message"));
    let told = match text("state") {
        "blocked" => {
            let kind = text("kind");
            let what = match kind {
                "permission" => "asks for permission",
                "question" => "asks you something",
                "auth" => "wants you to sign in",
                "trust" => "asks whether you trust the directory",
                _ => "waits for you",
            };
            let told = warning("🙋", format!("{who} {what}"), message);
            Told { asks: Some(kind.to_owned()), ..told }
        }
        "error" => warning("❗", format!("{who} stopped at an error"), message),
        // Its turn was told of before its last words came.
        "done" if event.data.get("is_again") == Some(&Value::Bool(true)) => return None,
        "done" => info("✅", format!("{who} is done"), message),
        _ => return None,
    };
    Some(Told { is_while: true, ..told })
}

fn alert(event: &Event) -> Option<Told> {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or("");
    // A budget's alert stands beside the event that says the same.
    if text("component") == "budget" {
        return None;
    }
    let severity = Severity::parse(text("severity")).unwrap_or(Severity::Warning);
    let emoji = match severity {
        Severity::Critical => "🚨",
        Severity::Warning => "⚠️",
        Severity::Info => "✅",
    };
    let told = warning(emoji, format!("Alert: {}", text("component")), own(text("message")));
    Some(Told { severity, not_by: text("channel").to_owned(), ..told })
}

fn daemon(event: &Event, emoji: &'static str, what: &str) -> Told {
    let version = event.data.get("version").and_then(Value::as_str).unwrap_or("");
    let title = format!("Stratavore {what} on {}", event.hostname);
    let body = if version.is_empty() { String::new() } else { format!("Version {version}") };
    // Each start is one of its own.
    info(emoji, title, body).key(&event.event_id)
}

fn started(event: &Event) -> String {
    let run = event.data.get("run").and_then(Value::as_u64).unwrap_or(1);
    if run > 1 { format!("Run {run}") } else { String::new() }
}

/// The figures of a summary, one a line.
fn summary(data: &Value) -> String {
    let count = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or(0);
    let cost = i64::try_from(count("cost_nanos")).unwrap_or(i64::MAX);
    let mut lines = vec![
        format!("Live runners: {}", count("live")),
        format!("Waiting for you: {}", count("waiting")),
        format!("Started: {} · failed: {}", count("started"), count("failed")),
        format!("Tokens: {} · cost: {}", tokens(count("tokens")), money(Cost(cost))),
    ];
    for budget in data.get("budgets").and_then(Value::as_array).into_iter().flatten() {
        lines.extend(budget.as_str().map(|budget| format!("Budget {budget}")));
    }
    lines.join("\n")
}

fn list(data: &Value, name: &str) -> String {
    let items = data.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn joined(first: &str, second: &str) -> String {
    if second.is_empty() { first.to_owned() } else { format!("{first}: {second}") }
}

fn sentence(reason: &str) -> String {
    if reason.is_empty() { "Nobody knows why".to_owned() } else { own(reason) }
}

/// The title and the rest of a text of one's own.
fn first_line(text: &str) -> (String, String) {
    let text = bounded(text, MOST_OF_YOURS);
    let (first, rest) = text.split_once('\n').unwrap_or((text.as_str(), ""));
    headline(first, rest.trim_start())
}

/// Returns a title of bounded length and the body below it: of a title that is too long the rest
/// begins the body, so that nothing of it is lost where titles are cut.
pub fn headline(title: &str, body: &str) -> (String, String) {
    if title.chars().count() <= MOST_OF_TITLE {
        return (title.to_owned(), body.to_owned());
    }
    let fits = title.char_indices().nth(MOST_OF_TITLE - 1).map_or(title.len(), |(at, _)| at);
    let head = title.get(..fits).unwrap_or(title);
    // Between two words, unless the last of them is most of the title.
    let at = head.rfind(' ').filter(|at| *at >= fits / 2).unwrap_or(fits);
    let (head, rest) = title.split_at(at);
    let below = if body.is_empty() { "" } else { "\n" };
    (format!("{}…", head.trim_end()), format!("…{}{below}{body}", rest.trim_start()))
}

/// Words of others, of bounded length.
pub fn own(text: &str) -> String {
    bounded(text, MOST)
}

/// Words without what moves cursors or turns text around, so many characters at most.
fn bounded(text: &str, most: usize) -> String {
    let is_told = |c: &char| {
        (*c == '\n' || !c.is_control())
            && !matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    let kept: String = text.chars().filter(is_told).take(most + 1).collect();
    if kept.chars().count() > most {
        let cut: String = kept.chars().take(most).collect();
        format!("{cut}…")
    } else {
        kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event_type: &str, data: Value) -> Event {
        Event {
            position: 7,
            event_id: "0190a0a0-0000-7000-8000-000000000001".into(),
            timestamp: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            event_type: event_type.into(),
            entity_type: "runner".into(),
            entity_id: "id".into(),
            sequence: 1,
            project: "api".into(),
            runner: "api-3".into(),
            user_id: String::new(),
            hostname: "box".into(),
            node_id: "n".into(),
            trace_id: String::new(),
            data,
        }
    }

    #[test]
    fn what_needs_a_person_says_what_it_asks_and_since_when() {
        let since = "2027-01-15T08:00:00.123456Z";
        let data = json!({
            "state": "blocked", "kind": "permission", "message": "rm -rf build\u{1b}[31m",
            "since": since,
        });
        let told = compose(&event("runner.activity", data)).unwrap();
        assert_eq!(told.title, "api-3 asks for permission");
        assert_eq!(told.body, "rm -rf build[31m");
        assert_eq!(told.severity, Severity::Warning);
        let asks = told.asks.unwrap();
        assert!(asks.is_yes_or_no());
        assert_eq!(asks.at, DateTime::parse_from_rfc3339(since).unwrap());
        assert_eq!(told.while_since, Some(asks.at));
    }

    #[test]
    fn what_is_routine_says_nothing() {
        for (event_type, data) in [
            ("runner.activity", json!({ "state": "done", "message": "ok", "is_again": true })),
            ("runner.activity", json!({ "state": "working" })),
            ("tokens.used", json!({})),
            ("runner.starting", json!({})),
            ("system.alert", json!({ "component": "budget", "message": "told already" })),
        ] {
            assert_eq!(compose(&event(event_type, data)), None, "{event_type}");
        }
    }

    #[test]
    fn a_budget_that_cannot_count_is_an_alert_of_its_own() {
        let data = json!({ "component": "budget project:shop daily", "message": "cannot count m" });
        let alert = compose(&event("system.alert", data)).unwrap();
        assert_eq!(alert.plain(), "⚠️ Alert: budget project:shop daily\ncannot count m");
    }

    #[test]
    fn failures_say_why_and_daemons_where_and_which() {
        let failed = compose(&event("runner.failed", json!({ "reason": "exit code 3" }))).unwrap();
        assert_eq!(failed.plain(), "❌ api-3 failed\nexit code 3");
        let daemon = compose(&event("daemon.started", json!({ "version": "1.2.3" }))).unwrap();
        assert_eq!(daemon.plain(), "🚀 Stratavore started on box\nVersion 1.2.3");
    }

    #[test]
    fn words_of_ones_own_keep_their_lines_and_weight() {
        let data =
            json!({ "text": "deployed\nall green", "severity": "critical", "channel": "ntfy" });
        let told = compose(&event("notification.requested", data)).unwrap();
        assert_eq!((told.title.as_str(), told.body.as_str()), ("deployed", "all green"));
        assert_eq!(told.severity, Severity::Critical);
        assert_eq!(told.channels, ["ntfy"]);
    }

    #[test]
    fn of_a_title_that_is_too_long_the_rest_begins_the_body() {
        for text in ["word ".repeat(2100), "ä".repeat(10_499), format!("{}\nmore", "x".repeat(201))]
        {
            let data = json!({ "text": text });
            let told = compose(&event("notification.requested", data)).unwrap();
            assert!(told.title.chars().count() <= MOST_OF_TITLE, "{}", told.title);
            let whole = format!("{}{}", told.title, told.body);
            let letters = |text: &str| text.replace([' ', '\n', '…'], "");
            assert_eq!(letters(&whole), letters(&text));
        }
        assert_eq!(headline("short", "body"), ("short".to_owned(), "body".to_owned()));
        let exact = "x".repeat(MOST_OF_TITLE);
        assert_eq!(headline(&exact, ""), (exact.clone(), String::new()));
    }

    #[test]
    fn a_long_text_is_cut() {
        let told = compose(&event("runner.failed", json!({ "reason": "x".repeat(9000) }))).unwrap();
        assert_eq!(told.body.chars().count(), MOST + 1);
    }
}
