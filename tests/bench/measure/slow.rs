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
    pipe::Pipe,
    proc,
    report::{Figures, Row, Target},
    signal,
    stats::Sample,
    tty::Tty,
    world::{Side, World},
};

/// Floods of each kind.
const ROUNDS: usize = 3;

/// The slow viewer reads so many bytes …
const PIECE: usize = 819;

/// … this often: 8 KiB a second.
const PAUSE: Duration = Duration::from_millis(100);

/// An agent that has not ended after so long is held up for good: alone it takes a second.
const PATIENCE: Duration = Duration::from_secs(40);

/// What floods have cost.
#[derive(Debug, Default)]
struct Cost {
    seconds: Sample,
    growth_kib: Sample,
}

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let sides = world.sides(Side::Direct);
    let mut costs: Vec<Option<[Cost; 2]>> =
        sides.iter().map(|_| Some(Default::default())).collect();
    for _ in 0..ROUNDS {
        for (side, costs) in sides.iter().zip(costs.iter_mut().flatten()) {
            for (viewed, cost) in [false, true].into_iter().zip(costs) {
                // Who never ended once is not waited for again.
                if !cost.seconds.max().is_infinite() {
                    once(world, *side, viewed, cost)?;
                }
            }
        }
    }
    let seconds = |cost: &Cost| cost.seconds.median();
    let mib = |cost: &Cost| cost.growth_kib.median() / 1024.0;
    let figures = |figure: &dyn Fn(&Cost, &Cost) -> f64| {
        Figures::of(&costs, |[alone, viewed]| figure(alone, viewed))
    };
    Ok(vec![
        Row::beside(
            "slow viewer: agent's time ÷ without",
            "×",
            figures(&|alone, viewed| seconds(viewed) / seconds(alone)),
            Target::AtMost(1.2),
        ),
        Row::beside(
            "slow viewer: agent's time",
            "s",
            figures(&|_, viewed| seconds(viewed)),
            Target::None,
        ),
        Row::beside(
            "slow viewer: peak of PSS − without",
            "MiB",
            figures(&|alone, viewed| mib(viewed) - mib(alone)),
            Target::AtMost(2.0),
        ),
        Row::beside(
            "no viewer: growth of PSS in the flood",
            "MiB",
            figures(&|alone, _| mib(alone)),
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
        if began.elapsed() > PATIENCE {
            if side == Side::Direct {
                bail!("the flood does not end");
            }
            // Its viewer holds it up for good.
            break f64::INFINITY;
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
