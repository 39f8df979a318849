//! The chaos run: load, faults, healing; then the checker.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use sqlx::{Connection as _, Executor as _, postgres::PgConnection};
use stratavore::{client::Client, domain::runner::FORCED};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    checker,
    cluster::{Cluster, Node, SHARING},
    eyes::{Eyes, Seen, Watch},
    hindsight,
    history::{History, RunnerRow},
    load::{Desk, Door, LOUD, Load},
    nemesis::{self, Report, Scene},
    observer::Observer,
    options,
    random::Random,
    report::Facts,
    servers::{Postgres, RabbitMq},
    snapshot,
    strangers::Strangers,
    support::{Bot, Terminal, Witness, try_run},
    telling,
    work::Workshop,
};

/// Clients of those that share, and of the one with a file.
const CLIENTS: [usize; 2] = [4, 2];
/// Load without faults, in which nothing may come twice.
const CALM: Duration = Duration::from_secs(2);
/// Each of the two systems, from the end of the faults until everything is settled.
const SETTLING: Duration = Duration::from_mins(1);
/// Messages that the product has under way at most.
const WINDOW: u64 = stratavore::daemon::broker::WINDOW as u64;
/// The projects of the two.
const PROJECTS: [&str; 2] = ["shared", "file"];
/// Live runners that the first may have at once; its clients want more.
const LIMIT: i64 = 12;
/// So many runners are launched there at most, and a spoiled event is refused within.
const POISONED: usize = 12;
const REFUSED: Duration = Duration::from_secs(3);
/// What is wrong is told, so much of it.
const MOST: usize = 30;
/// A project whose runners' second events have keys that no broker takes.
const POISON: &str = "poison";

/// Spoils events of one project as they enter the queue.
const SPOIL: &str = "CREATE FUNCTION spoil() RETURNS trigger AS $$ BEGIN \
     IF NEW.aggregate_type = 'runner' AND NEW.sequence = 2 AND NEW.payload->>'project' = 'poison' \
     THEN NEW.routing_key := repeat('k', 300); NEW.max_attempts := 2; END IF; \
     RETURN NEW; END $$ LANGUAGE plpgsql; \
     CREATE TRIGGER spoil BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION spoil()";

/// Failures in one project are told to a program.
fn settings(bot: &Bot) -> String {
    format!(
        "notify:\n  dwell_seconds: 0\n  cooldown_seconds: 1\n  webhook:\n    url: {}/hook\n  rules:\n    \
         - {{event: runner.failed, project: {LOUD}, channels: [webhook]}}\n    - {{mute: true}}\n",
        bot.url()
    )
}

/// The program that is told; it lives as long as the tests.
fn bot() -> &'static Bot {
    static BOT: OnceLock<Bot> = OnceLock::new();
    BOT.get_or_init(Bot::start)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemons_and_servers_that_die_lose_nothing() {
    let (seed, length) = options::chaos();
    println!("seed {seed}: ./tests/run chaos --seed {seed}");
    let mut facts = Facts::gather();
    let random = Random::new(seed);
    let begun = Instant::now();
    let (postgres, rabbitmq) = servers();
    let cluster = Cluster::start(&postgres, &rabbitmq, &settings(bot())).await;
    facts.version("program", &mut cluster.nodes[0].command(&["--version"]));
    telling::versions(&mut facts);
    let keys: Vec<_> = cluster.nodes.iter().map(key).collect();
    prepare(&cluster).await;
    let observers = [
        Observer::start(&cluster.vhosts[0].url()).await,
        Observer::start(&cluster.vhosts[1].url()).await,
    ];
    let samples = Arc::<Mutex<History>>::default();
    let sampler = tokio::spawn(snapshot::sample(cluster.database.clone(), Arc::clone(&samples)));
    let lock = |node: &Node| node.places().root().join("run/daemon.lock");
    let watches =
        cluster.nodes.iter().map(|n| Watch { name: n.name.clone(), lock: lock(n), home: n.home() });
    let secrets = hindsight::SECRETS.map(str::to_owned).into();
    let eyes = Eyes::open(begun.into_std(), watches.collect(), secrets);
    let (strangers, control) = beside(&cluster);
    let desks = [Desk::new(begun), Desk::new(begun)];
    let stop = CancellationToken::new();
    let clients = clients(&cluster, &random, &desks, &stop);

    println!("everything runs after {:?}", begun.elapsed());
    sleep(CALM).await;
    for observer in &observers {
        let calm = History { deliveries: observer.deliveries(), ..History::default() };
        assert_eq!(checker::duplicates(&calm), 0, "of {}, no fault yet", calm.deliveries.len());
    }
    let scene = Scene { cluster: &cluster, desks: &desks, eyes: &eyes, strangers: &strangers };
    let report = nemesis::trouble(&scene, &mut random.fork(0), Instant::now() + length).await;
    println!("healing after {} kills: {:?}", report.kills, report.kinds);
    tokio::task::block_in_place(|| cluster.heal());
    let healed = Instant::now();
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    for client in clients {
        client.await.expect("a client works to its end");
    }
    let reality = hindsight::reality(&eyes, healed, async || all_rows(&cluster).await).await;
    let strangers = strangers.end();
    let ending = Instant::now();
    let mut histories = settle(&cluster, &observers).await;
    let settled = ending.elapsed();
    sampler.abort();
    let seen = eyes.close();
    let samples = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    (histories[0].leases, histories[0].live) = (samples.leases, samples.live);
    histories[0].limits = [(PROJECTS[0].to_owned(), LIMIT)].into();
    histories[0].strangers = strangers;
    share_out(seen, &mut histories);
    let control_stall = control.longest_stall();
    for (at, (history, desk)) in histories.iter_mut().zip(&desks).enumerate() {
        history.settled = Some(settled);
        history.control_stall = control_stall;
        look_back(&cluster, at, history, desk, &report).await;
        history.audit = Some(verify(&cluster.nodes[at * SHARING], &keys));
        telling::tell(PROJECTS[at], history);
    }
    histories[0].reality = Some(reality);
    let findings: Vec<_> = histories.iter().map(checker::examine).collect();
    let wrong: Vec<_> = findings
        .iter()
        .zip(PROJECTS)
        .flat_map(|(findings, name)| {
            findings.violations.iter().map(move |v| format!("{name}: {v}"))
        })
        .collect();
    if !wrong.is_empty() {
        options::keep(&cluster, &histories, &seed.to_string());
    }
    println!("checked after {:?}", begun.elapsed());
    telling::write(&facts, seed, length, &report, &histories, &findings);
    let first: Vec<_> = wrong.iter().take(MOST).map(String::as_str).collect();
    assert!(wrong.is_empty(), "seed {seed}, {} wrong:\n{}", wrong.len(), first.join("\n"));
}

