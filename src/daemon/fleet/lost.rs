//! Ends the process tree of a supervisor that died.
//!
//! Its agent got a hang-up when the terminal vanished; what ignored it, or had left the terminal,
//! is found by the last known tree and by the runner's mark in the environment.

use std::{collections::HashSet, time::Duration};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::{
    domain::id::RunnerId,
    process::{ProcessId, Table, marked},
};

/// What hears the hang-up may leave in order.
const GRACE: Duration = Duration::from_millis(500);

/// Killing is tried this long.
const KILLING: Duration = Duration::from_secs(3);

/// Pause between two rounds.
const ROUND: Duration = Duration::from_millis(50);

/// Ends everything that belongs to a runner without supervisor; returns what survived.
pub(super) async fn end_tree(id: RunnerId, known: Vec<ProcessId>) -> Vec<String> {
    let id = id.to_string();
    for process in &known {
        process.signal(Signal::HUP);
        process.signal(Signal::CONT);
    }
    let begun = Instant::now();
    let mut left = find(&id, &known).await;
    while !left.is_empty() && begun.elapsed() < GRACE {
        sleep(ROUND).await;
        left = find(&id, &known).await;
    }
    while !left.is_empty() && begun.elapsed() < GRACE + KILLING {
        for process in &left {
            process.signal(Signal::KILL);
        }
        sleep(ROUND).await;
        left = find(&id, &known).await;
    }
    left.iter().map(|process| format!("process ({})", process.pid)).collect()
}

/// Returns what is still alive of the known tree, everything marked, and all below either.
async fn find(id: &str, known: &[ProcessId]) -> Vec<ProcessId> {
    let (id, known) = (id.to_owned(), known.to_vec());
    let search = move || {
        let mut found: HashSet<_> = known.into_iter().filter(|p| p.is_alive()).collect();
        found.extend(marked(&id));
        let table = Table::scan();
        for root in found.clone() {
            found.extend(table.below(root.pid).iter().map(|process| process.id));
        }
        found.into_iter().collect()
    };
    tokio::task::spawn_blocking(search).await.unwrap_or_default()
}
