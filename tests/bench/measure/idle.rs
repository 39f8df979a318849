//! What many idle runners cost: wake-ups, processor time, memory.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    herd::Herd,
    proc,
    report::{Figures, Row, Target},
    signal,
    stats::Sample,
    world::{Side, World},
};

/// So many idle ones.
const COUNT: usize = 100;

/// How long they are watched.
const WINDOW: Duration = Duration::from_secs(20);

/// What launching has started is over after this.
const REST: Duration = Duration::from_secs(3);

/// Wake-ups and processor time of processes at one moment.
#[derive(Debug)]
pub(super) struct Account {
    sleeps: Vec<u64>,
    cpu_ns: u64,
}

impl Account {
    pub(super) fn take(pids: &[u32]) -> Result<Self> {
        let sleeps = pids.iter().map(|pid| proc::sleeps(*pid)).collect::<Result<_>>()?;
        let cpu_ns = pids.iter().map(|pid| proc::cpu_ns(*pid)).sum::<Result<u64>>()?;
        Ok(Self { sleeps, cpu_ns })
    }

    /// Wake-ups of each process since an earlier moment.
    fn sleeps_since(&self, earlier: &Self) -> Sample {
        let mut sample = Sample::default();
        for (now, then) in self.sleeps.iter().zip(&earlier.sleeps) {
            sample.add(now.saturating_sub(*then) as f64);
        }
        sample
    }

    /// Percent of one core since an earlier moment.
    pub(super) fn percent_since(&self, earlier: &Self, seconds: f64) -> f64 {
        self.cpu_ns.saturating_sub(earlier.cpu_ns) as f64 / 1e9 / seconds * 100.0
    }
}

/// Measures.
pub(super) fn measure(world: &World, herd: &mut Herd) -> Result<Vec<Row>> {
    herd.grow(world, COUNT)?;
    signal::pass(REST)?;
    let processes = herd.processes(world)?;
    let supervisors: Vec<u32> = processes.iter().map(|(supervisor, _)| *supervisor).collect();
    let agents: Vec<u32> = processes.iter().map(|(_, agent)| *agent).collect();
    let daemon = [world.daemon_pid];
    let peers: Vec<Side> = world.peers().collect();
    let mut groups: Vec<Vec<u32>> = vec![supervisors.clone(), agents, daemon.to_vec()];
    for peer in &peers {
        // Servers and what runs in them.
        let mut all = herd.servers(world, *peer)?;
        for server in all.clone() {
            all.extend(proc::children(server)?);
        }
        groups.push(all);
    }
    let took = |groups: &[Vec<u32>]| groups.iter().map(|pids| Account::take(pids)).collect();
    let began = Instant::now();
    let before: Vec<Result<Account>> = took(&groups);
    signal::pass(WINDOW)?;
    let after: Vec<Result<Account>> = took(&groups);
    let seconds = began.elapsed().as_secs_f64();
    let mut sleeps = Vec::new();
    let mut percent = Vec::new();
    for (after, before) in after.into_iter().zip(before) {
        let (after, before) = (after?, before?);
        sleeps.push(after.sleeps_since(&before));
        percent.push(after.percent_since(&before, seconds));
    }
    let [supervising, _, serving, ..] = sleeps.as_slice() else { return Ok(vec![]) };
    let [p0, p1, p2, peers_percent @ ..] = percent.as_slice() else { return Ok(vec![]) };
    let each = peers.iter().map(|peer| herd.kib_each(world, *peer).map(Some));

    let mut pss = Sample::default();
    for pid in &supervisors {
        pss.add(proc::pss_kib(*pid)?);
    }
    let most = supervising.max() / seconds;
    let each = Figures { ours: pss.mean(), theirs: each.collect::<Result<_>>()? };
    let theirs = peers_percent.iter().copied().map(Some).collect();
    let processor = Figures { ours: p0 + p1 + p2, theirs };
    Ok(vec![
        Row::single("idle supervisor, wake-ups/s (worst)", "/s", most, Target::AtMost(0.2)),
        Row::single(
            "100 idle: wake-ups/s of the daemon",
            "/s",
            serving.mean() / seconds,
            Target::None,
        ),
        Row::beside("100 idle: processor, all processes", "%", processor, Target::AtMost(1.0)),
        Row::single("100 idle: of that the daemon", "%", *p2, Target::None),
        Row::beside("100 idle: PSS of each", "KiB", each, Target::AtMost(1024.0)),
        Row::single(
            "100 idle: daemon, RSS",
            "MiB",
            proc::rss_kib(world.daemon_pid)? / 1024.0,
            Target::None,
        ),
    ])
}
