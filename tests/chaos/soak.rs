//! A working day in little time: agents are started, typed at, watched and ended, usage is reported, budgets
//! begin anew as the clock on the wall runs through eight hours; and when all have gone home, the daemon
//! holds what it held in the morning.
//!
//! What is compressed is the time of day: the daemon's clock runs faster, and what happens in a day happens
//! without the pauses. Everything that waits by the monotonic clock waits as long as ever.
//! `./tests/run soak --minutes N` does it for long, with the shipped binary.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use procfs::process::{FDTarget, Process};
use sqlx::{Connection as _, sqlite::SqliteConnectOptions, sqlite::SqliteConnection};
use stratavore::{
    client::{Client, ItemQuery},
    domain::{
        budget::{BudgetChange, BudgetScope, Limit, Period},
        event::EventFilter,
        launch::{LaunchRequest, RestartPolicy},
        size::TerminalSize,
    },
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{
    cluster::{Database, Node},
    options,
    random::Random,
    report::{Facts, Histogram, RELIABILITY, load, table},
    support::try_run,
    viewer::Viewer,
    work::{Employed, Kind, Workshop},
};

/// What is lived through.
const DAY: Duration = Duration::from_hours(8);
/// Rounds of work before the first count: what is made with its first use is there from then on.
const MORNING: usize = 3;
/// Everything has gone home within.
const EVENING: Duration = Duration::from_mins(1);
/// A call.
const PATIENCE: Duration = Duration::from_secs(20);
/// So much more memory a daemon may hold in the evening, in KiB: pages of its database, mostly.
const MORE: u64 = 16 << 10;
/// The most that the supervisor of an agent that never stops may grow by, in KiB.
const LASTING: u64 = 1 << 10;
/// Threads that only wait for something to do, and leave after a while, may be so many more.
const THREADS: u64 = 4;
/// Readers of the database that come and go.
const PUT_BY: usize = 4;
/// The project.
const PROJECT: &str = "day";

/// What is held at a moment.
#[derive(Debug, Clone, Default)]
struct Held {
    /// The daemon's memory, in KiB.
    rss_kib: u64,
    /// Of it, what is its own: no pages of files, its program first of all.
    own_kib: u64,
    /// Its open files: what each is, in their order.
    files: Vec<String>,
    /// Its threads.
    threads: u64,
    /// Processes of the world: the daemon, supervisors in reserve, and the agent that never stops.
    processes: usize,
    /// The memory of that one's supervisor, without pages of files, in KiB.
    lasting_kib: u64,
}

impl Held {
    /// Whether it is what was held before, but for a thread or two.
    fn is_within(&self, before: &Self) -> bool {
        self.counts() == before.counts() && self.threads <= before.threads + THREADS
    }

    /// How many files are open and processes alive.
    fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.processes)
    }
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    rounds: usize,
    launched: usize,
    ended: usize,
    typed: usize,
    watched: usize,
    asked: usize,
    calls: Histogram,
}

/// A day at work.
struct Day {
    node: Node,
    client: Client,
    workshop: Workshop,
    random: Random,
    done: Done,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_working_day_leaves_nothing_behind() {
    let (seed, _) = options::chaos();
    let length = options::soak();
    println!("seed {seed}: a day in {length:?}");
    let mut facts = Facts::gather();
    let node = Node::new("soak", Database::File, None).with_clock();
    facts.version("program", &mut node.command(&["--version"]));
    facts.add("database", "SQLite");
    facts.add("seed", seed.to_string());
    let mut day = Day::begin(node, Random::new(seed)).await;
    let lasting = day.launch(Kind::Counter).await;
    for _ in 0..MORNING {
        day.round().await;
    }
    let supervisor = day.supervisor(&lasting).await;
    let before = day.settled(supervisor, None).await;
    let hurry = Hurry::begin(&day.node, length);
    let until = Instant::now() + length;
    while Instant::now() < until {
        day.round().await;
    }
    drop(hurry);
    let after = day.settled(supervisor, Some(&before)).await;
    day.stop(&lasting).await;
    let said = day.compare(&lasting);
    let periods = day.periods().await;
    facts.add("load after", load());
    let text = tell(&facts, length, &day.done, [&before, &after], (periods, said));
    println!("{text}");
    RELIABILITY.put("soak", &text).expect("write the report");
    let mut wrong = grown(&before, &after);
    // The clock is looked at once a second: in a very short day some hours are not seen.
    let hours = i64::try_from(length.as_secs() / 3).unwrap_or(8).min(8);
    if periods < hours {
        wrong.push(format!("{periods} hours of the budget began, {hours} at least were to"));
    }
    assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("; "));
}

