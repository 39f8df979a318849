//! From the attach command to the last line, with a long history behind it.

use anyhow::Result;

use super::millis;
use crate::{
    helper,
    herd::Herd,
    report::{Row, Target},
    stats::Sample,
    tty::Tty,
    world::{HISTORY, LIMIT, Pipe, Running, Side, World, helper_words},
};

/// Attaches on each side.
const ROUNDS: usize = 21;

/// The last line.
const MARK: &str = "this-is-the-last-line";

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let ours = filled(world, Side::Direct)?;
    let theirs = filled(world, Side::Tmux)?;
    let (mut our_times, mut their_times) = (Sample::default(), Sample::default());
    once(world, &ours)?;
    once(world, &theirs)?;
    for _ in 0..ROUNDS {
        our_times.add(once(world, &ours)?);
        their_times.add(once(world, &theirs)?);
    }
    let pair = |percent| (our_times.percentile(percent), their_times.percentile(percent));
    Ok(vec![
        Row::pair("reattach, 10,000 lines", "ms", pair(50), Target::RatioAtMost(1.0)),
        Row::pair("  quickest tenth", "ms", pair(10), Target::None),
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
