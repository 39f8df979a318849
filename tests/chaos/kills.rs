//! A daemon that is killed again and again over runners that never stop writing: no agent dies or is
//! started twice, no byte of what they said is lost, none is held up, and whoever watches sees every
//! byte once.
//!
//! `./tests/run chaos --kills N --runners N` does it for long, with the shipped binary.

use std::time::Duration;

use rustix::process::Signal;
use stratavore::{client::Client, process::ProcessId};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    cancel,
    cluster::{Database, Node},
    options::{self, Kills},
    random::Random,
    report::{Facts, Histogram, RELIABILITY, load, table},
    servers::Postgres,
    support::{Terminal, Witness, assert_contiguous, sequence_in, try_run, wait_until},
    viewer::Viewer,
};

/// Lines a second of all agents together, and of one at most and at least.
const LINES: usize = 2000;
const RATE: std::ops::RangeInclusive<usize> = 10..=200;
/// The next daemon is killed before it is ready, so often in a hundred.
const EARLY: usize = 25;
/// The longest that an agent may be held up, on a machine that holds up nobody else.
const STALL: Duration = Duration::from_millis(250);
/// A daemon answers, and has found all its runners, within.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a daemon is to need to answer, and to find a thousand runners.
const TARGETS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// An agent that counts.
struct Counter {
    id: String,
    name: String,
    witness: Witness,
    process: ProcessId,
}

