//! What is done to the cluster: faults, alone and in pairs, chosen by the seed. Each is begun, held
//! for a while and ended; what was killed is started again at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use rustix::process::{Pid, Signal, kill_process};
use stratavore::process::ProcessId;
use tokio::time::{Instant, sleep};

use crate::{
    clock::Clock,
    cluster::{Cluster, SHARING},
    deck,
    eyes::Eyes,
    limits::{self, Crowded},
    load::Desk,
    observer::{self, EVENTS, EXCHANGE},
    options,
    random::Random,
    servers::Proxy,
    strangers::Strangers,
};

/// One of the daemons sleeps, beside all else that happens, from then on and for so long: longer than
/// a lease lasts, so that another does its work.
const AWAKE: Duration = Duration::from_secs(3);
const ASLEEP: Duration = Duration::from_secs(10);
/// The exchange comes back, and our queue is bound again, within this.
const BINDING: Duration = Duration::from_secs(20);

/// How far clocks are moved, in minutes.
pub(crate) const MOVES: [i64; 5] = [24 * 60, -24 * 60, 90, -90, -1];

/// How a way misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Nothing passes.
    BlackHole,
    /// One side is gone and the other does not know.
    HalfOpen,
    /// Connections are reset.
    Reset,
    /// Everything takes its time.
    Slow,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A daemon is killed.
    DaemonKilled(usize),
    /// A daemon is stopped where it stands, and goes on.
    DaemonPaused(usize),
    /// The database server is killed.
    DatabaseKilled,
    /// It is stopped where it stands.
    DatabasePaused,
    /// The broker is killed.
    BrokerKilled,
    /// It is stopped where it stands.
    BrokerPaused,
    /// It is out of memory.
    BrokerAlarmed,
    /// The way of a daemon to its database.
    DatabaseWay(usize, Way),
    /// The way of a daemon to the broker.
    BrokerWay(usize, Way),
    /// The product's queue is deleted.
    QueueDeleted(usize),
    /// The exchange is deleted.
    ExchangeDeleted(usize),
    /// The disk of the embedded database is full.
    DiskFull,
    /// Its file can only be read when its daemon starts.
    DiskReadOnly,
    /// A supervisor of a daemon's is killed, and sometimes its agent with it; strangers take their numbers.
    SupervisorKilled(usize),
    /// A supervisor is stopped where it stands, and goes on.
    SupervisorPaused(usize),
    /// The clock of a daemon is set wrong by so many minutes, and right again.
    ClockMoved(usize, i64),
    /// A daemon can open hardly another file.
    FilesRunOut(usize),
    /// A daemon can start no further process or thread.
    ProcessesRunOut(usize),
    /// Every call of the clients of a system is cut off in its middle.
    ClientsCutOff(usize),
    /// A daemon's program is replaced while it runs, and the next daemon is the new one.
    ProgramReplaced(usize),
}

/// How often something may be sent again, and what was done.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Faults after which messages may be repeated.
    pub faults: u64,
    /// How often each kind was done.
    pub kinds: BTreeMap<String, u32>,
    /// Processes killed.
    pub kills: u32,
    /// Faults that cannot be made here.
    pub impossible: BTreeSet<&'static str>,
    /// Runners whose supervisors were killed.
    pub killed_supervisors: BTreeSet<String>,
    /// Runners whose supervisors stood still for a time.
    pub paused_supervisors: BTreeSet<String>,
}

/// Whom and what trouble needs.
pub(crate) struct Scene<'a> {
    /// What it befalls.
    pub cluster: &'a Cluster<'a>,
    /// The clients of the two systems.
    pub desks: &'a [Desk; 2],
    /// Who sees what runs.
    pub eyes: &'a Eyes,
    /// Who is not concerned.
    pub strangers: &'a Strangers,
}

/// What was begun and must be undone by hand.
#[derive(Default)]
struct Held {
    crowded: BTreeMap<usize, Crowded>,
    paused: BTreeMap<usize, ProcessId>,
    builds: usize,
}

/// What a fault befalls: two at once never befall the same.
#[derive(PartialEq, Eq)]
enum Victim {
    Daemon(usize),
    Database,
    Broker,
    DatabaseWay(usize),
    BrokerWay(usize),
    Supervisor(usize),
    Clock(usize),
    Clients(usize),
}

