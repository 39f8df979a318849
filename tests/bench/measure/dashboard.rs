//! The dashboard: until its first frame, from a key to its echo in a pane, what a repaint weighs, what
//! it costs while nothing happens. tmux has none of it: the figures stand by themselves.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{idle::Account, millis};
use crate::{
    herd::Herd,
    pipe::Pipe,
    proc,
    report::{Row, Target},
    signal,
    stats::{Sample, now_ns},
    tty::Tty,
    world::{LIMIT, Running, Side, World, run},
};

/// The size of the terminal it is shown on.
const SIZE: (u16, u16) = (120, 40);

/// Starts of it.
const ROUNDS: usize = 11;

/// Keys typed into a pane.
const KEYS: usize = 300;

/// Keys that nothing else on the screen contains.
const LETTERS: &[u8] = b"@^";

/// Panes, each of them busy; the first is typed into, and its terminal echoes.
const BUSY: usize = 6;

/// Lines a second of a busy one.
const RATE: &str = "50";

/// Runners that do nothing.
const IDLE: usize = 30;

/// How long they are watched.
const WINDOW: Duration = Duration::from_secs(15);

/// What starting has begun is over after this.
const REST: Duration = Duration::from_secs(3);

/// MiB of the flood in a pane.
const FLOOD: u32 = 28;

/// Floods on each side.
const FLOODS: usize = 3;

/// Nothing more comes after so long.
const QUIET: Duration = Duration::from_millis(300);

/// Measures the first frame, with a daemon and without one, and a repaint.
pub(super) fn frames(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let runner = world.start(Side::Direct, &["sleep", "100000"].map(str::to_owned))?;
    let (mut with, mut without) = (Sample::default(), Sample::default());
    let mut repaint = Sample::default();
    for round in 0..=ROUNDS {
        let mut tty = open(world.stratavore(&[]))?;
        let shown = millis(tty.started, tty.wait_for(runner.name.as_bytes(), LIMIT)?);
        tty.drain(QUIET)?;
        let before = tty.total;
        tty.type_bytes(b"\x0c")?;
        tty.drain(QUIET)?;
        repaint.add((tty.total - before) as f64 / 1000.0);

        let home = world.fresh_path("root");
        let elsewhere = |words: &[&str]| {
            let mut command = world.stratavore(words);
            command.env("STRATAVORE_HOME", &home);
            command
        };
        let mut fresh = open(elsewhere(&[]))?;
        // A word of the first screen, which the daemon has to be asked for.
        let begun = millis(fresh.started, fresh.wait_for(b"directory", LIMIT)?);
        drop(fresh);
        run(&mut elsewhere(&["daemon", "stop"]))?;
        // The first one of each pays for cold caches.
        if round > 0 {
            with.add(shown);
            without.add(begun);
        }
    }
    Ok(vec![
        Row::single("dashboard, first frame", "ms", with.median(), Target::AtMost(50.0)),
        Row::single("  without a daemon", "ms", without.median(), Target::AtMost(150.0)),
        Row::single("repaint, 120×40, one runner", "KB", repaint.median(), Target::AtMost(6.0)),
    ])
}

/// Measures from a key to its echo in one of six panes, and the memory it takes.
pub(super) fn panes(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let binary = world.binary().display().to_string();
    let agent = |words: &[&str]| -> Vec<String> {
        [&binary, "demo-agent"]
            .into_iter()
            .chain(words.iter().copied())
            .map(str::to_owned)
            .collect()
    };
    for _ in 0..IDLE - BUSY {
        // In a project of their own: the grid is of one project.
        world.start_aside()?;
    }
    let busy = agent(&["--mode", "seq", "--rate", RATE]);
    let started: Vec<Running> =
        (0..BUSY).map(|_| world.start(Side::Direct, &busy)).collect::<Result<_>>()?;
    let (Some(first), Some(last)) = (started.first(), started.last()) else { return Ok(vec![]) };
    let mut tty = typing_in_grid(world, first)?;
    let busy = strikes(&mut tty)?;
    let memory = proc::pss_kib(tty.pid())? / 1024.0;
    drop(tty);

    // The same with one of them at full speed.
    world.end(last)?;
    world.start(Side::Direct, &agent(&["--mode", "spew"]))?;
    let mut tty = typing_in_grid(world, first)?;
    let spewing = strikes(&mut tty)?;
    let milli = |sample: &Sample, percent| sample.percentile(percent);
    Ok(vec![
        Row::single("key → echo, 6 busy panes, p50", "ms", milli(&busy, 50), Target::AtMost(2.0)),
        Row::single("key → echo, 6 busy panes, p99", "ms", milli(&busy, 99), Target::AtMost(16.0)),
        Row::single("  one of them spewing, p50", "ms", milli(&spewing, 50), Target::None),
        Row::single("  one of them spewing, p99", "ms", milli(&spewing, 99), Target::None),
        Row::single("dashboard, 30 runners, 6 panes, PSS", "MiB", memory, Target::AtMost(40.0)),
    ])
}

