//! How a question ended that people outside may have been told of.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::{
    event::Event,
    id::RunnerId,
    inbox::{Class, ItemState},
};

/// Characters of an answer in one's own words, and of who gave it.
const MOST: usize = 80;

/// A question that waits no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whose it was.
    pub runner_id: RunnerId,
    /// When it was asked; what was told of it is not younger.
    pub asked_at: DateTime<Utc>,
    /// Since when it waited.
    pub opened_at: DateTime<Utc>,
    /// How it ended, in one line.
    pub words: String,
}

impl Ending {
    /// Returns the question that an event ends, if it ends one.
    pub fn of(event: &Event) -> Option<Self> {
        let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or("");
        let time = |name: &str| {
            let time = DateTime::parse_from_rfc3339(text(name)).ok()?;
            Some(time.to_utc())
        };
        if event.event_type != "inbox.closed" || text("class") != Class::Ask.as_str() {
            return None;
        }
        let by = match text("by") {
            "" => String::new(),
            by => format!(" by {}", line(by)),
        };
        let words = match (ItemState::parse(text("state"))?, text("answer"), text("resolution")) {
            (ItemState::Answered, "", _) => format!("answered{by}"),
            (ItemState::Answered, answer, _) => format!("answered{by}: {}", line(answer)),
            (ItemState::Dismissed, ..) => format!("put away{by}"),
            (_, _, "") => "over".to_owned(),
            (_, _, why) => line(why),
        };
        Some(Self {
            runner_id: event.entity_id.parse().ok()?,
            asked_at: time("asked_at")?,
            opened_at: time("opened_at")?,
            words,
        })
    }

    /// Whether something that was told is about it: there is one question of a runner at a time, and
    /// the next one is asked later.
    pub fn is_of(&self, asked: DateTime<Utc>) -> bool {
        // Times in the database have no smaller part.
        asked.timestamp_micros() <= self.asked_at.timestamp_micros()
    }
}

/// Returns words of others in one line of bounded length.
fn line(text: &str) -> String {
    let letters = |c: char| if c.is_control() { ' ' } else { c };
    let is_told = |c: &char| !matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text: String = text.chars().filter(is_told).map(letters).take(MOST + 1).collect();
    if text.chars().count() > MOST {
        let cut: String = text.chars().take(MOST).collect();
        format!("{cut}…")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RUNNER: &str = "0190a0a0-0000-7000-8000-000000000002";

    fn closed(more: &Value) -> Event {
        let mut data = json!({
            "class": "ask", "asked_at": "2026-11-30T12:00:00.000001Z",
            "opened_at": "2026-11-30T12:00:00Z", "by": "", "answer": "", "resolution": "",
        });
        for (name, value) in more.as_object().unwrap() {
            data[name] = value.clone();
        }
        Event {
            position: 7,
            event_id: "0190a0a0-0000-7000-8000-000000000001".into(),
            timestamp: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            event_type: "inbox.closed".into(),
            entity_type: "runner".into(),
            entity_id: RUNNER.into(),
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
    fn a_question_ends_in_one_line() {
        for (more, words) in [
            (
                json!({ "state": "answered", "answer": "yes", "by": "command line" }),
                "answered by command line: yes",
            ),
            (json!({ "state": "answered", "answer": "a\nb\u{1b}" }), "answered: a b "),
            (json!({ "state": "dismissed", "by": "dashboard" }), "put away by dashboard"),
            (
                json!({ "state": "resolved", "resolution": "the agent went on" }),
                "the agent went on",
            ),
            (json!({ "state": "resolved" }), "over"),
        ] {
            let ending = Ending::of(&closed(&more)).unwrap();
            assert_eq!(
                (ending.words.as_str(), ending.runner_id.to_string().as_str()),
                (words, RUNNER)
            );
        }
        let long = json!({ "state": "answered", "answer": "x".repeat(500) });
        assert!(Ending::of(&closed(&long)).unwrap().words.ends_with("x…"));
    }

    #[test]
    fn what_ends_no_question_ends_none() {
        let turn = json!({ "state": "resolved", "class": "turn" });
        assert_eq!(Ending::of(&closed(&turn)), None);
        let opened =
            Event { event_type: "inbox.opened".into(), ..closed(&json!({ "state": "open" })) };
        assert_eq!(Ending::of(&opened), None);
    }

    #[test]
    fn the_next_question_is_another() {
        let ending = Ending::of(&closed(&json!({ "state": "resolved" }))).unwrap();
        let at = |text| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        assert!(ending.is_of(at("2026-11-30T12:00:00.0000019Z")));
        assert!(ending.is_of(at("2026-11-30T11:59:59Z")));
        assert!(!ending.is_of(at("2026-11-30T12:00:00.000002Z")));
    }
}
