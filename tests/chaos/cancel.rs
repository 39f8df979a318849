//! Clients that go away in the middle of calls that change something, at every point of the way:
//! nothing is half done, no connection is spoiled, what is answered afterwards is committed.

use std::{path::PathBuf, time::Duration};

use sqlx::{Connection as _, postgres::PgConnection};
use stratavore::{
    client::Client,
    domain::{
        launch::{LaunchRequest, RestartPolicy},
        project::NewProject,
        quota::QuotaChange,
        size::TerminalSize,
    },
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{
    checker,
    cluster::{Database, Node},
    history::{Call, History, Op, Outcome, Seen},
    random::Random,
    servers::Postgres,
    snapshot,
};

/// Calls that are dropped.
const CANCELS: usize = 320;
/// Launches afterwards, each of which is looked for.
const AFTERWARDS: usize = 20;
/// The longest that a call is waited for before it is dropped, in microseconds; every fourth may take
/// longer, to be dropped near its end.
const LONGEST: [usize; 4] = [5_000, 5_000, 5_000, 50_000];
const PATIENCE: Duration = Duration::from_secs(30);

/// The calls that change something.
const RPCS: usize = 8;

/// Returns a request to launch a command.
pub(crate) fn launch(home: PathBuf, project: &str, command: &[&str]) -> LaunchRequest {
    LaunchRequest {
        request_id: Some(Uuid::new_v4()),
        project: project.to_owned(),
        name: String::new(),
        command: command.iter().map(std::ffi::OsString::from).collect(),
        cwd: None,
        worktree: None,
        environment: vec![
            ("HOME".into(), home.into_os_string()),
            ("PATH".into(), "/usr/bin:/bin".into()),
        ],
        size: TerminalSize::default(),
        restart: RestartPolicy::Never,
        umask: 0o022,
        max_tokens: None,
    }
}

/// Makes one of the calls; what comes of it does not matter.
async fn call(client: &Client, node: &Node, which: usize, number: usize, runner: &str) {
    let name = format!("c{}", number / (4 * RPCS));
    let soon = Some(Duration::from_millis(200));
    match which {
        0 => drop(client.launch(&launch(node.home(), "p", &["sleep", "600"])).await),
        1 => drop(client.stop(runner, soon, number.is_multiple_of(3)).await),
        2 => drop(client.restart(runner, soon, false).await),
        3 => drop(client.set_paused(runner, true).await),
        4 => drop(client.set_paused(runner, false).await),
        5 => {
            let (path, description) = (node.path("p"), String::new());
            let new = NewProject {
                name,
                path,
                description,
                tags: vec![],
                quotas: QuotaChange::default(),
            };
            drop(client.create_project(new).await);
        }
        6 => drop(client.delete_project(&name, true).await),
        _ => drop(client.retry_outbox(None).await),
    }
}

async fn connect(node: &Node) -> Client {
    let found = Client::connect_if_running(&node.places()).await;
    found.expect("connect").expect("the daemon runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_leave_nothing_half_done() {
    let server = Postgres::shared();
    let url = server.database().await;
    let node = Node::new("cancel", Database::Server(server.port(), &url), None);
    tokio::task::block_in_place(|| node.start());
    std::fs::create_dir(node.path("p")).unwrap();
    let client = connect(&node).await;
    let (path, description) = (node.path("p"), String::new());
    let new = NewProject {
        name: "p".into(),
        path,
        description,
        tags: vec![],
        quotas: QuotaChange::default(),
    };
    client.create_project(new).await.unwrap();
    let mut random = Random::new(31);
    let mut finished = 0;
    for number in 0..CANCELS {
        let live = client.list_runners("p", "live", 8).await.expect("the daemon answers");
        let runner = random.choose(&live).map(|runner| runner.id.to_string());
        // Plenty of runners: rather end one.
        let which = if live.len() > 5 { 1 } else { number / 4 % RPCS };
        let limit = Duration::from_micros(random.below(LONGEST[number % 4]) as u64);
        // Every other time the whole connection goes.
        let own = if number.is_multiple_of(2) { client.clone() } else { connect(&node).await };
        let calling = call(&own, &node, which, number, runner.as_deref().unwrap_or("none"));
        finished += usize::from(timeout(limit, calling).await.is_ok());
    }
    println!("{CANCELS} calls, {finished} of which ended before they were dropped");
    let mut history = afterwards(&client, &node).await;
    no_open_transactions(&url).await;
    let read = quiet(&client, &url).await;
    history.calls.retain(|call| matches!(call.outcome, Outcome::Ok(_)));
    let mut history = History { calls: history.calls, is_audited: true, ..read };
    ask_for_all(&mut history);
    assert_eq!(checker::check(&history), []);
}

/// Notes that what was launched had been asked for, with nothing known of the answer.
pub(crate) fn ask_for_all(history: &mut History) {
    for runner in &history.runners {
        let key = runner.request.clone().unwrap_or_default();
        let outcome = Outcome::Info("dropped".to_owned());
        history.calls.push(Call { client: 1, op: Op::Launch, key, outcome, at: Duration::ZERO });
    }
}

/// Launches after it all; each must be found from outside.
async fn afterwards(client: &Client, node: &Node) -> History {
    let mut history = History::default();
    for _ in 0..AFTERWARDS {
        let request = launch(node.home(), "p", &["true"]);
        let begun = Instant::now();
        let launched = client.launch(&request).await.expect("the daemon still launches");
        let (runner, repeated) = (launched.runner, launched.repeated);
        assert!(!repeated && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let (id, run, ended) = (runner.id.to_string(), runner.run.into(), false);
        let key = request.request_id.expect("it has one").to_string();
        let outcome = Outcome::Ok(Some(Seen { id, run, ended }));
        history.calls.push(Call { client: 0, op: Op::Launch, key, outcome, at: Duration::ZERO });
    }
    history
}

/// Checks that no connection of the daemon sits in a transaction that nobody ends.
async fn no_open_transactions(url: &str) {
    let mut outside = PgConnection::connect(url).await.unwrap();
    let begun = Instant::now();
    loop {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND state LIKE 'idle in transaction%' AND state_change < now() - interval '200 ms'";
        let open: i64 = sqlx::query_scalar(query).fetch_one(&mut outside).await.unwrap();
        if open == 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{open} connections keep a transaction open");
        sleep(Duration::from_millis(100)).await;
    }
    outside.close().await.unwrap();
}

/// Ends every runner and waits until all is written down.
async fn quiet(client: &Client, url: &str) -> History {
    let begun = Instant::now();
    loop {
        for runner in client.list_runners("", "live", 0).await.expect("the daemon answers") {
            client.stop(&runner.id.to_string(), None, true).await.ok();
        }
        let history = snapshot::of_server(url).await.expect("read");
        let is_live = |status: &str| !matches!(status, "terminated" | "failed");
        let live = history.runners.iter().filter(|runner| is_live(&runner.status)).count();
        let unsealed = history.events.iter().filter(|event| event.position.is_none()).count();
        if live + unsealed == 0 {
            return history;
        }
        assert!(begun.elapsed() < PATIENCE, "{live} live, {unsealed} unsealed");
        sleep(Duration::from_millis(200)).await;
    }
}
