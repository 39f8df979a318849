//! What Codex's app-server tells: notifications and requests of JSON-RPC, one message at a time.
//!
//! Everybody connected hears when a thread is at work; what is asked, and how a turn ended, only who
//! has joined the thread, which is possible from its first prompt on. Titles are made in threads of
//! their own (`ephemeral`), which are nobody's conversation. What responses used comes without their
//! ids, so that it could not be told from what the telemetry says of the same: it is left to that.
//! Seen with Codex 0.171; the interface is called experimental.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    agents::control::{Ask, AskKind, MOST_ASKS, Told, Verdict, message},
    domain::{
        activity::{ActivityState, INTERRUPTED},
        answer::Answer,
        session::SessionNews,
    },
};

/// Threads that are remembered.
const THREADS: usize = 256;

/// Our own requests, by their number.
const LOADED: u64 = 2;
const JOINED: u64 = 100;

/// The requests that a person answers.
const COMMAND: &str = "item/commandExecution/requestApproval";
const FILES: &str = "item/fileChange/requestApproval";
const INPUT: &str = "item/tool/requestUserInput";

/// A thread.
#[derive(Debug, Clone, Default)]
struct Thread {
    is_busy: bool,
    /// It waits for an approval or an input, as its status says.
    waits: Option<&'static str>,
    /// The turn that runs.
    turn: Option<String>,
    has_joined: bool,
}

/// How the last turn ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    Unknown,
    Done,
    Interrupted,
    Failed(String),
}

/// Follows one app-server.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    threads: BTreeMap<String, Thread>,
    /// Threads of the server's own.
    hidden: BTreeSet<String>,
    asks: Vec<Asked>,
    rest: Rest,
    told: Option<Told>,
    current: Option<String>,
    next: u64,
}

/// What is asked, and what its answer is sent as.
#[derive(Debug, Clone)]
struct Asked {
    ask: Ask,
    /// The id of the request, as it came.
    id: Value,
    is_input: bool,
}

/// What is to be done about a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// What it tells.
    pub told: Vec<Told>,
    /// What is to be sent for it.
    pub send: Vec<Value>,
}

/// Returns what is sent first of all.
pub fn hello(version: &str) -> Vec<Value> {
    vec![
        json!({ "id": 1, "method": "initialize", "params": {
            "clientInfo": { "name": "stratavore", "title": "Stratavore", "version": version },
            "capabilities": { "experimentalApi": true },
        } }),
        json!({ "method": "initialized" }),
        json!({ "id": LOADED, "method": "thread/loaded/list", "params": {} }),
    ]
}

impl Follower {
    /// What waits for an answer.
    pub fn asks(&self) -> Vec<Ask> {
        self.asks.iter().map(|asked| asked.ask.clone()).collect()
    }

    /// Takes in a message.
    pub fn message(&mut self, it: &Value, now: DateTime<Utc>) -> Taken {
        let mut taken = Taken::default();
        let params = &it["params"];
        let thread = text(&params["threadId"]);
        match it["method"].as_str() {
            None if it["id"] == LOADED => self.loaded(&it["result"], now, &mut taken),
            None => {
                if it["id"].as_u64().is_some_and(|id| id >= JOINED) && it["error"].is_null() {
                    self.joined(&it["result"]["thread"]);
                }
            }
            Some("thread/started") => self.started(&params["thread"], now, &mut taken),
            Some("thread/closed" | "thread/archived") => {
                self.threads.remove(thread);
            }
            Some("thread/status/changed") if !self.hidden.contains(thread) => {
                self.status(thread, &params["status"], now, &mut taken);
            }
            Some("turn/started") => {
                let turn = text(&params["turn"]["id"]).to_owned();
                self.thread(thread).turn = Some(turn);
            }
            Some("turn/completed") if !self.hidden.contains(thread) => {
                self.thread(thread).turn = None;
                self.rest = rest_of(&params["turn"]);
            }
            Some(COMMAND | FILES | INPUT) => self.asks.extend(asked(it)),
            Some("serverRequest/resolved") => {
                self.asks.retain(|asked| asked.id != params["requestId"]);
            }
            Some(_) => return taken,
        }
        self.asks.truncate(MOST_ASKS);
        taken.told.extend(self.activity());
        taken
    }

