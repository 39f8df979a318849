//! What every part of the daemon shares: configuration, places, clock, identity.

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use rustix::system::uname;
use uuid::Uuid;

use crate::{
    config::{Config, Places},
    daemon::store::Origin,
    domain::{
        clock::{Clock, to_micros},
        event::{EventType, NewEvent},
        runner::Runner,
    },
};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}

/// Shared by services and tasks.
#[derive(Debug, Clone)]
pub struct Context {
    /// What is configured.
    pub config: Arc<Config>,
    /// Where everything lives.
    pub places: Places,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who we are.
    pub origin: Origin,
    /// When the daemon started.
    pub started_at: DateTime<Utc>,
}

impl Context {
    /// Returns the context of this process; the node's id is kept in a file of the root.
    pub fn new(config: Config, places: Places, node_id: String) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hostname = uname().nodename().to_string_lossy().into_owned();
        let user = format!("uid:{}", rustix::process::getuid().as_raw());
        Self {
            config: Arc::new(config),
            places,
            started_at: clock.now(),
            clock,
            origin: Origin { node_id, hostname, user },
        }
    }

    /// Returns an event about a runner.
    pub fn runner_event(
        &self,
        event_type: EventType,
        runner: &Runner,
        data: serde_json::Value,
    ) -> NewEvent {
        NewEvent {
            id: Uuid::now_v7(),
            event_type,
            entity_type: "runner",
            entity_id: runner.id.to_string(),
            project: runner.project.clone(),
            data,
            at: self.clock.now(),
        }
    }

    /// Returns an event about a project.
    pub fn project_event(&self, event_type: EventType, name: &str, path: &str) -> NewEvent {
        NewEvent {
            id: Uuid::now_v7(),
            event_type,
            entity_type: "project",
            entity_id: name.to_owned(),
            project: name.to_owned(),
            data: serde_json::json!({ "path": path }),
            at: self.clock.now(),
        }
    }

    /// Returns an event about this daemon.
    pub fn daemon_event(&self, event_type: EventType) -> NewEvent {
        NewEvent {
            id: Uuid::now_v7(),
            event_type,
            entity_type: "daemon",
            entity_id: self.origin.node_id.clone(),
            project: String::new(),
            data: serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id() }),
            at: self.clock.now(),
        }
    }
}

/// Returns this node's id, making one at the first start.
///
/// # Errors
///
/// When the file can be neither read nor written.
pub fn node_id(places: &Places) -> std::io::Result<String> {
    let path: PathBuf = places.root().join("node");
    match std::fs::read_to_string(&path) {
        Ok(text) if Uuid::parse_str(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Ok(_) | Err(_) => {
            let id = Uuid::new_v4().to_string();
            std::fs::write(&path, format!("{id}\n"))?;
            Ok(id)
        }
    }
}
