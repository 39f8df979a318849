//! Mutant 15: whoever has not been heard of for a while is called dead.

use std::{process::Command, time::Duration};

use serde_json::json;
use sqlx::{Connection as _, Executor as _, postgres::PgConnection};
use stratavore::process::ProcessId;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Form, event, prove};
use crate::{
    checker::Invariant,
    history::{EventRow, History, RunnerRow},
    servers::Postgres,
};

/// A sign of life is good for so long, in seconds.
const TTL: f64 = 0.2;

/// The machine sleeps longer than a sign of life is good for; then the reaper looks first.
async fn sleep_and_reap(url: &str, form: Form) -> History {
    let mut agent = Command::new("sleep").arg("600").spawn().unwrap();
    let process = ProcessId::of(agent.id().try_into().unwrap()).unwrap();
    let mut connection = PgConnection::connect(url).await.unwrap();
    let schema = "DROP TABLE IF EXISTS beats; CREATE TABLE beats (runner text, at timestamptz); \
         INSERT INTO beats VALUES ('r', clock_timestamp())";
    connection.execute(sqlx::raw_sql(schema)).await.unwrap();
    sleep(Duration::from_secs_f64(2.0 * TTL)).await;
    let query =
        "SELECT count(*) FROM beats WHERE at < clock_timestamp() - make_interval(secs => $1)";
    let old: i64 = sqlx::query_scalar(query).bind(TTL).fetch_one(&mut connection).await.unwrap();
    assert_eq!(old, 1, "its last sign of life is old");
    let is_reaped = match form {
        Form::Naive => true,
        // What can be asked is asked.
        Form::Right => !process.is_alive(),
    };
    connection.close().await.unwrap();
    agent.kill().and_then(|()| agent.wait().map(drop)).unwrap();
    let mut kinds = vec!["runner.starting", "runner.started"];
    kinds.extend(is_reaped.then_some("runner.failed"));
    let events = (1..).zip(kinds).map(|(sequence, kind)| EventRow {
        kind: kind.to_owned(),
        entity_type: "runner".to_owned(),
        published: false,
        data: json!({ "reason": "supervisor lost" }),
        ..event(Uuid::new_v4(), "r", sequence)
    });
    let status = if is_reaped { "failed" } else { "running" }.to_owned();
    let runner = RunnerRow { id: "r".to_owned(), status, run: 1, ..RunnerRow::default() };
    History { events: events.collect(), runners: vec![runner], ..History::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_15_an_old_sign_of_life_taken_for_death() {
    let url = Postgres::shared().database().await;
    prove(Invariant::C16, 1, async |form| sleep_and_reap(&url, form).await).await;
}
