//! Much output through an attached terminal that reads at full speed.

use std::time::Duration;

use anyhow::Result;

use super::millis;
use crate::{
    herd::Herd,
    report::{Row, Target},
    stats::{Sample, now_ns},
    tty::Tty,
    world::{LIMIT, Pipe, Side, World},
};

/// MiB of one flood.
pub(super) const MIB: u32 = 40;

/// Floods on each side, for each look.
const ROUNDS: usize = 3;

/// How long a flood may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// What the shell says before its first flood.
const READY: &str = "shell-is-ready";

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let mut rows = look(world, "40 MB plain", "", 1.5)?;
    rows.extend(look(world, "40 MB coloured", "--colour", 2.0)?);
    Ok(rows)
}

/// A shell that floods on request, and the terminal that watches it.
struct Watched {
    tty: Tty,
    pipe: Pipe,
    speed: Sample,
    bytes: u64,
}

impl Watched {
    fn start(world: &World, side: Side, flag: &str) -> Result<Self> {
        let pipe = Pipe::create(world)?;
        let running = world.start(side, &program(world, &pipe, flag))?;
        let mut tty = Tty::attach(world, &running)?;
        tty.wait_for(READY.as_bytes(), LIMIT)?;
        tty.drain(Duration::from_millis(50))?;
        Ok(Self { tty, pipe, speed: Sample::default(), bytes: 0 })
    }

    fn flood(&mut self, tag: &str) -> Result<()> {
        let before = self.tty.total;
        let began = now_ns();
        self.pipe.say(tag)?;
        let seen = self.tty.wait_for(end_mark(tag).as_bytes(), PATIENCE)?;
        let megabytes = f64::from(MIB) * 1.048_576;
        self.speed.add(megabytes / millis(began, seen) * 1000.0);
        self.tty.drain(Duration::from_millis(50))?;
        self.bytes = self.tty.total - before;
        Ok(())
    }

    fn megabytes_seen(&self) -> f64 {
        self.bytes as f64 / 1e6
    }
}

/// Measures one look of the output.
fn look(world: &World, name: &str, flag: &str, least: f64) -> Result<Vec<Row>> {
    let mut ours = Watched::start(world, Side::Direct, flag)?;
    let mut theirs = Watched::start(world, Side::Tmux, flag)?;
    for round in 0..ROUNDS {
        ours.flood(&format!("a{round}"))?;
        theirs.flood(&format!("b{round}"))?;
    }
    let speed = (ours.speed.median(), theirs.speed.median());
    let seen = (ours.megabytes_seen(), theirs.megabytes_seen());
    Ok(vec![
        Row::pair(name, "MB/s", speed, Target::RatioAtLeast(least)),
        Row::pair(format!("{name}, bytes to the terminal"), "MB", seen, Target::None),
    ])
}

/// The mark a shell prints after the flood with this tag.
fn end_mark(tag: &str) -> String {
    format!("END-{tag}.")
}

/// Returns the program that floods each time a tag comes through the pipe.
pub(super) fn program(world: &World, pipe: &Pipe, flags: &str) -> Vec<String> {
    let script = format!(
        "printf '%s-%s-%s\\n' shell is ready; while read -r tag < '{}'; do \
         '{}' demo-agent --mode flood --count {MIB} {flags}; printf 'END-%s.\\n' \"$tag\"; done",
        pipe.name(),
        world.binary().display(),
    );
    vec!["sh".to_owned(), "-c".to_owned(), script]
}
