//! The daemon's own state: status, health.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Services, room};
use crate::daemon::{broker::BrokerStatus, store::DatabaseStatus};
use crate::domain::{amount::counted, failure::Failure, node::Node, runner::RunnerStatus};

/// An event that has waited for the broker so long is late.
const LATE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Fewer free bytes below the root are told.
const LITTLE: u64 = 100 << 20;

/// What a reconciliation did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reconciled {
    /// Directories looked at.
    pub checked: u64,
    /// Names of runners found alive without a row.
    pub adopted: Vec<String>,
    /// Names of runners that turned out to have ended.
    pub failed: Vec<String>,
}

/// What the daemon is and has.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SystemStatus {
    /// This node.
    pub node_id: String,
    /// Its host name.
    pub hostname: String,
    /// The daemon's version.
    pub version: &'static str,
    /// The daemon's process.
    pub pid: u32,
    /// The root directory.
    pub root: String,
    /// Since when.
    pub started_at: DateTime<Utc>,
    /// For so long.
    pub uptime_seconds: u64,
    /// Registered projects.
    pub projects: u64,
    /// Runners by status.
    pub runners: BTreeMap<String, u64>,
    /// Live runners by what their agent is at, as they are listed.
    pub activities: BTreeMap<String, u64>,
    /// The daemon's resident memory.
    pub memory_kb: u64,
    /// What kind of database it uses.
    pub database: String,
}

/// How a part of the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It works.
    Ok,
    /// It does not, or not as it should; agents and commands do without.
    Degraded,
    /// It does not, and something that is always needed does not either.
    Failed,
}

impl PartState {
    /// The word for people and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// A part of the daemon and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub healthy: bool,
    /// How bad it is if it does not.
    pub state: PartState,
    /// More about it.
    pub detail: String,
}

impl Component {
    /// Returns a part that nothing works without.
    fn needed(name: &str, outcome: Result<String, String>) -> Self {
        Self::new(name, outcome, PartState::Failed)
    }

    /// Returns a part that the rest does without.
    pub(super) fn extra(name: &str, outcome: Result<String, String>) -> Self {
        Self::new(name, outcome, PartState::Degraded)
    }

    fn new(name: &str, outcome: Result<String, String>, otherwise: PartState) -> Self {
        let healthy = outcome.is_ok();
        let state = if healthy { PartState::Ok } else { otherwise };
        let detail = outcome.unwrap_or_else(|error| error);
        Self { name: name.to_owned(), healthy, state, detail }
    }
}

/// Returns how it stands with the room on the disk: little of it is told, none lets nothing start.
fn disk(root: &std::path::Path) -> Component {
    let name = "disk";
    let fs = match rustix::fs::statvfs(root) {
        Ok(fs) => fs,
        Err(error) => return Component::needed(name, Err(error.to_string())),
    };
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let text = format!("{} MiB free in {}", free >> 20, root.display());
    match free {
        free if free < room::ROOM => Component::needed(name, Err(text)),
        free if free < LITTLE => Component::extra(name, Err(text)),
        _ => Component::extra(name, Ok(text)),
    }
}

