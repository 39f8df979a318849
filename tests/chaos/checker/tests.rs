//! The checker on histories made by hand: each wrong one is found under its name, the right one is
//! accepted.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::{Invariant, check, summary};
use crate::{
    history::{
        Book, Call, Delivery, EventRow, Forbidden, History, Holding, LeaseSample, LeaseWrite, Op,
        Outcome, Reality, RunnerRow, Seen, Sighting, Stranger, Testimony, Told, Waiting, Watched,
    },
    viewer::Stretch,
};

const SECOND: Duration = Duration::from_secs(1);
const KINDS: [&str; 4] = ["runner.starting", "runner.started", "runner.stopping", "runner.stopped"];

/// A runner that was launched, stopped, and told of in order.
fn good() -> History {
    let ids: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
    let seen = |ended| Some(Seen { id: "r".into(), run: 1, ended });
    let call =
        |op, key: &str, outcome| Call { client: 0, op, key: key.into(), outcome, at: 3 * SECOND };
    let numbered = || ids.iter().zip(1_i64..);
    History {
        calls: vec![
            call(Op::Launch, "q", Outcome::Info("timeout".into())),
            call(Op::Launch, "q", Outcome::Ok(seen(false))),
            call(Op::Stop, "r", Outcome::Ok(seen(true))),
            call(Op::Get, "r", Outcome::Ok(seen(true))),
            call(Op::Send, "hello", Outcome::Info("timeout".into())),
        ],
        events: numbered()
            .zip(KINDS)
            .map(|((id, number), kind)| EventRow {
                event: *id,
                position: Some(number),
                kind: kind.into(),
                entity_type: "runner".into(),
                entity: "r".into(),
                sequence: number,
                published: true,
                sealed_by: format!("k:{number}"),
                data: json!({}),
                node: "n".into(),
            })
            .collect(),
        deliveries: numbered().map(|(id, number)| delivery(*id, number)).collect(),
        runners: vec![RunnerRow {
            id: "r".into(),
            request: Some("q".into()),
            status: "terminated".into(),
            run: 1,
            node: "n".into(),
            cwd: "/p".into(),
            lasted: Some(1.0),
            exit: (Some(0), None),
            tokens: (20, 20),
            ..RunnerRow::default()
        }],
        aggregates: [(("runner".into(), "r".into()), 4)].into(),
        live: vec![("p".into(), 1)],
        limits: [("p".into(), 1)].into(),
        leases: vec![lease("a", 1), lease("b", 2)],
        lease_writes: vec![write(1), write(2)],
        audit: Some(Ok(())),
        is_audited: true,
        sightings: vec![sighting("r", 7, (SECOND, 2 * SECOND))],
        holdings: vec![Holding { daemon: "n".into(), rss_kib: 50_000, files: 50, threads: 9 }],
        strangers: vec![Stranger { pid: 9, has_number: true, signals: vec![], is_alive: true }],
        testimonies: vec![Testimony {
            runner: "r".into(),
            starts: 1,
            exit: Some(0),
            said: Some(b"@1 2 3\r\n".into()),
            recorded: b"@1 2 3\r\n".into(),
            heard: vec!["hello".into()],
            stall: Some(SECOND / 10),
            reports: (2, 1),
            tokens: 10,
        }],
        watched: vec![Watched {
            runner: "r".into(),
            stretch: Stretch { from: 3, bytes: b"2 3".into(), ..Stretch::default() },
        }],
        books: vec![Book { scope: "project p daily".into(), used: 20, spent: 20 }],
        forbidden: vec![Forbidden {
            what: "kill all".into(),
            is_refused: true,
            is_unchanged: true,
        }],
        told: vec![Told { event: ids[3], state: "sent".into(), taken: 1 }],
        reality: Some(Reality { after: SECOND, ..Reality::default() }),
        settled: Some(SECOND),
        ..History::default()
    }
}