/// What a loop found.
#[derive(Default)]
struct Found {
    early: usize,
    deaths: usize,
    lines: usize,
    bytes: usize,
    lost: usize,
    repeated: usize,
    /// From the start of a daemon's process.
    answered: Histogram,
    adopted: Histogram,
    /// Beyond the pause between two lines, as the agents' own clocks have it.
    delays: Histogram,
    /// The longest time that the terminal took for a line, of each agent.
    stalls: Histogram,
    /// Both, of one that has no Stratavore around it.
    control: [Histogram; 2],
    watched: usize,
    connections: u32,
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_again_and_again_costs_no_agent_a_byte() {
    let (seed, _) = options::chaos();
    let wanted = options::kills();
    println!("seed {seed}: {wanted:?}");
    let mut facts = Facts::gather();
    let url = if wanted.on_server { Postgres::shared().database().await } else { String::new() };
    let database = if wanted.on_server {
        Database::Server(Postgres::shared().port(), &url)
    } else {
        Database::File
    };
    let node = Node::new("kills", database, None);
    facts.version("program", &mut node.command(&["--version"]));
    facts.add("database", if wanted.on_server { "PostgreSQL" } else { "SQLite" });
    facts.add("seed", seed.to_string());
    let found = kill_again_and_again(&node, wanted, &mut Random::new(seed)).await;
    facts.add("load after", load());
    let text = tell(&facts, wanted, &found);
    println!("{text}");
    RELIABILITY.put("kills", &text).expect("write the report");
    assert!(found.wrong.is_empty(), "seed {seed}:\n{}", found.wrong.join("\n"));
}

async fn kill_again_and_again(node: &Node, wanted: Kills, random: &mut Random) -> Found {
    let rate = (LINES / wanted.runners).clamp(*RATE.start(), *RATE.end());
    tokio::task::block_in_place(|| node.start());
    let counters = launch(node, wanted.runners, rate).await;
    let control = Witness::new(node.path("control"));
    let mut beside =
        node.command(&["demo-agent", "--mode", "seq", "--rate", &rate.to_string(), "--witness"]);
    beside.arg(control.path());
    let beside = Terminal::start(beside);
    let viewers: Vec<_> = counters
        .iter()
        .step_by(wanted.runners.div_ceil(4))
        .map(|counter| (counter, Viewer::start(node.places(), counter.id.clone())))
        .collect();
    let mut found = Found::default();
    for kill in 0..wanted.times {
        node.kill();
        // They work on without any daemon, for a while.
        if random.percent(50) {
            sleep(random.millis(0, 300)).await;
        }
        let begun = Instant::now();
        node.begin();
        let is_last = kill + 1 == wanted.times;
        if !is_last && random.percent(EARLY) {
            found.early += 1;
            sleep(random.millis(0, 250)).await;
            continue;
        }
        let client = answered(node).await;
        found.answered.add(begun.elapsed());
        adopted(&client, &counters).await;
        found.adopted.add(begun.elapsed());
        if kill % 50 == 49 {
            println!("{} kills, {:?} until all are found", kill + 1, begun.elapsed());
        }
        sleep(random.millis(0, 200)).await;
    }
    for counter in counters.iter().filter(|counter| !counter.process.is_alive()) {
        found.deaths += 1;
        found.wrong.push(format!("{} died", counter.name));
    }
    tokio::task::block_in_place(|| {
        let ended = try_run(node.command(&["--timeout", "60s", "kill", "--project", "p"]), b"");
        ended.expect("end the runners").expect_code(0);
        beside.signal(Signal::TERM);
        drop(beside);
    });
    let pause = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(1);
    compare(node, &counters, pause, &mut found);
    watched(&viewers, &mut found);
    let own = delays(&control, pause);
    found.control = [own, Histogram::default()];
    found.control[1].add(control.longest_stall());
    let allowed = STALL + control.longest_stall();
    if found.stalls.max() > allowed {
        let what =
            format!("an agent was held up for {:?}, {allowed:?} allowed", found.stalls.max());
        found.wrong.push(what);
    }
    found
}

/// Starts the agents that count.
async fn launch(node: &Node, runners: usize, rate: usize) -> Vec<Counter> {
    let dir = node.path("p");
    std::fs::create_dir(&dir).expect("make a directory");
    let made = try_run(node.command(&["new", "p", "--path", dir.to_str().expect("ASCII")]), b"");
    made.expect("make a project").expect_code(0);
    let client = answered(node).await;
    let program = node.program().to_str().expect("UTF-8");
    let rate = rate.to_string();
    let mut counters = Vec::new();
    for number in 0..runners {
        let witness = Witness::new(node.path(&format!("w{number}")));
        let path = witness.path().to_str().expect("ASCII").to_owned();
        let command =
            [program, "demo-agent", "--mode", "seq", "--rate", &rate, "--witness", path.as_str()];
        let launch = cancel::launch(node.home(), "p", &command);
        let runner = client.launch(&launch).await.expect("launch").runner;
        counters.push((runner.id.to_string(), runner.name, witness));
    }
    let ready = |(id, name, witness): (String, String, Witness)| {
        witness.wait_ready();
        let process = witness.process();
        Counter { id, name, witness, process }
    };
    tokio::task::block_in_place(|| counters.into_iter().map(ready).collect())
}

/// Waits until the daemon answers.
async fn answered(node: &Node) -> Client {
    let begun = Instant::now();
    loop {
        node.begin();
        if let Ok(Ok(Some(client))) =
            timeout(PATIENCE, Client::connect_if_running(&node.places())).await
            && let Ok(Ok(_)) = timeout(PATIENCE, client.list_projects("")).await
        {
            return client;
        }
        assert!(begun.elapsed() < PATIENCE, "{} does not answer", node.name);
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the daemon is linked to every supervisor, and its runners are those it had.
async fn adopted(client: &Client, counters: &[Counter]) {
    let begun = Instant::now();
    let all = format!("{0} of {0} answer", counters.len());
    loop {
        let components = client.health().await.unwrap_or_default();
        let supervisors = components.iter().find(|component| component.name == "supervisors");
        let said = supervisors.map(|component| component.detail.clone()).unwrap_or_default();
        if said == all {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "not all were found: {said}");
        sleep(Duration::from_millis(5)).await;
    }
    let runners = client.list_runners("p", "live", 0).await.expect("list them");
    for counter in counters {
        let runner = runners.iter().find(|runner| runner.id.to_string() == counter.id);
        let runner = runner.unwrap_or_else(|| panic!("{} is not listed", counter.name));
        let pid = u32::try_from(counter.process.pid).ok();
        assert!((runner.run, runner.pid) == (1, pid), "{} is {runner:?}", counter.name);
    }
    assert_eq!(runners.len(), counters.len(), "no more than there were");
}

/// Compares what the agents said with what is recorded.
fn compare(node: &Node, counters: &[Counter], pause: Duration, found: &mut Found) {
    for counter in counters {
        let name = &counter.name;
        let said = counter.witness.sequence();
        if counter.witness.starts() != 1 {
            found.wrong.push(format!("{name} was started {} times", counter.witness.starts()));
        }
        if !counter.witness.alive().is_empty() {
            found.wrong.push(format!("{name} still lives"));
        }
        assert_contiguous(&said, name);
        let record = try_run(node.command(&["logs", name, "--raw"]), b"").expect("read a record");
        let record = record.expect_code(0).bytes;
        let expected: Vec<u8> =
            said.iter().flat_map(|line| format!("@{line}\r\n").into_bytes()).collect();
        found.lines += said.len();
        found.bytes += expected.len();
        if record != expected {
            let recorded = sequence_in(&record);
            let has: std::collections::BTreeSet<_> = recorded.iter().collect();
            let lost: Vec<_> = said.iter().filter(|line| !has.contains(line)).collect();
            found.lost += lost.iter().map(|line| line.len() + 3).sum::<usize>();
            found.repeated += recorded.len() - has.len();
            let (is, was) = (record.len(), expected.len());
            let first = lost.first();
            found
                .wrong
                .push(format!("{name}: {was} bytes said, {is} recorded, first lost {first:?}"));
        }
        found.delays.extend(&delays(&counter.witness, pause));
        found.stalls.add(counter.witness.longest_stall());
    }
}

/// How much later than asked for each line was begun.
fn delays(witness: &Witness, pause: Duration) -> Histogram {
    let times = witness.sequence();
    let times: Vec<u64> =
        times.iter().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    let mut delays = Histogram::default();
    for pair in times.windows(2) {
        if let [before, after] = pair {
            delays.add(Duration::from_nanos(after.saturating_sub(*before)).saturating_sub(pause));
        }
    }
    delays
}

/// Checks that who watched saw every byte once, from the first to the last.
fn watched(viewers: &[(&Counter, Viewer)], found: &mut Found) {
    for (counter, viewer) in viewers {
        let name = &counter.name;
        let said = counter.witness.sequence();
        let expected: Vec<u8> =
            said.iter().flat_map(|line| format!("@{line}\r\n").into_bytes()).collect();
        let complete = || {
            let seen = viewer.seen();
            let newest = seen.last().map_or(0, |stretch| stretch.from + stretch.bytes.len() as u64);
            newest == expected.len() as u64
        };
        tokio::task::block_in_place(|| wait_until("a viewer has seen the end", PATIENCE, complete));
        let stretches = viewer.seen();
        if let [stretch] = &stretches[..] {
            let from = usize::try_from(stretch.from).unwrap_or(usize::MAX);
            if !stretch.breaks.is_empty() || expected.get(from..) != Some(&stretch.bytes[..]) {
                let (breaks, count) = (&stretch.breaks, stretch.bytes.len());
                found.wrong.push(format!("{name}: {count} bytes were shown, breaks: {breaks:?}"));
            }
            found.watched += stretch.bytes.len();
            found.connections += stretch.connections;
        } else {
            let places: Vec<_> = stretches.iter().map(|s| (s.from, s.bytes.len())).collect();
            found.wrong.push(format!("{name} was shown anew instead of what follows: {places:?}"));
        }
    }
}

/// Returns the section of the report.
fn tell(facts: &Facts, wanted: Kills, found: &Found) -> String {
    let (kills, runners) = (wanted.times, wanted.runners);
    let one = |name: &str, value: String, target: &str| [name.to_owned(), value, target.to_owned()];
    let counts = table(
        &["", "found", "allowed"],
        [
            one("kills of the daemon (SIGKILL)", kills.to_string(), ""),
            one("of these, before the next one was ready", found.early.to_string(), ""),
            one("runners, writing all the time", runners.to_string(), ""),
            one("agents that died or were started again", found.deaths.to_string(), "0"),
            one("lines said, each numbered and checked", found.lines.to_string(), ""),
            one("bytes said", found.bytes.to_string(), ""),
            one("bytes missing in the records", found.lost.to_string(), "0"),
            one("lines recorded twice", found.repeated.to_string(), "0"),
            one("bytes watched through the daemons, by offset", found.watched.to_string(), ""),
            one("connections that took", found.connections.to_string(), ""),
        ],
    );
    let row = |name: &str, histogram: &Histogram, target: String| {
        let [count, p50, p99, max] = histogram.cells();
        [name.to_owned(), count, p50, p99, max, target]
    };
    let within = |limit: Duration| format!("{limit:?}");
    let times = table(
        &["", "count", "p50", "p99", "longest", "target"],
        [
            row(
                "a line's time in the terminal, the longest of each agent",
                &found.stalls,
                within(STALL),
            ),
            row("the same without Stratavore around it", &found.control[1], String::new()),
            row("a line begun later than asked for", &found.delays, String::new()),
            row("the same without Stratavore around it", &found.control[0], String::new()),
            row("from exec until the API answers", &found.answered, within(TARGETS[0])),
            row("from exec until every supervisor is linked", &found.adopted, within(TARGETS[1])),
        ],
    );
    let verdict =
        if found.wrong.is_empty() { "nothing".to_owned() } else { found.wrong.join("; ") };
    let on = if wanted.on_server { " --database server" } else { "" };
    format!(
        "## A daemon killed again and again\n\n`./tests/run chaos --kills {kills} --runners {runners}{on}`\n\n\
         {}\n{counts}\nViolated: {verdict}.\n\n{times}\nHow much later than asked for the agents began their \
         lines, all of them:\n\n{}\nFrom exec until every supervisor is linked:\n\n{}",
        facts.list(),
        found.delays.bars(),
        found.adopted.bars(),
    )
}
