//! What happened: what was asked and answered, what the broker delivered, what the database holds
//! at the end, and what samplers saw on the way. It judges nothing; [`crate::checker`] does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// To start an agent; the request id names the effect.
    Launch,
    /// To end one.
    Stop,
    /// To start one again.
    Restart,
    /// To stop one where it stands, or let it go on.
    Pause(bool),
    /// To look at one.
    Get,
}

/// What came of it. A timeout or a lost connection is `Info`: it may have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done: to this entity, which then stood so.
    Ok(Option<Seen>),
    /// It was not done, for this reason.
    Fail(String),
    /// Nobody knows.
    Info(String),
}

/// A runner as a client was shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its id.
    pub id: String,
    /// Its run.
    pub run: i64,
    /// Whether it had ended.
    pub ended: bool,
}

/// A call, in the order of the answers of its client.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Whose.
    pub client: usize,
    /// What was asked for.
    pub op: Op,
    /// The id of the request, or of the runner that it was about.
    pub key: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// A message that a consumer got, in the order of its queue.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The queue.
    pub queue: &'static str,
    /// The event's id.
    pub event: Uuid,
    /// Whose event.
    pub entity: String,
    /// Its number in the entity.
    pub sequence: i64,
    /// Its place in the log.
    pub position: i64,
    /// The broker gave it out before, and nobody said that he had it.
    pub redelivered: bool,
}

/// A row of `events`.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    /// Its id.
    pub event: Uuid,
    /// Its place; `None` when nobody has sealed it.
    pub position: Option<i64>,
    /// What happened.
    pub kind: String,
    /// `runner`, `project`, `daemon`.
    pub entity_type: String,
    /// To whom.
    pub entity: String,
    /// Its number in the entity.
    pub sequence: i64,
    /// Whether it goes to the broker.
    pub published: bool,
    /// The key of its seal, `key:epoch`.
    pub sealed_by: String,
    /// Details.
    pub data: Value,
}

/// A row of `runners`.
#[derive(Debug, Clone)]
pub(crate) struct RunnerRow {
    /// Its id.
    pub id: String,
    /// The request that made it.
    pub request: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Counts its starts.
    pub run: i64,
    /// Its project.
    pub project: String,
}

/// A row of `outbox` that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// Whose event.
    pub entity: String,
    /// Its number in the entity.
    pub sequence: i64,
    /// Given up.
    pub parked: bool,
}

/// A lease as a sampler saw it.
#[derive(Debug, Clone)]
pub(crate) struct LeaseSample {
    /// Which.
    pub name: String,
    /// Whose.
    pub holder: String,
    /// Counts the holders.
    pub epoch: i64,
}

/// A write made under a lease, in the order in which the writes became visible.
#[derive(Debug, Clone)]
pub(crate) struct LeaseWrite {
    /// The lease.
    pub name: String,
    /// The epoch that the writer believed in.
    pub epoch: i64,
}

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Every call, in the order of its answers.
    pub calls: Vec<Call>,
    /// Every message, in the order in which each queue gave it out.
    pub deliveries: Vec<Delivery>,
    /// Rows at the end.
    pub events: Vec<EventRow>,
    /// Rows at the end.
    pub runners: Vec<RunnerRow>,
    /// The newest number of each entity, by type and id.
    pub aggregates: BTreeMap<(String, String), i64>,
    /// What waited for the broker when everything that can be delivered was.
    pub waiting: Vec<Waiting>,
    /// Events that an operator took out of the queue to the broker.
    pub discarded: BTreeSet<Uuid>,
    /// Leases in the order of the samples.
    pub leases: Vec<LeaseSample>,
    /// Writes under leases.
    pub lease_writes: Vec<LeaseWrite>,
    /// Live runners of a project in one consistent sample, largest first or not.
    pub live: Vec<(String, i64)>,
    /// How many a project may have.
    pub limits: BTreeMap<String, i64>,
    /// Faults after which something may be sent again.
    pub faults: u64,
    /// Messages that may be under way when such a fault happens.
    pub window: u64,
    /// Supervisors that the test killed.
    pub killed_supervisors: BTreeSet<String>,
    /// The disk was full for a time: how an agent ended could not be written down.
    pub disk_was_full: bool,
    /// What the product's own check of the log found; `None` when there is no such log.
    pub audit: Option<Result<(), String>>,
    /// Whether the calls are checked against the log.
    pub is_audited: bool,
}
