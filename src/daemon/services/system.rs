//! The daemon's own state: status, health.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Services, room};
use crate::daemon::{broker::BrokerStatus, store::DatabaseStatus};
use crate::domain::{failure::Failure, node::Node, runner::RunnerStatus};

/// An event that has waited for the broker so long is late.
const LATE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

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
    /// Live runners by what their agent is at.
    pub activities: BTreeMap<String, u64>,
    /// The daemon's resident memory.
    pub memory_kb: u64,
    /// What kind of database it uses.
    pub database: String,
}

/// A part of the daemon and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub healthy: bool,
    /// More about it.
    pub detail: String,
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
                *activities.entry(runner.activity.state.as_str().to_owned()).or_default() += 1;
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
        let (healthy, detail) = match status {
            BrokerStatus::Connecting => (false, "connecting".to_owned()),
            BrokerStatus::Ready { server, warning: None } => (true, server),
            BrokerStatus::Ready { server, warning: Some(warning) } => {
                (false, format!("{server}: {warning}"))
            }
            BrokerStatus::Blocked { reason } => {
                (false, format!("it asks us to wait ({reason}); events are kept"))
            }
            BrokerStatus::Away { why, since } => {
                let since = since.format("%H:%M:%S UTC");
                (false, format!("away since {since}: {why}; events are kept"))
            }
        };
        Some(Component { name: "broker".to_owned(), healthy, detail })
    }

    /// Returns how it stands with the queue to the broker.
    async fn outbox_component(&self) -> Result<String, String> {
        let counts = self.outbox_counts().await.map_err(|error| error.to_string())?;
        let text = format!("{} events wait, {} of them parked", counts.waiting, counts.parked);
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
        let waiting = counts.waiting;
        Err(format!(
            "{waiting} events wait for a broker, and none is configured any more: \
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
        let component = |name: &str, outcome: Result<String, String>| Component {
            name: name.to_owned(),
            healthy: outcome.is_ok(),
            detail: outcome.unwrap_or_else(|error| error),
        };
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
            DatabaseStatus::Refused { why } => Err(why),
        };
        let root = self.context.places.root();
        let space = rustix::fs::statvfs(root).map_err(|error| error.to_string()).and_then(|fs| {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize) >> 20;
            let text = format!("{free} MiB free in {}", root.display());
            if free < 100 { Err(text) } else { Ok(text) }
        });
        let own = &self.context.origin.node_id;
        let live = self.list_runners("", "live", 0).await;
        let live = live.map(|all| all.iter().filter(|runner| runner.node_id == *own).count());
        let linked = self.fleet.linked().len();
        let supervisors = live.map_err(|error| error.to_string()).and_then(|live| {
            let text = format!("{linked} of {live} answer");
            if linked < live { Err(text) } else { Ok(text) }
        });
        let mut components = vec![
            component("daemon", Ok(format!("version {}", env!("CARGO_PKG_VERSION")))),
            component("database", database),
            component("disk", space),
            component("supervisors", supervisors),
            component("limits", Ok(self.limits.describe())),
            component("room", room::describe_room()),
        ];
        if let Some(broker) = self.broker() {
            components.push(broker);
            components.push(component("outbox", self.outbox_component().await));
        } else if let Err(left) = self.outbox_left().await {
            components.push(component("outbox", Err(left)));
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