    fn thread(&mut self, id: &str) -> &mut Thread {
        if self.threads.len() >= THREADS && !self.threads.contains_key(id) {
            let oldest = self.threads.iter().find(|(_, thread)| !thread.is_busy);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.threads.remove(&oldest);
            }
        }
        self.threads.entry(id.to_owned()).or_default()
    }

    /// The threads that are there when we come.
    fn loaded(&mut self, result: &Value, now: DateTime<Utc>, taken: &mut Taken) {
        let all: Vec<_> = result["data"].as_array().into_iter().flatten().map(text).collect();
        for id in &all {
            self.thread(id);
            taken.send.push(self.join(id));
        }
        if let Some(id) = all.last() {
            taken.told.extend(self.hold(id, "", now));
        }
    }

    fn started(&mut self, thread: &Value, now: DateTime<Utc>, taken: &mut Taken) {
        let id = text(&thread["id"]);
        if id.is_empty() {
            return;
        }
        if thread["ephemeral"] == true || thread["parentThreadId"].is_string() {
            if self.hidden.len() >= THREADS {
                self.hidden.clear();
            }
            self.hidden.insert(id.to_owned());
            return;
        }
        self.thread(id);
        let cwd = text(&thread["cwd"]);
        taken.told.extend(self.hold(id, cwd, now));
    }

    /// The conversation is this one from now on. How it began is for hooks to tell.
    fn hold(&mut self, id: &str, cwd: &str, now: DateTime<Utc>) -> Option<Told> {
        if self.current.as_deref() == Some(id) {
            return None;
        }
        self.current = Some(id.to_owned());
        let (id, cwd) = (id.to_owned(), cwd.to_owned());
        Some(Told::Session(Box::new(SessionNews { id, cwd, at: now, ..SessionNews::default() })))
    }

    /// A request to join a thread: to hear what it asks and how its turns end.
    fn join(&mut self, id: &str) -> Value {
        self.next += 1;
        json!({
            "id": JOINED + self.next, "method": "thread/resume",
            "params": { "threadId": id, "excludeTurns": true },
        })
    }

    fn joined(&mut self, thread: &Value) {
        let id = text(&thread["id"]);
        if id.is_empty() {
            return;
        }
        let status = &thread["status"];
        let known = self.thread(id);
        known.has_joined = true;
        (known.is_busy, known.waits) = read_status(status);
    }

    fn status(&mut self, id: &str, status: &Value, now: DateTime<Utc>, taken: &mut Taken) {
        let was_busy = self.threads.values().any(|thread| thread.is_busy);
        let thread = self.thread(id);
        (thread.is_busy, thread.waits) = read_status(status);
        let (is_busy, has_joined) = (thread.is_busy, thread.has_joined);
        if is_busy && !was_busy {
            self.rest = Rest::Done;
        }
        if status["type"] == "systemError" {
            self.rest = Rest::Failed(String::new());
        }
        if !is_busy {
            self.asks.retain(|asked| asked.ask.session != id);
        }
        if is_busy && !has_joined {
            // There is nothing to join before the first prompt.
            taken.send.push(self.join(id));
            taken.told.extend(self.hold(id, "", now));
        }
    }

    /// Returns what it is doing, if that is not what was told last.
    fn activity(&mut self) -> Option<Told> {
        let is_busy = self.threads.values().any(|thread| thread.is_busy);
        let waits = self.threads.values().find_map(|thread| thread.waits);
        let (state, kind, said) = match (self.asks.first(), waits, is_busy, &self.rest) {
            (Some(asked), _, true, _) => {
                let kind = Some(asked.ask.kind.as_str().to_owned());
                (ActivityState::Blocked, kind, Some(asked.ask.text.clone()))
            }
            (_, Some(kind), true, _) => (ActivityState::Blocked, Some(kind.to_owned()), None),
            (_, _, true, _) => (ActivityState::Working, None, None),
            (.., Rest::Unknown) => (ActivityState::Idle, None, None),
            (.., Rest::Done) => (ActivityState::Done, None, None),
            (.., Rest::Interrupted) => (ActivityState::Idle, Some(INTERRUPTED.to_owned()), None),
            (.., Rest::Failed(why)) => (ActivityState::Error, None, message(why)),
        };
        let told = Told::Activity(state, kind, said);
        (self.told.as_ref() != Some(&told)).then(|| {
            self.told = Some(told.clone());
            told
        })
    }

    /// Returns what is sent to interrupt what runs.
    pub fn interrupt(&mut self) -> Vec<Value> {
        let running = self.threads.iter().filter(|(_, thread)| thread.is_busy);
        let turns = running.filter_map(|(id, thread)| Some((id.clone(), thread.turn.clone()?)));
        let mut sent = Vec::new();
        for (thread, turn) in turns.collect::<Vec<_>>() {
            self.next += 1;
            sent.push(json!({
                "id": JOINED + self.next, "method": "turn/interrupt",
                "params": { "threadId": thread, "turnId": turn },
            }));
        }
        sent
    }

    /// Takes note that an ask was answered: nobody else can answer it.
    pub fn answered(&mut self, id: &str) {
        self.asks.retain(|asked| asked.ask.id != id);
    }

    /// Returns what is sent to answer an ask.
    ///
    /// # Errors
    ///
    /// Says why that is no answer to it, in words that follow the runner's name.
    pub fn reply(&self, id: &str, answer: &Answer) -> Result<Value, &'static str> {
        let asked = self.asks.iter().find(|asked| asked.ask.id == id);
        let asked = asked.ok_or("no longer asks that, or was answered already")?;
        let result = if asked.is_input {
            let (question, label) = asked.ask.labels(answer)?;
            json!({ "answers": { question: { "answers": [label] } } })
        } else {
            match asked.ask.verdict(answer)? {
                Verdict::Once => json!({ "decision": "accept" }),
                Verdict::Always => json!({ "decision": "acceptForSession" }),
                Verdict::No(why) if why.is_empty() => json!({ "decision": "cancel" }),
                Verdict::No(_) => {
                    return Err("takes no text for an answer to that; deny it, then send the text");
                }
            }
        };
        Ok(json!({ "id": asked.id, "result": result }))
    }
}

