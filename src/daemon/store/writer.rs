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

/// A write that was applied, its caller still waiting for the commit.
type Applied = (oneshot::Sender<Result<Vec<Record>, StoreError>>, Vec<Record>);

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
            Ok((applied, position)) => {
                if let Some(position) = position {
                    committed.send_replace(position);
                }
                for (reply, rows) in applied {
                    // A caller that went away does not need its answer; the write stands.
                    reply.send(Ok(rows)).ok();
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

/// Applies a group and commits it. Refused writes are answered here; when the commit itself fails,
/// the callers' channels are dropped, which they see as a closed database.
async fn commit_group(
    connection: &mut Connection,
    group: impl Iterator<Item = Unit>,
    origin: &Origin,
) -> Result<(Vec<Applied>, Option<u64>), StoreError> {
    let mut group = group.peekable();
    let Some(first) = group.next() else { return Ok((Vec::new(), None)) };
    if group.peek().is_none() {
        return commit_one(connection, first, origin).await;
    }
    connection.begin().await?;
    let mut applied = Vec::new();
    let mut newest = None;
    for unit in std::iter::once(first).chain(group) {
        connection.savepoint().await?;
        match apply(connection, unit.write, origin).await {
            Ok((rows, position)) => {
                connection.release().await?;
                newest = newest.max(position);
                applied.push((unit.reply, rows));
            }
            Err(error) => {
                connection.undo().await?;
                unit.reply.send(Err(error)).ok();
            }
        }
    }
    connection.commit().await?;
    Ok((applied, newest))
}

/// Applies a write that is alone, as most are: the transaction itself is its savepoint.
async fn commit_one(
    connection: &mut Connection,
    unit: Unit,
    origin: &Origin,
) -> Result<(Vec<Applied>, Option<u64>), StoreError> {
    connection.begin().await?;
    match apply(connection, unit.write, origin).await {
        Ok((rows, position)) => {
            connection.commit().await?;
            Ok((vec![(unit.reply, rows)], position))
        }
        Err(error) => {
            connection.rollback().await;
            unit.reply.send(Err(error)).ok();
            Ok((Vec::new(), None))
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