/// Starts both servers, side by side.
fn servers() -> (Postgres, RabbitMq) {
    std::thread::scope(|scope| {
        let postgres = scope.spawn(Postgres::start);
        let rabbitmq = RabbitMq::start();
        (postgres.join().expect("PostgreSQL starts"), rabbitmq)
    })
}

/// Gives each system what was seen of it; what belongs to none, to the first.
fn share_out(seen: Seen, [shared, file]: &mut [History; 2]) {
    for sighting in seen.sightings {
        let in_file = file.runners.iter().any(|row| row.id == sighting.runner);
        if in_file { &mut *file } else { &mut *shared }.sightings.push(sighting);
    }
    shared.holdings = seen.holdings;
    shared.leaks = seen.leaks.into_iter().collect();
}

/// Starts who stands beside it all: strangers, and one who counts without the product around it, whose
/// witness is returned.
fn beside(cluster: &Cluster<'_>) -> (Strangers, Control) {
    let node = &cluster.nodes[0];
    let strangers = Strangers::default();
    for number in 0..2 {
        strangers.add(&options::program(), node.path(&format!("stranger-{number}")));
    }
    let witness = Witness::new(node.path("control"));
    let mut counting = std::process::Command::new(options::program());
    counting.args(["demo-agent", "--mode", "seq", "--rate", "50", "--witness"]).arg(witness.path());
    (strangers, Control { witness, terminal: Terminal::start(counting) })
}

/// One who counts without the product around it.
struct Control {
    witness: Witness,
    terminal: Terminal,
}

impl Control {
    /// Ends it and returns how long it was held up at most: that is the machine's doing.
    fn longest_stall(self) -> Duration {
        self.terminal.signal(rustix::process::Signal::TERM);
        drop(self.terminal);
        self.witness.longest_stall()
    }
}

/// Returns the rows of all runners, as the databases have them now.
async fn all_rows(cluster: &Cluster<'_>) -> Vec<RunnerRow> {
    let shared = snapshot::of_server(&cluster.database).await.expect("read the server");
    let file = snapshot::of_file(&cluster.nodes[SHARING].places().database()).await;
    let mut rows = shared.runners;
    rows.extend(file.expect("read the file").runners);
    rows
}

