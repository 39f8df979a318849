//! `stratavore database`: what it says, and moving up from the file to a server, also when the copy
//! is killed.

use std::{fs, process::Stdio, time::Duration};

use sqlx::{Connection as _, Executor as _, postgres::PgConnection, sqlite::SqliteConnection};

use crate::{
    servers::Postgres,
    support::{World, wait_until},
};

/// Is in the URLs of the test servers, and must not be in anything that is said.
const PASSWORD: &str = "test-server-password";

/// Lets the world use this server.
fn configure(world: &World, url: &str) {
    let dir = world.home().join(".config/stratavore");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("stratavore.yaml"), format!("database:\n  url: {url}\n")).unwrap();
}

async fn count(url: &str, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    // The tables may not be there yet.
    count.unwrap_or(0)
}

#[tokio::test]
async fn the_state_of_the_database_is_told_without_a_daemon_and_without_the_password() {
    let world = World::new();
    let told = world.json(["database"]);
    assert_eq!((&told["is_reachable"], &told["schema"]), (&false.into(), &0.into()));
    world.run(["database", "migrate"]).expect_error(0, &["from 0 to 14"]);
    world.run(["database", "migrate"]).expect_error(0, &["up to date"]);
    let told = world.json(["database", "status"]);
    assert_eq!((&told["is_reachable"], &told["kind"]), (&true.into(), &"SQLite".into()));
    world.run(["database", "copy"]).expect_error(2, &["no server is configured", "--to"]);

    let url = Postgres::shared().database().await;
    configure(&world, &url);
    let output = world.run(["database"]).expect_code(0);
    assert!(output.stdout.contains("from 0 to 14"), "{}", output.stdout);
    assert!(output.stdout.contains("database.url in"), "{}", output.stdout);
    assert!(!output.stdout.contains(PASSWORD));
    world.run(["database", "migrate"]).expect_error(0, &["from 0 to 14"]);
    let told = world.json(["database"]);
    assert_eq!((&told["kind"], &told["schema"]), (&"PostgreSQL".into(), &14.into()));
    assert!(!told["pgvector"].as_str().unwrap().is_empty());

    let mut raw = PgConnection::connect(&url).await.unwrap();
    raw.execute("UPDATE _sqlx_migrations SET version = 9994 + version").await.unwrap();
    raw.close().await.unwrap();
    for words in [&["database"][..], &["database", "migrate"], &["database", "copy"]] {
        let output = world.run(words).expect_error(8, &["schema 10008", "newer stratavore"]);
        assert!(!output.stderr.contains(PASSWORD));
    }
    for (wrong, port) in [("another-password", None), (PASSWORD, Some("1"))] {
        let mut url = url.replace(PASSWORD, wrong);
        if let Some(port) = port {
            url = url.replace(&Postgres::shared().port().to_string(), port);
        }
        configure(&world, &url);
        for words in [&["database"][..], &["database", "migrate"], &["database", "copy"]] {
            let output = world.run(words).expect_error(6, &["is away"]);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!said.contains(wrong), "{said}");
        }
    }
    let bad = ["database", "copy", "--to", "postgre://u:test-server-password@h/d"];
    let output = world.run(bad).expect_error(2, &["postgres://user:password@host"]);
    assert!(!output.stderr.contains(PASSWORD));
    assert!(world.daemon().is_none());
}

#[tokio::test]
async fn a_root_moves_up_to_a_server_and_its_agents_go_on() {
    let world = World::with_project();
    world.run(["launch", "p", "--", "sleep", "1000"]).expect_code(0);
    let url = Postgres::shared().database().await;
    let copy = ["database", "copy", "--to", &url];
    let output = world.run(copy).expect_error(4, &["a daemon runs", "stratavore daemon stop"]);
    assert!(!output.stderr.contains(PASSWORD));
    let before = world.json(["runners"]);
    world.run(["daemon", "stop"]).expect_code(0);
    let output = world.run(copy).expect_code(0);
    assert!(output.stderr.contains("every row of the source is in the target"));
    assert!(!format!("{}{}", output.stdout, output.stderr).contains(PASSWORD));

    configure(&world, &url);
    let after = world.json(["runners"]);
    for field in ["id", "name", "status", "pid", "created_at"] {
        assert_eq!(after[0][field], before[0][field], "{field}");
    }
    assert_eq!(world.json(["database"])["runners_live"], 1);
    world.run(["launch", "p", "--", "sleep", "1000"]).expect_code(0);
    let names = world.json(["runners"]);
    let mut names: Vec<_> = names.as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["p-1", "p-2"]);
    world.run(["kill", "all", "--force"]).expect_code(0);
    wait_until("all is sealed", Duration::from_secs(10), || {
        let told = world.run(["audit", "verify"]);
        told.code == 0 && told.stderr.contains("the log is what was written")
    });
}

