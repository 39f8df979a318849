//! What happened while nobody looked: which runners ended their turns, waited, failed, and what it cost.
//!
//! Pure: events in, a digest out. What is no event is not told.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{approval::BY_POLICY, event::Event, usage::Cost};

/// What happened to one runner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunnerDigest {
    /// Its name.
    pub runner: String,
    /// Its project.
    pub project: String,
    /// Turns that ended.
    pub turns: u32,
    /// Questions that it asked a person.
    pub questions: u32,
    /// Seconds that it waited for answers.
    pub waited_seconds: u64,
    /// It waits still.
    pub is_waiting: bool,
    /// Why it failed last, if it did.
    pub failed: Option<String>,
    /// It ended.
    pub has_ended: bool,
    /// Tokens used.
    pub tokens: u64,
    /// What they cost.
    pub cost: Cost,
}

/// What happened between two times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Digest {
    /// From then.
    pub since: DateTime<Utc>,
    /// To then.
    pub until: DateTime<Utc>,
    /// By runner; who waits or failed first.
    pub runners: Vec<RunnerDigest>,
    /// What the policy of approvals decided by itself.
    pub decisions: u32,
    /// Alerts.
    pub alerts: u32,
    /// There was more than is told here.
    pub is_cut: bool,
    /// No time was asked for, and nobody has used a dashboard before: it is that of the last day.
    #[serde(default)]
    pub is_first: bool,
}

impl RunnerDigest {
    /// Whether anything happened to it that can be told.
    fn is_news(&self) -> bool {
        let counts = self.turns > 0 || self.questions > 0 || self.waited_seconds > 0;
        let is_at = self.is_waiting || self.failed.is_some() || self.has_ended;
        counts || is_at || self.tokens > 0 || self.cost != Cost::default()
    }
}

impl Digest {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.runners.is_empty() && self.alerts == 0
    }

    /// Returns what happened in a line.
    pub fn line(&self) -> String {
        let count = |of: &dyn Fn(&RunnerDigest) -> bool| {
            self.runners.iter().filter(|runner| of(runner)).count()
        };
        let turns: u32 = self.runners.iter().map(|runner| runner.turns).sum();
        let parts = [
            (count(&|runner| runner.is_waiting), "waiting for you"),
            (count(&|runner| runner.failed.is_some()), "failed"),
            (turns as usize, if turns == 1 { "turn ended" } else { "turns ended" }),
            (count(&|runner| runner.has_ended && runner.failed.is_none()), "ended"),
            (self.alerts as usize, if self.alerts == 1 { "alert" } else { "alerts" }),
        ];
        let told: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        told.join(", ")
    }

    /// All tokens used.
    pub fn tokens(&self) -> u64 {
        self.runners.iter().map(|runner| runner.tokens).sum()
    }

    /// What all of it cost.
    pub fn cost(&self) -> Cost {
        let mut sum = Cost::default();
        for runner in &self.runners {
            sum += runner.cost;
        }
        sum
    }
}

