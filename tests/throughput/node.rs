//! A daemon's parts in this process, on one database, with or without a broker.

use std::{path::Path, sync::Arc};

use stratavore::{
    config::{Config, DatabaseConfig, Places, RabbitMqConfig},
    daemon::{
        broker,
        context::Context,
        fleet::Fleet,
        services::Services,
        sources::Sources,
        store::{Keyring, Location, Opening, Store},
        tasks,
    },
    domain::event::{EventType, NewEvent},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::servers::Postgres;

/// The two databases.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The embedded one.
    Sqlite,
    /// A server.
    Postgres,
}

impl Kind {
    /// Both of them.
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The parts.
pub(crate) struct Node {
    /// The store.
    pub store: Store,
    /// The services over it.
    pub services: Services,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// Kept until the end.
    pub dir: tempfile::TempDir,
    server: Option<Postgres>,
}

impl Node {
    /// Starts them; events are published where there is a broker.
    pub(crate) async fn start(kind: Kind, rabbitmq: Option<&str>) -> Self {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix("sv-").permissions(private).tempdir();
        let dir = dir.expect("make a directory");
        let server = matches!(kind, Kind::Postgres).then(Postgres::start);
        let mut config = Config::default();
        if let Some(server) = &server {
            let url = server.database().await;
            config.database = DatabaseConfig { url: url.as_str().into(), ..Default::default() };
        }
        if let Some(url) = rabbitmq {
            config.docker.rabbitmq = RabbitMqConfig { url: url.into(), ..Default::default() };
        }
        let rabbitmq = config.docker.rabbitmq.clone();
        let places = Places::at(dir.path());
        places.prepare().expect("prepare the places");
        let context = Context::new(config, places.clone(), "node".into(), rabbitmq.is_configured());
        let store = open(&context, dir.path()).await;
        let (fleet, notices) = Fleet::new(places.clone());
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let publisher = rabbitmq.is_configured().then(|| broker::start(&rabbitmq, stop.clone()));
        let status = publisher.as_ref().map(|publisher| publisher.status.clone());
        let (sources, heard) = Sources::new();
        let services = Services::new(context, store.clone(), (fleet, sources), status);
        let checkpoint_file = dir.path().join("checkpoints");
        let inputs = tasks::Inputs { notices, heard, checkpoint_file, publisher };
        tasks::start(&services, &store, inputs, &tracker, &stop);
        tracker.close();
        // Sealing needs the lease, which the first sign of life takes.
        store.event_append(vec![event(0, 0)]).await.expect("commit");
        let mut doorbell = store.doorbell();
        doorbell.wait_for(|newest| *newest > 0).await.expect("the first seal");
        Self { store, services, stop, tracker, dir, server }
    }

    /// The URL of a database of its own on the same server, for comparison.
    pub(crate) async fn other_database(&self) -> Option<String> {
        match &self.server {
            Some(server) => Some(server.database().await),
            None => None,
        }
    }

    /// Ends them.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tracker.wait().await;
        drop(self.services);
        self.store.close().await;
    }
}

async fn open(context: &Context, dir: &Path) -> Store {
    let keyring = Keyring::open(&dir.join("audit.key")).expect("make a key");
    let (origin, clock) = (context.origin.clone(), Arc::clone(&context.clock));
    let opening = Opening { origin, keyring, clock };
    let file = context.places.database();
    let database = &context.config.database;
    let location =
        if database.is_postgresql() { Location::Server(database) } else { Location::File(&file) };
    Store::open(location, opening).await.expect("open the store")
}

/// Returns an event like most: what an agent is doing. It carries when it was made.
pub(crate) fn event(entity: u64, nanos: u64) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        event_type: EventType::RunnerActivity,
        entity_type: "runner",
        entity_id: format!("runner-{entity}"),
        project: "load".into(),
        runner: format!("load-{entity}"),
        data: serde_json::json!({
            "state": "blocked", "kind": "permission", "message": "Bash(git push origin main)",
            "source": "osc7501", "nanos": nanos,
        }),
        at: chrono::Utc::now(),
        trace_id: String::new(),
        is_first: false,
        by: String::new(),
    }
}
