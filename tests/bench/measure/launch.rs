//! From the command to the running child, with all servers running already.

use std::process::Stdio;

use anyhow::{Result, bail};

use super::millis;
use crate::{
    helper,
    herd::Herd,
    pipe::Pipe,
    report::{Figures, Row, Target},
    stats::{Sample, now_ns},
    world::{Side, World, helper_words},
};

/// Launches on each side.
const ROUNDS: usize = 21;

/// Time until the child runs, and until the command is done.
#[derive(Debug, Default)]
struct Times {
    running: Sample,
    done: Sample,
}

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let sides = world.sides(Side::Direct);
    let mut times: Vec<_> = sides.iter().map(|_| Some(Times::default())).collect();
    // The first one of each pays for cold caches.
    for side in &sides {
        once(world, *side, &mut Times::default())?;
    }
    for _ in 0..ROUNDS {
        for (side, times) in sides.iter().zip(times.iter_mut().flatten()) {
            once(world, *side, times)?;
        }
    }
    let row = |name, sample: fn(&Times) -> &Sample, percent, target| {
        let figures = Figures::of(&times, |times| sample(times).percentile(percent));
        Row::beside(name, "ms", figures, target)
    };
    Ok(vec![
        row("launch → child running, p50", |it| &it.running, 50, Target::RatioAtMost(1.5)),
        row("  quickest tenth", |it| &it.running, 10, Target::None),
        row("  p99", |it| &it.running, 99, Target::None),
        row("launch → command done, p50", |it| &it.done, 50, Target::None),
    ])
}

/// Launches once.
fn once(world: &World, side: Side, times: &mut Times) -> Result<()> {
    let mut pipe = Pipe::create(world)?;
    let program = helper_words(&[helper::STAMP, &pipe.name()])?;
    let (mut command, _) = world.start_command(side, &program);
    // Who keeps these open would not let us see the end.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = now_ns();
    let mut child = command.spawn()?;
    let running = pipe.stamp();
    let status = child.wait()?;
    let done = now_ns();
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    times.running.add(millis(began, running?));
    times.done.add(millis(began, done));
    Ok(())
}