/// Returns the digest of events, oldest first.
pub fn digest(since: DateTime<Utc>, until: DateTime<Utc>, events: &[Event]) -> Digest {
    let mut runners: BTreeMap<&str, RunnerDigest> = BTreeMap::new();
    // Since when each waits that does.
    let mut waiting: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    // When each item was over: an answer that was not taken opens it again.
    let mut over: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    let mut all = Digest { since, until, ..Digest::default() };
    for event in events {
        let word = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
        match event.event_type.as_str() {
            "system.alert" => all.alerts += 1,
            "approval.decided" if word("decision") != "ask" => all.decisions += 1,
            _ => {}
        }
        if event.entity_type != "runner" {
            continue;
        }
        if let ("runner.started", Some(one)) =
            (event.event_type.as_str(), runners.get_mut(event.entity_id.as_str()))
        {
            // It runs again: that it ended is no longer where it is at.
            one.has_ended = false;
        }
        let is_told = matches!(
            event.event_type.as_str(),
            "inbox.opened" | "inbox.closed" | "runner.failed" | "runner.stopped" | "tokens.used"
        );
        if !is_told {
            continue;
        }
        let one = runners.entry(event.entity_id.as_str()).or_default();
        one.runner.clone_from(&event.runner);
        one.project.clone_from(&event.project);
        let number = |key: &str| event.data.get(key).and_then(Value::as_i64).unwrap_or(0);
        // One that was put off comes back: it was opened before, and is no other one.
        let opened = word("opened_at").parse::<DateTime<Utc>>().ok();
        let is_back = opened.is_some_and(|opened| opened < event.timestamp);
        let from = opened.map_or(since, |opened| opened.max(since));
        match (event.event_type.as_str(), word("class")) {
            ("inbox.opened", "turn") if is_back => {}
            ("inbox.opened", "ask") if is_back => {
                waiting.entry(event.entity_id.as_str()).or_insert(from);
            }
            ("inbox.opened", "ask") => {
                one.questions += 1;
                waiting.insert(&event.entity_id, event.timestamp);
            }
            ("inbox.closed", "ask") => {
                let asked = waiting.remove(event.entity_id.as_str());
                if word("by") == BY_POLICY {
                    // It was told as a question for a moment, and nobody had to answer it.
                    one.questions = one.questions.saturating_sub(u32::from(asked.is_some()));
                } else {
                    // One that was asked before counts from when nobody looked.
                    let from = asked.or_else(|| over.get(word("item")).copied()).unwrap_or(from);
                    one.waited_seconds += seconds(event.timestamp - from);
                }
                over.insert(word("item"), event.timestamp);
            }
            ("inbox.opened", "turn") => match word("reason") {
                "finished" => one.turns += 1,
                _ => one.failed = Some(word("message").to_owned()),
            },
            ("runner.failed", _) => {
                one.failed = Some(word("reason").to_owned());
                one.has_ended = true;
            }
            ("runner.stopped", _) => one.has_ended = true,
            ("tokens.used", _) => {
                one.tokens += u64::try_from(number("tokens")).unwrap_or(0);
                one.cost += Cost(number("cost_nanos"));
            }
            _ => {}
        }
    }
    for (id, from) in waiting {
        if let Some(one) = runners.get_mut(id) {
            one.is_waiting = true;
            one.waited_seconds += seconds(until - from);
        }
    }
    all.runners = runners.into_values().filter(RunnerDigest::is_news).collect();
    all.runners.sort_by(|a, b| {
        let key = |one: &RunnerDigest| (!one.is_waiting, one.failed.is_none(), one.runner.clone());
        key(a).cmp(&key(b))
    });
    all
}

