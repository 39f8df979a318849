//! Mutant 9: a pool whose connections keep the transaction of a caller that went away.

use std::time::Duration;

use sqlx::{
    Connection as _, Executor as _, PgPool, postgres::PgConnection, postgres::PgPoolOptions,
};
use uuid::Uuid;

use super::{Form, prove};
use crate::{
    checker::Invariant,
    history::{Call, History, Op, Outcome, RunnerRow},
    servers::Postgres,
};

/// Calls that are dropped, and writes afterwards.
const CANCELS: u64 = 400;
const WRITES: usize = 100;
const ROUNDS: usize = 40;

/// Drops `begin` at different points, then writes; what is answered is looked for from outside.
async fn cancel(url: &str, form: Form) -> History {
    let options = PgPoolOptions::new().max_connections(8).min_connections(8);
    let options = if form == Form::Naive {
        options
    } else {
        options.after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
    };
    let pool = options.connect(url).await.unwrap();
    let cancels: Vec<_> = (0..CANCELS).map(|n| tokio::spawn(drop_begin(pool.clone(), n))).collect();
    for cancel in cancels {
        cancel.await.unwrap();
    }
    let mut history = History::default();
    for _ in 0..WRITES {
        let request = Uuid::new_v4();
        let write = sqlx::query("INSERT INTO made (request) VALUES ($1)").bind(request);
        let outcome = match write.execute(&pool).await {
            Ok(_) => Outcome::Ok(None),
            Err(error) => Outcome::Info(error.to_string()),
        };
        let key = request.to_string();
        history.calls.push(Call { client: 0, op: Op::Launch, key, outcome, at: Duration::ZERO });
    }
    let mut outside = PgConnection::connect(url).await.unwrap();
    let made: Vec<Uuid> =
        sqlx::query_scalar("SELECT request FROM made").fetch_all(&mut outside).await.unwrap();
    let row = |request: Uuid| RunnerRow {
        id: request.to_string(),
        request: Some(request.to_string()),
        status: String::new(),
        run: 0,
        ..RunnerRow::default()
    };
    history.runners = made.into_iter().map(row).collect();
    pool.close().await;
    outside.execute("TRUNCATE made").await.unwrap();
    outside.close().await.unwrap();
    history
}

async fn drop_begin(pool: PgPool, number: u64) {
    let begun = tokio::time::timeout(Duration::from_micros(number % 60 * 25), pool.begin()).await;
    if let Ok(Ok(transaction)) = begun {
        transaction.rollback().await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_09_a_cancelled_begin() {
    let url = Postgres::shared().database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute("CREATE TABLE made (request uuid)").await.unwrap();
    connection.close().await.unwrap();
    prove(Invariant::C01, ROUNDS, async |form| cancel(&url, form).await).await;
}
