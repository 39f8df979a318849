//! The measurements, in the order in which they are made: first what needs quiet, last what needs
//! a crowd.

mod dashboard;
mod echo;
mod flood;
mod idle;
mod launch;
mod memory;
mod reattach;
mod scale;
mod slow;

use anyhow::Result;

use crate::{herd::Herd, report::Row, world::World};

/// A measurement.
#[derive(Debug)]
pub(crate) struct Measure {
    /// What `--only` calls it.
    pub name: &'static str,
    /// Makes it.
    pub run: fn(&World, &mut Herd) -> Result<Vec<Row>>,
}

/// All of them.
pub(crate) const MEASURES: &[Measure] = &[
    Measure { name: "launch", run: launch::measure },
    Measure { name: "echo", run: echo::direct },
    Measure { name: "echo-grpc", run: echo::through_daemon },
    Measure { name: "flood", run: flood::measure },
    Measure { name: "reattach", run: reattach::measure },
    Measure { name: "slow-viewer", run: slow::measure },
    Measure { name: "memory", run: memory::measure },
    Measure { name: "dashboard", run: dashboard::frames },
    Measure { name: "panes", run: dashboard::panes },
    Measure { name: "pane-flood", run: dashboard::flood },
    Measure { name: "dashboard-idle", run: dashboard::idle },
    Measure { name: "idle-100", run: idle::measure },
    Measure { name: "echo-200", run: echo::in_a_crowd },
    Measure { name: "scale", run: scale::measure },
];

/// Made only when they are named: they take long, or the whole machine.
pub(crate) const NAMED: [&str; 1] = ["scale"];

/// Milliseconds between two moments of the clock.
fn millis(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}
