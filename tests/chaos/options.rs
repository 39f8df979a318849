//! How long and with which seed: from the environment, which `./tests/run chaos` fills; and what is
//! kept of a run that failed.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use stratavore::config::environment;

use crate::{
    cluster::Cluster,
    history::{History, Testimony},
    support::EXE,
};

/// How long the faults of the plain run go on.
const PLAIN: Duration = Duration::from_secs(25);

/// How long the working day of the plain run takes.
const PLAIN_DAY: Duration = Duration::from_secs(10);

/// Returns the seed, another one each time unless it is given, and how long the faults go on.
pub(crate) fn chaos() -> (u64, Duration) {
    let seed = number("STRATAVORE_CHAOS_SEED")
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32);
    let length = number("STRATAVORE_CHAOS_MINUTES").map_or(PLAIN, Duration::from_mins);
    (seed, length)
}

/// What a kill loop does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kills {
    /// How often the daemon is killed.
    pub times: usize,
    /// Over so many runners.
    pub runners: usize,
    /// Whether its database is a server.
    pub on_server: bool,
}

/// Returns how often a daemon is killed and over how many runners.
pub(crate) fn kills() -> Kills {
    let count = |name, plain| number(name).map_or(plain, |n| usize::try_from(n).unwrap_or(plain));
    Kills {
        times: count("STRATAVORE_CHAOS_KILLS", 12),
        runners: count("STRATAVORE_CHAOS_RUNNERS", 6).max(1),
        on_server: environment::get_text("STRATAVORE_CHAOS_DATABASE").as_deref() == Some("server"),
    }
}

/// Returns how long a working day takes.
pub(crate) fn soak() -> Duration {
    number("STRATAVORE_SOAK_MINUTES").map_or(PLAIN_DAY, Duration::from_mins)
}

/// Returns the program under test: the one that `STRATAVORE_BIN` names, else the one just built.
pub(crate) fn program() -> PathBuf {
    environment::get("STRATAVORE_BIN").map_or_else(|| EXE.into(), PathBuf::from)
}

fn number(name: &str) -> Option<u64> {
    let text = environment::get_text(name)?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")))
}

/// Writes down what is known of a run that failed, for whoever looks for the reason.
pub(crate) fn keep(cluster: &Cluster<'_>, histories: &[History], name: &str) {
    let dir = std::env::temp_dir().join(format!("stratavore-chaos-{name}"));
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
        for sighting in &history.sightings {
            writeln!(text, "{sighting:?}").ok();
        }
        for testimony in &history.testimonies {
            let testimony = Testimony { said: None, recorded: Vec::new(), ..testimony.clone() };
            writeln!(text, "{testimony:?}").ok();
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
