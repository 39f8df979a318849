//! What every database must do, told through the store's own methods: the suite runs on each.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use super::{
    Adoption, Keyring, Location, NewRunner, Opening, Origin, RunnerChange, Store, StoreError,
};
use crate::domain::{
    activity::{Activity, ActivitySource, ActivityState},
    checkout::RunnerCheckout,
    clock::Clock,
    event::{EventFilter, EventType, NewEvent, PARTITIONS, partition_of},
    id::RunnerId,
    outbox::QueuedEvent,
    project::{NewProject, ProjectStatus},
    quota::QuotaChange,
    runner::{Exit, Heartbeat, Runner, RunnerStatus},
};
use crate::{config::DatabaseConfig, daemon::servers::Postgres};

/// A clock that stands.
#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        at(0)
    }
}

/// A store to test, and what it stands on.
struct World {
    store: Store,
    database: Database,
    dir: tempfile::TempDir,
}

enum Database {
    File(PathBuf),
    Server(Box<DatabaseConfig>),
}

impl Database {
    async fn open(&self, dir: &Path, node: &str) -> Result<Store, StoreError> {
        let origin = Origin {
            node_id: node.into(),
            hostname: "host".into(),
            user: "uid:0".into(),
            // One of them knows no broker.
            publishes: node != "quiet",
        };
        let keyring = Keyring::open(&dir.join(node).join("audit.key")).unwrap();
        let opening = Opening { origin, keyring, clock: Arc::new(Fixed) };
        Store::open(self.location(), opening).await
    }

    fn location(&self) -> Location<'_> {
        match self {
            Self::File(path) => Location::File(path),
            Self::Server(config) => Location::Server(config),
        }
    }

    /// Runs statements beside the store, as a person with a shell would.
    async fn execute(&self, sql: &'static str) {
        match self {
            Self::File(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let options = options.create_if_missing(true);
                let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
                raw.execute(sql).await.unwrap();
                raw.close().await.unwrap();
            }
            Self::Server(config) => {
                let mut raw = sqlx::PgConnection::connect(config.url.reveal()).await.unwrap();
                raw.execute(sql).await.unwrap();
                raw.close().await.unwrap();
            }
        }
    }
}

async fn world(database: impl FnOnce(&Path) -> Database) -> World {
    let dir = tempfile::tempdir().unwrap();
    let database = database(dir.path());
    let store = database.open(dir.path(), "node").await.unwrap();
    // On a server somebody has to seal; alone, that is this daemon.
    lead(&store, "node").await;
    World { store, database, dir }
}

/// Lets a store seal, where a lease is needed for it.
async fn lead(store: &Store, holder: &str) {
    let held = store.lease_acquire(&["sealer".into()], holder, 60).await.unwrap();
    store.seal_with(held.get("sealer").map(|epoch| (holder.to_owned(), *epoch)));
}

async fn embedded() -> World {
    world(|dir| Database::File(dir.join("db"))).await
}

async fn served() -> World {
    let url = Postgres::shared().database().await;
    let config = DatabaseConfig { url: url.as_str().into(), ..Default::default() };
    world(|_| Database::Server(Box::new(config))).await
}

/// Runs each of these on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::daemon::store::conformance::embedded().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::daemon::store::conformance::served().await).await;
            })*
        }
    };
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn event(event_type: EventType, entity_type: &'static str, entity_id: &str) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        event_type,
        entity_type,
        entity_id: entity_id.to_owned(),
        project: "p".to_owned(),
        runner: String::new(),
        trace_id: String::new(),
        by: String::new(),
        data: serde_json::json!({ "n": 1 }),
        at: at(0),
        is_first: false,
    }
}

impl World {
    async fn project(&self, name: &str) {
        let new = NewProject {
            name: name.into(),
            path: "/tmp".into(),
            description: "d".into(),
            tags: vec!["t".into()],
            quotas: QuotaChange::new(),
        };
        let event = event(EventType::ProjectCreated, "project", name);
        self.store.project_create(&new, at(0), vec![event]).await.unwrap();
    }

    fn new_runner(project: &str) -> NewRunner {
        NewRunner {
            id: RunnerId::random(),
            project: project.into(),
            name: None,
            project_path: "/tmp".into(),
            node_id: "node".into(),
            agent: "bash".into(),
            command: vec!["bash".into(), "-l".into()],
            cwd: "/tmp".into(),
            checkout: None,
            restart: "never".into(),
            max_restart_attempts: 5,
            request_id: None,
            request_digest: String::new(),
            session_id: None,
            takes_up: false,
            max_tokens: None,
            at: at(1),
        }
    }

    async fn runner(&self, new: &NewRunner) -> (Runner, bool) {
        let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
        self.store.runner_create(new, event).await.unwrap()
    }

    async fn go(&self, runner: &Runner, to: RunnerStatus) -> Result<Runner, StoreError> {
        let event = event(EventType::RunnerStarted, "runner", &runner.id.to_string());
        self.store.runner_move(runner, to, RunnerChange::default(), event).await
    }
}

fn reason(error: &StoreError) -> &str {
    match error {
        StoreError::Refused(failure) => &failure.reason,
        other => panic!("{other}"),
    }
}

/// What is to be done next.
fn hint_of(error: &StoreError) -> &str {
    match error {
        StoreError::Refused(failure) => &failure.hint,
        other => panic!("{other}"),
    }
}

mod copy;
mod figures;
mod inbox;
mod log;
mod migration;
mod notifications;
mod prompts;
mod quotas;
mod repeats;
mod retention;
mod state;
mod tokens;
mod transcripts;
mod usage;
