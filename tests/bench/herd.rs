//! Many idle runners and sessions.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{
    peers::Peer,
    proc,
    report::Figures,
    signal,
    stats::Sample,
    world::{Running, Side, World},
};

/// Created one after the other by one program before it is the next one's turn.
const TURN: usize = 10;

/// The idle ones, alive until the end.
#[derive(Debug, Default)]
pub(crate) struct Herd {
    /// Stratavore's.
    pub ours: Vec<Running>,
    /// The peers'.
    pub theirs: Vec<Running>,
    /// Seconds it took to create them.
    pub seconds: Figures,
    /// The memory of tmux's server before the first.
    tmux_before_kib: Option<f64>,
}

impl Herd {
    /// Makes them so many on every side.
    pub(crate) fn grow(&mut self, world: &World, count: usize) -> Result<()> {
        let peers: Vec<Side> = world.peers().collect();
        if self.tmux_before_kib.is_none() && peers.contains(&Side::Peer(Peer::Tmux)) {
            world.restart_tmux()?;
            self.tmux_before_kib = Some(proc::pss_kib(world.tmux_pid())?);
        }
        self.seconds.theirs.resize(peers.len(), Some(0.0));
        let program = ["sleep".to_owned(), "100000".to_owned()];
        while self.ours.len() < count {
            let turn = TURN.min(count - self.ours.len());
            let began = Instant::now();
            for _ in 0..turn {
                self.ours.push(world.start(Side::Direct, &program)?);
            }
            self.seconds.ours += began.elapsed().as_secs_f64();
            for (peer, seconds) in peers.iter().zip(&mut self.seconds.theirs) {
                let began = Instant::now();
                for _ in 0..turn {
                    self.theirs.push(world.start(*peer, &program)?);
                }
                let took = began.elapsed().as_secs_f64();
                *seconds = seconds.map(|seconds| seconds + took);
            }
            signal::check()?;
        }
        Ok(())
    }

    /// Supervisor and agent of each of stratavore's.
    pub(crate) fn processes(&self, world: &World) -> Result<Vec<(u32, u32)>> {
        let live = world.live()?;
        let one = |running: &Running| {
            let found = live.iter().find(|(name, ..)| *name == running.name);
            found.map(|(_, supervisor, agent)| (*supervisor, *agent))
        };
        let found: Option<Vec<_>> = self.ours.iter().map(one).collect();
        found.context("an idle runner is gone")
    }

    /// The processes that serve a peer's sessions.
    pub(crate) fn servers(&self, world: &World, peer: Side) -> Result<Vec<u32>> {
        if peer == Side::Peer(Peer::Tmux) {
            return Ok(vec![world.tmux_pid()]);
        }
        let own = self.theirs.iter().filter(|running| running.side == peer);
        own.map(|running| world.server_pid(running)).collect()
    }

    /// The memory a peer needs for each session, in KiB.
    pub(crate) fn kib_each(&self, world: &World, peer: Side) -> Result<f64> {
        if peer == Side::Peer(Peer::Tmux) {
            let before = self.tmux_before_kib.context("there is no herd")?;
            let sessions = self.theirs.iter().filter(|running| running.side == peer).count();
            return Ok((proc::pss_kib(world.tmux_pid())? - before) / sessions as f64);
        }
        let mut pss = Sample::default();
        for pid in self.servers(world, peer)? {
            pss.add(proc::pss_kib(pid)?);
        }
        Ok(pss.mean())
    }
}