fn rest_of(turn: &Value) -> Rest {
    match text(&turn["status"]) {
        "interrupted" => Rest::Interrupted,
        "failed" => Rest::Failed(text(&turn["error"]["message"]).to_owned()),
        _ => Rest::Done,
    }
}

/// Whether a thread is at work, and what it waits for.
fn read_status(status: &Value) -> (bool, Option<&'static str>) {
    let is_busy = status["type"] == "active";
    let flags = status["activeFlags"].as_array();
    let has = |flag: &str| flags.is_some_and(|flags| flags.iter().any(|it| it == flag));
    let waits = if has("waitingOnApproval") {
        Some("permission")
    } else if has("waitingOnUserInput") {
        Some("question")
    } else {
        None
    };
    (is_busy, waits)
}

fn asked(it: &Value) -> Option<Asked> {
    let params = &it["params"];
    let id = it.get("id")?.clone();
    let method = text(&it["method"]);
    let is_input = method == INPUT;
    let (tool, said) = match method {
        COMMAND => ("command", command_of(&params["command"])),
        FILES => ("files", text(&params["reason"]).to_owned()),
        _ => ("", String::new()),
    };
    let questions: Vec<_> = params["questions"].as_array().into_iter().flatten().collect();
    let labels = |question: &Value| {
        let options = question["options"].as_array().into_iter().flatten();
        options.map(|option| text(&option["label"]).to_owned()).collect::<Vec<_>>()
    };
    let (kind, words, choices) = if is_input {
        let all = questions.iter().map(|it| (text(&it["id"]).to_owned(), labels(it))).collect();
        let first = *questions.first()?;
        (AskKind::Question(all), text(&first["question"]).to_owned(), labels(first))
    } else {
        let choices = ["Allow once", "Allow for the session", "Deny"].map(str::to_owned);
        (AskKind::Permission, format!("{tool}({said})"), choices.to_vec())
    };
    let ask = Ask {
        id: id.as_str().map_or_else(|| id.to_string(), str::to_owned),
        session: text(&params["threadId"]).to_owned(),
        kind,
        text: words,
        tool: tool.to_owned(),
        input: json!({
            "command": params["command"], "cwd": params["cwd"], "reason": params["reason"],
            "changes": params["changes"],
        }),
        choices,
    };
    Some(Asked { ask: ask.bounded(), id, is_input })
}