/// Measures a flood in a pane, beside a PTY that nothing but a reader stands behind.
pub(super) fn flood(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let (mut ours, mut bare) = (Sample::default(), Sample::default());
    let mut pipe = Pipe::create(world)?;
    let go = Pipe::create(world)?;
    let runner = world.start(Side::Direct, &flooding(world, &go, &pipe))?;
    let mut tty = open(world.stratavore(&[]))?;
    tty.wait_for(runner.name.as_bytes(), LIMIT)?;
    tty.drain(QUIET)?;
    tty.type_bytes(b"\r")?;
    tty.drain(QUIET)?;

    let mut bare_pipe = Pipe::create(world)?;
    let bare_go = Pipe::create(world)?;
    let words = flooding(world, &bare_go, &bare_pipe);
    let mut command = Command::new("sh");
    command.args(words.get(1..).unwrap_or_default());
    let mut reader = Tty::open(command, SIZE, Side::Direct)?;
    for _ in 0..FLOODS {
        ours.add(one_flood(&mut tty, &go, &mut pipe)?);
        bare.add(one_flood(&mut reader, &bare_go, &mut bare_pipe)?);
    }
    let bare = ("a bare PTY", bare.median());
    let target = Target::RatioAtLeast(0.8);
    Ok(vec![Row::against("28 MB in a pane", "MB/s", ours.median(), bare, target)])
}

/// Has one flood made and returns its MB/s.
fn one_flood(tty: &mut Tty, go: &Pipe, done: &mut Pipe) -> Result<f64> {
    let began = now_ns();
    go.say("go")?;
    while !done.was_written()? {
        tty.read(Duration::from_millis(1))?;
        signal::check()?;
        if millis(began, now_ns()) > LIMIT.as_secs_f64() * 1000.0 {
            bail!("a flood does not end");
        }
    }
    let time = millis(began, now_ns());
    tty.drain(QUIET)?;
    Ok(f64::from(FLOOD) * 1.048_576 / time * 1000.0)
}

/// Measures what the dashboard and everything behind it use while nothing happens.
pub(super) fn idle(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let program = ["sleep", "100000"].map(str::to_owned);
    for _ in 0..IDLE {
        world.start(Side::Direct, &program)?;
    }
    let mut tty = open(world.stratavore(&[]))?;
    tty.wait_for(b"bench-", LIMIT)?;
    let mut pids: Vec<u32> = world.live()?.iter().map(|(_, supervisor, _)| *supervisor).collect();
    pids.extend([world.daemon_pid, tty.pid()]);
    let shown = percent(&mut tty, &pids)?;
    // All of them in panes.
    tty.type_bytes(b"#")?;
    tty.drain(QUIET)?;
    let in_panes = percent(&mut tty, &pids)?;
    Ok(vec![
        Row::single("dashboard, 30 idle runners listed", "%", shown, Target::AtMost(0.3)),
        Row::single("  shown in a grid", "%", in_panes, Target::AtMost(0.3)),
    ])
}

/// Percent of a core that processes use while the terminal is read.
fn percent(tty: &mut Tty, pids: &[u32]) -> Result<f64> {
    tty.read_for(REST)?;
    let before = Account::take(pids)?;
    let began = Instant::now();
    tty.read_for(WINDOW)?;
    Ok(Account::take(pids)?.percent_since(&before, began.elapsed().as_secs_f64()))
}

/// Opens the dashboard.
fn open(command: Command) -> Result<Tty> {
    Tty::open(command, SIZE, Side::Direct)
}

/// Opens the dashboard with a grid of all runners of this one's project, typing into the first.
fn typing_in_grid(world: &World, runner: &Running) -> Result<Tty> {
    let mut tty = open(world.stratavore(&[]))?;
    tty.wait_for(runner.name.as_bytes(), LIMIT)?;
    // The runner that is found is the one selected.
    tty.type_bytes(format!("/{}\r", runner.name).as_bytes())?;
    tty.read_for(QUIET)?;
    tty.type_bytes(b"#")?;
    tty.read_for(QUIET)?;
    tty.type_bytes(b"1")?;
    tty.read_for(QUIET)?;
    tty.type_bytes(b"@")?;
    tty.wait_for(b"@", LIMIT)?;
    Ok(tty)
}

/// Strikes keys and returns the milliseconds until each was on the screen.
fn strikes(tty: &mut Tty) -> Result<Sample> {
    let mut sample = Sample::default();
    for number in 0..KEYS {
        let key = LETTERS.get(number % LETTERS.len()).copied().unwrap_or(b'@');
        tty.read_for(Duration::from_millis(20))?;
        let began = now_ns();
        tty.type_bytes(&[key])?;
        sample.add(millis(began, tty.wait_for(&[key], LIMIT)?));
        signal::check()?;
    }
    Ok(sample)
}

/// Returns a shell that floods when told to, and stamps the end.
fn flooding(world: &World, go: &Pipe, done: &Pipe) -> Vec<String> {
    let script = format!(
        "while read -r tag < '{}'; do '{}' demo-agent --mode flood --count {FLOOD}; echo done > '{}'; done",
        go.name(),
        world.binary().display(),
        done.name(),
    );
    vec!["sh".to_owned(), "-c".to_owned(), script]
}
