//! The chaos run: load, faults, healing; then the checker.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection as _, Executor as _, postgres::PgConnection};
use stratavore::client::Client;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    checker,
    cluster::{Cluster, Node, SHARING},
    history::History,
    load::{Calls, Door, Load},
    nemesis,
    observer::Observer,
    options,
    random::Random,
    servers::{Postgres, RabbitMq},
    snapshot,
    support::try_run,
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
/// A project whose runners' second events have keys that no broker takes.
const POISON: &str = "poison";

/// Spoils events of one project as they enter the queue.
const SPOIL: &str = "CREATE FUNCTION spoil() RETURNS trigger AS $$ BEGIN \
     IF NEW.aggregate_type = 'runner' AND NEW.sequence = 2 AND NEW.payload->>'project' = 'poison' \
     THEN NEW.routing_key := repeat('k', 300); NEW.max_attempts := 2; END IF; \
     RETURN NEW; END $$ LANGUAGE plpgsql; \
     CREATE TRIGGER spoil BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION spoil()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemons_and_servers_that_die_lose_nothing() {
    let (seed, length) = options::chaos();
    println!("seed {seed}: ./tests/run chaos --seed {seed}");
    let random = Random::new(seed);
    let begun = Instant::now();
    let (postgres, rabbitmq) = std::thread::scope(|scope| {
        let postgres = scope.spawn(Postgres::start);
        let rabbitmq = RabbitMq::start();
        (postgres.join().expect("PostgreSQL starts"), rabbitmq)
    });
    let cluster = Cluster::start(&postgres, &rabbitmq).await;
    let keys: Vec<_> = cluster.nodes.iter().map(key).collect();
    prepare(&cluster).await;
    let observers = [
        Observer::start(&cluster.vhosts[0].url()).await,
        Observer::start(&cluster.vhosts[1].url()).await,
    ];
    let samples = Arc::<Mutex<History>>::default();
    let sampler = tokio::spawn(snapshot::sample(cluster.database.clone(), Arc::clone(&samples)));
    let calls = [Calls::default(), Calls::default()];
    let stop = CancellationToken::new();
    let clients = clients(&cluster, &random, &calls, &stop);

    println!("everything runs after {:?}", begun.elapsed());
    sleep(CALM).await;
    for observer in &observers {
        let calm = History { deliveries: observer.deliveries(), ..History::default() };
        assert_eq!(checker::duplicates(&calm), 0, "of {}, no fault yet", calm.deliveries.len());
    }
    let report = nemesis::trouble(&cluster, &mut random.fork(0), Instant::now() + length).await;
    println!("healing after {} kills: {:?}", report.kills, report.kinds);
    tokio::task::block_in_place(|| cluster.heal());
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    for client in clients {
        client.await.expect("a client works to its end");
    }
    let mut histories = settle(&cluster, &observers).await;
    sampler.abort();
    let samples = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    (histories[0].leases, histories[0].live) = (samples.leases, samples.live);
    histories[0].limits = [(PROJECTS[0].to_owned(), LIMIT)].into();
    let most = histories[0].live.iter().map(|(_, live)| *live).max();
    println!("{most:?} live runners at most, {LIMIT} allowed");
    let mut wrong = Vec::new();
    for (at, (history, calls)) in histories.iter_mut().zip(calls).enumerate() {
        history.calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (history.faults, history.window) = (report.faults, WINDOW);
        history.is_audited = true;
        history.disk_was_full = at == 1 && report.kinds.contains_key("DiskFull");
        history.audit = Some(verify(&cluster.nodes[at * SHARING], &keys));
        tell(PROJECTS[at], history);
        wrong.extend(checker::check(history).iter().map(|v| format!("{}: {v}", PROJECTS[at])));
    }
    if !wrong.is_empty() {
        options::keep(&cluster, &histories, seed);
    }
    println!("checked after {:?}", begun.elapsed());
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

/// Makes the projects, and what poisons one of them.
async fn prepare(cluster: &Cluster<'_>) {
    for (project, node) in [(PROJECTS[0], 0), (POISON, 0), (PROJECTS[1], SHARING)] {
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
    connection.close().await.ok();
    let words = ["launch", POISON, "--", "true"];
    let launched = try_run(cluster.nodes[0].command(&words), b"");
    launched.expect("launch").expect_code(0);
}

/// Starts the clients.
fn clients(
    cluster: &Cluster<'_>,
    random: &Random,
    calls: &[Calls; 2],
    stop: &CancellationToken,
) -> Vec<tokio::task::JoinHandle<()>> {
    let id = |node: &Node| std::fs::read_to_string(node.places().root().join("node"));
    let door = |node: &Node| Door {
        places: node.places(),
        home: node.home(),
        node: id(node).expect("a daemon has an id").trim().to_owned(),
    };
    let doors: Vec<_> = cluster.nodes.iter().map(door).collect();
    let (shared, file) = doors.split_at(SHARING);
    let mut clients = Vec::new();
    for (at, doors) in [shared, file].into_iter().enumerate() {
        for _ in 0..CLIENTS[at] {
            let number = clients.len();
            let random = random.fork(number as u64 + 1);
            let calls = Arc::clone(&calls[at]);
            let load = Load::new(number, doors.to_vec(), PROJECTS[at], random, calls);
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
            parked = Some(histories[0].waiting.len());
        }
        if parked.is_some() && retried.elapsed() > Duration::from_secs(3) {
            retried = Instant::now();
            free(cluster).await;
        }
        if missing.is_empty() && parked.is_some() {
            println!("settled after {:?}; {parked:?} waited behind the poison", begun.elapsed());
            return histories;
        }
        if begun.elapsed() > SETTLING {
            let rows = snapshot::stuck(&cluster.database).await.unwrap_or_default().join("\n");
            options::keep(cluster, &histories, 0);
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

/// Prints the figures of a history.
fn tell(name: &str, history: &History) {
    use crate::history::Outcome;
    let count = |test: fn(&Outcome) -> bool| {
        history.calls.iter().filter(|call| test(&call.outcome)).count()
    };
    let distinct: std::collections::BTreeSet<_> =
        history.deliveries.iter().map(|delivery| delivery.event).collect();
    println!(
        "{name}: {} calls ({} ok, {} refused, {} unknown), {} runners, {} events, {} to publish, \
         {} consumed, {} deliveries, {} published again",
        history.calls.len(),
        count(|outcome| matches!(outcome, Outcome::Ok(_))),
        count(|outcome| matches!(outcome, Outcome::Fail(_))),
        count(|outcome| matches!(outcome, Outcome::Info(_))),
        history.runners.len(),
        history.events.len(),
        snapshot::published(history).len(),
        distinct.len(),
        history.deliveries.len(),
        checker::duplicates(history),
    );
}