#[tokio::test]
async fn a_copy_that_is_killed_is_completed_by_the_next() {
    const EVENTS: i64 = 20_000;
    let world = World::new();
    world.run(["database", "migrate"]).expect_code(0);
    let file = format!("sqlite://{}", world.root().join("stratavore.db").display());
    let mut raw = SqliteConnection::connect(&file).await.unwrap();
    raw.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
         INSERT INTO events (event_id, timestamp, sequence, event_type, entity_type, entity_id, \
         data, position) SELECT printf('00000000-0000-0000-0000-%012d', i), \
         '2026-01-01T00:00:03.000000Z', i, 'runner.activity', 'runner', 'r', \
         json_object('n', i, 'text', 'what an agent was doing at that time'), i FROM n; \
         INSERT INTO outbox (event_id, aggregate_type, aggregate_id, event_type, payload, \
         routing_key, sequence, position, delivered) SELECT event_id, entity_type, entity_id, \
         event_type, data, 'runner.activity.p', sequence, position, position <= 15000 FROM events; \
         INSERT INTO aggregates (entity_type, entity_id, sequence) VALUES ('runner', 'r', 20000); \
         INSERT INTO projects (name, path, last_runner) VALUES ('p', '/tmp', 3)",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();
    let url = Postgres::shared().database().await;
    for reached in [1, 4_000, 12_000] {
        let mut command = world.command(["database", "copy", "--to", &url]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let limit = tokio::time::timeout(Duration::from_mins(1), async {
            while count(&url, "SELECT count(*) FROM events").await < reached {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        limit.await.expect("it copies");
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        let there = count(&url, "SELECT count(*) FROM events").await;
        assert!((reached..EVENTS).contains(&there), "{there}");
    }
    let output = world.run(["database", "copy", "--to", &url]).expect_code(0);
    assert!(output.stderr.contains("every row of the source is in the target"));
    assert_eq!(count(&url, "SELECT count(*) FROM events").await, EVENTS);
    let wrong = "SELECT count(*) FROM events WHERE sequence <> (data ->> 'n')::bigint \
                 OR (metadata -> 'copied_from' ->> 'position')::bigint <> sequence";
    assert_eq!(count(&url, wrong).await, 0);
    // Those that a killed copy left to be sealed were sealed by the next daemon, or the next copy
    // when the lease had ended.
    configure(&world, &url);
    world.run(["status"]).expect_code(0);
    let sealed = tokio::time::timeout(Duration::from_secs(30), async {
        while count(&url, "SELECT count(*) FROM events WHERE position IS NULL").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    sealed.await.expect("all are sealed");
    let waiting = "SELECT count(*) FROM outbox WHERE delivered = FALSE";
    assert_eq!(count(&url, waiting).await, 5_000);
    let out_of_order = "SELECT count(*) FROM (SELECT sequence, lag(sequence) OVER \
                        (ORDER BY position) AS before FROM events WHERE entity_id = 'r') AS e \
                        WHERE before >= sequence";
    assert_eq!(count(&url, out_of_order).await, 0);
    let out_of_order = "SELECT count(*) FROM (SELECT sequence, lag(sequence) OVER \
                        (ORDER BY id) AS before FROM outbox) AS e WHERE before >= sequence";
    assert_eq!(count(&url, out_of_order).await, 0);
}

/// What waits for a broker that is not configured any more is told, and can be given up.
fn what_waits_for_no_broker_is_given_up(database: &str) {
    let world = World::new();
    let dir = world.home().join(".config/stratavore");
    fs::create_dir_all(&dir).unwrap();
    let configuration = |broker: &str| {
        fs::write(dir.join("stratavore.yaml"), format!("{database}{broker}")).unwrap();
    };
    // Nobody listens on the port of nothing.
    configuration("docker:\n  rabbitmq:\n    url: amqp://guest:guest@127.0.0.1:1/%2f\n");
    world.project("p");
    assert!(world.json(["outbox"])["waiting"].as_u64().unwrap() > 0);
    world.run(["outbox", "discard"]).expect_error(2, &["--all"]);
    let refused = world.run(["outbox", "discard", "--all"]);
    refused.expect_error(4, &["publishes to a broker", "outbox discard EVENT"]);

    world.run(["daemon", "stop"]).expect_code(0);
    configuration("");
    let told = world.run(["outbox"]).expect_code(0);
    assert!(told.stderr.contains("outbox discard --all"), "{}", told.stderr);
    let health = world.run(["health"]);
    assert!(health.stdout.contains("none is configured any more"), "{}", health.stdout);
    let before = world.json(["outbox"])["waiting"].as_u64().unwrap();
    world.run(["outbox", "discard", "--all"]).expect_error(0, &["no longer queued"]);
    assert_eq!(world.json(["outbox"])["waiting"].as_u64(), Some(0), "of {before}");
    // What happens without a broker is queued for none.
    world.project("q");
    world.run(["outbox", "discard", "--all"]).expect_error(3, &["nothing waits"]);
    let told = world.json(["events", "--type", "outbox.discarded"]);
    assert_eq!(told[0]["data"]["events"].as_u64(), Some(before));
    assert!(!world.run(["health"]).stdout.contains("outbox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_taken_away_holds_nothing_back() {
    what_waits_for_no_broker_is_given_up("");
    let url = Postgres::shared().database().await;
    what_waits_for_no_broker_is_given_up(&format!("database:\n  url: {url}\n"));
}
