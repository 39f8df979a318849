//! Old schemas: who migrates, and what is there afterwards.

use super::*;
use crate::daemon::store::{
    about, known_schema, migrate,
    migrations::{Step, migrator},
};

/// Only the first migration, as an old version would have left it, with some rows.
pub(super) async fn leave_old(database: &Database) {
    let first = |steps: &[Step]| migrator(&steps[..1]);
    match database {
        Database::File(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path)
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .create_if_missing(true);
            let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
            let steps = crate::daemon::store::dialect::sqlite::MIGRATIONS;
            first(steps).run_direct(None, &mut raw, false).await.unwrap();
            raw.close().await.unwrap();
        }
        Database::Server(config) => {
            let mut raw = sqlx::PgConnection::connect(config.url.reveal()).await.unwrap();
            let steps = crate::daemon::store::dialect::postgres::MIGRATIONS;
            first(steps).run_direct(None, &mut raw, false).await.unwrap();
            raw.close().await.unwrap();
        }
    }
    database.execute("INSERT INTO projects (name, path) VALUES ('old', '/old')").await;
    for id in 1..=3 {
        let sql = match id {
            1 => "00000000-0000-0000-0000-000000000001', '2026-01-01T00:00:00.000000Z', 1",
            2 => "00000000-0000-0000-0000-000000000002', '2026-01-01T00:00:01.000000Z', 2",
            _ => "00000000-0000-0000-0000-000000000003', '2026-01-01T00:00:02.000000Z', 3",
        };
        let sql = format!(
            "INSERT INTO events (event_id, timestamp, sequence, event_type, entity_type, entity_id) \
             VALUES ('{sql}, 'project.created', 'project', 'old')"
        );
        database.execute(Box::leak(sql.into_boxed_str())).await;
    }
}

/// A database as an old version left it, and nothing opened.
async fn old(dir: &Path, is_server: bool) -> Database {
    let database = if is_server {
        let url = Postgres::shared().database().await;
        Database::Server(Box::new(DatabaseConfig {
            url: url.as_str().into(),
            ..Default::default()
        }))
    } else {
        Database::File(dir.join("old.db"))
    };
    leave_old(&database).await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_daemons_that_start_on_an_old_schema_one_migrates() {
    for _round in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let database = old(dir.path(), true).await;
        assert_eq!(about(database.location()).await.unwrap().schema, 1);
        let open = |node| database.open(dir.path(), node);
        let (a, b, c) = tokio::join!(open("a"), open("b"), open("c"));
        for store in [a, b, c] {
            let store = store.unwrap();
            let mut status = store.status();
            let up = status.wait_for(|s| *s == crate::daemon::store::DatabaseStatus::Up);
            tokio::time::timeout(std::time::Duration::from_secs(10), up).await.unwrap().unwrap();
            assert!(store.project_get("old").await.unwrap().is_some());
            store.event_append(vec![event(EventType::DaemonStarted, "daemon", "n")]).await.unwrap();
            store.close().await;
        }
        let told = about(database.location()).await.unwrap();
        assert_eq!(told.schema, known_schema());
        // Done twice, the second step would have failed: the columns are there already.
        assert_eq!(told.holdings.unwrap().events, 6);
        let Database::Server(config) = &database else { unreachable!() };
        let mut raw = sqlx::PgConnection::connect(config.url.reveal()).await.unwrap();
        let known = crate::daemon::store::dialect::postgres::MIGRATIONS.len();
        let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut raw)
            .await
            .unwrap();
        assert_eq!(usize::try_from(steps), Ok(known));
        raw.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_by_hand_tells_what_it_found() {
    for is_server in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let database = old(dir.path(), is_server).await;
        let told = about(database.location()).await.unwrap();
        assert_eq!((told.schema, told.holdings), (1, None));
        assert_eq!(migrate(database.location()).await.unwrap(), 1);
        assert_eq!(migrate(database.location()).await.unwrap(), known_schema());
        let told = about(database.location()).await.unwrap();
        let holdings = told.holdings.unwrap();
        assert_eq!((holdings.projects, holdings.events, holdings.waiting), (1, 3, 0));
        assert!(told.size_bytes > 0 && !told.version.is_empty());
        assert_eq!(told.tls, if is_server { "off" } else { "" });
    }
}

#[tokio::test]
async fn many_events_of_an_old_schema_are_sealed_before_the_first_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let database = old(dir.path(), false).await;
    database
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
             INSERT INTO events (event_id, timestamp, sequence, event_type, entity_type, entity_id) \
             SELECT printf('00000000-0000-0000-0000-%012d', i), '2026-01-01T00:00:03.000000Z', i, \
             'project.created', 'project', 'old' FROM n",
        )
        .await;
    let store = database.open(dir.path(), "node").await.unwrap();
    store.event_append(vec![event(EventType::ProjectDeleted, "project", "old")]).await.unwrap();
    let events = store.event_after(4999, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.position, event.sequence)).collect();
    assert_eq!(told, [(5000, 5000), (5001, 5001)]);
    store.close().await;
}
