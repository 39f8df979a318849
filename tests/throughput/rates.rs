//! The database's part: commits, heartbeats, launches; and the table.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};
use stratavore::domain::{
    event::{EventType, NewEvent},
    id::RunnerId,
    project::NewProject,
    runner::Heartbeat,
};

use crate::{
    documents::{Facts, PERFORMANCE, table},
    node::{Kind, Node, event},
    servers::version_commands,
};

/// Callers at once.
const CALLERS: u64 = 256;

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<[String; 3]>);

impl Figures {
    /// Adds a line.
    pub(crate) fn add(&mut self, what: impl Into<String>, figure: impl Into<String>, target: &str) {
        let row = [what.into(), figure.into(), target.to_owned()];
        eprintln!("    {}: {}", row[0], row[1]);
        self.0.push(row);
    }

    fn table(&self) -> String {
        table(&["what", "measured", "target"], &self.0)
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("{}", self.table());
    }

    /// Writes the section of the report, where one is wanted.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let mut facts = Facts::gather();
        let [mut database, mut broker] = version_commands();
        facts.version("PostgreSQL", &mut database);
        facts.version("RabbitMQ", &mut broker);
        let text = format!(
            "## The way of an event\n\n`./tests/run bench events`: the daemon's own parts, in one process, with \
             real servers on the same machine.\n\n{}\n{}",
            facts.list(),
            self.table()
        );
        PERFORMANCE.put("events", &text).map(drop)
    }
}

/// Returns a quantile of durations, which it sorts.
pub(crate) fn quantile(durations: &mut [Duration], part: f64) -> Duration {
    durations.sort_unstable();
    let index = ((durations.len() as f64 - 1.0) * part) as usize;
    durations.get(index).copied().unwrap_or_default()
}

/// Events a second that are committed durably, from many callers, each waiting for its own.
pub(crate) async fn commits(figures: &mut Figures) {
    const EVENTS: u64 = 60_000;
    for kind in Kind::BOTH {
        let node = Node::start(kind, None).await;
        let began = Instant::now();
        let callers = (0..CALLERS).map(|caller| {
            let store = node.store.clone();
            tokio::spawn(async move {
                for _ in 0..EVENTS / CALLERS {
                    store.event_append(vec![event(caller, 0)]).await.expect("commit");
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("a caller");
        }
        let rate = (EVENTS / CALLERS * CALLERS) as f64 / began.elapsed().as_secs_f64();
        figures.add(
            format!("{}: events committed, {CALLERS} callers", kind.name()),
            format!("{rate:.0}/s"),
            "≥ 10,000/s",
        );
        node.stop().await;
    }
}

/// Heartbeats a second that are applied, of 1,000 runners.
pub(crate) async fn heartbeats(figures: &mut Figures) {
    const RUNNERS: usize = 1000;
    const TICKS: u32 = 40;
    for kind in Kind::BOTH {
        let node = Node::start(kind, None).await;
        let ids = launch_many(&node, RUNNERS).await;
        let beats: Vec<_> = ids
            .iter()
            .map(|id| Heartbeat { id: *id, cpu_percent: 1.5, memory_mb: 300, processes: 4 })
            .collect();
        let began = Instant::now();
        for _ in 0..TICKS {
            node.store.runner_heartbeats(&beats, chrono::Utc::now()).await.expect("apply");
        }
        let rate = f64::from(TICKS) * RUNNERS as f64 / began.elapsed().as_secs_f64();
        let what = format!("{}: heartbeats applied, {RUNNERS} runners", kind.name());
        figures.add(what, format!("{rate:.0}/s"), "≥ 20,000/s");
        node.stop().await;
    }
}

/// The transaction of a launch beside a bare durable commit on the same disk or server.
pub(crate) async fn launch(figures: &mut Figures) {
    const ROUNDS: usize = 300;
    for kind in Kind::BOTH {
        let node = Node::start(kind, None).await;
        launch_many(&node, 1).await;
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        let mut other = Bare::open(&node, kind).await;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            launch_one(&node).await;
            ours.push(began.elapsed());
            let began = Instant::now();
            other.commit().await;
            bare.push(began.elapsed());
        }
        let (ours, bare) = (quantile(&mut ours, 0.5), quantile(&mut bare, 0.5));
        figures.add(
            format!("{}: launch transaction ÷ bare durable commit, p50", kind.name()),
            format!(
                "{:.2} ({:.0} µs ÷ {:.0} µs)",
                ours.as_secs_f64() / bare.as_secs_f64(),
                ours.as_secs_f64() * 1e6,
                bare.as_secs_f64() * 1e6
            ),
            "≤ 3",
        );
        node.stop().await;
    }
}

/// The smallest durable commit.
enum Bare {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Bare {
    async fn open(node: &Node, kind: Kind) -> Self {
        const TABLE: &str = "CREATE TABLE bare (n BIGINT)";
        match kind {
            Kind::Sqlite => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(node.dir.path().join("bare.db"))
                    .create_if_missing(true)
                    .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                    .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
                let mut bare = sqlx::ConnectOptions::connect(&options).await.expect("open");
                bare.execute(TABLE).await.expect("make a table");
                Self::Sqlite(bare)
            }
            Kind::Postgres => {
                let url = node.other_database().await.expect("a server");
                let mut bare = sqlx::PgConnection::connect(&url).await.expect("connect");
                bare.execute(TABLE).await.expect("make a table");
                Self::Postgres(bare)
            }
        }
    }

    async fn commit(&mut self) {
        const COMMIT: &str = "INSERT INTO bare (n) VALUES (1)";
        match self {
            Self::Sqlite(bare) => drop(bare.execute(COMMIT).await.expect("commit")),
            Self::Postgres(bare) => drop(bare.execute(COMMIT).await.expect("commit")),
        }
    }
}

async fn launch_many(node: &Node, count: usize) -> Vec<RunnerId> {
    let new = NewProject {
        name: "load".into(),
        path: "/tmp".into(),
        description: String::new(),
        tags: Vec::new(),
        quotas: std::collections::BTreeMap::default(),
    };
    let event = NewEvent {
        entity_type: "project",
        entity_id: "load".into(),
        runner: String::new(),
        event_type: EventType::ProjectCreated,
        ..event(0, 0)
    };
    node.store.project_create(&new, chrono::Utc::now(), vec![event]).await.expect("make a project");
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(launch_one(node).await);
    }
    ids
}

async fn launch_one(node: &Node) -> RunnerId {
    let id = RunnerId::random();
    let new = stratavore::daemon::store::NewRunner {
        id,
        project: "load".into(),
        name: None,
        project_path: "/tmp".into(),
        node_id: "node".into(),
        agent: "bash".into(),
        command: vec!["bash".into()],
        cwd: "/tmp".into(),
        checkout: None,
        restart: "never".into(),
        max_restart_attempts: 5,
        request_id: None,
        request_digest: String::new(),
        session_id: None,
        max_tokens: None,
        at: chrono::Utc::now(),
    };
    let event = NewEvent {
        entity_id: id.to_string(),
        runner: String::new(),
        event_type: EventType::RunnerStarting,
        ..event(0, 0)
    };
    node.store.runner_create(&new, event).await.expect("launch");
    id
}