/// A command is one text, or its words.
fn command_of(value: &Value) -> String {
    match value {
        Value::String(line) => line.clone(),
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(thread: &str, kind: &str, flags: &[&str]) -> Value {
        json!({ "method": "thread/status/changed", "params": {
            "threadId": thread, "status": { "type": kind, "activeFlags": flags } } })
    }

    fn states(taken: &Taken) -> Vec<ActivityState> {
        let state =
            |it: &Told| if let Told::Activity(state, ..) = it { Some(*state) } else { None };
        taken.told.iter().filter_map(state).collect()
    }

    #[test]
    fn a_turn_with_an_approval_as_it_was_recorded() {
        let mut follower = Follower::default();
        let now = DateTime::default();
        let mut take = |it: Value| follower.message(&it, now);
        let loaded = take(json!({ "id": 2, "result": { "data": ["t1"], "nextCursor": null } }));
        assert!(matches!(&loaded.told[0], Told::Session(news) if news.id == "t1"));
        assert_eq!(states(&loaded), [ActivityState::Idle]);
        // Before the first prompt there is nothing to join.
        take(json!({ "id": 101, "error": { "code": -32600, "message": "no rollout found" } }));
        let working = take(status("t1", "active", &[]));
        assert_eq!(states(&working), [ActivityState::Working]);
        assert_eq!(working.send[0]["method"], "thread/resume");
        let title = json!({ "method": "thread/started",
            "params": { "thread": { "id": "t2", "ephemeral": true } } });
        assert_eq!(take(title), Taken::default());
        assert_eq!(take(status("t2", "active", &[])), Taken::default());
        take(json!({ "id": 102, "result": { "thread": {
            "id": "t1", "status": { "type": "active", "activeFlags": [] } } } }));
        assert_eq!(
            states(&take(status("t1", "active", &["waitingOnApproval"]))),
            [ActivityState::Blocked]
        );
        let asked = take(json!({ "id": 7, "method": COMMAND, "params": {
            "threadId": "t1", "command": "touch x", "cwd": "/w", "reason": "ok?" } }));
        let Some(Told::Activity(ActivityState::Blocked, _, said)) = asked.told.first() else {
            panic!()
        };
        assert_eq!(said.as_deref(), Some("command(touch x)"));
        assert_eq!(follower.asks()[0].choices.len(), 3);
        let answer = follower.reply("7", &Answer::Approve).unwrap();
        assert_eq!(answer, json!({ "id": 7, "result": { "decision": "accept" } }));
        let mut take = |it: Value| follower.message(&it, now);
        take(
            json!({ "method": "serverRequest/resolved", "params": { "threadId": "t1", "requestId": 7 } }),
        );
        assert_eq!(states(&take(status("t1", "active", &[]))), [ActivityState::Working]);
        take(json!({ "method": "turn/completed", "params": {
            "threadId": "t1", "turn": { "id": "u", "status": "interrupted" } } }));
        let idle = take(status("t1", "idle", &[]));
        assert_eq!(states(&idle), [ActivityState::Idle]);
        assert!(follower.reply("7", &Answer::Approve).is_err());
    }

    #[test]
    fn what_runs_is_interrupted_by_its_turn() {
        let mut follower = Follower::default();
        let now = DateTime::default();
        follower.message(&status("t1", "active", &[]), now);
        assert_eq!(follower.interrupt(), Vec::<Value>::new());
        let started = json!({ "method": "turn/started", "params": { "threadId": "t1", "turn": { "id": "u1" } } });
        follower.message(&started, now);
        assert_eq!(follower.interrupt()[0]["params"], json!({ "threadId": "t1", "turnId": "u1" }));
    }

    #[test]
    fn nonsense_says_nothing() {
        let mut follower = Follower::default();
        follower.message(&json!(null), DateTime::default());
        for it in [json!([]), json!({ "method": 7 }), json!({ "method": "x" }), json!({ "id": 9 })]
        {
            assert_eq!(follower.message(&it, DateTime::default()), Taken::default(), "{it}");
        }
    }
}
