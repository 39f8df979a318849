//! What a database holds: read in one transaction over a connection of one's own, past the product
//! and past the proxies.

use std::{collections::BTreeSet, path::Path, str::FromStr as _};

use serde_json::Value;
use sqlx::{
    Connection as _, Executor as _, Row as _,
    postgres::{PgConnection, PgRow},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};
use uuid::Uuid;

use crate::history::{Book, EventRow, History, LeaseSample, RunnerRow, Told, Waiting};

/// Columns as text and integers, which both databases give alike.
const EVENTS: &str = "SELECT CAST(event_id AS TEXT) AS event_id, position, event_type, entity_type, \
     entity_id, sequence, routing_key, sealed_by, CAST(data AS TEXT) AS data, node_id FROM events \
     ORDER BY id";
/// What differs is how long something lasted.
macro_rules! runners {
    ($lasted:literal) => {
        concat!(
            "SELECT CAST(id AS TEXT) AS id, CAST(request_id AS TEXT) AS request_id, status, run, \
             project_name, node_id, cwd, exit_code, exit_signal, COALESCE(reason, '') AS reason, \
             tokens_used, CAST(COALESCE((SELECT SUM(counted) FROM usage_requests AS u \
             WHERE u.runner_id = CAST(r.id AS TEXT)), 0) AS BIGINT) AS reported, ",
            $lasted,
            " AS lasted FROM runners AS r"
        )
    };
}
const RUNNERS_OF_SERVER: &str =
    runners!("CAST(EXTRACT(EPOCH FROM terminated_at - started_at) AS DOUBLE PRECISION)");
const RUNNERS_OF_FILE: &str =
    runners!("(julianday(terminated_at) - julianday(started_at)) * 86400.0");
/// Budgets in tokens beside the requests that lie in their periods.
const BOOKS: &str = "SELECT scope || ' ' || scope_id || ' ' || period_granularity AS scope, used_tokens, \
     CAST(COALESCE((SELECT SUM(counted) FROM usage_requests AS u WHERE u.at >= b.period_start \
     AND u.at < b.period_end AND (b.scope = 'global' OR u.project_name = b.scope_id)), 0) AS BIGINT) \
     AS spent FROM token_budgets AS b WHERE limit_nanos IS NULL AND scope <> 'runner'";
const TOLD: &str = "SELECT CAST(event_id AS TEXT) AS event_id, state FROM notifications \
     WHERE channel = 'webhook'";
const AGGREGATES: &str = "SELECT entity_type, entity_id, sequence FROM aggregates";
const WAITING: &str = "SELECT aggregate_id, sequence, CASE WHEN parked_at IS NULL THEN 0 ELSE 1 END \
     AS parked FROM outbox WHERE delivered = FALSE";

/// Reads into a history by one macro, since the rows of the two databases are different types.
macro_rules! read {
    ($connection:expr, $row:ty, $runners:expr, $history:expr) => {{
        let rows: Vec<$row> = sqlx::query(EVENTS).fetch_all(&mut *$connection).await?;
        for row in rows {
            let data: String = row.try_get("data")?;
            $history.events.push(EventRow {
                event: Uuid::from_str(&row.try_get::<String, _>("event_id")?).unwrap_or_default(),
                position: row.try_get("position")?,
                kind: row.try_get("event_type")?,
                entity_type: row.try_get("entity_type")?,
                entity: row.try_get("entity_id")?,
                sequence: row.try_get("sequence")?,
                published: row.try_get::<Option<String>, _>("routing_key")?.is_some(),
                sealed_by: row.try_get("sealed_by")?,
                data: serde_json::from_str(&data).unwrap_or(Value::Null),
                node: row.try_get("node_id")?,
            });
        }
        let rows: Vec<$row> = sqlx::query($runners).fetch_all(&mut *$connection).await?;
        for row in rows {
            $history.runners.push(RunnerRow {
                id: row.try_get("id")?,
                request: row.try_get("request_id")?,
                status: row.try_get("status")?,
                run: row.try_get("run")?,
                project: row.try_get("project_name")?,
                node: row.try_get("node_id")?,
                cwd: row.try_get("cwd")?,
                exit: (row.try_get("exit_code")?, row.try_get("exit_signal")?),
                reason: row.try_get("reason")?,
                lasted: row.try_get("lasted")?,
                tokens: (row.try_get("tokens_used")?, row.try_get("reported")?),
            });
        }
        let rows: Vec<$row> = sqlx::query(BOOKS).fetch_all(&mut *$connection).await?;
        for row in rows {
            $history.books.push(Book {
                scope: row.try_get("scope")?,
                used: row.try_get("used_tokens")?,
                spent: row.try_get("spent")?,
            });
        }
        let rows: Vec<$row> = sqlx::query(TOLD).fetch_all(&mut *$connection).await?;
        for row in rows {
            let event = Uuid::from_str(&row.try_get::<String, _>("event_id")?).unwrap_or_default();
            $history.told.push(Told { event, state: row.try_get("state")?, taken: 0 });
        }
        let rows: Vec<$row> = sqlx::query(AGGREGATES).fetch_all(&mut *$connection).await?;
        for row in rows {
            let entity = (row.try_get("entity_type")?, row.try_get("entity_id")?);
            $history.aggregates.insert(entity, row.try_get("sequence")?);
        }
        let rows: Vec<$row> = sqlx::query(WAITING).fetch_all(&mut *$connection).await?;
        for row in rows {
            $history.waiting.push(Waiting {
                entity: row.try_get("aggregate_id")?,
                sequence: row.try_get("sequence")?,
                parked: row.try_get::<WaitingFlag, _>("parked")? != 0,
            });
        }
    }};
}

