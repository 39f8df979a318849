//! A thousand live runners on one machine: launched, listed, watched at rest, stopped; nothing left.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use stratavore::{client::Client, config::Places};

use super::idle::Account;
use crate::{
    herd::Herd,
    proc,
    report::{Row, Target},
    signal,
    stats::Sample,
    world::{World, run},
};

/// So many, unless `STRATAVORE_BENCH_RUNNERS` says otherwise.
const RUNNERS: usize = 1000;

/// Their project.
const PROJECT: &str = "scale";

/// Lists of all of them that are asked for.
const LISTS: usize = 300;

/// What launching has started is over after this.
const REST: Duration = Duration::from_secs(15);

/// How long they are watched at rest: three heartbeats, one comparison with what runs.
const WINDOW: Duration = Duration::from_secs(30);

/// What is left may take so long to go.
const GOING: Duration = Duration::from_secs(10);

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let count = match std::env::var("STRATAVORE_BENCH_RUNNERS") {
        Ok(count) => count.parse().context("read STRATAVORE_BENCH_RUNNERS")?,
        Err(_) => RUNNERS,
    };
    let home = world.path("home");
    run(world.stratavore(&["new", PROJECT, "--path"]).arg(&home))?;
    let room = run(&mut world.stratavore(&["health"])).unwrap_or_default();
    let room = room.lines().find(|line| line.contains("more runners")).unwrap_or_default();
    eprintln!("    {}", room.trim());

    let launching = launch(world, count)?;
    let live = world.live()?;
    let ours = live.iter().filter(|(name, ..)| name.starts_with(PROJECT)).count();
    if ours != count {
        bail!("{ours} of {count} runners are live");
    }
    let most_rss = proc::rss_kib(world.daemon_pid)? / 1024.0;
    signal::pass(REST)?;
    let lists = list(world, count)?;
    let listed = Instant::now();
    run(&mut world.stratavore(&["runners", "list", "--limit", "20"]))?;
    let listed = listed.elapsed().as_secs_f64() * 1e3;

    let supervisors: Vec<u32> = live.iter().map(|(_, supervisor, _)| *supervisor).collect();
    let mut pss = Sample::default();
    for pid in &supervisors {
        pss.add(proc::pss_kib(*pid)?);
    }
    let groups: [&[u32]; 2] = [&supervisors, &[world.daemon_pid]];
    let began = Instant::now();
    let before = groups.map(Account::take);
    signal::pass(WINDOW)?;
    let after = groups.map(Account::take);
    let seconds = began.elapsed().as_secs_f64();
    let mut percent = Vec::new();
    for (after, before) in after.into_iter().zip(before) {
        percent.push(after?.percent_since(&before?, seconds));
    }
    let [supervising, serving] = percent[..] else { bail!("two groups were watched") };
    let rss = proc::rss_kib(world.daemon_pid)? / 1024.0;

    let agents: Vec<u32> = live.iter().map(|(.., agent)| *agent).collect();
    let began = Instant::now();
    run(&mut world.stratavore(&["--timeout", "120s", "kill", "--project", PROJECT]))?;
    let stopped = began.elapsed().as_secs_f64();
    let all = || supervisors.iter().chain(&agents);
    let left = || all().filter(|pid| proc::is_alive(**pid)).count();
    let gone = Instant::now();
    while left() > 0 && gone.elapsed() < GOING {
        signal::pass(Duration::from_millis(100))?;
    }
    let left = left();
    Ok(vec![
        Row::single("launched, each with a supervisor", "", count as f64, Target::None),
        Row::single(
            "time for one launch (50/s: 20 ms)",
            "ms",
            launching * 1e3 / count as f64,
            Target::AtMost(20.0),
        ),
        Row::single("list of all, p50", "ms", lists.percentile(50), Target::None),
        Row::single("list of all, p99", "ms", lists.percentile(99), Target::AtMost(10.0)),
        Row::single("`runners list --limit 20`, with its process", "ms", listed, Target::None),
        Row::single("daemon, RSS after the launches", "MiB", most_rss, Target::AtMost(64.0)),
        Row::single("daemon, RSS at rest", "MiB", rss, Target::AtMost(64.0)),
        Row::single("supervisor, PSS, mean", "KiB", pss.mean(), Target::AtMost(1024.0)),
        Row::single("supervisor, PSS, worst", "KiB", pss.max(), Target::AtMost(1024.0)),
        Row::single("at rest: processor, all", "%", supervising + serving, Target::AtMost(2.0)),
        Row::single("  of that the daemon", "%", serving, Target::None),
        Row::single("all stopped", "s", stopped, Target::AtMost(30.0)),
        Row::single("processes left", "", left as f64, Target::AtMost(0.0)),
    ])
}

/// Launches so many with one command; returns the seconds that it took.
fn launch(world: &World, count: usize) -> Result<f64> {
    let number = count.to_string();
    let words = ["launch", PROJECT, "--count", &number, "--", "sleep", "100000"];
    let mut command = world.stratavore(&words);
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("launch: {}", said.lines().last().unwrap_or_default());
    }
    Ok(seconds)
}

/// Asks for all of them again and again, as a dashboard does: through one connection.
fn list(world: &World, count: usize) -> Result<Sample> {
    let places = Places::at(world.path("s"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect_if_running(&places).await.map_err(anyhow::Error::msg)?;
        let client = client.context("the daemon does not run")?;
        let mut sample = Sample::default();
        for _ in 0..LISTS {
            let began = Instant::now();
            let runners = client.list_runners(PROJECT, "live", 0).await;
            let runners = runners.map_err(anyhow::Error::msg)?;
            sample.add(began.elapsed().as_secs_f64() * 1e3);
            if runners.len() != count {
                bail!("{} of {count} runners are listed", runners.len());
            }
        }
        Ok(sample)
    })
}