impl Services {
    /// Returns what the daemon is and has.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn status(&self) -> Result<SystemStatus, Failure> {
        let context = &self.context;
        let mut runners: BTreeMap<String, u64> =
            RunnerStatus::ALL.iter().map(|status| (status.as_str().to_owned(), 0)).collect();
        let mut activities = BTreeMap::new();
        for runner in self.list_runners("", "", 0).await? {
            *runners.entry(runner.status.as_str().to_owned()).or_default() += 1;
            if runner.status.is_live() {
                *activities.entry(runner.at().to_owned()).or_default() += 1;
            }
        }
        let uptime = context.clock.now() - context.started_at;
        Ok(SystemStatus {
            node_id: context.origin.node_id.clone(),
            hostname: context.origin.hostname.clone(),
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            root: context.places.root().display().to_string(),
            started_at: context.started_at,
            uptime_seconds: uptime.num_seconds().try_into().unwrap_or(0),
            projects: self.list_projects(None).await?.len() as u64,
            runners,
            activities,
            memory_kb: own_memory_kb(),
            database: self.store.kind().to_owned(),
        })
    }

    /// Returns how it stands with the broker, `None` when none is configured.
    pub fn broker(&self) -> Option<Component> {
        let status = self.broker.as_ref()?.borrow().clone();
        let outcome = match status {
            BrokerStatus::Connecting => Err("connecting".to_owned()),
            BrokerStatus::Ready { server, warning: None } => Ok(server),
            BrokerStatus::Ready { server, warning: Some(warning) } => {
                Err(format!("{server}: {warning}"))
            }
            BrokerStatus::Blocked { reason } => {
                Err(format!("it asks us to wait ({reason}); events are kept"))
            }
            BrokerStatus::Away { why, since } => {
                let since = since.format("%H:%M:%S UTC");
                Err(format!("away since {since}: {why}; events are kept"))
            }
        };
        Some(Component::extra("broker", outcome))
    }

    /// Returns how it stands with the queue to the broker.
    async fn outbox_component(&self) -> Result<String, String> {
        let counts = self.outbox_counts().await.map_err(|error| error.to_string())?;
        let text = format!(
            "{}, {} of them parked",
            counted(counts.waiting, "event waits", "events wait"),
            counts.parked
        );
        let oldest = counts.oldest.map(|oldest| self.context.clock.now() - oldest);
        let is_late = oldest.is_some_and(|age| age > LATE);
        if counts.parked > 0 || is_late { Err(text) } else { Ok(text) }
    }

    /// Says what waits for a broker that is not configured any more, here or on another node.
    async fn outbox_left(&self) -> Result<(), String> {
        let counts = self.outbox_counts().await.map_err(|error| error.to_string())?;
        let publishes = |node: &Node| node.relays && node.is_reachable();
        if counts.waiting == 0 || self.nodes().await.iter().any(publishes) {
            return Ok(());
        }
        let waiting = counted(counts.waiting, "event waits", "events wait");
        Err(format!(
            "{waiting} for a broker, and none is configured any more: \
                     stratavore outbox discard --all gives them up"
        ))
    }

    /// Makes sure that the database answers, as far as that is up to this daemon: a server that is away
    /// is known to be, and a restart of ours would not bring it back.
    ///
    /// # Errors
    ///
    /// When it ought to answer and does not.
    pub async fn probe(&self) -> Result<(), Failure> {
        if *self.store.status().borrow() != DatabaseStatus::Up {
            return Ok(());
        }
        match self.store.event_newest().await {
            Err(error) if !self.store.is_shared() => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Returns how each part of the daemon is.
    pub async fn health(&self) -> Vec<Component> {
        let kind = self.store.kind();
        let status = self.store.status().borrow().clone();
        let database = match status {
            DatabaseStatus::Up => {
                let newest = self.store.event_newest().await;
                newest
                    .map(|newest| format!("{kind}, {newest} events"))
                    .map_err(|error| error.to_string())
            }
            DatabaseStatus::Away { name, why, since } => {
                let since = since.format("%H:%M:%S UTC");
                Err(format!("{kind} at {name} is away since {since}: {why}"))
            }
            DatabaseStatus::Newer { .. } => Err(self.store.refusal().to_string()),
        };
        let own = &self.context.origin.node_id;
        let live = self.list_runners("", "live", 0).await;
        let live = live.map(|all| all.iter().filter(|runner| runner.node_id == *own).count());
        let linked = self.fleet.linked().len();
        let supervisors = live.map_err(|error| error.to_string()).and_then(|live| {
            let text = format!("{linked} of {live} answer");
            if linked < live { Err(text) } else { Ok(text) }
        });
        let mut components = vec![
            Component::needed("daemon", Ok(format!("version {}", env!("CARGO_PKG_VERSION")))),
            Component::needed("database", database),
            disk(self.context.places.root()),
            Component::needed("supervisors", supervisors),
            Component::extra("limits", Ok(self.limits.describe())),
            Component::needed("room", room::describe_room()),
        ];
        if let Some(broker) = self.broker() {
            components.push(broker);
            components.push(Component::extra("outbox", self.outbox_component().await));
        } else if let Err(left) = self.outbox_left().await {
            components.push(Component::extra("outbox", Err(left)));
        }
        components.extend(self.notify_component().await);
        components.extend(self.metrics_component());
        components.extend(self.surfaces());
        components
    }
}

/// Returns this process's resident memory.
fn own_memory_kb() -> u64 {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.ok().and_then(|status| status.vmrss).unwrap_or(0)
}
