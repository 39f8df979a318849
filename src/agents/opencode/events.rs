//! What opencode's server tells: its events (`GET /event`), and the lists that say how things stand
//! when a connection begins.
//!
//! Subagents work in sessions of their own: the agent is at work while one of its sessions is, and its
//! conversation is the one that was made or spoken to last by a person. That a turn was broken off is told
//! by an error of the session, by one of the message, or by both, before or after it is said to be idle.
//! Seen with opencode 1.18.33.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use super::asks::reply;
use super::{
    asks::{permission, question},
    transcript::{ABORTED, Part, part},
};
use crate::{
    agents::{
        control::{Ask, MOST_ASKS, Told, message},
        transcript::Entry,
    },
    domain::{
        activity::{ActivityState, INTERRUPTED},
        session::SessionNews,
        usage::{INTERRUPTED as CUT_OFF, Quality, UsageRecord, UsageSource},
    },
};

/// Messages that are remembered, to know the model of a response.
const MESSAGES: usize = 64;

/// Sessions that are remembered.
const SESSIONS: usize = 256;

/// How its last turn ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Rest {
    /// That is not known, or there was none.
    #[default]
    Unknown,
    /// To its end.
    Done,
    /// A person broke it off.
    Interrupted,
    /// It failed.
    Failed(String),
}

/// A session.
#[derive(Debug, Clone, Default)]
struct Held {
    /// It is a subagent's.
    is_child: bool,
    /// It is at work.
    is_busy: bool,
}

/// Follows one opencode.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    sessions: BTreeMap<String, Held>,
    /// Messages by their ids, as JSON.
    messages: VecDeque<(String, String)>,
    /// The last message of a person's whose text has not come yet.
    said: Option<(String, String)>,
    /// The last message of a person's; the ids are ordered by time.
    asked: String,
    /// The one whose turn was broken off last.
    broken_off: Option<String>,
    asks: Vec<Ask>,
    rest: Rest,
    /// What was told last of what it is doing.
    told: Option<Told>,
    /// The conversation of a person's.
    current: Option<String>,
}

impl Follower {
    /// What waits for an answer.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The sessions that are at work, to be interrupted.
    pub fn busy(&self) -> Vec<String> {
        let busy = self.sessions.iter().filter(|(_, held)| held.is_busy);
        busy.map(|(id, _)| id.clone()).collect()
    }

    /// Takes in how things stand: the answers of `/session/status`, `/permission` and `/question`.
    pub fn stand(&mut self, status: &Value, permissions: &Value, questions: &Value) -> Vec<Told> {
        for held in self.sessions.values_mut() {
            held.is_busy = false;
        }
        for (id, status) in status.as_object().into_iter().flatten() {
            self.session(id).is_busy = status["type"] != "idle";
        }
        self.asks = permissions.as_array().into_iter().flatten().filter_map(permission).collect();
        self.asks.extend(questions.as_array().into_iter().flatten().filter_map(question));
        self.asks.truncate(MOST_ASKS);
        self.told = None;
        self.activity().into_iter().collect()
    }

    /// Takes in an event; returns what it tells.
    pub fn event(&mut self, event: &Value, now: DateTime<Utc>) -> Vec<Told> {
        let it = &event["properties"];
        let mut told = Vec::new();
        match event["type"].as_str().unwrap_or_default() {
            "session.created" => told.extend(self.created(&it["info"], now)),
            "session.deleted" => {
                self.sessions.remove(text(&it["info"]["id"]));
            }
            "session.status" => self.status(text(&it["sessionID"]), &it["status"]),
            "session.idle" => self.status(text(&it["sessionID"]), &json!({ "type": "idle" })),
            "session.error" => self.failed(it),
            "message.updated" => told.extend(self.note_message(&it["info"], now)),
            "message.part.updated" => told.extend(self.part(it, now)),
            "permission.asked" => self.asks.extend(permission(it)),
            "question.asked" => self.asks.extend(question(it)),
            "permission.replied" | "question.replied" | "question.rejected" => {
                let id = text(&it["requestID"]);
                self.asks.retain(|ask| ask.id != id);
            }
            _ => return told,
        }
        self.asks.truncate(MOST_ASKS);
        told.extend(self.activity());
        told
    }

