//! The checker on histories made by hand: each wrong one is found under its name, the right one is
//! accepted.

use serde_json::json;
use uuid::Uuid;

use super::{Invariant, check, summary};
use crate::history::{
    Call, Delivery, EventRow, History, LeaseSample, LeaseWrite, Op, Outcome, RunnerRow, Seen,
    Waiting,
};

const KINDS: [&str; 4] = ["runner.starting", "runner.started", "runner.stopping", "runner.stopped"];

/// A runner that was launched, stopped, and told of in order.
fn good() -> History {
    let ids: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
    let seen = |ended| Some(Seen { id: "r".into(), run: 1, ended });
    let call = |op, key: &str, outcome| Call { client: 0, op, key: key.into(), outcome };
    let numbered = || ids.iter().zip(1_i64..);
    History {
        calls: vec![
            call(Op::Launch, "q", Outcome::Info("timeout".into())),
            call(Op::Launch, "q", Outcome::Ok(seen(false))),
            call(Op::Stop, "r", Outcome::Ok(seen(true))),
            call(Op::Get, "r", Outcome::Ok(seen(true))),
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
            })
            .collect(),
        deliveries: numbered().map(|(id, number)| delivery(*id, number)).collect(),
        runners: vec![RunnerRow {
            id: "r".into(),
            request: Some("q".into()),
            status: "terminated".into(),
            run: 1,
            project: String::new(),
        }],
        aggregates: [(("runner".into(), "r".into()), 4)].into(),
        live: vec![("p".into(), 1)],
        limits: [("p".into(), 1)].into(),
        leases: vec![lease("a", 1), lease("b", 2)],
        lease_writes: vec![write(1), write(2)],
        audit: Some(Ok(())),
        is_audited: true,
        ..History::default()
    }
}

fn delivery(event: Uuid, number: i64) -> Delivery {
    let entity = "r".to_owned();
    Delivery { queue: "q", event, entity, sequence: number, position: number, redelivered: false }
}

fn lease(holder: &str, epoch: i64) -> LeaseSample {
    LeaseSample { name: "sealer".into(), holder: holder.into(), epoch }
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
