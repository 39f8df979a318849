//! Mutants 16 and 17: leases by the clock on the wall, and leases that are not a fence.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, postgres::PgConnection};
use tokio::time::sleep;

use super::{Form, prove};
use crate::{
    checker::Invariant,
    history::{History, LeaseSample, LeaseWrite},
    servers::Postgres,
};

/// How long a lease lasts, in seconds.
const SECONDS: f64 = 0.3;
/// Writes of one who holds it.
const WRITES: usize = 10;

/// Who takes part.
struct Holder {
    connection: PgConnection,
    name: &'static str,
    /// How far the own clock is ahead, in seconds; `None` asks the database's.
    skew: Option<f64>,
    /// Whether writes name the epoch.
    fenced: bool,
    epoch: i64,
}

impl Holder {
    async fn new(url: &str, name: &'static str, skew: Option<f64>, fenced: bool) -> Self {
        let connection = PgConnection::connect(url).await.unwrap();
        Self { connection, name, skew, fenced, epoch: 0 }
    }

    /// Takes or renews the lease; whoever does not get it has none.
    async fn acquire(&mut self) -> bool {
        // A clock of one's own is the database's with an error.
        let query = "UPDATE lease SET holder = $1, until = clock_timestamp() \
             + make_interval(secs => $2 + $3), epoch = epoch + CASE WHEN holder = $1 THEN 0 ELSE 1 \
             END WHERE holder = $1 OR until < clock_timestamp() + make_interval(secs => $3) \
             RETURNING epoch";
        let query = sqlx::query_scalar(query);
        let query = query.bind(self.name).bind(SECONDS).bind(self.skew.unwrap_or(0.0));
        let epoch: Option<i64> = query.fetch_optional(&mut self.connection).await.unwrap();
        self.epoch = epoch.unwrap_or(self.epoch);
        epoch.is_some()
    }

    /// Writes what only the holder may; says whether it was let.
    async fn write(&mut self) -> bool {
        let query = if self.fenced {
            "INSERT INTO writes (epoch) SELECT epoch FROM (SELECT epoch FROM lease \
             WHERE epoch = $1 FOR UPDATE) AS fence"
        } else {
            "INSERT INTO writes (epoch) VALUES ($1)"
        };
        let written = sqlx::query(query).bind(self.epoch).execute(&mut self.connection).await;
        written.unwrap().rows_affected() == 1
    }

    async fn write_some(&mut self) {
        for _ in 0..WRITES {
            if !self.write().await {
                return;
            }
        }
    }
}

/// Returns the leases as they stand and the writes in the order of their commits.
async fn history(url: &str) -> History {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let (holder, epoch): (String, i64) =
        sqlx::query_as("SELECT holder, epoch FROM lease").fetch_one(&mut connection).await.unwrap();
    let writes: Vec<i64> = sqlx::query_scalar("SELECT epoch FROM writes ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let name = || "work".to_owned();
    History {
        leases: vec![LeaseSample { name: name(), holder, epoch, left: 0.0 }],
        lease_writes: writes.iter().map(|&epoch| LeaseWrite { name: name(), epoch }).collect(),
        ..History::default()
    }
}

async fn fresh() -> String {
    let url = Postgres::shared().database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let schema = "CREATE TABLE lease (holder text, epoch bigint, until timestamptz); \
         INSERT INTO lease VALUES ('', 0, to_timestamp(0)); \
         CREATE TABLE writes (id bigserial, epoch bigint)";
    connection.execute(sqlx::raw_sql(schema)).await.unwrap();
    connection.close().await.unwrap();
    url
}

/// Two work in turns, and the clock of the second is a minute ahead.
async fn skewed(form: Form) -> History {
    let url = fresh().await;
    let right = form == Form::Right;
    let clock = |skew| (!right).then_some(skew);
    let mut one = Holder::new(&url, "one", clock(0.0), right).await;
    let mut other = Holder::new(&url, "other", clock(60.0), right).await;
    let mut holds = one.acquire().await;
    assert!(holds);
    for round in 0..6 {
        if holds {
            one.write_some().await;
        }
        if other.acquire().await {
            other.write_some().await;
        }
        // Renewed in time by everybody's clock, but not in each round.
        if round % 2 == 1 {
            holds = one.acquire().await;
        }
    }
    // The first leaves, and its lease runs out.
    sleep(Duration::from_secs_f64(SECONDS * 1.5)).await;
    assert!(other.acquire().await);
    other.write_some().await;
    history(&url).await
}

/// The first sleeps longer than its lease lasts, and goes on where it was.
async fn paused(form: Form) -> History {
    let url = fresh().await;
    let fenced = form == Form::Right;
    let mut one = Holder::new(&url, "one", None, fenced).await;
    let mut other = Holder::new(&url, "other", None, fenced).await;
    assert!(one.acquire().await);
    one.write_some().await;
    sleep(Duration::from_secs_f64(SECONDS * 1.5)).await;
    assert!(other.acquire().await);
    other.write_some().await;
    one.write_some().await;
    other.write_some().await;
    history(&url).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_16_a_lease_by_the_clock_on_the_wall() {
    prove(Invariant::C17, 2, async |form| skewed(form).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_17_a_lease_without_a_fence() {
    prove(Invariant::C17, 2, async |form| paused(form).await).await;
}
