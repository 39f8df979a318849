//! Reads a PostgreSQL server as it is at one moment, whatever daemons write meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Executor as _,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

/// Returns a pool of one connection, in which a transaction is open that sees the moment of its first
/// query. A connection that is lost is not replaced: the next one would see another moment.
pub(super) fn pool(options: PgConnectOptions, connecting: Duration) -> PgPool {
    let is_used = Arc::new(AtomicBool::new(false));
    PgPoolOptions::new()
        .max_connections(1)
        .min_connections(0)
        .acquire_timeout(connecting)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            let was_used = is_used.swap(true, Ordering::Relaxed);
            Box::pin(async move {
                if was_used {
                    let lost = "the connection was lost in the middle";
                    return Err(sqlx::Error::Protocol(lost.to_owned()));
                }
                let begin = "SET idle_in_transaction_session_timeout = 0; \
                             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                connection.execute(begin).await.map(drop)
            })
        })
        .connect_lazy_with(options)
}
