//! Many idle runners and sessions.

use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{
    proc, signal,
    world::{Running, Side, World},
};

/// Created one after the other by one program before it is the other's turn.
const TURN: usize = 10;

/// The idle ones, alive until the end.
#[derive(Debug, Default)]
pub(crate) struct Herd {
    /// Stratavore's.
    pub ours: Vec<Running>,
    /// tmux's.
    pub theirs: Vec<Running>,
    /// Seconds it took to create them.
    pub seconds: (f64, f64),
    /// The memory of tmux's server before the first.
    tmux_before_kib: Option<f64>,
}

impl Herd {
    /// Makes them so many on both sides.
    pub(crate) fn grow(&mut self, world: &World, count: usize) -> Result<()> {
        if self.tmux_before_kib.is_none() {
            world.restart_tmux()?;
            self.tmux_before_kib = Some(proc::pss_kib(world.tmux_pid())?);
        }
        let program = ["sleep".to_owned(), "100000".to_owned()];
        while self.ours.len() < count {
            let turn = TURN.min(count - self.ours.len());
            let began = Instant::now();
            for _ in 0..turn {
                self.ours.push(world.start(Side::Direct, &program)?);
            }
            let between = Instant::now();
            for _ in 0..turn {
                self.theirs.push(world.start(Side::Tmux, &program)?);
            }
            self.seconds.0 += (between - began).as_secs_f64();
            self.seconds.1 += between.elapsed().as_secs_f64();
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

    /// The memory tmux's server has needed for each session, in KiB.
    pub(crate) fn tmux_kib_each(&self, world: &World) -> Result<f64> {
        let before = self.tmux_before_kib.context("there is no herd")?;
        Ok((proc::pss_kib(world.tmux_pid())? - before) / self.theirs.len() as f64)
    }
}
