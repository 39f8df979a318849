//! Mutants 4 to 6: publishers that lose or reorder what was committed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::{Executor as _, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use super::{
    Form,
    broker::{Broker, Message},
    event, prove,
};
use crate::{
    checker::Invariant,
    history::History,
    servers::{Postgres, RabbitMq},
};

/// Writers, and what each commits.
const WRITERS: u32 = 8;
const WRITES: u32 = 30;
/// Entities, a lock each.
const ENTITIES: u32 = 6;
/// Entries read at once.
const BATCH: i64 = 10;
const ROUNDS: usize = 8;

/// A publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publisher {
    /// Remembers the newest id that it saw.
    Cursor,
    /// Takes rows that nobody else has locked.
    SkipLocked,
    /// Marks, then publishes; dies once in between.
    MarkFirst,
    /// Publishes what is not marked in its part of the entities, then marks; dies once in between.
    Right,
}

/// Commits events of several entities; transactions of different lengths overlap.
async fn write(pool: PgPool, writer: u32) {
    for n in 0..WRITES {
        let entity = format!("e{}", (writer + n) % ENTITIES);
        let mut transaction = pool.begin().await.expect("begin");
        let count =
            "UPDATE counts SET sequence = sequence + 1 WHERE entity = $1 RETURNING sequence";
        let sequence: i64 =
            sqlx::query_scalar(count).bind(&entity).fetch_one(&mut *transaction).await.unwrap();
        let insert = "INSERT INTO log (event_id, entity, sequence) VALUES ($1, $2, $3)";
        let insert = sqlx::query(insert).bind(Uuid::new_v4()).bind(&entity).bind(sequence);
        insert.execute(&mut *transaction).await.expect("insert");
        tokio::time::sleep(Duration::from_millis(u64::from((writer * 7 + n) % 4))).await;
        if n % 10 == 9 {
            transaction.rollback().await.expect("roll back");
        } else {
            transaction.commit().await.expect("commit");
        }
    }
}

/// Publishes until nothing is left after the writers have ended.
struct Publishing {
    pool: PgPool,
    broker: Broker,
    kind: Publisher,
    part: i64,
    done: Arc<AtomicBool>,
    deaths: Arc<AtomicU32>,
}

type Row = (i64, Uuid, String, i64);

impl Publishing {
    async fn run(self) {
        let mut last = 0;
        loop {
            let ended = self.done.load(Ordering::SeqCst);
            let count = match self.kind {
                Publisher::Cursor => self.follow(&mut last).await,
                Publisher::SkipLocked => self.claim().await,
                Publisher::MarkFirst | Publisher::Right => self.mark().await,
            };
            if ended && count == 0 {
                self.broker.close().await;
                return;
            }
        }
    }

    async fn follow(&self, last: &mut i64) -> usize {
        let query = "SELECT id, event_id, entity, sequence FROM log WHERE id > $1 ORDER BY id \
             LIMIT $2";
        let rows: Vec<Row> =
            sqlx::query_as(query).bind(*last).bind(BATCH).fetch_all(&self.pool).await.unwrap();
        self.publish(&rows).await;
        *last = rows.last().map_or(*last, |row| row.0);
        rows.len()
    }

    async fn claim(&self) -> usize {
        let mut transaction = self.pool.begin().await.unwrap();
        let query = "SELECT id, event_id, entity, sequence FROM log WHERE NOT published \
             ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED";
        let rows: Vec<Row> =
            sqlx::query_as(query).bind(BATCH).fetch_all(&mut *transaction).await.unwrap();
        self.publish(&rows).await;
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let mark = sqlx::query("UPDATE log SET published = true WHERE id = ANY($1)").bind(ids);
        mark.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        rows.len()
    }

