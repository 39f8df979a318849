//! What chaos once found, made small: a daemon that starts while its database is silent is asked to
//! end a runner before it has come to its supervisor.

use std::time::Duration;

use stratavore::{
    client::Client,
    domain::{project::NewProject, quota::QuotaChange, runner::RunnerStatus},
};
use tokio::time::{Instant, sleep};

use crate::{
    cancel, checker,
    cluster::{Database, Node},
    history::History,
    servers::Postgres,
    snapshot,
};

const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(node: &Node) -> Client {
    let found = Client::connect_if_running(&node.places()).await;
    found.expect("connect").expect("the daemon runs")
}

/// With force and without, a runner is ended in order, and its row says so when the database is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_are_ended_in_order_by_a_daemon_that_has_just_started() {
    let server = Postgres::shared();
    let url = server.database().await;
    let node = Node::new("restarted", Database::Server(server.port(), &url), None);
    tokio::task::block_in_place(|| node.start());
    std::fs::create_dir(node.path("p")).unwrap();
    let client = connect(&node).await;
    let (path, description, quotas) = (node.path("p"), String::new(), QuotaChange::default());
    let new = NewProject { name: "p".into(), path, description, tags: vec![], quotas };
    client.create_project(new).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let launch = cancel::launch(node.home(), "p", &["sleep", "600"]);
        ids.push(client.launch(&launch).await.unwrap().runner.id.to_string());
    }
    let way = node.database.as_ref().expect("it has a server");
    way.black_hole();
    tokio::task::block_in_place(|| {
        node.kill();
        node.start();
    });
    let client = connect(&node).await;
    for (id, force) in ids.iter().zip([true, false]) {
        let grace = Some(Duration::from_secs(1));
        let (runner, _) = client.stop(id, grace, force).await.expect("it is ended");
        assert_eq!(runner.status, RunnerStatus::Terminated, "{:?}", runner.reason);
    }
    way.heal();
    let mut history = settled(&url).await;
    for runner in &history.runners {
        assert_eq!(runner.status, "terminated");
    }
    cancel::ask_for_all(&mut history);
    assert_eq!(checker::check(&history), []);
}

/// Waits until all runners have ended in the database, too.
async fn settled(url: &str) -> History {
    let begun = Instant::now();
    loop {
        let history = snapshot::of_server(url).await.expect("read");
        let is_over = |status: &str| matches!(status, "terminated" | "failed");
        if history.runners.iter().all(|runner| is_over(&runner.status)) {
            return history;
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", history.runners);
        sleep(Duration::from_millis(200)).await;
    }
}
