//! Mutant 18: the row of the log is written after the change, not with it.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, postgres::PgConnection};
use uuid::Uuid;

use super::{Form, event, prove};
use crate::{
    checker::Invariant,
    history::{Call, EventRow, History, Op, Outcome, RunnerRow, Seen},
    servers::Postgres,
};

const STOPS: usize = 20;
/// The process dies at every so many of them.
const DEATHS: usize = 7;

/// Stops runners one after the other; a process that dies is replaced by the next one.
async fn stop_all(url: &str, form: Form) -> History {
    let mut history = History { is_audited: true, ..History::default() };
    let mut connection = prepare(url).await;
    for n in 0..STOPS {
        let id = format!("r{n}");
        let dies = n % DEATHS == DEATHS - 1;
        let answered = match form {
            Form::Naive => {
                change(&mut connection, &id).await;
                // Answered as soon as it is done; the log follows.
                if !dies {
                    log(&mut connection, &id).await;
                }
                true
            }
            Form::Right => {
                let mut transaction = connection.begin().await.unwrap();
                change(&mut transaction, &id).await;
                log(&mut transaction, &id).await;
                if !dies {
                    transaction.commit().await.unwrap();
                }
                !dies
            }
        };
        if dies {
            connection = PgConnection::connect(url).await.unwrap();
        }
        let seen = Seen { id: id.clone(), run: 1, ended: true };
        let outcome = if answered {
            Outcome::Ok(Some(seen))
        } else {
            Outcome::Info("the connection was lost".to_owned())
        };
        history.calls.push(Call { client: 0, op: Op::Stop, key: id, outcome, at: Duration::ZERO });
    }
    read(&mut connection, &mut history).await;
    connection.close().await.unwrap();
    history
}

async fn prepare(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let schema = "DROP TABLE IF EXISTS things, log; \
         CREATE TABLE things (id text PRIMARY KEY, status text); \
         CREATE TABLE log (id bigserial, event_id uuid, thing text, sequence bigint, kind text)";
    connection.execute(sqlx::raw_sql(schema)).await.unwrap();
    for n in 0..STOPS {
        let id = format!("r{n}");
        let insert = sqlx::query("INSERT INTO things VALUES ($1, 'starting')").bind(&id);
        insert.execute(&mut connection).await.unwrap();
        let log = "INSERT INTO log (event_id, thing, sequence, kind) \
             VALUES ($1, $2, 1, 'runner.starting')";
        sqlx::query(log).bind(Uuid::new_v4()).bind(&id).execute(&mut connection).await.unwrap();
    }
    connection
}

async fn change(connection: &mut PgConnection, id: &str) {
    let change = sqlx::query("UPDATE things SET status = 'terminated' WHERE id = $1").bind(id);
    change.execute(connection).await.unwrap();
}

async fn log(connection: &mut PgConnection, id: &str) {
    let log = "INSERT INTO log (event_id, thing, sequence, kind) \
         VALUES ($1, $2, 2, 'runner.stopped')";
    sqlx::query(log).bind(Uuid::new_v4()).bind(id).execute(connection).await.unwrap();
}

async fn read(connection: &mut PgConnection, history: &mut History) {
    let things: Vec<(String, String)> =
        sqlx::query_as("SELECT id, status FROM things").fetch_all(&mut *connection).await.unwrap();
    let row =
        |(id, status)| RunnerRow { id, request: None, status, run: 1, ..RunnerRow::default() };
    history.runners = things.into_iter().map(row).collect();
    let log: Vec<(Uuid, String, i64, String)> =
        sqlx::query_as("SELECT event_id, thing, sequence, kind FROM log ORDER BY id")
            .fetch_all(connection)
            .await
            .unwrap();
    history.events = log
        .into_iter()
        .map(|(id, thing, sequence, kind)| EventRow {
            kind,
            entity_type: "runner".to_owned(),
            published: false,
            ..event(id, &thing, sequence)
        })
        .collect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_18_a_log_beside_the_transaction() {
    let url = Postgres::shared().database().await;
    prove(Invariant::C19, 1, async |form| stop_all(&url, form).await).await;
}