impl Fault {
    fn victim(self) -> Victim {
        match self {
            Self::DaemonKilled(n) | Self::DaemonPaused(n) => Victim::Daemon(n),
            Self::DatabaseKilled | Self::DatabasePaused => Victim::Database,
            Self::DatabaseWay(n, _) => Victim::DatabaseWay(n),
            Self::BrokerWay(n, _) => Victim::BrokerWay(n),
            Self::DiskFull | Self::DiskReadOnly => Victim::Daemon(SHARING),
            Self::FilesRunOut(n) | Self::ProcessesRunOut(n) | Self::ProgramReplaced(n) => {
                Victim::Daemon(n)
            }
            Self::SupervisorKilled(n) | Self::SupervisorPaused(n) => Victim::Supervisor(n),
            Self::ClockMoved(n, _) => Victim::Clock(n),
            Self::ClientsCutOff(system) => Victim::Clients(system),
            Self::BrokerKilled
            | Self::BrokerPaused
            | Self::BrokerAlarmed
            | Self::QueueDeleted(_)
            | Self::ExchangeDeleted(_) => Victim::Broker,
        }
    }

    /// How many daemons may send again what was under way: each that loses its broker, or that may
    /// lose a lease to another or the note of what was delivered.
    fn senders(self) -> u64 {
        match self {
            Self::DatabaseKilled | Self::DatabasePaused => SHARING as u64,
            Self::BrokerKilled
            | Self::BrokerPaused
            | Self::BrokerAlarmed
            | Self::QueueDeleted(_)
            | Self::ExchangeDeleted(_) => SHARING as u64 + 1,
            _ => 1,
        }
    }

    /// The kind, without whom it befalls.
    fn kind(self) -> String {
        let text = format!("{self:?}");
        text.split('(').next().unwrap_or_default().to_owned()
    }
}

/// Does things to the cluster until the time is over; everything is begun again at the end.
pub(crate) async fn trouble(scene: &Scene<'_>, random: &mut Random, until: Instant) -> Report {
    let cluster = scene.cluster;
    let (mut report, mut held) = (Report::default(), Held::default());
    let mut waiting = deck::first(random);
    let begun = Instant::now();
    let sleeper = random.below(SHARING);
    let nap = tokio::spawn(nap(cluster.nodes[sleeper].pid()));
    report.faults += 1;
    while Instant::now() < until {
        if waiting.len() < 2 {
            waiting.extend(deck::next(random));
        }
        // Whoever sleeps is left alone.
        let is_free =
            |fault: &Fault| nap.is_finished() || fault.victim() != Victim::Daemon(sleeper);
        let first = waiting.iter().position(is_free).unwrap_or(0);
        let mut together = vec![waiting.remove(first)];
        if random.percent(40)
            && let Some(at) = waiting
                .iter()
                .position(|fault| is_free(fault) && fault.victim() != together[0].victim())
        {
            together.push(waiting.remove(at));
        }
        println!("{:6.2} s {together:?}", begun.elapsed().as_secs_f64());
        for fault in &together {
            begin(scene, *fault, random, &mut report, &mut held).await;
        }
        sleep(random.millis(300, 1500)).await;
        for fault in &together {
            end(scene, *fault, &mut held);
        }
        sleep(random.millis(100, 800)).await;
    }
    nap.await.expect("it wakes up");
    report
}

/// Stops a daemon for long, whatever else happens.
async fn nap(daemon: Pid) {
    for (time, signal) in [(AWAKE, Signal::STOP), (ASLEEP, Signal::CONT)] {
        sleep(time).await;
        kill_process(daemon, signal).expect("it is left alone");
    }
}

