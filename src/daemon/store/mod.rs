//! d0: the database: state and events, read and written in one place.
//!
//! Every write is data, a [`Write`]: conditional statements and the events they cause, committed
//! together or not at all. One task applies writes, many at a time in one durable commit, so that
//! no caller that goes away can leave half a transaction. One aggregate a file; SQL is common to
//! both databases, what differs sits in `dialect`.

mod dialect;
mod error;
mod events;
mod projects;
mod query;
mod runners;
mod sessions;
mod writer;

#[cfg(test)]
mod conformance;

use std::path::Path;

use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use self::{
    dialect::sqlite,
    query::{Query, Record},
    writer::Unit,
};
pub use self::{
    error::StoreError,
    query::Write,
    runners::{Adoption, NewRunner, RunnerChange},
};

/// Who writes: recorded with each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The node's id.
    pub node_id: String,
    /// Its host name.
    pub hostname: String,
    /// The user the daemon runs as.
    pub user: String,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    readers: sqlite::Readers,
    writer: mpsc::Sender<Unit>,
    committed: watch::Receiver<u64>,
    tasks: TaskTracker,
}

impl Store {
    /// Opens the embedded database, creating and migrating it as needed.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, is not a database, or is from a newer version.
    pub async fn open(path: &Path, origin: Origin) -> Result<Self, StoreError> {
        let (connection, readers) = sqlite::open(path).await?;
        let (committed_tx, committed) = watch::channel(0);
        let (writer, units) = mpsc::channel(writer::QUEUE);
        let tasks = TaskTracker::new();
        tasks.spawn(writer::run(connection, units, origin, committed_tx));
        tasks.close();
        Ok(Self { readers, writer, committed, tasks })
    }

    /// Returns the receiver that changes with every commit of events; its value is the position of
    /// the newest one written since the start, 0 before the first. It carries nothing else.
    pub fn doorbell(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// What kind of database it is, for display.
    pub fn kind(&self) -> &'static str {
        sqlite::KIND
    }

    /// Writes what is queued and closes the file.
    pub async fn close(self) {
        drop(self.writer);
        self.tasks.wait().await;
        self.readers.close().await;
    }

    /// Runs a query.
    async fn fetch(&self, query: Query) -> Result<Vec<Record>, StoreError> {
        self.readers.fetch(query).await
    }

    /// Applies a write durably and returns the rows of its last statement that returns any.
    ///
    /// # Errors
    ///
    /// The refusal of the first condition that did not hold, with nothing changed, or a failure of
    /// the database.
    async fn write(&self, write: Write) -> Result<Vec<Record>, StoreError> {
        let (reply, result) = tokio::sync::oneshot::channel();
        self.writer.send(Unit { write, reply }).await.map_err(|_closed| StoreError::Closed)?;
        result.await.map_err(|_closed| StoreError::Closed)?
    }
}
