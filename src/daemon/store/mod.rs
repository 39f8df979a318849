//! d0: the database: state and events, read and written in one place.
//!
//! Every write is data, a [`Write`]: conditional statements and the events they cause, committed
//! together or not at all. One task applies writes, many at a time in one durable commit, so that
//! no caller that goes away can leave half a transaction. One aggregate a file; SQL is common to
//! both databases, what differs sits in `dialect`.

mod about;
mod accounts;
mod adoption;
mod alerts;
mod audit;
mod availability;
mod blobs;
mod budgets;
mod charges;
mod checkouts;
mod copy;
mod dialect;
mod error;
mod event_rows;
mod events;
mod figures;
mod follow;
mod handoff;
mod inbox;
mod keyring;
mod launches;
mod migrations;
mod nodes;
mod notifications;
mod outbox;
mod presence;
mod projects;
mod prompts;
mod query;
mod quotas;
mod recorder;
mod removal;
mod repeats;
mod retention;
mod runners;
mod save;
mod sessions;
mod sums;
mod tokens;
mod transcripts;
mod usage;
mod writer;

#[cfg(test)]
mod conformance;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    about::{About, Holdings, about, known_schema, migrate, name_of},
    adoption::Adoption,
    audit::AuditLog,
    availability::DatabaseStatus,
    blobs::Blob,
    checkouts::Workplace,
    copy::{Copied, Copying, Progress, Step, TableCopied, copy},
    error::StoreError,
    figures::{NotificationCount, RunnerCount},
    handoff::Fresh,
    inbox::{ItemAct, ItemFilter, MOST_ITEMS},
    keyring::{Keyring, first_key_file},
    launches::NewRunner,
    notifications::{NewDelivery, Settled},
    query::Write,
    quotas::QuotaRow,
    retention::{KEPT, Keep, TOGETHER},
    runners::RunnerChange,
    save::{project_paths, save_file},
    sessions::SessionFilter,
    transcripts::{Follow, Reading, Said, SessionFacts, TranscriptFile},
    usage::{Added, Counted, TakenIn},
};
use self::{
    availability::Availability,
    dialect::{Connection, Kind, Readers, postgres, sqlite},
    handoff::Handoff,
    query::{Query, Record},
    recorder::{Recorder, Sealing},
    writer::{Unit, Writer},
};
use crate::{
    config::DatabaseConfig,
    domain::{chain::Checkpoint, clock::Clock, metric::Histogram},
};

/// A server may take so long to answer before the daemon starts without it.
const OPENING: Duration = Duration::from_millis(1500);

/// A query that takes longer makes one ask whether the server is there at all.
const SLOW: Duration = Duration::from_millis(300);

/// So many rows read, in however many answers, leave a heap behind that is worth giving back.
const MANY: usize = 500;

/// Who writes: recorded with each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The node's id.
    pub node_id: String,
    /// Its host name.
    pub hostname: String,
    /// The user the daemon runs as.
    pub user: String,
    /// Whether a broker is configured, so that events are queued for it.
    pub publishes: bool,
}

