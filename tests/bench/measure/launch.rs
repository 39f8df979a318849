//! From the command to the running child, with both servers running already.

use std::process::Stdio;

use anyhow::{Result, bail};

use super::millis;
use crate::{
    helper,
    herd::Herd,
    report::{Row, Target},
    stats::{Sample, now_ns},
    world::{Pipe, Side, World, helper_words},
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
    let (mut ours, mut theirs) = (Times::default(), Times::default());
    // The first one of each pays for cold caches.
    once(world, Side::Direct, &mut Times::default())?;
    once(world, Side::Tmux, &mut Times::default())?;
    for _ in 0..ROUNDS {
        once(world, Side::Direct, &mut ours)?;
        once(world, Side::Tmux, &mut theirs)?;
    }
    let row = |name, ours: &Sample, theirs: &Sample, percent, target| {
        Row::pair(name, "ms", (ours.percentile(percent), theirs.percentile(percent)), target)
    };
    let (running, their_running) = (&ours.running, &theirs.running);
    Ok(vec![
        row("launch → child running", running, their_running, 50, Target::RatioAtMost(1.5)),
        row("  quickest tenth", running, their_running, 10, Target::None),
        row("launch → command done", &ours.done, &theirs.done, 50, Target::None),
    ])
}

/// Launches once.
fn once(world: &World, side: Side, times: &mut Times) -> Result<()> {
    let mut pipe = Pipe::create(world)?;
    let program = helper_words(&[helper::STAMP, &pipe.name()])?;
    let (mut command, _) = world.start_command(side, &program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