/// Fills in what was written down on the way and what can be found out afterwards.
async fn look_back(
    cluster: &Cluster<'_>,
    at: usize,
    history: &mut History,
    desk: &Desk,
    report: &Report,
) {
    let notes = std::mem::take(&mut *desk.notes());
    history.calls = notes.calls;
    history.watched = notes.watched;
    (history.faults, history.window) = (report.faults, WINDOW);
    history.is_audited = true;
    history.disk_was_full = at == 1 && report.kinds.contains_key("DiskFull");
    history.queue_was_deleted = report.kinds.contains_key("QueueDeleted");
    history.killed_supervisors.clone_from(&report.killed_supervisors);
    history.paused_supervisors.clone_from(&report.paused_supervisors);
    // A client's force upon a supervisor that we let stand still is a kill of ours, by other hands.
    let forced =
        |row: &&RunnerRow| row.reason == FORCED && report.paused_supervisors.contains(&row.id);
    let forced: Vec<_> = history.runners.iter().filter(forced).map(|row| row.id.clone()).collect();
    history.killed_supervisors.extend(forced);
    let (from, to) = if at == 0 { (0, SHARING) } else { (SHARING, SHARING + 1) };
    let nodes: Vec<_> = cluster.nodes[from..to].iter().collect();
    history.testimonies = hindsight::testimonies(&notes.employed, history, &nodes).await;
    let limit = (at == 0).then_some(LIMIT.unsigned_abs());
    history.forbidden = hindsight::forbidden(&notes.employed, nodes[0], PROJECTS[at], limit).await;
    hindsight::count_told(history, bot());
    tokio::task::block_in_place(|| hindsight::search(history, &nodes));
}

/// Makes the projects, and what poisons one of them.
async fn prepare(cluster: &Cluster<'_>) {
    let projects =
        [(PROJECTS[0], 0), (POISON, 0), (LOUD, 0), (PROJECTS[1], SHARING), (LOUD, SHARING)];
    for (project, node) in projects {
        let node = &cluster.nodes[node];
        let path = node.path(&format!("p-{project}"));
        std::fs::create_dir(&path).expect("make a project's directory");
        let path = path.to_str().expect("ASCII").to_owned();
        let made = try_run(node.command(&["new", project, "--path", &path]), b"");
        made.expect("make a project").expect_code(0);
    }
    let mut connection = PgConnection::connect(&cluster.database).await.expect("reach the server");
    connection.execute(sqlx::raw_sql(SPOIL)).await.expect("spoil");
    let limit =
        "INSERT INTO resource_quotas (project_name, max_concurrent_runners) VALUES ($1, $2)";
    let limit = sqlx::query(limit).bind(PROJECTS[0]).bind(LIMIT);
    limit.execute(&mut connection).await.expect("set a quota");
    for launched in 0.. {
        let words = ["launch", POISON, "--", "true"];
        let launched =
            (launched < POISONED).then(|| try_run(cluster.nodes[0].command(&words), b""));
        launched.expect("one of them is poisoned").expect("launch").expect_code(0);
        if is_poisoned(&mut connection).await {
            break;
        }
    }
    connection.close().await.ok();
}