async fn begin(
    scene: &Scene<'_>,
    fault: Fault,
    random: &mut Random,
    report: &mut Report,
    held: &mut Held,
) {
    let cluster = scene.cluster;
    let nodes = &cluster.nodes;
    report.faults += fault.senders();
    *report.kinds.entry(fault.kind()).or_default() += 1;
    match fault {
        Fault::DaemonKilled(n) => {
            report.kills += 1;
            nodes[n].kill();
            nodes[n].begin();
        }
        Fault::DaemonPaused(n) => nodes[n].signal(Signal::STOP),
        Fault::DatabaseKilled => {
            report.kills += 1;
            tokio::task::block_in_place(|| cluster.postgres.kill());
        }
        Fault::DatabasePaused => cluster.postgres.pause(),
        Fault::BrokerKilled => {
            report.kills += 1;
            tokio::task::block_in_place(|| cluster.rabbitmq.kill());
        }
        Fault::BrokerPaused => cluster.rabbitmq.pause(),
        Fault::BrokerAlarmed => cluster.rabbitmq.memory_alarm(true),
        Fault::DatabaseWay(n, way) => nodes[n].database.iter().for_each(|proxy| spoil(proxy, way)),
        Fault::BrokerWay(n, way) => nodes[n].broker.iter().for_each(|proxy| spoil(proxy, way)),
        Fault::QueueDeleted(vhost) => delete_queue(&cluster.vhosts[vhost].url()).await,
        Fault::ExchangeDeleted(vhost) => delete_exchange(&cluster.vhosts[vhost].url()).await,
        Fault::DiskFull => fill(cluster, true),
        Fault::DiskReadOnly => {
            report.kills += 1;
            nodes[SHARING].kill();
            if !nodes[SHARING].write_protect(true) {
                report.impossible.insert("a file that can only be read");
            }
            nodes[SHARING].begin();
        }
        Fault::SupervisorKilled(n) => {
            let with_agent = random.percent(50);
            tokio::task::block_in_place(|| kill_supervisor(scene, n, with_agent, random, report));
        }
        Fault::SupervisorPaused(n) => {
            if let Some((runner, supervisor, _)) = pick(scene, n, random) {
                report.paused_supervisors.insert(runner);
                supervisor.signal(Signal::STOP);
                held.paused.insert(n, supervisor);
            }
        }
        Fault::ClockMoved(n, minutes) => {
            let by = Duration::from_mins(minutes.unsigned_abs());
            match nodes[n].clock() {
                Some(clock) if minutes < 0 => clock.set_behind(by),
                Some(clock) => clock.set_ahead(by),
                None => drop(report.impossible.insert("a clock that is moved")),
            }
        }
        Fault::FilesRunOut(n) => nodes[n].process().into_iter().for_each(limits::few_files),
        Fault::ProcessesRunOut(n) => match nodes[n].process().map(Crowded::begin) {
            Some(Some(crowded)) => drop(held.crowded.insert(n, crowded)),
            Some(None) => drop(report.impossible.insert("a limit of processes")),
            None => {}
        },
        Fault::ClientsCutOff(system) => scene.desks[system].cut.store(true, Ordering::Relaxed),
        Fault::ProgramReplaced(n) => {
            held.builds += 1;
            tokio::task::block_in_place(|| nodes[n].replace_program(held.builds));
        }
    }
}

/// Returns a runner of a daemon's that lives, with its supervisor and its agent.
fn pick(
    scene: &Scene<'_>,
    n: usize,
    random: &mut Random,
) -> Option<(String, ProcessId, ProcessId)> {
    let runners = scene.cluster.nodes[n].places().root().join("runners");
    let agents = scene.eyes.agents().into_iter();
    let own: Vec<_> = agents.filter(|(runner, _)| runners.join(runner).exists()).collect();
    let (runner, agent) = random.choose(&own)?.clone();
    let parent = procfs::process::Process::new(agent.pid).ok()?.stat().ok()?.ppid;
    // One that is orphaned already has none.
    let supervisor = ProcessId::of(parent).filter(|_| parent > 1)?;
    Some((runner, supervisor, agent))
}

/// Kills a supervisor, and has strangers stand where its processes stood.
fn kill_supervisor(
    scene: &Scene<'_>,
    n: usize,
    with_agent: bool,
    random: &mut Random,
    report: &mut Report,
) {
    let Some((runner, supervisor, agent)) = pick(scene, n, random) else { return };
    report.killed_supervisors.insert(runner.clone());
    report.kills += 1;
    supervisor.signal(Signal::KILL);
    if with_agent {
        agent.signal(Signal::KILL);
    }
    let node = &scene.cluster.nodes[n];
    let gone = [Some(supervisor), with_agent.then_some(agent)];
    for (process, name) in gone.into_iter().flatten().zip(["s", "a"]) {
        let witness = node.path(&format!("stranger-{runner}-{name}"));
        if !scene.strangers.take_number(process.pid, &options::program(), witness) {
            report.impossible.insert("a number that is given out again at once");
        }
    }
}

