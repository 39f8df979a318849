//! From the attach command to the last line, with a long history behind it.

use anyhow::Result;

use super::millis;
use crate::{
    helper,
    herd::Herd,
    pipe::Pipe,
    report::{Figures, Row, Target},
    stats::Sample,
    tty::Tty,
    world::{HISTORY, LIMIT, Running, Side, World, helper_words},
};

/// Attaches on each side.
const ROUNDS: usize = 21;

/// The last line.
const MARK: &str = "this-is-the-last-line";

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for side in world.sides(Side::Direct) {
        let kept = if side.keeps_output() { Some(filled(world, side)?) } else { None };
        if let Some(running) = &kept {
            once(world, running)?;
        }
        all.push(kept.map(|running| (running, Sample::default())));
    }
    for _ in 0..ROUNDS {
        for (running, times) in all.iter_mut().flatten() {
            times.add(once(world, running)?);
        }
    }
    let figures = |percent| Figures::of(&all, |(_, times)| times.percentile(percent));
    Ok(vec![
        Row::beside("reattach, 10,000 lines, p50", "ms", figures(50), Target::RatioAtMost(1.0)),
        Row::beside("  quickest tenth", "ms", figures(10), Target::None),
        Row::beside("  p99", "ms", figures(99), Target::None),
    ])
}

/// Starts something with a full history.
fn filled(world: &World, side: Side) -> Result<Running> {
    let mut pipe = Pipe::create(world)?;
    let count = HISTORY.to_string();
    let words = [helper::LINES, &pipe.name(), &count, helper::COLOURED, MARK];
    let running = world.start(side, &helper_words(&words)?)?;
    pipe.stamp()?;
    Ok(running)
}

/// Attaches, waits for the last line and detaches; returns the milliseconds until the line.
fn once(world: &World, running: &Running) -> Result<f64> {
    let mut tty = Tty::attach(world, running)?;
    let seen = tty.wait_for(MARK.as_bytes(), LIMIT)?;
    let time = millis(tty.started, seen);
    tty.wait_raw()?;
    tty.detach()?;
    Ok(time)
}