fn seconds(time: TimeDelta) -> u64 {
    u64::try_from(time.num_seconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn event(second: i64, runner: &str, event_type: &str, data: Value) -> Event {
        Event {
            position: 0,
            event_id: String::new(),
            timestamp: at(second),
            event_type: event_type.to_owned(),
            entity_type: "runner".to_owned(),
            entity_id: format!("id of {runner}"),
            sequence: 0,
            project: "p".to_owned(),
            runner: runner.to_owned(),
            user_id: String::new(),
            hostname: String::new(),
            node_id: String::new(),
            trace_id: String::new(),
            data,
        }
    }

    #[test]
    fn who_waits_comes_first_with_how_long_and_what_it_cost() {
        let ask = json!({ "class": "ask", "reason": "permission" });
        let events = [
            // Asked before anybody left.
            event(5, "p-3", "inbox.closed", ask.clone()),
            event(10, "p-1", "inbox.opened", ask.clone()),
            event(40, "p-1", "inbox.closed", ask.clone()),
            event(41, "p-1", "tokens.used", json!({ "tokens": 7, "cost_nanos": 5 })),
            event(50, "p-1", "inbox.opened", json!({ "class": "turn", "reason": "finished" })),
            event(60, "p-2", "runner.failed", json!({ "reason": "exit code 3" })),
            event(70, "p-4", "inbox.opened", ask),
            event(80, "p-4", "runner.activity", json!({})),
        ];
        let told = digest(at(0), at(100), &events);
        let names: Vec<_> = told.runners.iter().map(|one| one.runner.as_str()).collect();
        assert_eq!(names, ["p-4", "p-2", "p-1", "p-3"]);
        let waited: Vec<_> = told.runners.iter().map(|one| one.waited_seconds).collect();
        assert_eq!(waited, [30, 0, 30, 5]);
        assert_eq!(told.runners[1].failed.as_deref(), Some("exit code 3"));
        assert_eq!((told.runners[2].turns, told.runners[2].tokens, told.cost()), (1, 7, Cost(5)));
        assert_eq!(told.line(), "1 waiting for you, 1 failed, 1 turn ended");
    }

    #[test]
    fn what_comes_back_is_no_other_one() {
        let ask = |class: &str, opened: i64| json!({ "class": class, "reason": "finished", "item": class, "opened_at": at(opened) });
        let events = [
            event(10, "p-1", "inbox.opened", ask("ask", 10)),
            event(20, "p-1", "inbox.closed", ask("ask", 10)),
            // The answer was not taken.
            event(25, "p-1", "inbox.closed", ask("ask", 10)),
            event(30, "p-1", "inbox.opened", ask("turn", 30)),
            event(60, "p-1", "inbox.opened", ask("turn", 30)),
            // Put off before anybody left.
            event(40, "p-2", "inbox.opened", ask("ask", -90)),
            event(50, "p-2", "inbox.closed", ask("ask", -90)),
        ];
        let told = digest(at(0), at(100), &events);
        let first = &told.runners[0];
        assert_eq!((first.turns, first.questions, first.waited_seconds), (1, 1, 15));
        assert_eq!((told.runners[1].questions, told.runners[1].waited_seconds), (0, 50));
    }

    #[test]
    fn what_the_policy_answered_is_no_question_to_a_person() {
        let ask = json!({ "class": "ask", "reason": "permission" });
        let by_policy = json!({
            "class": "ask", "state": "answered", "answer": "yes", "by": "approval policy",
        });
        let decided = |decision: &str| json!({ "decision": decision, "by": "policy" });
        let events = [
            // Opened before anybody left.
            event(1, "p-2", "inbox.closed", by_policy.clone()),
            event(2, "p-1", "inbox.opened", ask.clone()),
            event(2, "p-1", "approval.decided", decided("allow")),
            event(3, "p-1", "inbox.closed", by_policy),
            event(4, "p-1", "approval.decided", decided("ask")),
            event(4, "p-1", "inbox.opened", ask.clone()),
            event(9, "p-1", "inbox.closed", ask),
        ];
        let told = digest(at(0), at(9), &events);
        assert_eq!((told.runners.len(), told.decisions), (1, 1), "{told:?}");
        assert_eq!((told.runners[0].questions, told.runners[0].waited_seconds), (1, 5));
    }

    #[test]
    fn who_runs_again_has_not_ended_and_who_did_nothing_is_not_told() {
        let events = [
            event(1, "p-1", "runner.stopped", json!({})),
            event(2, "p-2", "runner.stopped", json!({})),
            event(3, "p-1", "runner.started", json!({})),
            event(4, "p-3", "inbox.closed", json!({ "class": "turn" })),
        ];
        let told = digest(at(0), at(9), &events);
        assert_eq!(told.runners.len(), 1, "{told:?}");
        assert_eq!((told.runners[0].runner.as_str(), told.line().as_str()), ("p-2", "1 ended"));
    }

    #[test]
    fn nothing_is_nothing() {
        let told = digest(at(0), at(1), &[event(0, "p-1", "runner.activity", json!({}))]);
        assert!(told.is_empty() && told.line().is_empty());
    }
}
