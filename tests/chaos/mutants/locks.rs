//! Mutants 1 to 3: a limit that is held by an advisory lock which does not hold it.

use sqlx::{Executor as _, PgPool, postgres::PgPoolOptions};

use super::{Form, prove};
use crate::{checker::Invariant, history::History, servers::Postgres};

const LIMIT: i64 = 10;
const CLIENTS: u32 = 32;
const ROUNDS: usize = 60;

/// How a launch is done.
#[derive(Debug, Clone, Copy)]
enum Launch {
    /// Lock and count in one statement, whose snapshot is older than the lock.
    OneStatement,
    /// A lock within a snapshot that is older than it.
    RepeatableRead,
    /// A lock that ends before the commit.
    UnlockedEarly,
    /// A statement of its own under READ COMMITTED, until the end of the transaction.
    Right,
}

impl Launch {
    async fn run(self, pool: &PgPool) -> sqlx::Result<()> {
        let mut transaction = pool.begin().await?;
        let count = "SELECT count(*) FROM slots";
        let lock = match self {
            Self::OneStatement => None,
            Self::RepeatableRead => {
                transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
                Some("SELECT pg_advisory_xact_lock(7)")
            }
            Self::UnlockedEarly => Some("SELECT pg_advisory_lock(7)"),
            Self::Right => Some("SELECT pg_advisory_xact_lock(7)"),
        };
        let count = match lock {
            Some(lock) => {
                transaction.execute(lock).await?;
                count
            }
            None => {
                "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(7)) \
                 SELECT count(slots.id) FROM held LEFT JOIN slots ON true"
            }
        };
        let live: i64 = sqlx::query_scalar(count).fetch_one(&mut *transaction).await?;
        if live < LIMIT {
            transaction.execute("INSERT INTO slots DEFAULT VALUES").await?;
        }
        if matches!(self, Self::UnlockedEarly) {
            transaction.execute("SELECT pg_advisory_unlock(7)").await?;
        }
        transaction.commit().await
    }
}

/// Launches from many clients at once and counts.
async fn race(pool: &PgPool, launch: Launch) -> History {
    pool.execute("TRUNCATE slots").await.unwrap();
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(CLIENTS as usize));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (pool, barrier) = (pool.clone(), std::sync::Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                launch.run(&pool).await.expect("a launch is decided");
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let live = sqlx::query_scalar("SELECT count(*) FROM slots").fetch_one(pool).await.unwrap();
    History {
        live: vec![("p".into(), live)],
        limits: [("p".into(), LIMIT)].into(),
        ..History::default()
    }
}

async fn prove_lock(naive: Launch) {
    let url = Postgres::shared().database().await;
    let options = PgPoolOptions::new().max_connections(CLIENTS).min_connections(CLIENTS);
    let pool = options.connect(&url).await.unwrap();
    pool.execute("CREATE TABLE slots (id bigserial PRIMARY KEY)").await.unwrap();
    let form = |form| if form == Form::Naive { naive } else { Launch::Right };
    prove(Invariant::C14, ROUNDS, async |wanted| race(&pool, form(wanted)).await).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_01_a_lock_in_the_statement_that_counts() {
    prove_lock(Launch::OneStatement).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_02_a_lock_under_repeatable_read() {
    prove_lock(Launch::RepeatableRead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_03_an_unlock_before_the_commit() {
    prove_lock(Launch::UnlockedEarly).await;
}