/// Says what is more in the evening than it may be.
fn grown(before: &Held, after: &Held) -> Vec<String> {
    let mut wrong = Vec::new();
    if !after.is_within(before) {
        wrong.push(format!("before: {before:?}, after: {after:?}"));
    }
    if after.rss_kib > before.rss_kib + MORE {
        wrong.push(format!("the daemon grew from {} to {} KiB", before.rss_kib, after.rss_kib));
    }
    if after.lasting_kib > before.lasting_kib + LASTING {
        let (before, after) = (before.lasting_kib, after.lasting_kib);
        wrong.push(format!("a supervisor grew from {before} to {after} KiB"));
    }
    wrong
}

/// Lets the daemon's clock run through the day.
struct Hurry(Arc<AtomicBool>);

impl Hurry {
    fn begin(node: &Node, length: Duration) -> Self {
        let leave = Arc::<AtomicBool>::default();
        if let Some(hand) = node.clock().map(crate::clock::Clock::hand) {
            let leave = Arc::clone(&leave);
            tokio::spawn(async move {
                let begun = Instant::now();
                while !leave.load(Ordering::Relaxed) {
                    let part = begun.elapsed().div_duration_f64(length).min(1.0);
                    hand.set_ahead(DAY.mul_f64(part));
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
        Self(leave)
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Day {
    async fn begin(node: Node, random: Random) -> Self {
        tokio::task::block_in_place(|| node.start());
        let root = node.places().root().to_owned();
        let workshop = Workshop { program: options::program(), dir: node.path("work"), root };
        std::fs::create_dir(&workshop.dir).expect("make a directory");
        workshop.equip();
        let dir = node.path("p");
        std::fs::create_dir(&dir).expect("make a directory");
        let dir = dir.to_str().expect("ASCII");
        let made = try_run(node.command(&["new", PROJECT, "--path", dir]), b"");
        made.expect("make a project").expect_code(0);
        let client = Client::connect_if_running(&node.places()).await.expect("connect");
        let client = client.expect("it runs");
        let change = BudgetChange {
            scope: BudgetScope::Project(PROJECT.to_owned()),
            period: Period::Hourly,
            limit: Limit::Tokens(1_000_000_000),
            action: None,
            count_cache_reads: None,
            enforce_estimates: None,
            time_zone: None,
        };
        client.set_budget(change).await.expect("set a budget");
        Self { node, client, workshop, random, done: Done::default() }
    }

    /// Makes a call and takes its time.
    async fn call<T, E: std::fmt::Debug>(&mut self, call: impl Future<Output = Result<T, E>>) -> T {
        let begun = Instant::now();
        let answer = timeout(PATIENCE, call).await.expect("an answer in time");
        self.done.calls.add(begun.elapsed());
        answer.expect("an answer")
    }

    async fn launch(&mut self, kind: Kind) -> (String, Employed) {
        let request = Uuid::new_v4();
        let (employed, command) = self.workshop.employ(request, kind, PROJECT);
        let launch = LaunchRequest {
            request_id: Some(request),
            project: PROJECT.to_owned(),
            name: String::new(),
            command,
            cwd: None,
            worktree: None,
            environment: vec![
                ("HOME".into(), self.node.home().into_os_string()),
                ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
                ("CHAOS_WITNESS".into(), employed.witness.clone().into_os_string()),
            ],
            size: TerminalSize::default(),
            restart: RestartPolicy::Never,
            umask: 0o022,
            max_tokens: None,
        };
        let client = self.client.clone();
        let launched = self.call(client.launch(&launch)).await;
        self.done.launched += 1;
        (launched.runner.id.to_string(), employed)
    }

    async fn stop(&mut self, (id, _): &(String, Employed)) {
        let force = self.random.percent(30);
        let client = self.client.clone();
        self.call(client.stop(id, Some(Duration::from_millis(500)), force)).await;
        self.done.ended += 1;
    }

    /// What happens again and again.
    async fn round(&mut self) {
        let kinds = [
            Kind::Brief(0),
            Kind::Brief(3),
            Kind::Counter,
            Kind::Reader,
            Kind::Spender,
            Kind::Parent,
        ];
        let mut agents = Vec::new();
        for kind in kinds {
            agents.push((kind, self.launch(kind).await));
        }
        let of = |kind: Kind| {
            agents.iter().find(|(other, _)| *other == kind).map(|(_, it)| it.0.clone())
        };
        let (counter, reader) = (of(Kind::Counter), of(Kind::Reader));
        let (counter, reader) = (counter.unwrap_or_default(), reader.unwrap_or_default());
        let viewers: Vec<_> =
            (0..2).map(|_| Viewer::start(self.node.places(), counter.clone())).collect();
        let client = self.client.clone();
        for _ in 0..3 {
            self.call(client.send_text(&reader, &format!("line {}", Uuid::new_v4()), true)).await;
            self.call(client.send_keys(&reader, Bytes::from_static(b"half a line\r"))).await;
            self.done.typed += 2;
        }
        let rows = u16::try_from(20 + self.random.below(40)).unwrap_or(24);
        self.call(client.resize(&reader, TerminalSize::new(100, rows))).await;
        self.call(client.screen(&reader)).await;
        self.follow(&counter).await;
        self.call(client.list_runners("", "", 0)).await;
        self.call(client.list_items(ItemQuery::default())).await;
        self.call(client.list_budgets()).await;
        self.call(client.health()).await;
        self.done.asked += 5;
        sleep(self.random.millis(100, 400)).await;
        self.done.watched += viewers.iter().filter(|viewer| !viewer.seen().is_empty()).count();
        drop(viewers);
        for (kind, agent) in &agents {
            if !matches!(kind, Kind::Brief(_)) {
                self.stop(agent).await;
            }
        }
        self.done.rounds += 1;
    }

    /// Watches frames, a record and the log of events for a moment, and hangs up in the middle.
    async fn follow(&mut self, runner: &str) {
        let client = self.client.clone();
        let mut frames = self.call(client.watch_frames(runner, 30)).await;
        let mut record = self.call(client.read_log(runner, None, true)).await;
        let filter = EventFilter::default();
        let mut events = self.call(client.subscribe_events(&filter, Some(0))).await;
        timeout(PATIENCE, frames.next()).await.expect("a frame").expect("a frame");
        timeout(PATIENCE, record.next()).await.expect("a line").expect("a line");
        timeout(PATIENCE, events.next()).await.expect("an event").expect("an event");
        self.done.asked += 3;
    }

    /// Returns the process of a runner's supervisor.
    async fn supervisor(&mut self, (id, _): &(String, Employed)) -> i32 {
        let client = self.client.clone();
        let runner = self.call(client.get_runner(id)).await;
        runner.supervisor_pid.and_then(|pid| pid.try_into().ok()).expect("it has a supervisor")
    }

    /// Waits until nothing but what lasts is there, and the counts are those wanted or stay what they are;
    /// returns what is held.
    async fn settled(&mut self, lasting: i32, wanted: Option<&Held>) -> Held {
        let begun = Instant::now();
        let mut same: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        loop {
            let held = self.held(lasting).expect("the daemon and what lasts live");
            let seen = same.entry(held.counts()).or_default();
            *seen += 1;
            let is_wanted = wanted.map_or(*seen > 20, |wanted| {
                held.is_within(wanted) && held.rss_kib <= wanted.rss_kib + MORE
            });
            if is_wanted || begun.elapsed() > EVENING {
                return held;
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    fn held(&self, lasting: i32) -> Option<Held> {
        let daemon = Process::new(self.node.pid().as_raw_nonzero().get()).ok()?;
        let status = daemon.status().ok()?;
        let rollup = Process::new(lasting).ok()?.smaps_rollup().ok()?;
        // Its share of the program's file grows when others that run the same file leave: that is no memory
        // of its own.
        let own = rollup.memory_map_rollup.iter().next()?.extension.map.get("Pss_Anon").copied()?;
        let open = daemon.fd().ok()?.filter_map(Result::ok);
        let mut files: Vec<_> = open.map(|file| kind(&file.target)).collect();
        files.sort();
        put_by(&mut files, &self.node.places().database().display().to_string());
        Some(Held {
            rss_kib: status.vmrss?,
            own_kib: status.rssanon?,
            files,
            threads: status.threads,
            processes: self.node.processes(),
            lasting_kib: own >> 10,
        })
    }

    /// Compares what the agent that never stopped said with its record; returns the bytes.
    fn compare(&self, (id, employed): &(String, Employed)) -> usize {
        let said = employed.testimony(id).said.unwrap_or_default();
        let record =
            try_run(self.node.command(&["logs", id, "--raw"]), b"").expect("read a record");
        assert!(
            record.expect_code(0).bytes == said,
            "the record of the whole day is what was said"
        );
        said.len()
    }

    /// Returns how many hours of the budget have begun.
    async fn periods(&self) -> i64 {
        let options =
            SqliteConnectOptions::new().filename(self.node.places().database()).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("open the file");
        let query = "SELECT count(*) FROM token_budgets WHERE period_granularity = 'hourly'";
        let count = sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("count");
        connection.close().await.ok();
        count
    }
}

/// Leaves out the files that SQLite has put by: what a closed connection had open cannot be closed while
/// another of the process holds locks on the same file, so it is kept for the next one (`os_unix.c`,
/// `pPreallocatedUnused`). Connections are told by their logs, of which none is kept; more than
/// [`PUT_BY`] would be a leak.
fn put_by(files: &mut Vec<String>, database: &str) {
    let log = format!("{database}-wal");
    let count = |name: &str| files.iter().filter(|file| *file == name).count();
    let kept = count(database).saturating_sub(count(&log)).min(PUT_BY);
    for _ in 0..kept {
        if let Some(at) = files.iter().position(|file| file == database) {
            files.remove(at);
        }
    }
}

/// What an open file is, without the number that tells it from others of its kind.
fn kind(file: &FDTarget) -> String {
    match file {
        FDTarget::Path(path) => path.display().to_string(),
        FDTarget::Socket(_) => "socket".to_owned(),
        FDTarget::Pipe(_) => "pipe".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Returns the section of the report.
fn tell(
    facts: &Facts,
    length: Duration,
    done: &Done,
    [before, after]: [&Held; 2],
    (periods, said): (i64, usize),
) -> String {
    let one = |name: &str, value: usize| [name.to_owned(), value.to_string()];
    let work = table(
        &["", ""],
        [
            one("rounds of work", done.rounds),
            one("agents launched", done.launched),
            one("agents stopped", done.ended),
            one("lines typed", done.typed),
            one("terminals attached", done.watched),
            one("lists, frames, records and logs asked for", done.asked),
            one("hours of a budget begun", usize::try_from(periods).unwrap_or(0)),
            one("bytes said by an agent that never stopped, and recorded", said),
        ],
    );
    let row = |name: &str, figure: fn(&Held) -> u64, allowed: &str| {
        [name.to_owned(), figure(before).to_string(), figure(after).to_string(), allowed.to_owned()]
    };
    let held = table(
        &["held", "before", "after", "allowed"],
        [
            row("daemon: memory, KiB", |held| held.rss_kib, "+ 16384"),
            row("of it its own, without files", |held| held.own_kib, ""),
            row("daemon: open files", |held| held.files.len() as u64, "+ 0"),
            row("daemon: threads", |held| held.threads, "+ 4"),
            row("processes", |held| held.processes as u64, "+ 0"),
            row("supervisor of that agent: memory, KiB", |held| held.lasting_kib, "+ 1024"),
        ],
    );
    let [count, p50, p99, max] = done.calls.cells();
    let minutes = length.as_secs_f64() / 60.0;
    format!(
        "## A working day\n\n`./tests/run soak --minutes {minutes:.0}`: eight hours of the daemon's clock in {:.1} \
         minutes.\n\n{}\n{work}\n{held}\n{count} calls: p50 {p50}, p99 {p99}, longest {max}.\n",
        minutes,
        facts.list(),
    )
}
