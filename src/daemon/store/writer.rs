//! The one task that writes: many callers' writes in one durable commit.
//!
//! It takes whatever is queued when it is free: alone, a write is committed at once; under load,
//! hundreds share one flush of the disk. A write that is refused after it changed something has a
//! savepoint of its own, so that it undoes itself and no other; if the database itself refuses one,
//! the group is undone and each is tried alone. Nobody is answered before the commit. The task owns
//! its connection, and no caller that goes away can cut a transaction short.

use std::{iter, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::yield_now,
    time::{Instant, sleep, sleep_until},
};

use super::{
    StoreError,
    availability::Availability,
    dialect::{Connection, Record},
    query::{Expect, Query, Write},
    recorder::{Recorded, Recorder},
};
use crate::domain::{chain::Checkpoint, event::NewEvent, failure::Failure};

/// Writes that may wait; callers beyond it wait for a place.
pub(super) const QUEUE: usize = 1024;

/// Writes in one commit at most, so that no one waits long for others: a commit of as many takes about 20 ms.
const GROUP: usize = 512;

/// A deadlock or a lost race is tried again so often.
const TRIES: u32 = 3;

/// After a failed attempt to reach the server, writes are refused at once for so long, or for twice as
/// long as the attempt took; then it is tried again, whether or not anybody asks.
const PAUSE: Duration = Duration::from_millis(400);

/// Other daemons are told of events at most so often: a notification takes a lock of the whole
/// server (reliability.md §4.3).
const TELLING: Duration = Duration::from_millis(20);

/// What other daemons are told on: new positions, and events that wait for their seal.
pub(super) const SEALED_CHANNEL: &str = "stratavore_events";
pub(super) const UNSEALED_CHANNEL: &str = "stratavore_unsealed";

/// What the task is asked for.
#[derive(Debug)]
pub(super) enum Unit {
    /// A write and where its outcome goes.
    Write(Write, oneshot::Sender<Outcome>),
    /// To seal what others have committed.
    Seal,
}

/// What came of one write.
type Outcome = Result<Vec<Record>, StoreError>;

/// The task's state.
pub(super) struct Writer {
    pub connection: Connection,
    pub recorder: Recorder,
    pub committed: Arc<watch::Sender<u64>>,
    pub checkpoints: watch::Sender<Option<Checkpoint>>,
    pub availability: Availability,
    /// Whether other daemons use the database too.
    pub is_shared: bool,
}

/// What other daemons have yet to be told.
#[derive(Debug, Default)]
struct Telling {
    sealed: bool,
    unsealed: bool,
    not_before: Option<Instant>,
    /// More waits to be sealed than the last transaction took.
    is_behind: bool,
}

