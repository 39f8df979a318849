//! Mutant 10: a transaction of the embedded database that reads before it says that it will write.

use std::{path::PathBuf, time::Duration};

use sqlx::{
    Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode},
};
use uuid::Uuid;

use super::{Form, event, prove};
use crate::{checker::Invariant, history::History};

const WRITERS: usize = 4;
const WRITES: usize = 25;
const ROUNDS: usize = 5;

async fn open(path: &PathBuf) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(20));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Counts on and writes down the number; a write that is refused is blindly made again.
async fn write(path: PathBuf, form: Form) {
    let begin = if form == Form::Naive { "BEGIN" } else { "BEGIN IMMEDIATE" };
    let mut connection = open(&path).await;
    for _ in 0..WRITES {
        connection.execute(begin).await.expect("begin");
        let read: i64 = sqlx::query_scalar("SELECT sequence FROM count")
            .fetch_one(&mut connection)
            .await
            .expect("read");
        tokio::time::sleep(Duration::from_micros(300)).await;
        if record(&mut connection, read + 1).await.is_err() {
            assert_eq!(form, Form::Naive, "who says that he will write is not refused");
            connection.execute("ROLLBACK").await.ok();
            connection.execute("BEGIN IMMEDIATE").await.expect("begin again");
            record(&mut connection, read + 1).await.expect("write again");
        }
        connection.execute("COMMIT").await.expect("commit");
    }
    connection.close().await.unwrap();
}

async fn record(connection: &mut SqliteConnection, sequence: i64) -> sqlx::Result<()> {
    let count = sqlx::query("UPDATE count SET sequence = $1").bind(sequence);
    count.execute(&mut *connection).await?;
    let insert = sqlx::query("INSERT INTO log (event_id, sequence) VALUES ($1, $2)");
    insert.bind(Uuid::new_v4().to_string()).bind(sequence).execute(connection).await?;
    Ok(())
}

async fn race(form: Form) -> History {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("database");
    let mut connection = open(&path).await;
    let schema = "CREATE TABLE count (sequence INTEGER); INSERT INTO count VALUES (0); \
         CREATE TABLE log (event_id TEXT, sequence INTEGER)";
    connection.execute(sqlx::raw_sql(schema)).await.unwrap();
    let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(path.clone(), form))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let count = sqlx::query_scalar("SELECT sequence FROM count").fetch_one(&mut connection);
    let count: i64 = count.await.unwrap();
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT event_id, sequence FROM log")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let mut events: Vec<_> =
        rows.iter().map(|(id, n)| event(id.parse().unwrap(), "one", *n)).collect();
    for event in &mut events {
        event.published = false;
    }
    let aggregates = [(("mutant".to_owned(), "one".to_owned()), count)].into();
    History { events, aggregates, ..History::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_10_a_deferred_transaction() {
    prove(Invariant::C12, ROUNDS, async |form| race(form).await).await;
}
