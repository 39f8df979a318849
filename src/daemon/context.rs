//! What every part of the daemon shares: configuration, places, clock, identity.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use rustix::system::uname;
use uuid::Uuid;

use crate::{
    agents::{self, prices},
    config::{Config, Places, environment, prices::by_model},
    daemon::{
        actor,
        screens::ScreenRules,
        store::{NewRunner, Origin},
        trace,
    },
    domain::{
        agent::Agent,
        api_token::ApiToken,
        clock::{Clock, to_micros},
        event::{EventType, NewEvent},
        price::Table,
        runner::{Runner, agent_of},
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
    /// The program of ours that agents' hooks run.
    pub program: String,
    /// How screens are read.
    pub screens: ScreenRules,
    /// What models cost.
    pub prices: Arc<Table>,
    /// When the daemon started.
    pub started_at: DateTime<Utc>,
    /// When a backup was put into the root, if one was: what ran before ran elsewhere.
    pub restored_at: Option<DateTime<Utc>>,
}

impl Context {
    /// Returns the context of this process; the node's id is kept in a file of the root.
    pub fn new(config: Config, places: Places, node_id: String, publishes: bool) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hostname = uname().nodename().to_string_lossy().into_owned();
        let user = format!("uid:{}", rustix::process::getuid().as_raw());
        Self {
            prices: Arc::new(prices::bundled().clone().with(&by_model(&config.prices))),
            config: Arc::new(config),
            started_at: clock.now(),
            clock,
            program: environment::own_program()
                .map_or_else(|_| "stratavore".into(), |path| path.to_string_lossy().into_owned()),
            restored_at: restored_at(&places),
            screens: ScreenRules::load(&places.root().join("screens")),
            places,
            origin: Origin { node_id, hostname, user, publishes },
        }
    }

    /// Returns what the agent is called that a command runs: an agent of the user's own as the configuration
    /// calls it, everything else as its program is called.
    pub fn agent_of(&self, command: &[OsString]) -> String {
        let own = self.config.agents.of_command(command);
        own.map_or_else(|| agent_of(command), |(name, _)| name.to_owned())
    }

    /// Returns the name of the rules by which the screen of a program is read.
    pub fn screens_of(&self, agent: &str) -> String {
        let own = self.config.agents.named(agent).map(|own| own.screens);
        own.filter(|name| !name.is_empty()).unwrap_or_else(|| agent.to_owned())
    }

    /// Whether there are rules by which the screen of a program is read.
    pub fn is_screen_read(&self, agent: &str) -> bool {
        self.screens.has(&self.screens_of(agent))
    }

    /// Returns the keys that end a turn of a program.
    pub fn interrupt_keys(&self, agent: &str) -> &'static [u8] {
        match self.config.agents.named(agent) {
            Some(own) => own.interrupt(),
            None => agents::interrupt(Agent::of(agent)),
        }
    }

    /// Returns an event about a runner.
    pub fn runner_event(
        &self,
        event_type: EventType,
        runner: &Runner,
        data: serde_json::Value,
    ) -> NewEvent {
        let name = runner.name.clone();
        let event = self.event(event_type, "runner", &runner.id.to_string(), &runner.project, data);
        NewEvent { runner: name, ..event }
    }

    /// Returns an event about a runner whose row is only being made.
    pub fn new_runner_event(
        &self,
        event_type: EventType,
        new: &NewRunner,
        data: serde_json::Value,
    ) -> NewEvent {
        self.event(event_type, "runner", &new.id.to_string(), &new.project, data)
    }

    /// Returns an event about a project.
    pub fn project_event(
        &self,
        event_type: EventType,
        name: &str,
        data: serde_json::Value,
    ) -> NewEvent {
        self.event(event_type, "project", name, name, data)
    }

    /// Returns an event about the budgets of a scope.
    pub fn budget_event(
        &self,
        event_type: EventType,
        scope: &str,
        project: &str,
        data: serde_json::Value,
    ) -> NewEvent {
        self.event(event_type, "budget", scope, project, data)
    }

    /// Returns an event about a conversation that a runner holds.
    pub fn session_event(
        &self,
        event_type: EventType,
        session: &str,
        runner: &Runner,
        data: serde_json::Value,
    ) -> NewEvent {
        let name = runner.name.clone();
        let event = self.event(event_type, "session", session, &runner.project, data);
        NewEvent { runner: name, ..event }
    }

    /// Returns an event about a conversation that no runner of ours held.
    pub fn imported_event(
        &self,
        event_type: EventType,
        session: &str,
        project: &str,
        data: serde_json::Value,
    ) -> NewEvent {
        self.event(event_type, "session", session, project, data)
    }

    /// Returns an event about a token of the HTTP API.
    pub fn token_event(&self, event_type: EventType, token: &ApiToken, by: &str) -> NewEvent {
        let data = serde_json::json!({
            "name": token.name, "scope": token.scope, "expires_at": token.expires_at, "by": by,
        });
        self.event(event_type, "token", &token.id.to_string(), "", data)
    }

    /// Returns an event about what this daemon did for all.
    pub fn system_event(&self, event_type: EventType, data: serde_json::Value) -> NewEvent {
        self.event(event_type, "daemon", &self.origin.node_id, "", data)
    }

    /// Returns an event about this daemon.
    pub fn daemon_event(&self, event_type: EventType) -> NewEvent {
        let data = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(),
        });
        self.system_event(event_type, data)
    }

    fn event(
        &self,
        event_type: EventType,
        entity_type: &'static str,
        entity_id: &str,
        project: &str,
        data: serde_json::Value,
    ) -> NewEvent {
        NewEvent {
            id: Uuid::now_v7(),
            event_type,
            entity_type,
            entity_id: entity_id.to_owned(),
            project: project.to_owned(),
            runner: String::new(),
            data,
            at: self.clock.now(),
            trace_id: trace::current(),
            is_first: false,
            by: actor::current(),
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

/// Returns when a backup was put into the root.
fn restored_at(places: &Places) -> Option<DateTime<Utc>> {
    std::fs::read_to_string(places.restored()).ok()?.trim().parse().ok()
}