/// An integer literal is four bytes wide in one and eight in the other.
type WaitingFlag = i32;

/// Reads what a server holds.
pub(crate) async fn of_server(url: &str) -> sqlx::Result<History> {
    let mut connection = PgConnection::connect(url).await?;
    let mut history = History::default();
    let mut transaction = connection.begin().await?;
    transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    read!(transaction, PgRow, RUNNERS_OF_SERVER, history);
    transaction.commit().await?;
    connection.close().await?;
    Ok(history)
}

/// Reads what a file holds, while a daemon works with it or not.
pub(crate) async fn of_file(path: &Path) -> sqlx::Result<History> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut history = History::default();
    let mut transaction = connection.begin().await?;
    read!(transaction, SqliteRow, RUNNERS_OF_FILE, history);
    transaction.commit().await?;
    connection.close().await?;
    Ok(history)
}

/// Samples leases and live runners until it is aborted; while the server is away, nothing.
pub(crate) async fn sample(url: String, into: std::sync::Arc<std::sync::Mutex<History>>) {
    let mut connection: Option<PgConnection> = None;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let Some(open) = &mut connection else {
            connection = PgConnection::connect(&url).await.ok();
            continue;
        };
        let Ok((leases, live)) = look(open).await else {
            connection = None;
            continue;
        };
        let mut history = into.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        history.leases.extend(leases);
        history.live.extend(live);
    }
}

type Sample = (Vec<LeaseSample>, Vec<(String, i64)>);

async fn look(connection: &mut PgConnection) -> sqlx::Result<Sample> {
    let leases = sqlx::query_as(
        "SELECT name, holder, epoch, \
         CAST(EXTRACT(EPOCH FROM until - clock_timestamp()) AS DOUBLE PRECISION) FROM leases",
    );
    let leases: Vec<(String, String, i64, f64)> = leases.fetch_all(&mut *connection).await?;
    let live = sqlx::query_as(
        "SELECT project_name, count(*) FROM runners \
         WHERE status NOT IN ('terminated', 'failed') GROUP BY project_name",
    );
    let live = live.fetch_all(&mut *connection).await?;
    let sample = |(name, holder, epoch, left)| LeaseSample { name, holder, epoch, left };
    Ok((leases.into_iter().map(sample).collect(), live))
}

/// Returns the rows of the queue that wait, and the leases, in full.
pub(crate) async fn stuck(url: &str) -> sqlx::Result<Vec<String>> {
    let mut connection = PgConnection::connect(url).await?;
    let query = "SELECT to_jsonb(o)::text FROM outbox AS o WHERE NOT delivered \
         UNION ALL SELECT to_jsonb(l)::text || ' at ' || clock_timestamp() FROM leases AS l";
    let rows = sqlx::query_scalar(query).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

/// Returns the ids of what is committed and goes to the broker.
pub(crate) fn published(history: &History) -> BTreeSet<Uuid> {
    history.events.iter().filter(|event| event.published).map(|event| event.event).collect()
}
