//! From a key to its echo on the attached terminal, keys in turns.

use std::{fs, time::Duration};

use anyhow::{Result, bail};

use super::millis;
use crate::{
    herd::Herd,
    report::{Figures, Row, Target},
    signal,
    stats::{Sample, now_ns},
    tty::{Tty, find},
    world::{LIMIT, Running, Side, World},
};

/// Keys typed on each side.
const KEYS: usize = 500;

/// Keys that no escape sequence and no status line contains.
const LETTERS: &[u8] = b"QWVYU";

/// Idle ones beside the measured one.
const CROWD: usize = 200;

/// Silence before the next key.
const QUIET: Duration = Duration::from_micros(700);

/// Measures with the terminal handed over.
pub(super) fn direct(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    rows(world, "keystroke echo", Side::Direct, 0.8)
}

/// Measures through the daemon.
pub(super) fn through_daemon(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    rows(world, "keystroke echo, gRPC", Side::Daemon, 2.0)
}

/// Measures with the terminal handed over, among many idle ones.
pub(super) fn in_a_crowd(world: &World, herd: &mut Herd) -> Result<Vec<Row>> {
    herd.grow(world, CROWD)?;
    let name = format!("create {CROWD} idle ones");
    let create = Row::beside(name, "s", herd.seconds.clone(), Target::None);
    let mut rows = rows(world, &format!("keystroke echo, {CROWD} idle"), Side::Direct, 0.3)?;
    rows.insert(0, create);
    Ok(rows)
}

/// Measures one way beside the peers.
fn rows(world: &World, name: &str, side: Side, most: f64) -> Result<Vec<Row>> {
    let sides = world.sides(side);
    let mut ttys = sides.iter().map(|side| echoing(world, *side)).collect::<Result<Vec<_>>>()?;
    let mut samples: Vec<_> = sides.iter().map(|_| Some(Sample::default())).collect();
    for number in 0..KEYS {
        let key = LETTERS.get(number % LETTERS.len()).copied().unwrap_or(b'Q');
        for (tty, sample) in ttys.iter_mut().zip(samples.iter_mut().flatten()) {
            sample.add(strike(tty, key)? * 1000.0);
        }
        signal::check()?;
    }
    let figures = |percent| Figures::of(&samples, |sample| sample.percentile(percent));
    Ok(vec![
        Row::beside(format!("{name}, p50"), "µs", figures(50), Target::RatioAtMost(most)),
        Row::beside("  quickest tenth", "µs", figures(10), Target::None),
        Row::beside("  p99", "µs", figures(99), Target::None),
    ])
}

/// Starts a program that echoes and waits until it is ready to.
pub(super) fn agent(world: &World, side: Side) -> Result<Running> {
    let witness = world.fresh_path("witness");
    let binary = world.binary().display().to_string();
    let words = [&binary, "demo-agent", "--mode", "echo", "--witness"].map(str::to_owned);
    let program: Vec<String> = words.into_iter().chain([witness.display().to_string()]).collect();
    let running = world.start(side, &program)?;
    signal::until("the echoing agent", LIMIT, || {
        let text = fs::read_to_string(&witness).unwrap_or_default();
        Ok(text.lines().any(|line| line == "ready").then_some(()))
    })?;
    Ok(running)
}

/// Returns a terminal attached to a program that echoes, once it really does.
fn echoing(world: &World, side: Side) -> Result<Tty> {
    let running = agent(world, side)?;
    let mut tty = Tty::attach(world, &running)?;
    tty.wait_taken()?;
    // What is typed while the client still sets up may be thrown away.
    for _ in 0..20 {
        tty.type_bytes(b"U")?;
        if tty.wait_for(b"U", Duration::from_millis(500)).is_ok() {
            tty.drain(Duration::from_millis(50))?;
            return Ok(tty);
        }
    }
    bail!("nothing is echoed ({side:?})")
}

/// Strikes a key and returns the milliseconds until its echo.
pub(super) fn strike(tty: &mut Tty, key: u8) -> Result<f64> {
    tty.drain(QUIET)?;
    let began = now_ns();
    tty.type_bytes(&[key])?;
    loop {
        let chunk = tty.read(LIMIT)?;
        let now = now_ns();
        if chunk.is_empty() {
            bail!("a key is not echoed");
        }
        if find(chunk, &[key]) {
            return Ok(millis(began, now));
        }
    }
}