impl Writer {
    /// Applies writes until all senders are gone; `opened` gets what came of the first connection.
    pub(super) async fn run(
        mut self,
        mut units: mpsc::Receiver<Unit>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) {
        opened.send(self.reach().await).ok();
        let mut group = Vec::with_capacity(GROUP);
        let mut telling = Telling::default();
        let mut refused_until: Option<Instant> = None;
        let mut last = 0;
        loop {
            let due = telling.due();
            let received = tokio::select! {
                biased;
                () = std::future::ready(()), if telling.is_behind => {
                    while group.len() < GROUP && let Ok(unit) = units.try_recv() {
                        group.push(unit);
                    }
                    group.push(Unit::Seal);
                    group.len()
                }
                received = units.recv_many(&mut group, GROUP) => received,
                () = sleep_until(refused_until.unwrap_or_else(Instant::now)),
                    if self.connection.ensure_alive().is_err() => {
                    self.reach_or_pause(&mut refused_until).await.ok();
                    continue;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.tell(&mut telling).await;
                    continue;
                }
            };
            if received == 0 {
                break;
            }
            if received < last {
                // Those who have just been answered are about to ask again: a flush for the first of
                // them alone would have all others wait for the next.
                yield_now().await;
                while group.len() < GROUP
                    && let Ok(unit) = units.try_recv()
                {
                    group.push(unit);
                }
            }
            last = group.len();
            telling.is_behind = false;
            let (mut writes, mut replies) = (Vec::new(), Vec::new());
            for unit in group.drain(..) {
                if let Unit::Write(write, reply) = unit {
                    writes.push(write);
                    replies.push(reply);
                }
            }
            let reached = match refused_until {
                Some(until) if Instant::now() < until => Err(self.availability.refusal()),
                _ => self.reach_or_pause(&mut refused_until).await,
            };
            let outcomes = match reached {
                Ok(()) => self.commit(writes, &mut telling).await,
                Err(error) => writes.iter().map(|_| Err(error.again())).collect(),
            };
            // Answered after the commit, refusals too: one may be due to a write of the same group,
            // which its caller will then look for. A caller that went away needs no answer.
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                reply.send(outcome).ok();
            }
        }
        self.connection.close().await;
        self.recorder.close().await;
    }

    /// Makes sure that there is a connection, or says until when that is not tried again: writes in
    /// between do not put it off.
    async fn reach_or_pause(&mut self, until: &mut Option<Instant>) -> Result<(), StoreError> {
        let began = Instant::now();
        let reached = self.reach().await;
        *until = reached.is_err().then(|| Instant::now() + PAUSE.max(began.elapsed() * 2));
        reached
    }

    /// Makes sure that there is a connection.
    async fn reach(&mut self) -> Result<(), StoreError> {
        match self.connection.ensure().await {
            Ok(is_new) => {
                if is_new {
                    self.recorder.undone();
                    self.availability.reached();
                }
                Ok(())
            }
            Err(error) => {
                self.availability.lost(&error);
                Err(error)
            }
        }
    }

    /// Commits writes together or, when the database refuses one of them, each alone.
    async fn commit(&mut self, writes: Vec<Write>, telling: &mut Telling) -> Vec<Outcome> {
        let mut attempted = self.attempt(&writes, telling).await;
        // A connection that broke while nobody used it says so now; nothing was committed.
        if matches!(attempted, Err(StoreError::Away { .. })) && self.reach().await.is_ok() {
            attempted = self.attempt(&writes, telling).await;
        }
        match attempted {
            Ok(outcomes) => outcomes,
            Err(error) if error.is_of_a_statement() => {
                tracing::warn!(%error, writes = writes.len(), "a group of writes is made one by one");
                let mut outcomes = Vec::with_capacity(writes.len());
                for write in writes {
                    outcomes.push(self.attempt_again(write, telling).await);
                }
                outcomes
            }
            Err(error) => {
                tracing::error!(%error, "failed to commit; the writes of this group are undone");
                writes.iter().map(|_| Err(error.again())).collect()
            }
        }
    }

    /// Commits one write, again when it lost a race.
    async fn attempt_again(&mut self, write: Write, telling: &mut Telling) -> Outcome {
        let writes = [write];
        let mut tries = 0;
        loop {
            match self.attempt(&writes, telling).await {
                Ok(mut outcomes) => return outcomes.pop().unwrap_or(Err(StoreError::Closed)),
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tries += 1;
                    sleep(Duration::from_millis(5 << tries)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Applies a group in one transaction.
    async fn attempt(
        &mut self,
        writes: &[Write],
        telling: &mut Telling,
    ) -> Result<Vec<Outcome>, StoreError> {
        let (outcomes, recorded, is_flushed) = match self.apply_all(writes).await {
            Ok(applied) => applied,
            Err(error) => {
                self.undo().await;
                // The only write was refused.
                let is_refusal = matches!(error, StoreError::Refused(_));
                return if is_refusal { Ok(vec![Err(error)]) } else { Err(error) };
            }
        };
        if let Err(error) = self.connection.commit().await {
            self.undo().await;
            return Err(match error {
                StoreError::Away { .. } => StoreError::Unknown,
                error => error,
            });
        }
        let checkpoint = self.recorder.committed(recorded, is_flushed);
        if let Some(position) = recorded.sealed_up_to {
            // Nobody is told of one that a loss of power could undo: its position would then be
            // given to another.
            if is_flushed {
                advance(&self.committed, position);
                self.checkpoints.send_replace(checkpoint);
            }
            telling.sealed |= self.is_shared;
        }
        telling.unsealed |= recorded.unsealed > 0;
        telling.is_behind = recorded.is_behind;
        Ok(outcomes)
    }

    async fn undo(&mut self) {
        self.connection.rollback().await;
        self.recorder.undone();
        if let Err(error) = self.connection.ensure_alive() {
            self.availability.lost(&error);
        }
    }

    async fn apply_all(
        &mut self,
        writes: &[Write],
    ) -> Result<(Vec<Outcome>, Recorded, bool), StoreError> {
        // One that has to be on disk takes the others along; and on a shared server every event has.
        let is_flushed = writes
            .iter()
            .any(|write| !write.is_unflushed || (self.is_shared && !write.events.is_empty()));
        let is_alone = writes.len() == 1;
        let mut outcomes: Vec<_> = writes.iter().map(|_| Err(StoreError::Closed)).collect();
        let mut events = Vec::new();
        // The lock of one that is alone is waited for as the transaction begins, with what follows it. Among
        // several it may have to be undone by itself.
        let alone = writes.first().filter(|write| is_alone && write.project.is_some());
        let first = alone.iter().flat_map(|write| write.first_steps());
        let begins = is_flushed || writes.is_empty();
        let mut done = self.connection.begin_with(begins, first).await?.into_iter();
        for (write, outcome) in in_lock_order(writes, &mut outcomes) {
            // The transaction itself is the savepoint of one that is alone.
            let needs_savepoint = !is_alone && write.is_refused_late();
            if needs_savepoint {
                self.connection.savepoint().await?;
            }
            let mut caused = Vec::new();
            match apply(&mut self.connection, &write.steps, &mut done, &mut caused).await {
                Ok(rows) => {
                    if needs_savepoint {
                        self.connection.release().await?;
                    }
                    events.extend(named(&write.events, &rows));
                    events.extend(caused);
                    *outcome = Ok(rows);
                }
                Err(error @ StoreError::Refused(_)) if !is_alone => {
                    if needs_savepoint {
                        self.connection.undo().await?;
                    }
                    *outcome = Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        let recorded = if events.is_empty() && !writes.is_empty() {
            Recorded::default()
        } else {
            self.recorder.record(&mut self.connection, events).await?
        };
        Ok((outcomes, recorded, is_flushed))
    }

    /// Tells other daemons. What is lost here they find by themselves, later.
    async fn tell(&mut self, telling: &mut Telling) {
        let channels = [(telling.sealed, SEALED_CHANNEL), (telling.unsealed, UNSEALED_CHANNEL)];
        *telling = Telling {
            not_before: Some(Instant::now() + TELLING),
            is_behind: telling.is_behind,
            ..Telling::default()
        };
        for (is_wanted, channel) in channels {
            if is_wanted && self.connection.ensure_alive().is_ok() {
                let query = Query::new("SELECT 1 AS told FROM pg_notify($1, '')").bind(channel);
                if let Err(error) = self.connection.run(query).await {
                    tracing::debug!(%error, "failed to tell other daemons of events");
                }
            }
        }
    }
}

impl Telling {
    /// When others are to be told, if there is anything to tell.
    fn due(&self) -> Option<Instant> {
        let is_wanted = self.sealed || self.unsealed;
        is_wanted.then(|| self.not_before.unwrap_or_else(Instant::now))
    }
}

/// Lets followers know how far the log goes; it never goes back.
pub(super) fn advance(committed: &watch::Sender<u64>, position: u64) {
    committed.send_if_modified(|known| {
        let is_news = *known < position;
        *known = (*known).max(position);
        is_news
    });
}

/// Returns the writes of a group, each with where its outcome goes, in the order in which all daemons
/// take their locks: projects by name, then what needs none. Otherwise two groups that have two
/// projects in common could wait for each other.
fn in_lock_order<'a>(
    writes: &'a [Write],
    outcomes: &'a mut [Outcome],
) -> Vec<(&'a Write, &'a mut Outcome)> {
    let mut ordered: Vec<_> = writes.iter().zip(outcomes).collect();
    let key = |write: &'a Write| (write.project.is_none(), write.project.as_deref());
    ordered.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)));
    ordered
}

/// Returns a write's events; a launched runner's has the name that the write gave it.
fn named(events: &[NewEvent], rows: &[Record]) -> Vec<NewEvent> {
    let mut events = events.to_vec();
    for event in &mut events {
        if event.entity_type == "runner" && event.runner.is_empty() {
            let name = rows.first().and_then(|row| row.text("name").ok());
            event.runner = name.unwrap_or_default();
        }
    }
    events
}

/// Applies the statements of one write, of which the first may be done; returns the rows of the last one
/// that returned any, without those that only cause events.
async fn apply(
    connection: &mut Connection,
    steps: &[(Query, Expect)],
    done: &mut (impl Iterator<Item = (u64, Vec<Record>)> + Send),
    caused: &mut Vec<NewEvent>,
) -> Result<Vec<Record>, StoreError> {
    let mut returned = Vec::new();
    for (query, expect) in steps {
        let (touched, rows) = match done.next() {
            Some(done) => done,
            None => connection.run(query.clone()).await?,
        };
        if let Expect::Rows(refusal) = expect
            && touched == 0
            && rows.is_empty()
        {
            return Err(StoreError::Refused(refusal.clone()));
        }
        if let Expect::RowsOr(why) = expect
            && touched == 0
            && rows.is_empty()
        {
            Box::pin(apply(connection, why, &mut iter::empty(), caused)).await?;
            // It has gone between the two statements: another daemon has written.
            let what = "what stood in the way is gone; try again";
            return Err(StoreError::Refused(Failure::unavailable("CHANGED_MEANWHILE", what)));
        }
        match expect {
            Expect::NoRow(refusal) => {
                if let Some(row) = rows.first() {
                    return Err(StoreError::Refused(refusal(row)?));
                }
            }
            Expect::Causes(event, complete) => {
                for row in &rows {
                    caused.push(complete(row, event.as_ref().clone())?);
                }
            }
            _ if !rows.is_empty() => returned = rows,
            _ => {}
        }
    }
    Ok(returned)
}
