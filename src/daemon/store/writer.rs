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

/// What came of one write.
type Outcome = Result<Vec<Record>, StoreError>;

/// Applies writes until all senders are gone.
pub(super) async fn run(
    mut connection: Connection,
    mut units: mpsc::Receiver<Unit>,
    origin: Origin,
    committed: watch::Sender<u64>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while units.recv_many(&mut group, GROUP).await > 0 {
        let (writes, replies): (Vec<_>, Vec<_>) =
            group.drain(..).map(|unit| (unit.write, unit.reply)).unzip();
        let outcomes = match commit_group(&mut connection, writes, &origin).await {
            Ok((outcomes, position)) => {
                if let Some(position) = position {
                    committed.send_replace(position);
                }
                outcomes
            }
            Err(error) => {
                tracing::error!(%error, "failed to commit; the writes of this group are undone");
                connection.rollback().await;
                let failed = || Err(StoreError::NotCommitted(error.to_string()));
                replies.iter().map(|_| failed()).collect()
            }
        };
        // Answered after the commit, refusals too: one may be due to a write of the same group, which
        // its caller will then look for. A caller that went away does not need its answer.
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            reply.send(outcome).ok();
        }
    }
    connection.close().await;
}

/// Applies a group and commits it; returns what came of each write, and the position of the newest
/// event if the disk has it: nobody is told of one that a loss of power could undo, for its position
/// would then be given to another.
async fn commit_group(
    connection: &mut Connection,
    writes: Vec<Write>,
    origin: &Origin,
) -> Result<(Vec<Outcome>, Option<u64>), StoreError> {
    // Most writes are alone: the transaction itself is then the savepoint.
    let is_alone = writes.len() == 1;
    let mut outcomes = Vec::with_capacity(writes.len());
    let mut newest = None;
    // One that has to be on disk takes the others along.
    let is_flushed = writes.iter().any(|write| !write.is_unflushed);
    connection.begin(is_flushed).await?;
    for write in writes {
        if !is_alone {
            connection.savepoint().await?;
        }
        match apply(connection, write, origin).await {
            Ok((rows, position)) => {
                if !is_alone {
                    connection.release().await?;
                }
                newest = newest.max(position);
                outcomes.push(Ok(rows));
            }
            Err(error) if is_alone => {
                connection.rollback().await;
                return Ok((vec![Err(error)], None));
            }
            Err(error) => {
                connection.undo().await?;
                outcomes.push(Err(error));
            }
        }
    }
    connection.commit().await?;
    Ok((outcomes, newest.filter(|_| is_flushed)))
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
