//! Writes events: counts them, signs them, gives them their place and seals it, queues them for the
//! broker. All of it in the transaction of the change that caused them.
//!
//! With an embedded database this daemon alone writes, and seals what it writes. With a shared one
//! only the daemon that holds the lease seals: what it writes itself at once, what others have
//! committed in passing. The lease's row is locked until the commit, so that seals follow one
//! another, and a holder that was paused cannot seal beside its successor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Origin, StoreError,
    dialect::{Bulk, Connection, Kind},
    event_rows::{SealRow, Sealed, Signed, begin, insert, insert_at_once, queue, row, text},
    events,
    handoff::{Handoff, Outgoing},
    keyring::Keyring,
    query::{Query, Value as Bound, storable, storable_json},
};
use crate::domain::{
    chain::{BEGINNING, Checkpoint, Code, canonical, from_hex, to_hex},
    event::{Event, NewEvent},
};

/// Events of others that one transaction seals; more wait for the next.
const SEALED_TOGETHER: u32 = 2000;

/// The newest sealed event.
const TAIL: &str = "SELECT position, seal FROM events WHERE position IS NOT NULL \
     ORDER BY position DESC LIMIT 1";

/// Who may seal.
#[derive(Debug, Clone)]
pub(super) enum Sealing {
    /// This daemon, which is alone.
    Always,
    /// Whoever holds the lease: here, holder and epoch while it is this daemon.
    Leased(Arc<Mutex<Option<(String, u64)>>>),
}