    async fn mark(&self) -> usize {
        let query = "SELECT id, event_id, entity, sequence FROM log WHERE NOT published \
             AND ($2 < 0 OR ascii(right(entity, 1)) % 3 = $2) ORDER BY id LIMIT $1";
        let query = sqlx::query_as(query).bind(BATCH).bind(self.part);
        let rows: Vec<Row> = query.fetch_all(&self.pool).await.unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let mark = || sqlx::query("UPDATE log SET published = true WHERE id = ANY($1)").bind(&ids);
        let dies = rows.len() > 1 && self.deaths.fetch_add(1, Ordering::SeqCst) == 0;
        if self.kind == Publisher::Right {
            self.publish(&rows).await;
            if !dies {
                mark().execute(&self.pool).await.unwrap();
            }
        } else {
            mark().execute(&self.pool).await.unwrap();
            if !dies {
                self.publish(&rows).await;
            }
        }
        rows.len()
    }

    async fn publish(&self, rows: &[Row]) {
        for (_, id, entity, sequence) in rows {
            let message = Message { id: *id, sequence: *sequence, entity: entity.clone() };
            self.broker.publish(&message, true).await;
        }
    }
}

/// Writes and publishes side by side, then compares.
async fn race(pool: &PgPool, url: &str, kind: Publisher, publishers: i64) -> History {
    pool.execute("TRUNCATE log; UPDATE counts SET sequence = 0").await.unwrap();
    let consumer = Broker::connect(url).await;
    consumer.bind("#").await;
    let (done, deaths) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut publishing = Vec::new();
    for part in 0..publishers {
        let all = kind != Publisher::Right || publishers == 1;
        let work = Publishing {
            pool: pool.clone(),
            broker: Broker::connect(url).await,
            kind,
            part: if all { -1 } else { part },
            done: Arc::clone(&done),
            deaths: Arc::clone(&deaths),
        };
        publishing.push(tokio::spawn(work.run()));
    }
    let writers: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(write(pool.clone(), n))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for publisher in publishing {
        publisher.await.unwrap();
    }
    let rows: Vec<Row> = sqlx::query_as("SELECT id, event_id, entity, sequence FROM log")
        .fetch_all(pool)
        .await
        .unwrap();
    let counts: Vec<(String, i64)> =
        sqlx::query_as("SELECT entity, sequence FROM counts").fetch_all(pool).await.unwrap();
    let aggregates: BTreeMap<_, _> =
        counts.into_iter().map(|(entity, n)| (("mutant".to_owned(), entity), n)).collect();
    let deliveries = consumer.drain().await;
    consumer.close().await;
    History {
        events: rows.iter().map(|(_, id, entity, n)| event(*id, entity, *n)).collect(),
        deliveries,
        aggregates,
        faults: u64::from(deaths.load(Ordering::SeqCst) > 0),
        window: BATCH.unsigned_abs(),
        ..History::default()
    }
}

async fn prove_publisher(invariant: Invariant, naive: Publisher, publishers: i64) {
    let url = Postgres::shared().database().await;
    let pool = PgPoolOptions::new().max_connections(12).connect(&url).await.unwrap();
    pool.execute(
        "CREATE TABLE log (id bigserial PRIMARY KEY, event_id uuid NOT NULL, \
         entity text NOT NULL, sequence bigint NOT NULL, published boolean DEFAULT false); \
         CREATE TABLE counts AS SELECT 'e' || n AS entity, 0::bigint AS sequence \
         FROM generate_series(0, 5) AS n",
    )
    .await
    .unwrap();
    let vhost = RabbitMq::shared().vhost();
    let kind = |form| if form == Form::Naive { naive } else { Publisher::Right };
    let load = async |form| race(&pool, &vhost.url(), kind(form), publishers).await;
    prove(invariant, ROUNDS, load).await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_04_a_publisher_that_follows_the_newest_id() {
    prove_publisher(Invariant::C08, Publisher::Cursor, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_05_three_publishers_that_skip_what_is_locked() {
    prove_publisher(Invariant::C09, Publisher::SkipLocked, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_06_a_mark_before_the_confirmation() {
    prove_publisher(Invariant::C08, Publisher::MarkFirst, 1).await;
}