fn sighting(runner: &str, pid: i32, seen: (Duration, Duration)) -> Sighting {
    Sighting { runner: runner.into(), process: (pid, 1), is_agent: true, cwd: "/p".into(), seen }
}

fn delivery(event: Uuid, number: i64) -> Delivery {
    let entity = "r".to_owned();
    Delivery { queue: "q", event, entity, sequence: number, position: number, redelivered: false }
}

fn lease(holder: &str, epoch: i64) -> LeaseSample {
    LeaseSample { name: "sealer".into(), holder: holder.into(), epoch, left: 1.0 }
}

fn write(epoch: i64) -> LeaseWrite {
    LeaseWrite { name: "sealer".into(), epoch }
}

/// Checks that a change of the good history is found, first of all under this name.
#[track_caller]
fn finds(invariant: Invariant, change: impl FnOnce(&mut History)) {
    let mut history = good();
    change(&mut history);
    let wrong = check(&history);
    assert!(summary(&wrong).contains_key(&invariant), "{invariant:?}: {wrong:?}");
}

#[test]
fn a_good_history_is_accepted() {
    assert_eq!(check(&good()), []);
}

#[test]
fn wrong_answers_are_found() {
    let seen = || Some(Seen { id: "r".into(), run: 1, ended: false });
    finds(Invariant::C01, |history| history.runners.clear());
    finds(Invariant::C01, |history| history.runners.push(history.runners[0].clone()));
    finds(Invariant::C01, |history| history.calls.clear());
    finds(Invariant::C01, |history| {
        history.calls.remove(0);
        history.calls[0].outcome = Outcome::Fail("NO".into());
    });
    finds(Invariant::C18, |history| history.calls[3].outcome = Outcome::Ok(seen()).older());
    finds(Invariant::C18, |history| {
        history.calls[3].outcome = Outcome::Fail("RUNNER_NOT_FOUND".into());
    });
    finds(Invariant::C19, |history| history.events.truncate(3));
    finds(Invariant::C19, |history| history.audit = Some(Err("event 3 is missing".into())));
}

impl Outcome {
    /// The same with an earlier run.
    fn older(self) -> Self {
        match self {
            Self::Ok(Some(seen)) => Self::Ok(Some(Seen { run: seen.run - 1, ..seen })),
            other => other,
        }
    }
}

#[test]
fn wrong_states_are_found() {
    finds(Invariant::C04, |history| history.events[3].kind = "runner.started".into());
    finds(Invariant::C12, |history| history.runners[0].status = "running".into());
    finds(Invariant::C12, |history| history.runners[0].run = 2);
    finds(Invariant::C12, |history| drop(history.events.remove(1)));
    finds(Invariant::C12, |history| history.events[1].sequence = 1);
    finds(Invariant::C13, |history| history.runners[0].id = "another".into());
    finds(Invariant::C14, |history| history.live.push(("p".into(), 2)));
    finds(Invariant::C16, |history| {
        history.events[3].kind = "runner.failed".into();
        history.events[3].data = json!({ "reason": "supervisor lost" });
    });
    finds(Invariant::C17, |history| history.leases.push(lease("a", 2)));
    finds(Invariant::C17, |history| history.leases.push(lease("a", 1)));
    finds(Invariant::C17, |history| history.lease_writes.push(write(1)));
    finds(Invariant::C17, |history| history.events[0].sealed_by = "k:9".into());
}

#[test]
fn wrong_deliveries_are_found() {
    finds(Invariant::C08, |history| drop(history.deliveries.pop()));
    finds(Invariant::C08, |history| history.deliveries.push(delivery(Uuid::nil(), 4)));
    finds(Invariant::C09, |history| history.deliveries.swap(1, 2));
    finds(Invariant::C09, |history| drop(history.deliveries.remove(1)));
    finds(Invariant::C10, |history| history.deliveries.push(history.deliveries[0].clone()));
    finds(Invariant::C11, |history| {
        let entity = "r".to_owned();
        history.waiting.push(Waiting { entity, sequence: 2, parked: true });
    });
}