impl Sealing {
    /// The lease, 0 where none is needed; `None` while another daemon has it.
    pub(super) fn lease(&self) -> Option<(String, u64)> {
        match self {
            Self::Always => Some((String::new(), 0)),
            Self::Leased(lease) => lease.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Takes note of the lease, or of its loss.
    pub(super) fn set(&self, now: Option<(String, u64)>) {
        if let Self::Leased(lease) = self {
            *lease.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }
}

/// The end of the chain, as one lease knows it.
#[derive(Debug, Clone, Copy)]
struct Tail {
    epoch: u64,
    position: u64,
    seal: Code,
}

/// Events that are placed in one statement, at most.
const AT_ONCE: usize = 2000;

/// What became of events that were to be placed in one statement.
enum Placed {
    All,
    Not(Vec<Signed>),
}

/// What came of recording.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Recorded {
    /// The newest sealed position, if anything was sealed.
    pub sealed_up_to: Option<u64>,
    /// How many were.
    sealed: u64,
    /// Events written that another daemon has to seal, or this one later.
    pub unsealed: u64,
    /// More wait to be sealed than one transaction takes.
    pub is_behind: bool,
    /// Codes made with the present key.
    codes: u64,
}

/// Records events.
#[derive(Debug)]
pub(super) struct Recorder {
    /// What checkpoints call this log.
    log: String,
    origin: Origin,
    keyring: Keyring,
    sealing: Sealing,
    tail: Option<Tail>,
    /// What a transaction under way will make of it.
    next_tail: Option<Tail>,
    outgoing: Outgoing,
}

impl Recorder {
    pub(super) fn new(
        origin: Origin,
        keyring: Keyring,
        sealing: Sealing,
        (log, handoff): (String, Handoff),
    ) -> Self {
        let outgoing = Outgoing::new(handoff);
        Self { log, origin, keyring, sealing, tail: None, next_tail: None, outgoing }
    }

    /// Takes note that what was recorded is committed; returns where the log stands, if this daemon
    /// has sealed anything. What is not on disk yet goes to the broker with what is.
    pub(super) fn committed(&mut self, recorded: Recorded, is_flushed: bool) -> Option<Checkpoint> {
        self.tail = self.next_tail;
        if let Some(last) = recorded.sealed_up_to {
            self.outgoing.committed(last, recorded.sealed, is_flushed);
        }
        let sealed = recorded.sealed_up_to.and(self.tail);
        let (key, reference) = (self.keyring.key(), self.keyring.reference());
        let checkpoint = sealed
            .map(|tail| Checkpoint::new(&self.log, tail.position, &tail.seal, (key, reference)));
        self.keyring.used(recorded.codes);
        checkpoint
    }

    /// Takes note that it is not, or that nobody knows.
    pub(super) fn undone(&mut self) {
        self.tail = None;
        self.next_tail = None;
        self.outgoing.undone();
    }

    /// Waits until nothing is under way.
    pub(super) async fn close(self) {
        self.keyring.close().await;
    }

    /// Writes events inside the present transaction, and seals what may be sealed; without events, it
    /// only seals what others have left.
    pub(super) async fn record(
        &mut self,
        connection: &mut Connection,
        news: Vec<NewEvent>,
    ) -> Result<Recorded, StoreError> {
        self.keyring.turn().await;
        let events = self.number(connection, news).await?;
        self.place(connection, events).await
    }

    /// Writes events that happened elsewhere: they keep what they are and get sequences, signatures
    /// and places here.
    pub(super) async fn import(
        &mut self,
        connection: &mut Connection,
        mut imports: Vec<Import>,
    ) -> Result<Recorded, StoreError> {
        self.keyring.turn().await;
        for import in &mut imports {
            storable(&mut import.event.entity_id);
        }
        let keys = imports
            .iter()
            .map(|import| (import.event.entity_type.as_str(), import.event.entity_id.as_str()));
        let mut next = sequences(connection, keys).await?;
        let mut events = Vec::with_capacity(imports.len());
        for Import { mut event, metadata, routing_key } in imports {
            event.sequence = take(&mut next, &event.entity_type, &event.entity_id)?;
            events.push(Signed { metadata, ..self.sign(event, routing_key) });
        }
        self.place(connection, events).await
    }

    /// Writes signed events, sealed where this daemon may seal.
    async fn place(
        &mut self,
        connection: &mut Connection,
        events: Vec<Signed>,
    ) -> Result<Recorded, StoreError> {
        let count = events.len() as u64;
        let mut recorded = Recorded { codes: count, ..Recorded::default() };
        self.next_tail = self.tail;
        let lease = self.sealing.lease();
        let events = match self.place_at_once(connection, events, lease.as_ref()).await? {
            Placed::All => {
                recorded.sealed = count;
                recorded.codes += count;
                recorded.sealed_up_to = self.next_tail.map(|tail| tail.position);
                return Ok(recorded);
            }
            Placed::Not(events) => events,
        };
        begin(connection, events.iter()).await?;
        let waiting = match &lease {
            None => None,
            Some((holder, epoch)) => self.waiting(connection, holder, *epoch).await?,
        };
        let (Some((_, epoch)), Some(waiting)) = (lease, waiting) else {
            recorded.unsealed = count;
            insert(connection, events.iter().map(|event| row(event, None)).collect()).await?;
            return Ok(recorded);
        };
        let mut tail = match self.tail {
            Some(tail) if tail.epoch == epoch => tail,
            _ => load_tail(connection, epoch).await?,
        };
        let before = tail.position;
        let mut left = waiting;
        while left > 0 {
            let sealed = self.seal_waiting(connection, &mut tail).await?;
            left = left.saturating_sub(sealed);
            if sealed == 0 || matches!(self.sealing, Sealing::Leased(_)) {
                break;
            }
        }
        recorded.is_behind = left > 0;
        if recorded.is_behind {
            // An event of ours may follow one of those in its entity: it waits behind them.
            recorded.unsealed = count;
            insert(connection, events.iter().map(|event| row(event, None)).collect()).await?;
        } else {
            let sealed: Vec<_> =
                events.into_iter().map(|event| self.seal(event, &mut tail)).collect();
            let rows = sealed.iter().map(|sealed| row(&sealed.signed, Some(sealed))).collect();
            insert(connection, rows).await?;
            self.outgoing.queue(queue(connection, &sealed).await?);
        }
        recorded.sealed = tail.position - before;
        recorded.codes += recorded.sealed;
        recorded.sealed_up_to = (tail.position > before).then_some(tail.position);
        self.next_tail = Some(tail);
        Ok(recorded)
    }

    /// The same in one statement, where it is known beforehand what their places are: as long as no
    /// other daemon comes in between.
    async fn place_at_once(
        &mut self,
        connection: &mut Connection,
        events: Vec<Signed>,
        lease: Option<&(String, u64)>,
    ) -> Result<Placed, StoreError> {
        let (Some((holder, epoch)), Some(tail)) = (lease, self.tail) else {
            return Ok(Placed::Not(events));
        };
        let is_possible = connection.texts().fence_at_once.is_some() && tail.epoch == *epoch;
        if !is_possible || !(1..=AT_ONCE).contains(&events.len()) {
            return Ok(Placed::Not(events));
        }
        let mut after = tail;
        let sealed: Vec<_> = events.into_iter().map(|event| self.seal(event, &mut after)).collect();
        match insert_at_once(connection, &sealed, (holder, *epoch)).await? {
            Some(queued) => {
                self.outgoing.queue(queued);
                self.next_tail = Some(after);
                Ok(Placed::All)
            }
            None => Ok(Placed::Not(sealed.into_iter().map(Sealed::unsealed).collect())),
        }
    }

    /// Gives events their sequences and signatures.
    async fn number(
        &self,
        connection: &mut Connection,
        news: Vec<NewEvent>,
    ) -> Result<Vec<Signed>, StoreError> {
        let mut news = news;
        for new in &mut news {
            storable(&mut new.entity_id);
        }
        leave_lone_firsts(&mut news);
        let asked = news.iter().filter(|new| !new.is_first);
        let keys = asked.map(|new| (new.entity_type, new.entity_id.as_str()));
        let mut next = sequences(connection, keys).await?;
        let mut signed = Vec::with_capacity(news.len());
        for new in news {
            let sequence =
                if new.is_first { 1 } else { take(&mut next, new.entity_type, &new.entity_id)? };
            let routing_key = self.origin.publishes.then(|| new.routing_key());
            let event = Event {
                position: 0,
                event_id: new.id.to_string(),
                timestamp: new.at,
                event_type: new.event_type.as_str().to_owned(),
                entity_type: new.entity_type.to_owned(),
                entity_id: new.entity_id,
                sequence,
                project: new.project,
                runner: new.runner,
                user_id: if new.by.is_empty() { self.origin.user.clone() } else { new.by },
                hostname: self.origin.hostname.clone(),
                node_id: self.origin.node_id.clone(),
                trace_id: new.trace_id,
                data: new.data,
            };
            signed.push(Signed { is_first: new.is_first, ..self.sign(event, routing_key) });
        }
        Ok(signed)
    }

    fn sign(&self, mut event: Event, routing_key: Option<String>) -> Signed {
        let texts = [
            &mut event.entity_id,
            &mut event.project,
            &mut event.runner,
            &mut event.user_id,
            &mut event.hostname,
            &mut event.node_id,
            &mut event.trace_id,
        ];
        texts.into_iter().for_each(storable);
        storable_json(&mut event.data);
        let covered = canonical(&event);
        let code = to_hex(&self.keyring.key().sign(&covered));
        let signature = format!("{}:{code}", self.keyring.reference());
        let mut routing_key = routing_key;
        routing_key.iter_mut().for_each(storable);
        let id = Uuid::parse_str(&event.event_id).unwrap_or_default();
        let metadata = json!({});
        Signed { event, id, covered, signature, routing_key, metadata, is_first: false }
    }

    /// Gives an event its place.
    fn seal(&self, mut signed: Signed, tail: &mut Tail) -> Sealed {
        tail.position += 1;
        let key = self.keyring.key();
        tail.seal = key.seal(&tail.seal, tail.position, &signed.signature, &signed.covered);
        signed.event.position = tail.position;
        Sealed { signed, by: self.keyring.reference().to_string(), seal: to_hex(&tail.seal) }
    }

    /// How many committed events wait to be sealed, or `None` when the lease is another's by now.
    async fn waiting(
        &self,
        connection: &mut Connection,
        holder: &str,
        epoch: u64,
    ) -> Result<Option<u64>, StoreError> {
        if matches!(self.sealing, Sealing::Always) {
            // Only those from before this schema, once, when the end of the chain is looked up.
            let looks = self.tail.is_none();
            return if looks { count_waiting(connection).await.map(Some) } else { Ok(Some(0)) };
        }
        let fence = Query::new(connection.texts().fence)
            .bind(holder)
            .bind(i64::try_from(epoch).unwrap_or(0));
        let (_, rows) = connection.run(fence).await?;
        if let Some(row) = rows.first() {
            return Ok(Some(row.count("waiting")?));
        }
        tracing::warn!("another daemon seals the event log now");
        self.sealing.set(None);
        Ok(None)
    }

    /// Seals what others have committed, in the order of its insertion: an event's predecessor in its
    /// entity was committed before it was inserted. Returns how many.
    async fn seal_waiting(
        &mut self,
        connection: &mut Connection,
        tail: &mut Tail,
    ) -> Result<u64, StoreError> {
        let query = Query::new(events::UNSEALED).bind(SEALED_TOGETHER);
        let (_, rows) = connection.run(query).await?;
        let mut seals = Vec::with_capacity(rows.len());
        let mut sealed = Vec::with_capacity(rows.len());
        for row in &rows {
            let event = events::decode(row)?;
            let signed = Signed {
                id: row.id("event_id")?,
                covered: canonical(&event),
                event,
                signature: row.text("signature")?,
                routing_key: row.optional_text("routing_key")?,
                metadata: Value::Null,
                is_first: false,
            };
            let done = self.seal(signed, tail);
            seals.push(row.count("id")?);
            sealed.push(done);
        }
        let seals = seals.into_iter().zip(&sealed).map(|(id, sealed)| SealRow {
            id,
            position: sealed.signed.event.position,
            sealed_by: &sealed.by,
            seal: &sealed.seal,
        });
        let seals = text(&seals.collect::<Vec<_>>())?;
        connection.run(Query::new(connection.texts().seal_events).bind(seals)).await?;
        self.outgoing.queue(queue(connection, &sealed).await?);
        Ok(rows.len() as u64)
    }
}

/// An event that happened elsewhere; its sequence and position are given anew.
#[derive(Debug)]
pub(super) struct Import {
    pub event: Event,
    /// Where it was.
    pub metadata: Value,
    /// Where it goes, if it is yet to be published.
    pub routing_key: Option<String>,
}

/// Counts events of entities and returns the newest sequence of each.
const COUNTS: Bulk = Bulk {
    table: "aggregates",
    columns: &[("entity_type", Kind::Text), ("entity_id", Kind::Text), ("sequence", Kind::Integer)],
    tail: "ON CONFLICT (entity_type, entity_id) \
           DO UPDATE SET sequence = aggregates.sequence + excluded.sequence \
           RETURNING entity_type, entity_id, sequence",
};

/// The newest sequence of each entity, by its type and id.
type Sequences = BTreeMap<(String, String), u64>;

/// Counts events of entities on, and returns the sequences before them.
async fn sequences<'a>(
    connection: &mut Connection,
    keys: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Sequences, StoreError> {
    let counts = counts(keys);
    let mut next = BTreeMap::new();
    if counts.is_empty() {
        return Ok(next);
    }
    // Ordered, so that two daemons take the locks of the rows in the same order.
    let entries = counts.iter().map(|((entity, id), count)| {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        vec![Bound::from(*entity), Bound::from(*id), Bound::from(count)]
    });
    let rows = connection.insert(&COUNTS, entries.collect()).await?;
    for row in &rows {
        let key = (row.text("entity_type")?, row.text("entity_id")?);
        let count = counts.get(&(key.0.as_str(), key.1.as_str())).copied().unwrap_or(0);
        next.insert(key, row.count("sequence")? - count);
    }
    Ok(next)
}

/// Returns how many events there are of each entity.
fn counts<'a>(keys: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<(&'a str, &'a str), u64> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Lets an entity begin unasked only where no other event of it is written beside the first.
fn leave_lone_firsts(news: &mut [NewEvent]) {
    if !news.iter().any(|new| new.is_first) {
        return;
    }
    let counts = counts(news.iter().map(|new| (new.entity_type, new.entity_id.as_str())));
    let is_alone = |new: &NewEvent| counts.get(&(new.entity_type, &*new.entity_id)) == Some(&1);
    let alone: Vec<_> = news.iter().map(is_alone).collect();
    for (new, is_alone) in news.iter_mut().zip(alone) {
        new.is_first &= is_alone;
    }
}

/// Returns the next sequence of an entity.
fn take(next: &mut Sequences, entity: &str, id: &str) -> Result<u64, StoreError> {
    let sequence = next
        .get_mut(&(entity.to_owned(), id.to_owned()))
        .ok_or_else(|| StoreError::Garbled(format!("sequence of {entity} {id}")))?;
    *sequence += 1;
    Ok(*sequence)
}

async fn count_waiting(connection: &mut Connection) -> Result<u64, StoreError> {
    let query = Query::new("SELECT count(*) AS waiting FROM events WHERE position IS NULL");
    let (_, rows) = connection.run(query).await?;
    rows.first().map_or(Ok(0), |row| row.count("waiting"))
}

async fn load_tail(connection: &mut Connection, epoch: u64) -> Result<Tail, StoreError> {
    let (_, rows) = connection.run(Query::new(TAIL)).await?;
    let Some(row) = rows.first() else { return Ok(Tail { epoch, position: 0, seal: BEGINNING }) };
    let text = row.text("seal")?;
    // A seal that is none breaks the chain here, which is what a verification will say.
    let seal = from_hex(&text).unwrap_or(BEGINNING);
    Ok(Tail { epoch, position: row.count("position")?, seal })
}
