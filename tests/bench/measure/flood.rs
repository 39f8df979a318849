//! Much output through an attached terminal that reads at full speed.

use std::time::Duration;

use anyhow::{Result, bail};

use super::millis;
use crate::{
    helper,
    herd::Herd,
    pipe::Pipe,
    report::{Figures, Row, Target},
    stats::{Sample, now_ns},
    tty::Tty,
    world::{Side, World, helper_words},
};

/// MiB of one flood.
pub(super) const MIB: u32 = 40;

/// Floods on each side, for each look.
const ROUNDS: usize = 3;

/// What the output looks like, and how many times tmux's speed ours is to be at least.
const LOOKS: [(&str, f64); 4] =
    [(helper::PLAIN, 1.5), (helper::COLOURED, 2.0), (helper::UNICODE, 1.0), (helper::REDRAW, 1.0)];

/// The shell is asked so often whether it is there, and waited for so long each time.
const TRIES: usize = 20;
const ANSWER: Duration = Duration::from_millis(500);

/// How long a flood may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (look, least) in LOOKS {
        rows.extend(one_look(world, look, least)?);
    }
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
    fn start(world: &World, side: Side, look: &str) -> Result<Self> {
        let pipe = Pipe::create(world)?;
        let own = helper_words(&[helper::FLOOD, &MIB.to_string(), look])?;
        let running = world.start(side, &shell(&pipe, &quoted(&own)))?;
        let mut tty = Tty::attach(world, &running)?;
        tty.wait_taken()?;
        // Who keeps no output shows nothing of what was said before it was quite attached.
        let answered = |tty: &mut Tty| -> Result<bool> {
            pipe.say("ready")?;
            Ok(tty.wait_for(end_mark("ready").as_bytes(), ANSWER).is_ok())
        };
        if !(0..TRIES).map(|_| answered(&mut tty)).any(|heard| heard.is_ok_and(|heard| heard)) {
            bail!("the shell does not answer ({side:?})");
        }
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
fn one_look(world: &World, look: &str, least: f64) -> Result<Vec<Row>> {
    let sides = world.sides(Side::Direct);
    let start = |side: &Side| Watched::start(world, *side, look).map(Some);
    let mut watched = sides.iter().map(start).collect::<Result<Vec<_>>>()?;
    for round in 0..ROUNDS {
        for (at, watched) in watched.iter_mut().flatten().enumerate() {
            watched.flood(&format!("f{at}{round}"))?;
        }
    }
    let speed = Figures::of(&watched, |watched| watched.speed.median());
    let seen = Figures::of(&watched, Watched::megabytes_seen);
    let name = format!("{MIB} MiB {look}");
    Ok(vec![
        Row::beside(&name, "MB/s", speed, Target::RatioAtLeast(least)),
        Row::beside("  bytes to the terminal", "MB", seen, Target::None),
    ])
}

/// The mark a shell prints after the flood with this tag.
fn end_mark(tag: &str) -> String {
    format!("END-{tag}.")
}

/// Returns a program that floods as an agent does each time a tag comes through the pipe.
pub(super) fn program(world: &World, pipe: &Pipe, flags: &str) -> Vec<String> {
    let agent = world.binary().display().to_string();
    shell(pipe, &format!("'{agent}' demo-agent --mode flood --count {MIB} {flags}"))
}

/// Returns a program that runs a command each time a tag comes through the pipe, but for one.
fn shell(pipe: &Pipe, command: &str) -> Vec<String> {
    let script = format!(
        "while read -r tag < '{}'; do [ \"$tag\" = ready ] || {command}; \
         printf 'END-%s.\\n' \"$tag\"; done",
        pipe.name(),
    );
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

/// Returns words for a shell.
fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}
