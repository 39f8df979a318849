//! What chaos once found, made small: marks of delivered events are not flushed, and a database
//! server that is killed forgets the last of them.

use std::time::Duration;

use sqlx::{Connection as _, postgres::PgConnection};
use stratavore::{
    client::Client,
    domain::{project::NewProject, quota::QuotaChange},
};
use tokio::time::{Instant, sleep};

use crate::{
    cancel,
    cluster::{Database, Node},
    servers::{Postgres, RabbitMq},
};

/// How often the server dies just after a mark.
const KILLS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(40);

/// Returns how many events wait for the broker.
async fn waiting(url: &str) -> sqlx::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let query = "SELECT count(*) FROM outbox WHERE NOT delivered";
    let count = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

async fn drained(url: &str) {
    let begun = Instant::now();
    while !matches!(waiting(url).await, Ok(0)) {
        assert!(begun.elapsed() < PATIENCE, "{:?} wait", waiting(url).await);
        sleep(Duration::from_millis(5)).await;
    }
}

/// Launches just after the server has come back: where the daemon has seen it away it says so for another
/// moment, and nothing else.
async fn launched(client: &Client, node: &Node) {
    let begun = Instant::now();
    while let Err(failure) = client.launch(&cancel::launch(node.home(), "p", &["true"])).await {
        assert_eq!(failure.reason, "DATABASE_AWAY", "{failure:?}");
        assert!(begun.elapsed() < PATIENCE, "{failure:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_that_a_killed_server_forgot_are_made_again() {
    let server = Postgres::start();
    let url = server.database().await;
    let vhost = RabbitMq::shared().vhost();
    let broker = (RabbitMq::shared().port(), &vhost);
    let node = Node::new("marks", Database::Server(server.port(), &url), Some(broker));
    tokio::task::block_in_place(|| node.start());
    std::fs::create_dir(node.path("p")).unwrap();
    let client = Client::connect_if_running(&node.places()).await.unwrap().expect("it runs");
    let (path, description, quotas) = (node.path("p"), String::new(), QuotaChange::default());
    let new = NewProject { name: "p".into(), path, description, tags: vec![], quotas };
    client.create_project(new).await.unwrap();
    let mut forgotten = 0;
    for _ in 0..KILLS {
        launched(&client, &node).await;
        drained(&url).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
        forgotten += usize::from(!matches!(waiting(&url).await, Ok(0)));
        drained(&url).await;
    }
    println!("marks were forgotten {forgotten} times of {KILLS}");
}