/// Whether a spoiled event is refused by the broker: a daemon that puts events into the queue and takes them
/// out of it itself has them in its memory as they were.
async fn is_poisoned(connection: &mut PgConnection) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < REFUSED {
        let query = "SELECT count(*) FROM outbox WHERE length(routing_key) > 255 AND attempts > 0 \
             AND NOT delivered";
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut *connection).await.expect("ask");
        if count > 0 {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Starts the clients.
fn clients(
    cluster: &Cluster<'_>,
    random: &Random,
    desks: &[Desk; 2],
    stop: &CancellationToken,
) -> Vec<tokio::task::JoinHandle<()>> {
    let id = |node: &Node| std::fs::read_to_string(node.places().root().join("node"));
    let door = |node: &Node| {
        let root = node.places().root().to_owned();
        let workshop = Workshop { program: options::program(), dir: node.path("work"), root };
        std::fs::create_dir(&workshop.dir).expect("make a directory");
        workshop.equip();
        Door {
            places: node.places(),
            home: node.home(),
            node: id(node).expect("a daemon has an id").trim().to_owned(),
            workshop,
        }
    };
    let doors: Vec<_> = cluster.nodes.iter().map(door).collect();
    let (shared, file) = doors.split_at(SHARING);
    let mut clients = Vec::new();
    for (at, doors) in [shared, file].into_iter().enumerate() {
        for _ in 0..CLIENTS[at] {
            let number = clients.len();
            let random = random.fork(number as u64 + 1);
            let load = Load::new(number, doors.to_vec(), PROJECTS[at], random, desks[at].clone());
            clients.push(tokio::spawn(load.run(stop.clone())));
        }
    }
    clients
}

/// Ends every runner, lets the parked events go, and waits until everything is delivered.
async fn settle(cluster: &Cluster<'_>, observers: &[Observer; 2]) -> [History; 2] {
    let begun = Instant::now();
    let mut parked = None;
    let mut retried = Instant::now();
    loop {
        for node in &cluster.nodes {
            tokio::task::block_in_place(|| node.begin());
            end_all(node).await;
        }
        let shared = snapshot::of_server(&cluster.database).await.expect("read the server");
        let file = snapshot::of_file(&cluster.nodes[SHARING].places().database()).await;
        let mut histories = [shared, file.expect("read the file")];
        let mut missing = Vec::new();
        for (history, observer) in histories.iter_mut().zip(observers) {
            history.deliveries = observer.deliveries();
            missing.extend(unsettled(history));
        }
        if parked.is_none() && histories[0].waiting.iter().any(|waiting| waiting.parked) {
            // Seen as it is, before the way is made free.
            let wrong = checker::check(&histories[0]);
            let passed = wrong.iter().find(|v| v.invariant == checker::Invariant::C11);
            assert_eq!(passed, None);
            assert_eq!(parked_otherwise(&histories[0]), Vec::<String>::new());
            parked = Some(histories[0].waiting.iter().filter(|waiting| waiting.parked).count());
        }
        if parked.is_some() && retried.elapsed() > Duration::from_secs(3) {
            retried = Instant::now();
            free(cluster).await;
        }
        if missing.is_empty() && parked.is_some() {
            println!("settled after {:?}; {parked:?} were poisoned", begun.elapsed());
            histories[0].parked = parked.unwrap_or(0);
            return histories;
        }
        if begun.elapsed() > SETTLING {
            let rows = snapshot::stuck(&cluster.database).await.unwrap_or_default().join("\n");
            options::keep(cluster, &histories, "unsettled");
            panic!("not settled after {SETTLING:?}: {missing:?}; parked: {parked:?}\n{rows}");
        }
        sleep(Duration::from_millis(300)).await;
    }
}

/// Returns the entities whose events are parked although nobody poisoned them.
fn parked_otherwise(history: &History) -> Vec<String> {
    let poisoned = |id: &str| history.runners.iter().any(|r| r.id == id && r.project == POISON);
    let parked = history.waiting.iter().filter(|waiting| waiting.parked);
    parked.filter(|waiting| !poisoned(&waiting.entity)).map(|w| w.entity.clone()).collect()
}

/// Says what is still to come.
fn unsettled(history: &History) -> Vec<String> {
    let live = history.runners.iter().filter(|r| !matches!(&*r.status, "terminated" | "failed"));
    let mut missing: Vec<_> = live.map(|r| format!("{} is {}", r.id, r.status)).take(3).collect();
    if !history.waiting.is_empty() {
        missing.push(format!("{} wait", history.waiting.len()));
    }
    let unsealed = history.events.iter().filter(|event| event.position.is_none()).count();
    if unsealed > 0 {
        missing.push(format!("{unsealed} unsealed"));
    }
    let untold = history.told.iter().filter(|told| told.state == "waiting").count();
    if untold > 0 {
        missing.push(format!("{untold} not told"));
    }
    let consumed = history.deliveries.iter().map(|delivery| delivery.event).collect();
    let under_way = snapshot::published(history).difference(&consumed).count();
    if under_way > 0 {
        missing.push(format!("{under_way} not consumed"));
    }
    missing
}

/// Ends every runner of a node.
async fn end_all(node: &Node) {
    let work = async {
        let client = Client::connect_if_running(&node.places()).await.ok()??;
        let own = std::fs::read_to_string(node.places().root().join("node")).ok()?;
        for runner in client.list_runners("", "live", 0).await.ok()? {
            if runner.node_id == own.trim() {
                client.stop(&runner.id.to_string(), None, true).await.ok();
            }
        }
        Some(())
    };
    tokio::time::timeout(Duration::from_secs(10), work).await.ok();
}

/// Mends the keys of poisoned events, and has those that are parked tried again.
async fn free(cluster: &Cluster<'_>) {
    let mend = "DROP TRIGGER IF EXISTS spoil ON outbox; \
         UPDATE outbox SET routing_key = 'runner.mended', max_attempts = 8 \
         WHERE length(routing_key) > 255";
    if let Ok(mut connection) = PgConnection::connect(&cluster.database).await {
        connection.execute(sqlx::raw_sql(mend)).await.expect("mend");
        connection.close().await.ok();
    }
    for node in [&cluster.nodes[0], &cluster.nodes[SHARING]] {
        try_run(node.command(&["outbox", "retry"]), b"").ok();
    }
}

/// Returns the verification key of a node.
fn key(node: &Node) -> String {
    let output = try_run(node.command(&["audit", "key"]), b"").expect("ask for the key");
    output.expect_code(0).stdout.trim().to_owned()
}

/// Has the product check the log.
fn verify(node: &Node, keys: &[String]) -> Result<(), String> {
    let mut words = vec!["audit", "verify"];
    words.extend(keys.iter().flat_map(|key| ["--verify-key", key.as_str()]));
    let output = try_run(node.command(&words), b"")?;
    println!("{}: {}", node.name, output.stderr.trim());
    if output.code == 0 { Ok(()) } else { Err(format!("{} {}", output.stdout, output.stderr)) }
}
