//! How long and with which seed: from the environment, which `./tests/run chaos` fills; and what is
//! kept of a run that failed.

use std::{fmt::Write as _, time::Duration};

use crate::{cluster::Cluster, history::History};

/// How long the faults of the plain run go on.
const PLAIN: Duration = Duration::from_secs(25);

/// Returns the seed, another one each time unless it is given, and how long the faults go on.
pub(crate) fn chaos() -> (u64, Duration) {
    let seed = number("STRATAVORE_CHAOS_SEED")
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32);
    let length = number("STRATAVORE_CHAOS_MINUTES").map_or(PLAIN, Duration::from_mins);
    (seed, length)
}

#[expect(clippy::disallowed_methods, reason = "the harness stands outside of the configuration")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")))
}

/// Writes down what is known of a run that failed, for whoever looks for the reason.
pub(crate) fn keep(cluster: &Cluster<'_>, histories: &[History], seed: u64) {
    let dir = std::env::temp_dir().join(format!("stratavore-chaos-{seed}"));
    std::fs::create_dir_all(&dir).ok();
    for (at, history) in histories.iter().enumerate() {
        let mut text = String::new();
        for call in &history.calls {
            writeln!(text, "{call:?}").ok();
        }
        for event in &history.events {
            writeln!(text, "{event:?}").ok();
        }
        for runner in &history.runners {
            writeln!(text, "{runner:?}").ok();
        }
        for delivery in &history.deliveries {
            writeln!(text, "{delivery:?}").ok();
        }
        std::fs::write(dir.join(format!("history-{at}")), text).ok();
    }
    for node in &cluster.nodes {
        let logs = node.places().logs();
        for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
            let name = format!("{}-{}", node.name, entry.file_name().to_string_lossy());
            std::fs::copy(entry.path(), dir.join(name)).ok();
        }
    }
    println!("kept: {}", dir.display());
}