    fn session(&mut self, id: &str) -> &mut Held {
        if self.sessions.len() >= SESSIONS && !self.sessions.contains_key(id) {
            // The ids are ordered by time: the oldest at rest goes.
            let oldest = self.sessions.iter().find(|(_, held)| !held.is_busy);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.sessions.remove(&oldest);
            }
        }
        self.sessions.entry(id.to_owned()).or_default()
    }

    fn created(&mut self, info: &Value, now: DateTime<Utc>) -> Option<Told> {
        let id = text(&info["id"]);
        let is_child = info["parentID"].is_string();
        self.session(id).is_child = is_child;
        (!is_child && !id.is_empty()).then(|| {
            let before = self.current.replace(id.to_owned());
            let news = SessionNews {
                id: id.to_owned(),
                origin: Some(if before.is_some() { "cleared" } else { "started" }),
                parent: before,
                cwd: text(&info["directory"]).to_owned(),
                model: model(&info["model"]),
                at: now,
                ..SessionNews::default()
            };
            Told::Session(Box::new(news))
        })
    }

    fn status(&mut self, id: &str, status: &Value) {
        let was_busy = self.sessions.values().any(|held| held.is_busy);
        let is_busy = status["type"] != "idle";
        self.session(id).is_busy = is_busy;
        // What is tidied up behind a turn that was broken off is none of its own.
        if is_busy && !was_busy && self.broken_off.as_ref() != Some(&self.asked) {
            self.rest = Rest::Done;
        }
    }

    fn failed(&mut self, it: &Value) {
        let is_child = self.sessions.get(text(&it["sessionID"])).is_some_and(|held| held.is_child);
        if is_child {
            return;
        }
        let error = &it["error"];
        if error["name"] == ABORTED {
            self.break_off();
            return;
        }
        let why = [&error["data"]["message"], &error["name"]].map(text);
        let why = why.into_iter().find(|why| !why.is_empty()).unwrap_or_default();
        self.rest = Rest::Failed(why.to_owned());
    }

    fn break_off(&mut self) {
        self.rest = Rest::Interrupted;
        self.broken_off = Some(self.asked.clone());
    }

    /// Takes note of a message; returns that nobody tells what it used, where it was broken off.
    fn note_message(&mut self, info: &Value, now: DateTime<Utc>) -> Option<Told> {
        let id = text(&info["id"]).to_owned();
        let session = text(&info["sessionID"]);
        self.messages.retain(|(known, _)| *known != id);
        let is_child = self.sessions.get(session).is_some_and(|held| held.is_child);
        // It comes again, with a summary of its changes, when the turn is over.
        let is_new = info["role"] == "user" && info["summary"].is_null();
        if is_new && !is_child {
            self.said = Some((id.clone(), session.to_owned()));
            self.asked.clone_from(&id);
        }
        let is_broken_off = info["role"] == "assistant" && info["error"]["name"] == ABORTED;
        // One of an earlier turn may be told of once more.
        if is_broken_off && !is_child && id > self.asked {
            self.break_off();
        }
        let cut = is_broken_off.then(|| Told::Usage(Box::new(cut(&id, session, now))));
        self.messages.push_back((id, info.to_string()));
        if self.messages.len() > MESSAGES {
            self.messages.pop_front();
        }
        cut
    }

    /// A part of a message: a person's text, or the end of a response.
    fn part(&mut self, it: &Value, now: DateTime<Utc>) -> Vec<Told> {
        let data = &it["part"];
        let message_id = text(&data["messageID"]);
        let session = text(&data["sessionID"]);
        if data["type"] == "text"
            && data["synthetic"] != true
            && let Some((_, session)) = self.said.take_if(|(id, _)| id == message_id)
        {
            self.current = Some(session.clone());
            let prompt = message(text(&data["text"])).unwrap_or_default();
            let news =
                SessionNews { id: session, prompt, messages: 1, at: now, ..SessionNews::default() };
            return vec![Told::Session(Box::new(news))];
        }
        if data["type"] != "step-finish" {
            return Vec::new();
        }
        let known = self.messages.iter().rev().find(|(id, _)| id == message_id);
        let row = Part {
            id: text(&data["id"]),
            session_id: session,
            updated_ms: it["time"].as_i64().unwrap_or_else(|| now.timestamp_millis()),
            data: &data.to_string(),
            message: known.map_or("{}", |(_, info)| info.as_str()),
        };
        let used = part(&row).into_iter().filter_map(|entry| match entry {
            Entry::Usage(mut record) => {
                // It is the same request, told as it ended.
                (record.source, record.quality) = (UsageSource::Api, Quality::Exact);
                Some(Told::Usage(Box::new(record)))
            }
            _ => None,
        });
        used.collect()
    }

    /// Returns what it is doing, if that is not what was told last.
    fn activity(&mut self) -> Option<Told> {
        let is_busy = self.sessions.values().any(|held| held.is_busy);
        let (state, kind, message) = match (self.asks.first(), is_busy, &self.rest) {
            (Some(ask), ..) => {
                let kind = Some(ask.kind.as_str().to_owned());
                (ActivityState::Blocked, kind, Some(ask.text.clone()))
            }
            (None, true, _) => (ActivityState::Working, None, None),
            (None, false, Rest::Unknown) => (ActivityState::Idle, None, None),
            (None, false, Rest::Done) => (ActivityState::Done, None, None),
            (None, false, Rest::Interrupted) => {
                (ActivityState::Idle, Some(INTERRUPTED.to_owned()), None)
            }
            (None, false, Rest::Failed(why)) => (ActivityState::Error, None, message(why)),
        };
        let told = Told::Activity(state, kind, message);
        (self.told.as_ref() != Some(&told)).then(|| {
            self.told = Some(told.clone());
            told
        })
    }
}

