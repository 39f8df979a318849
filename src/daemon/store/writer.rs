//! The one task that writes: many callers' writes in one durable commit.
//!
//! It takes whatever is queued when it is free: alone, a write is committed at once; under load,
//! hundreds share one flush of the disk. Each write has a savepoint of its own, so that a refused
//! one undoes itself and no other. Nobody is answered before the commit.

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Origin, StoreError,
    dialect::sqlite::{Connection, Record},
    events,
    query::{Expect, Write},
};

/// Writes that may wait; callers beyond it wait for a place.
pub(super) const QUEUE: usize = 1024;

/// Writes in one commit at most, so that no one waits long for others.
const GROUP: usize = 256;

/// A write and where its outcome goes.
#[derive(Debug)]
pub(super) struct Unit {
    pub write: Write,
    pub reply: oneshot::Sender<Result<Vec<Record>, StoreError>>,
}

/// What came of a write, its caller still waiting for the commit. A refusal waits too: it may be
/// due to a write of the same group, which its caller will then look for.
type Settled = (oneshot::Sender<Result<Vec<Record>, StoreError>>, Result<Vec<Record>, StoreError>);

/// Applies writes until all senders are gone.
pub(super) async fn run(
    mut connection: Connection,
    mut units: mpsc::Receiver<Unit>,
    origin: Origin,
    committed: watch::Sender<u64>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while units.recv_many(&mut group, GROUP).await > 0 {
        match commit_group(&mut connection, group.drain(..), &origin).await {
            Ok((settled, position)) => {
                if let Some(position) = position {
                    committed.send_replace(position);
                }
                for (reply, outcome) in settled {
                    // A caller that went away does not need its answer; the write stands.
                    reply.send(outcome).ok();
                }
            }
            Err(error) => {
                tracing::error!(%error, "failed to commit; the writes of this group are undone");
                connection.rollback().await;
            }
        }
    }
    connection.close().await;
}

/// Applies a group and commits it. When the commit itself fails, the callers' channels are dropped,
/// which they see as a closed database.
async fn commit_group(
    connection: &mut Connection,
    group: impl Iterator<Item = Unit>,
    origin: &Origin,
) -> Result<(Vec<Settled>, Option<u64>), StoreError> {
    let mut group = group.peekable();
    let Some(first) = group.next() else { return Ok((Vec::new(), None)) };
    if group.peek().is_none() {
        return commit_one(connection, first, origin).await;
    }
    connection.begin().await?;
    let mut settled = Vec::new();
    let mut newest = None;
    for unit in std::iter::once(first).chain(group) {
        connection.savepoint().await?;
        match apply(connection, unit.write, origin).await {
            Ok((rows, position)) => {
                connection.release().await?;
                newest = newest.max(position);
                settled.push((unit.reply, Ok(rows)));
            }
            Err(error) => {
                connection.undo().await?;
                settled.push((unit.reply, Err(error)));
            }
        }
    }
    connection.commit().await?;
    Ok((settled, newest))
}

/// Applies a write that is alone, as most are: the transaction itself is its savepoint.
async fn commit_one(
    connection: &mut Connection,
    unit: Unit,
    origin: &Origin,
) -> Result<(Vec<Settled>, Option<u64>), StoreError> {
    connection.begin().await?;
    match apply(connection, unit.write, origin).await {
        Ok((rows, position)) => {
            connection.commit().await?;
            Ok((vec![(unit.reply, Ok(rows))], position))
        }
        Err(error) => {
            connection.rollback().await;
            Ok((vec![(unit.reply, Err(error))], None))
        }
    }
}

/// Applies one write; returns the rows of the last statement that returned any, and the position of
/// its last event.
async fn apply(
    connection: &mut Connection,
    write: Write,
    origin: &Origin,
) -> Result<(Vec<Record>, Option<u64>), StoreError> {
    let mut returned = Vec::new();
    for (query, expect) in write.steps {
        let (touched, rows) = connection.run(query).await?;
        if let Expect::Rows(refusal) = expect
            && touched == 0
            && rows.is_empty()
        {
            return Err(StoreError::Refused(refusal));
        }
        if !rows.is_empty() {
            returned = rows;
        }
    }
    let mut position = None;
    for event in write.events {
        let (_, rows) = connection.run(events::insert(event, origin)).await?;
        if let Some(row) = rows.first() {
            position = Some(row.count("id")?);
        }
    }
    Ok((returned, position))
}
