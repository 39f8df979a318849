//! What happened: what was asked and answered, what the broker delivered, what the database holds
//! at the end, and what samplers saw on the way. It judges nothing; [`crate::checker`] does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
    /// To type a line into one; the line names the effect.
    Send,
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
    /// When it was answered, since the beginning.
    pub at: Duration,
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
    /// Who wrote it.
    pub node: String,
}

/// A row of `runners`.
#[derive(Debug, Clone, Default)]
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
    /// Whose runner.
    pub node: String,
    /// Where it was to work.
    pub cwd: String,
    /// How it ended: code, and signal.
    pub exit: (Option<i64>, Option<String>),
    /// Why it ended as it did, in words.
    pub reason: String,
    /// From its start to its end, in seconds.
    pub lasted: Option<f64>,
    /// Tokens that it used, by its own row and by the requests that it reported.
    pub tokens: (i64, i64),
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
    /// How much longer it holds, in seconds, by the database's clock.
    pub left: f64,
}

/// A write made under a lease, in the order in which the writes became visible.
#[derive(Debug, Clone)]
pub(crate) struct LeaseWrite {
    /// The lease.
    pub name: String,
    /// The epoch that the writer believed in.
    pub epoch: i64,
}

/// A process of a runner, as the kernel showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The runner whose mark it carries.
    pub runner: String,
    /// Its number and start.
    pub process: (i32, u64),
    /// Whether it is the agent itself: it leads the session of a terminal.
    pub is_agent: bool,
    /// Where it worked when it was seen first.
    pub cwd: String,
    /// Seen first and last, since the beginning.
    pub seen: (Duration, Duration),
}

/// What a daemon holds at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Which.
    pub daemon: String,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// Open files.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

/// Who was not concerned at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stranger {
    /// Its number.
    pub pid: u32,
    /// Whether it had the number of a runner's process before it.
    pub has_number: bool,
    /// Signals that it got.
    pub signals: Vec<String>,
    /// Whether it was alive at the end.
    pub is_alive: bool,
}

/// What an agent wrote about itself, and what was made of what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Testimony {
    /// Its runner.
    pub runner: String,
    /// How often it was started.
    pub starts: usize,
    /// The code with which its newest run ended, when it ended in order.
    pub exit: Option<i64>,
    /// What it printed, to the byte; `None` when it does not tell.
    pub said: Option<Vec<u8>>,
    /// What is recorded of that.
    pub recorded: Vec<u8>,
    /// The lines that it read.
    pub heard: Vec<String>,
    /// The longest time that its terminal took for a line.
    pub stall: Option<Duration>,
    /// Reports of usage that were taken from it, and those of which it does not know.
    pub reports: (u64, u64),
    /// Tokens of one report.
    pub tokens: u64,
}

/// What somebody saw who watched a runner through daemons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The runner.
    pub runner: String,
    /// What was shown.
    pub stretch: crate::viewer::Stretch,
}

/// The account of a budget's period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Book {
    /// Whose.
    pub scope: String,
    /// What it says is used.
    pub used: i64,
    /// What the requests of the period add up to.
    pub spent: i64,
}

/// Something that whoever asked must not have been allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forbidden {
    /// Who asked for what.
    pub what: String,
    /// Whether it was refused.
    pub is_refused: bool,
    /// Whether everything was afterwards as before.
    pub is_unchanged: bool,
}

/// A message to a person that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The event that it tells of.
    pub event: Uuid,
    /// `sent`, `waiting`, `parked` or `suppressed`.
    pub state: String,
    /// How often the channel took it.
    pub taken: u64,
}

/// The time in which the rows came to say what runs, after everything was healed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reality {
    /// How long it took, or was waited for.
    pub after: Duration,
    /// Live rows without an agent.
    pub without_agent: Vec<String>,
    /// Agents without a live row.
    pub without_row: Vec<String>,
}

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Processes of runners.
    pub sightings: Vec<Sighting>,
    /// What the daemons held.
    pub holdings: Vec<Holding>,
    /// Who was not concerned.
    pub strangers: Vec<Stranger>,
    /// What agents wrote down.
    pub testimonies: Vec<Testimony>,
    /// What was watched.
    pub watched: Vec<Watched>,
    /// Budgets.
    pub books: Vec<Book>,
    /// What must have been refused.
    pub forbidden: Vec<Forbidden>,
    /// Messages to people.
    pub told: Vec<Told>,
    /// Secrets in places where they must not be.
    pub leaks: Vec<String>,
    /// Whether places were searched for secrets, and how many.
    pub searched: usize,
    /// How the rows came to agree with what runs.
    pub reality: Option<Reality>,
    /// How long it took until all was delivered and written down after the faults.
    pub settled: Option<Duration>,
    /// The longest stall of one who has nothing of the product around it.
    pub control_stall: Duration,
    /// Supervisors that the test stopped where they stood.
    pub paused_supervisors: BTreeSet<String>,
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
    /// Events that were parked, and found not to be overtaken, before they were let go.
    pub parked: usize,
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
    /// The product's queue was deleted at some time, with what was in it.
    pub queue_was_deleted: bool,
    /// What the product's own check of the log found; `None` when there is no such log.
    pub audit: Option<Result<(), String>>,
    /// Whether the calls are checked against the log.
    pub is_audited: bool,
}