#[test]
fn what_faults_explain_is_accepted() {
    let mut history = good();
    (history.faults, history.window) = (1, 1);
    history.deliveries.push(history.deliveries[0].clone());
    assert_eq!(check(&history), []);
    let again = Delivery { redelivered: true, ..history.deliveries[1].clone() };
    history.deliveries.push(again);
    assert_eq!(check(&history), [], "given out again is not published again");
}

#[test]
fn what_runs_wrongly_is_found() {
    finds(Invariant::C02, |history| {
        history.sightings.push(sighting("r", 8, (2 * SECOND, 3 * SECOND)));
    });
    finds(Invariant::C03, |history| {
        history.sightings.push(sighting("unknown", 8, (SECOND, SECOND)));
    });
    finds(Invariant::C03, |history| {
        history.reality = Some(Reality { after: 16 * SECOND, ..Reality::default() });
    });
    finds(Invariant::C03, |history| {
        let without_agent = vec!["r".to_owned()];
        history.reality = Some(Reality { without_agent, ..Reality::default() });
    });
    finds(Invariant::C05, |history| history.sightings[0].cwd = "/home".into());
    finds(Invariant::C05, |history| history.runners[0].exit = (Some(1), None));
    finds(Invariant::C06, |history| history.sightings[0].seen.1 = 4 * SECOND);
    finds(Invariant::C07, |history| history.strangers[0].signals.push("TERM".into()));
    finds(Invariant::C07, |history| history.strangers[0].is_alive = false);
    finds(Invariant::C25, |history| history.holdings[0].files = 5000);
    finds(Invariant::C26, |history| history.settled = Some(60 * SECOND));
    finds(Invariant::C28, |history| history.events[3].node = "another".into());
    finds(Invariant::C29, |history| history.runners[0].lasted = Some(-1.0));
    finds(Invariant::C29, |history| history.leases[1].left = 3600.0);
}

#[test]
fn wrong_output_is_found() {
    finds(Invariant::C01, |history| history.testimonies[0].heard.push("half".into()));
    finds(Invariant::C01, |history| history.testimonies[0].heard.push("hello".into()));
    finds(Invariant::C20, |history| history.forbidden[0].is_refused = false);
    finds(Invariant::C20, |history| history.forbidden[0].is_unchanged = false);
    finds(Invariant::C21, |history| history.testimonies[0].recorded.truncate(3));
    finds(Invariant::C22, |history| history.watched[0].stretch.breaks.push((6, 7)));
    finds(Invariant::C22, |history| history.watched[0].stretch.from = 4);
    finds(Invariant::C24, |history| history.testimonies[0].stall = Some(SECOND));
    finds(Invariant::C30, |history| history.leaks.push("a password in a log".into()));
}

#[test]
fn wrong_books_are_found() {
    finds(Invariant::C15, |history| history.books[0].used = 10);
    finds(Invariant::C15, |history| history.runners[0].tokens = (20, 30));
    finds(Invariant::C15, |history| history.runners[0].tokens = (10, 10));
    finds(Invariant::C23, |history| history.told[0].taken = 0);
    finds(Invariant::C23, |history| history.told[0].taken = 2);
    finds(Invariant::C23, |history| history.told[0].state = "waiting".into());
}

#[test]
fn every_invariant_is_asked_about_something() {
    let looked_at = super::examine(&good()).looked_at;
    // What is only there when something has gone wrong.
    let rare = [Invariant::C10, Invariant::C11, Invariant::C16, Invariant::C30];
    for invariant in Invariant::ALL.into_iter().filter(|it| !rare.contains(it)) {
        assert!(looked_at.get(&invariant).is_some_and(|count| *count > 0), "{invariant:?}");
    }
}
