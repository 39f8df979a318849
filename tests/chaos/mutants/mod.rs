//! Mutants: small, naive implementations on real servers of what the product does in the right way.
//! The checker must find each by the invariant named for it, and accept the right form beside it
//! under the same load.

mod audit;
mod beats;
mod broker;
mod cancelled;
mod confirms;
mod deferred;
mod leases;
mod locks;
mod outbox;
mod processes;
mod routes;
mod secrets;
mod terminals;

use crate::{
    checker::{Invariant, check, summary},
    history::{EventRow, History},
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The mutant.
    Naive,
    /// As it should be.
    Right,
}

/// Rounds of the right form.
const ACCEPTED: usize = 3;

/// Runs the naive form until the checker finds it, so many rounds at most, and the right form a few
/// times, in which it may find nothing.
async fn prove(invariant: Invariant, rounds: usize, mut load: impl AsyncFnMut(Form) -> History) {
    let mut caught = None;
    for round in 1..=rounds {
        let history = load(Form::Naive).await;
        let wrong = check(&history);
        if summary(&wrong).contains_key(&invariant) {
            println!("{invariant:?} in round {round}: {}", wrong[0]);
            caught = Some(round);
            break;
        }
    }
    assert!(caught.is_some(), "the mutant was not caught in {rounds} rounds");
    for _ in 0..ACCEPTED.min(rounds) {
        let history = load(Form::Right).await;
        assert_eq!(check(&history), [], "the right form");
    }
}

/// Returns a committed event of a mutant.
fn event(id: uuid::Uuid, entity: &str, sequence: i64) -> EventRow {
    EventRow {
        event: id,
        position: None,
        kind: "mutant.event".to_owned(),
        entity_type: "mutant".to_owned(),
        entity: entity.to_owned(),
        sequence,
        published: true,
        sealed_by: String::new(),
        data: serde_json::Value::Null,
        node: String::new(),
    }
}