fn end(scene: &Scene<'_>, fault: Fault, held: &mut Held) {
    let cluster = scene.cluster;
    let nodes = &cluster.nodes;
    match fault {
        Fault::DaemonKilled(n) => nodes[n].begin(),
        Fault::DaemonPaused(n) => nodes[n].signal(Signal::CONT),
        Fault::DatabaseKilled => tokio::task::block_in_place(|| cluster.postgres.restart()),
        Fault::DatabasePaused => cluster.postgres.resume(),
        Fault::BrokerKilled => tokio::task::block_in_place(|| cluster.rabbitmq.restart()),
        Fault::BrokerPaused => cluster.rabbitmq.resume(),
        Fault::BrokerAlarmed => cluster.rabbitmq.memory_alarm(false),
        Fault::DatabaseWay(n, _) => nodes[n].database.iter().for_each(Proxy::heal),
        Fault::BrokerWay(n, _) => nodes[n].broker.iter().for_each(Proxy::heal),
        Fault::QueueDeleted(_) | Fault::ExchangeDeleted(_) | Fault::SupervisorKilled(_) => {}
        Fault::DiskFull => fill(cluster, false),
        Fault::DiskReadOnly => {
            nodes[SHARING].kill();
            nodes[SHARING].write_protect(false);
            nodes[SHARING].begin();
        }
        Fault::SupervisorPaused(n) => {
            if let Some(supervisor) = held.paused.remove(&n) {
                supervisor.signal(Signal::CONT);
            }
        }
        Fault::ClockMoved(n, _) => nodes[n].clock().into_iter().for_each(Clock::set_right),
        Fault::FilesRunOut(n) => nodes[n].process().into_iter().for_each(limits::enough_files),
        Fault::ProcessesRunOut(n) => drop(held.crowded.remove(&n)),
        Fault::ClientsCutOff(system) => scene.desks[system].cut.store(false, Ordering::Relaxed),
        Fault::ProgramReplaced(n) => {
            // In order or not, in turns.
            if held.builds.is_multiple_of(2) {
                tokio::task::block_in_place(|| nodes[n].leave());
            } else {
                nodes[n].kill();
            }
            nodes[n].begin();
        }
    }
}

fn spoil(proxy: &Proxy, way: Way) {
    match way {
        Way::BlackHole => proxy.black_hole(),
        Way::HalfOpen => proxy.half_open(),
        Way::Reset => proxy.reset(),
        Way::Slow => proxy.latency(Duration::from_millis(40)),
    }
}

/// Fills the small disk to its last byte, or makes room again.
fn fill(cluster: &Cluster<'_>, full: bool) {
    use std::io::Write as _;
    let Some(disk) = cluster.nodes[SHARING].disk() else { return };
    let ballast = disk.join("ballast");
    if !full {
        std::fs::remove_file(ballast).ok();
        return;
    }
    let Ok(mut file) = std::fs::File::create(ballast) else { return };
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn delete_queue(url: &str) {
    let Ok((connection, channel)) = observer::open(url).await else { return };
    channel.queue_delete(EVENTS.into(), QueueDeleteOptions::default()).await.ok();
    connection.close(200, "done".into()).await.ok();
}

/// Deletes the exchange and binds our queue to the next one as soon as there is one.
async fn delete_exchange(url: &str) {
    let Ok((connection, channel)) = observer::open(url).await else { return };
    channel.exchange_delete(EXCHANGE.into(), ExchangeDeleteOptions::default()).await.ok();
    connection.close(200, "done".into()).await.ok();
    let begun = Instant::now();
    while begun.elapsed() < BINDING {
        if let Ok((connection, channel)) = observer::open(url).await {
            let bound = observer::bind(&channel).await.is_ok();
            connection.close(200, "done".into()).await.ok();
            if bound {
                return;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    println!("the exchange did not come back within {BINDING:?}");
}