/// Where the database is.
#[derive(Debug, Clone, Copy)]
pub enum Location<'a> {
    /// The embedded one, in this file.
    File(&'a Path),
    /// A server.
    Server(&'a DatabaseConfig),
}

/// What a store is opened with.
#[derive(Debug)]
pub struct Opening {
    /// Who writes.
    pub origin: Origin,
    /// What events are signed and sealed with.
    pub keyring: Keyring,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Readers,
    writer: mpsc::Sender<Unit>,
    committed: watch::Receiver<u64>,
    checkpoints: watch::Receiver<Option<Checkpoint>>,
    availability: Availability,
    sealing: Sealing,
    handoff: Handoff,
    write_latency: Histogram,
    /// Rows that were read since the heap was given back.
    rows_read: Arc<AtomicUsize>,
    /// Ends the tasks that follow what other daemons do.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Store {
    /// Opens the database, creating and migrating it as needed. A server that is away is no error: the
    /// store heals by itself.
    ///
    /// # Errors
    ///
    /// When a file cannot be used or is not a database, or the schema is from a newer version.
    pub async fn open(location: Location<'_>, opening: Opening) -> Result<Self, StoreError> {
        let Opening { origin, keyring, clock } = opening;
        let name = name_of(location)?;
        let availability = Availability::new(DatabaseStatus::Up, clock);
        let (connection, readers, sealing) = match location {
            Location::File(path) => {
                let (connection, readers) = sqlite::open(path).await?;
                let readers = Readers::Sqlite(readers);
                (Connection::Sqlite(connection), readers, Sealing::Always)
            }
            Location::Server(config) => {
                let (connection, readers) = postgres::Server::of(config)?.open();
                let connection = Connection::Postgres(Box::new(connection));
                (connection, Readers::Postgres(readers), Sealing::Leased(Arc::default()))
            }
        };
        let (committed_tx, committed) = watch::channel(0);
        let committed_tx = Arc::new(committed_tx);
        let (checkpoints_tx, checkpoints) = watch::channel(None);
        let handoff = Handoff::default();
        let (writer, units) = mpsc::channel(writer::QUEUE);
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let is_shared = readers.is_shared();
        let task = Writer {
            connection,
            recorder: Recorder::new(origin, keyring, sealing.clone(), (name, handoff.clone())),
            committed: Arc::clone(&committed_tx),
            checkpoints: checkpoints_tx,
            availability: availability.clone(),
            is_shared,
        };
        let (opened_tx, opened) = oneshot::channel();
        tasks.spawn(task.run(units, opened_tx));
        match timeout(OPENING, opened).await {
            Ok(Ok(Err(error @ (StoreError::Newer { .. } | StoreError::Unusable { .. })))) => {
                return Err(error);
            }
            Ok(_) => {}
            // The task goes on trying; meanwhile the daemon does what it can without.
            Err(_elapsed) => availability.lost(&StoreError::Away {
                name: readers.kind().into(),
                why: "it has not answered yet".into(),
            }),
        }
        if let Readers::Postgres(readers) = &readers {
            let following =
                follow::run(readers.clone(), writer.downgrade(), Arc::clone(&committed_tx));
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(following).await });
        }
        tasks.close();
        let store = Self {
            readers,
            writer,
            committed,
            checkpoints,
            availability,
            sealing,
            handoff,
            write_latency: Histogram::default(),
            rows_read: Arc::default(),
            stop,
            tasks,
        };
        if !is_shared {
            // All of it is on disk; a server's followers find out by themselves.
            writer::advance(&committed_tx, store.event_newest().await?);
        }
        Ok(store)
    }

    /// Returns the receiver that changes when the log grows; its value is the position of the newest
    /// sealed event that is known, 0 before the first. It carries nothing else.
    pub fn doorbell(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Returns what is queued for the broker from now on, as soon as it is on disk. It may leave out
    /// what is queued faster than it is received: the queue is the truth.
    pub fn fresh(&self) -> mpsc::Receiver<Fresh> {
        self.handoff.listen()
    }

    /// Returns the receiver of where the log stands, as far as this daemon seals it.
    pub fn checkpoints(&self) -> watch::Receiver<Option<Checkpoint>> {
        self.checkpoints.clone()
    }

    /// How it stands with the database.
    pub fn status(&self) -> watch::Receiver<DatabaseStatus> {
        self.availability.subscribe()
    }

    /// The refusal of what needs the database while it cannot be used.
    pub fn refusal(&self) -> StoreError {
        self.availability.refusal()
    }

    /// What kind of database it is, for display.
    pub fn kind(&self) -> &'static str {
        self.readers.kind()
    }

    /// Whether other daemons may use it too.
    pub fn is_shared(&self) -> bool {
        self.readers.is_shared()
    }

    /// Waits for a database that is away, but no longer than this.
    pub async fn wait_until_up(&self, limit: Duration) {
        let mut status = self.availability.subscribe();
        // What comes of it is seen by whoever asks something.
        timeout(limit, status.wait_for(|status| *status == DatabaseStatus::Up)).await.ok();
    }

    /// Writes what is queued and closes the connections.
    pub async fn close(self) {
        self.stop.cancel();
        drop(self.writer);
        self.tasks.wait().await;
        self.readers.close().await;
    }

    /// Whether many rows were read since the last time that this was so.
    pub fn has_read_much(&self) -> bool {
        let is_much = self.rows_read.load(Ordering::Relaxed) >= MANY;
        if is_much {
            self.rows_read.store(0, Ordering::Relaxed);
        }
        is_much
    }

    /// Runs a query.
    async fn fetch(&self, query: Query) -> Result<Vec<Record>, StoreError> {
        self.take(query, Ok).await
    }

    /// Runs a query and returns what is made of each of its rows. A row takes far more room than that:
    /// no more of them are held than come together.
    async fn list<T: Send + Unpin>(
        &self,
        query: Query,
        decode: impl Fn(&Record) -> Result<T, StoreError> + Copy + Send,
    ) -> Result<Vec<T>, StoreError> {
        self.take(query, move |row| decode(&row)).await
    }

    /// Runs a query and returns what a function makes of each of its rows.
    async fn take<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(Record) -> Result<T, StoreError> + Copy + Send,
    ) -> Result<Vec<T>, StoreError> {
        if matches!(*self.availability.subscribe().borrow(), DatabaseStatus::Away { .. }) {
            return Err(self.availability.refusal());
        }
        let outcome = self.take_while_up(query, make).await;
        let read = outcome.as_ref().map_or(0, Vec::len);
        self.rows_read.fetch_add(read, Ordering::Relaxed);
        if matches!(outcome, Err(StoreError::Away { .. })) {
            // The writer finds out whether it is away for all; a full queue of writes does it too.
            self.writer.try_send(Unit::Seal).ok();
        }
        outcome
    }

    /// Runs a query; gives up on it when the database turns out to be away, which the writer finds out
    /// sooner than those who wait for a connection.
    async fn take_while_up<T: Send + Unpin>(
        &self,
        query: Query,
        make: impl Fn(Record) -> Result<T, StoreError> + Copy + Send,
    ) -> Result<Vec<T>, StoreError> {
        if !self.is_shared() {
            return self.readers.take(query, make).await;
        }
        let mut status = self.availability.subscribe();
        let mut running = std::pin::pin!(self.readers.take(query, make));
        if let Ok(outcome) = timeout(SLOW, running.as_mut()).await {
            return outcome;
        }
        self.writer.try_send(Unit::Seal).ok();
        let away = async { status.wait_for(|status| *status != DatabaseStatus::Up).await.is_ok() };
        tokio::select! {
            outcome = running => outcome,
            _ = away => Err(self.availability.refusal()),
        }
    }

    /// Applies a write durably and returns the rows of its last statement that returns any.
    ///
    /// # Errors
    ///
    /// The refusal of the first condition that did not hold, with nothing changed, or a failure of
    /// the database.
    async fn write(&self, write: Write) -> Result<Vec<Record>, StoreError> {
        let began = Instant::now();
        let (reply, result) = oneshot::channel();
        self.writer.send(Unit::Write(write, reply)).await.map_err(|_closed| StoreError::Closed)?;
        let outcome = result.await.map_err(|_closed| StoreError::Closed)?;
        self.write_latency.observe(began.elapsed());
        outcome
    }
}
