//! Follows what other daemons do with a shared database: how far the log goes, and what waits to be
//! sealed. A notification only wakes it; that it looks again by itself is what makes it true.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgListener;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    StoreError,
    dialect::postgres::Readers,
    query::Query,
    writer::{SEALED_CHANNEL, UNSEALED_CHANNEL, Unit, advance},
};

/// Looks again after so long without a word, and a little more, so that daemons do not all look at
/// once.
const POLL: Duration = Duration::from_secs(2);

/// A server that is away is asked again after so long.
const AWAY: Duration = Duration::from_secs(1);

/// A connection to listen on has to come about within so long.
const CONNECTING: Duration = Duration::from_secs(10);

/// How far the log goes, and whether anything waits to be sealed.
const LOOK: &str = "SELECT (SELECT coalesce(max(position), 0) FROM events) AS newest, \
     EXISTS (SELECT 1 FROM events WHERE position IS NULL) AS waits";

/// Follows until it is cancelled or the writer is gone.
pub(super) async fn run(
    readers: Readers,
    writer: mpsc::WeakSender<Unit>,
    committed: Arc<watch::Sender<u64>>,
) {
    loop {
        if let Ok(Ok(listener)) = timeout(CONNECTING, listen(&readers)).await {
            follow(&readers, listener, &writer, &committed).await;
        }
        if writer.upgrade().is_none() {
            return;
        }
        sleep(AWAY).await;
    }
}

async fn listen(readers: &Readers) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(readers.pool()).await?;
    listener.listen_all([SEALED_CHANNEL, UNSEALED_CHANNEL]).await?;
    Ok(listener)
}

/// Follows on one connection until it is lost.
async fn follow(
    readers: &Readers,
    mut listener: PgListener,
    writer: &mpsc::WeakSender<Unit>,
    committed: &watch::Sender<u64>,
) {
    loop {
        let Ok(waits) = look(readers, committed).await else { return };
        if waits {
            let Some(writer) = writer.upgrade() else { return };
            // One that is full of writes seals with the next of them.
            writer.try_send(Unit::Seal).ok();
        }
        let jitter = Duration::from_millis(u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * 2);
        match timeout(POLL + jitter, listener.try_recv()).await {
            // What else arrived meanwhile says the same.
            Ok(Ok(Some(_))) => while listener.next_buffered().is_some() {},
            Ok(Ok(None) | Err(_)) => return,
            Err(_elapsed) => {}
        }
    }
}

/// Looks how far the log goes; true when events wait to be sealed.
async fn look(readers: &Readers, committed: &watch::Sender<u64>) -> Result<bool, StoreError> {
    let rows = readers.take(Query::new(LOOK), Ok).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    advance(committed, row.count("newest")?);
    row.truth("waits")
}
