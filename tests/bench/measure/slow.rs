//! A viewer that hardly reads: it must cost the agent no time and the supervisor no memory.

use std::{
    fs,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::flood;
use crate::{
    herd::Herd,
    proc,
    report::{Row, Target},
    signal,
    stats::Sample,
    tty::Tty,
    world::{Pipe, Side, World},
};

/// Floods of each kind.
const ROUNDS: usize = 3;

/// The slow viewer reads so many bytes …
const PIECE: usize = 819;

/// … this often: 8 KiB a second.
const PAUSE: Duration = Duration::from_millis(100);

/// What floods have cost.
#[derive(Debug, Default)]
struct Cost {
    seconds: Sample,
    growth_kib: Sample,
}

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let mut costs: [[Cost; 2]; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (side, costs) in [Side::Direct, Side::Tmux].into_iter().zip(&mut costs) {
            for (viewed, cost) in [false, true].into_iter().zip(costs) {
                once(world, side, viewed, cost)?;
            }
        }
    }
    let [[alone, viewed], [tmux_alone, tmux_viewed]] = &costs;
    let slower = |viewed: &Cost, alone: &Cost| viewed.seconds.median() / alone.seconds.median();
    let mib = |cost: &Cost| cost.growth_kib.median() / 1024.0;
    Ok(vec![
        Row::pair(
            "slow viewer: agent's time ÷ without",
            "×",
            (slower(viewed, alone), slower(tmux_viewed, tmux_alone)),
            Target::AtMost(1.2),
        ),
        Row::pair(
            "slow viewer: agent's time",
            "s",
            (viewed.seconds.median(), tmux_viewed.seconds.median()),
            Target::None,
        ),
        Row::pair(
            "slow viewer: peak of PSS − without",
            "MiB",
            (mib(viewed) - mib(alone), mib(tmux_viewed) - mib(tmux_alone)),
            Target::AtMost(2.0),
        ),
        Row::pair(
            "no viewer: growth of PSS in the flood",
            "MiB",
            (mib(alone), mib(tmux_alone)),
            Target::None,
        ),
    ])
}

/// Floods once, with or without a viewer.
fn once(world: &World, side: Side, viewed: bool, cost: &mut Cost) -> Result<()> {
    let pipe = Pipe::create(world)?;
    let witness = world.fresh_path("witness");
    let flags = format!("--colour --witness '{}'", witness.display());
    let running = world.start(side, &flood::program(world, &pipe, &flags))?;
    let server = world.server_pid(&running)?;
    let viewer = if viewed {
        let mut tty = Tty::attach(world, &running)?;
        tty.wait_taken()?;
        tty.drain(Duration::from_millis(100))?;
        Some((SlowReader::start(tty.reader()?), tty))
    } else {
        None
    };
    let before = proc::pss_kib(server)?;
    pipe.say("go")?;
    let mut most = before;
    let began = Instant::now();
    let seconds = loop {
        if let Some(seconds) = done(&witness) {
            break seconds;
        }
        if began.elapsed() > flood::PATIENCE {
            bail!("the flood does not end ({side:?})");
        }
        most = proc::pss_kib(server)?.max(most);
        signal::pass(Duration::from_millis(100))?;
    };
    cost.seconds.add(seconds);
    cost.growth_kib.add(proc::pss_kib(server)?.max(most) - before);
    drop(viewer);
    world.end(&running)
}

/// Returns the seconds that the agent noted for its flood, once it is done.
fn done(witness: &Path) -> Option<f64> {
    let text = fs::read_to_string(witness).ok()?;
    let line = text.lines().find(|line| line.starts_with("done "))?;
    line.rsplit_once("seconds=")?.1.parse().ok()
}

/// A reader with a pace, in a thread of its own.
struct SlowReader {
    leave: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowReader {
    fn start(terminal: OwnedFd) -> Self {
        let leave = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let leave = Arc::clone(&leave);
            move || {
                let mut buffer = [0; PIECE];
                while !leave.load(Ordering::Relaxed) {
                    // Nothing to read is as good as something here.
                    rustix::io::read(&terminal, &mut buffer).ok();
                    std::thread::sleep(PAUSE);
                }
            }
        });
        Self { leave, thread: Some(thread) }
    }
}

impl Drop for SlowReader {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic.
            thread.join().ok();
        }
    }
}