/// Stands for what a message used that was broken off.
fn cut(message: &str, session: &str, at: DateTime<Utc>) -> UsageRecord {
    UsageRecord {
        key: format!("opencode:{message}:cut"),
        conversation: session.to_owned(),
        purpose: CUT_OFF.to_owned(),
        at,
        source: UsageSource::Api,
        quality: Quality::Floor,
        ..UsageRecord::default()
    }
}

fn model(value: &Value) -> String {
    match (text(&value["providerID"]), text(&value["id"])) {
        ("", id) => id.to_owned(),
        (provider, id) => format!("{provider}/{id}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{answer::Answer, usage::Cost};

    const EVENTS: &str = include_str!("../../../tests/fixtures/agents/opencode-1.18-sse.jsonl");

    fn told() -> Vec<Told> {
        let mut follower = Follower::default();
        let mut told = follower.stand(&json!({}), &json!([]), &json!([]));
        for line in EVENTS.lines() {
            told.extend(follower.event(&serde_json::from_str(line).unwrap(), DateTime::default()));
        }
        told
    }

    #[test]
    fn two_turns_of_a_real_session() {
        use ActivityState::{Blocked, Done, Error, Idle, Working};
        let told = told();
        let states: Vec<_> = told
            .iter()
            .filter_map(|it| if let Told::Activity(state, ..) = it { Some(*state) } else { None })
            .collect();
        assert_eq!(
            states,
            [Idle, Working, Blocked, Working, Done, Working, Idle, Working, Error],
            "asked and allowed, done, broken off, failed"
        );
        let used: Vec<_> = told
            .iter()
            .filter_map(|it| if let Told::Usage(used) = it { Some(used) } else { None })
            .collect();
        assert_eq!(used[0].key, "opencode:prt_22e71f059001ZmWicOoJSSILoA");
        assert_eq!((&*used[0].model, used[0].cost), ("mock/claude-mock", Some(Cost(7_191_000))));
        let sessions: Vec<_> = told
            .iter()
            .filter_map(|it| if let Told::Session(news) = it { Some(news) } else { None })
            .collect();
        assert_eq!(sessions[0].origin, Some("started"));
        assert_eq!((sessions[1].messages, &*sessions[1].prompt), (1, "@mock sh touch oc-x"));
    }

    #[test]
    fn what_is_asked_is_answered_in_its_own_words() {
        let mut follower = Follower::default();
        let asked = json!([{ "id": "per_1", "sessionID": "ses_1", "permission": "bash",
            "patterns": ["touch x"], "metadata": { "command": "touch x" }, "always": [] }]);
        let questions = json!([{ "id": "que_1", "sessionID": "ses_1", "questions": [
            { "question": "Which?", "header": "R", "options": [{ "label": "R" }, { "label": "B" }] }] }]);
        let told = follower.stand(&json!({}), &asked, &questions);
        let Some(Told::Activity(ActivityState::Blocked, kind, said)) = told.first() else {
            panic!()
        };
        assert_eq!((kind.as_deref(), said.as_deref()), (Some("permission"), Some("bash(touch x)")));
        let [permission, question] = follower.asks() else { panic!() };
        let (path, body) = reply(permission, &Answer::Choose(2)).unwrap();
        assert_eq!((&*path, body), ("/permission/per_1/reply", json!({ "reply": "always" })));
        let (path, body) = reply(question, &Answer::Choose(2)).unwrap();
        assert_eq!((&*path, body), ("/question/que_1/reply", json!({ "answers": [["B"]] })));
        assert!(reply(question, &Answer::Approve).is_err());
    }

    #[test]
    fn a_subagent_is_part_of_the_work_and_no_conversation() {
        let mut follower = Follower::default();
        follower.stand(&json!({}), &json!([]), &json!([]));
        let mut take = |event: Value| follower.event(&event, DateTime::default());
        let created = json!({ "type": "session.created",
            "properties": { "info": { "id": "ses_2", "parentID": "ses_1" } } });
        assert_eq!(take(created), []);
        let status = |kind: &str| {
            json!({ "type": "session.status",
                "properties": { "sessionID": "ses_2", "status": { "type": kind } } })
        };
        assert_eq!(take(status("busy")), [Told::Activity(ActivityState::Working, None, None)]);
        let error = json!({ "type": "session.error",
            "properties": { "sessionID": "ses_2", "error": { "name": "X" } } });
        assert_eq!(take(error), []);
        assert_eq!(take(status("idle")), [Told::Activity(ActivityState::Done, None, None)]);
    }

    /// A turn of a follower's, event by event; returns what it was last said to be at, and how many floors.
    fn turn(follower: &mut Follower, events: &[&str]) -> (ActivityState, Option<String>, usize) {
        let (mut last, mut floors) = ((ActivityState::Starting, None), 0);
        for event in events {
            let user = |id: &str| {
                json!({ "type": "message.updated", "properties": { "info":
                { "id": id, "sessionID": "ses_1", "role": "user" } } })
            };
            let status = |kind: &str| {
                json!({ "type": "session.status", "properties":
                { "sessionID": "ses_1", "status": { "type": kind } } })
            };
            let aborted =
                json!({ "name": "MessageAbortedError", "data": { "message": "Aborted" } });
            let event = match *event {
                "asked" => user("msg_1"),
                "asked again" => user("msg_3"),
                "error" => json!({ "type": "session.error", "properties":
                    { "sessionID": "ses_1", "error": aborted } }),
                "message" => json!({ "type": "message.updated", "properties": { "info":
                    { "id": "msg_2", "sessionID": "ses_1", "role": "assistant", "error": aborted } } }),
                kind => status(kind),
            };
            for told in follower.event(&event, DateTime::default()) {
                match told {
                    Told::Activity(state, kind, _) => last = (state, kind),
                    Told::Usage(used) => floors += usize::from(used.quality == Quality::Floor),
                    Told::Session(_) => {}
                }
            }
        }
        (last.0, last.1, floors)
    }

    #[test]
    fn a_turn_that_was_broken_off_is_told_so_in_whatever_order_its_end_comes() {
        let interrupted = |floors| (ActivityState::Idle, Some(INTERRUPTED.to_owned()), floors);
        for (events, floors) in [
            (&["asked", "busy", "error", "idle"][..], 0),
            (&["asked", "busy", "idle", "error"], 0),
            (&["asked", "busy", "idle", "message"], 1),
            (&["asked", "busy", "error", "idle", "busy", "message", "idle"], 1),
            (&["asked", "busy", "error", "idle", "message", "busy", "idle"], 1),
        ] {
            let mut follower = Follower::default();
            follower.stand(&json!({}), &json!([]), &json!([]));
            assert_eq!(turn(&mut follower, events), interrupted(floors), "{events:?}");
            // The next one is not, also if the message of the last is told of once more.
            let next = turn(&mut follower, &["asked again", "busy", "message", "idle"]);
            assert_eq!((next.0, next.1), (ActivityState::Done, None), "{events:?}");
        }
    }

    #[test]
    fn nonsense_says_nothing() {
        let mut follower = Follower::default();
        follower.stand(&json!(7), &json!("x"), &json!(null));
        for event in [
            json!(null),
            json!([]),
            json!({ "type": 7 }),
            json!({ "type": "message.updated" }),
            json!({ "type": "permission.asked", "properties": { "id": "../x", "patterns": [] } }),
        ] {
            assert_eq!(follower.event(&event, DateTime::default()), [], "{event}");
        }
    }
}
