//! The memory of a real daemon while a broker has it wait and a million events lie in the queue.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, Executor as _};

use crate::{
    node::Kind,
    rates::Figures,
    servers::{Postgres, RabbitMq},
};

/// The program.
const EXE: &str = env!("CARGO_BIN_EXE_stratavore");

/// How long the daemon is looked at.
const LOOK: Duration = Duration::from_secs(30);

/// A million entries of 500 entities; each body has the size of a usual one.
const FILL: [&str; 2] = [
    "INSERT INTO events (event_id, timestamp, event_type, entity_type, entity_id, sequence, position) \
     VALUES ('00000000-0000-7000-8000-000000000000', '2026-01-01T00:00:00.000000Z', \
     'project.created', 'project', 'filler', 1, 1000000)",
    "INSERT INTO outbox (event_id, aggregate_type, aggregate_id, event_type, payload, routing_key, \
     sequence, position, partition) SELECT EVENT, 'runner', 'runner-' || (i % 500), \
     'runner.activity', BODY, 'runner.activity.load', i / 500 + 1, i, i % 16 FROM ROWS",
];

/// Measures it on both databases.
pub(crate) async fn blocked(figures: &mut Figures) {
    for kind in Kind::BOTH {
        let broker = RabbitMq::start();
        let server = matches!(kind, Kind::Postgres).then(Postgres::start);
        let dir = tempfile::Builder::new().prefix("sv").tempdir_in("/tmp").expect("a directory");
        let url = match &server {
            Some(server) => Some(server.database().await),
            None => None,
        };
        let database = url.as_ref().map(|url| format!("database:\n  url: {url}\n"));
        let settings = dir.path().join(".config/stratavore");
        std::fs::create_dir_all(&settings).expect("make the settings' directory");
        let text = database.unwrap_or_default();
        let text = format!("{text}docker:\n  rabbitmq:\n    url: {}\n", broker.url());
        std::fs::write(settings.join("stratavore.yaml"), text).expect("write the settings");
        let migrate = command(dir.path(), &["database", "migrate"]).status().expect("migrate");
        assert!(migrate.success());
        fill(dir.path(), url.as_deref()).await;

        broker.memory_alarm(true);
        let daemon = command(dir.path(), &["--daemon"]).spawn().expect("start the daemon");
        let daemon = Daemon(daemon);
        let began = Instant::now();
        let (mut most, mut waiting) = (0, String::new());
        while began.elapsed() < LOOK {
            std::thread::sleep(Duration::from_millis(500));
            most = most.max(resident(daemon.0.id()));
            let output = command(dir.path(), &["outbox"]).stdout(Stdio::piped()).output();
            let text = output.map(|output| output.stdout).unwrap_or_default();
            waiting =
                String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ");
        }
        figures.add(
            format!("{}: a daemon's memory, broker blocked, a million events wait", kind.name()),
            format!("{most} MiB at most ({waiting})"),
            "≤ 64 MiB",
        );
        drop(daemon);
        broker.memory_alarm(false);
    }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn command(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(EXE);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("STRATAVORE_HOME", home.join("s"))
        .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
        .env("STRATAVORE_API_ENABLED", "false")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

async fn fill(home: &Path, url: Option<&str>) {
    let body = format!("'{{\"data\":\"{}\"}}'", "x".repeat(560));
    let texts = |event: &str, body: &str, rows: &str| {
        FILL.map(|text| text.replace("EVENT", event).replace("BODY", body).replace("ROWS", rows))
    };
    if let Some(url) = url {
        let event = "CAST('00000000-0000-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0') AS UUID)";
        let body = format!("CAST({body} AS JSONB)");
        let mut raw = sqlx::PgConnection::connect(url).await.expect("connect");
        for text in texts(event, &body, "generate_series(1, 1000000) AS n (i)") {
            raw.execute(sqlx::AssertSqlSafe(text)).await.expect("fill");
        }
    } else {
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("s/stratavore.db"));
        let mut raw = sqlx::ConnectOptions::connect(&options).await.expect("open");
        let event = "printf('00000000-0000-7000-8000-%012d', i)";
        let rows = "(WITH RECURSIVE n (i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n)";
        for text in texts(event, &body, rows) {
            raw.execute(sqlx::AssertSqlSafe(text)).await.expect("fill");
        }
        raw.close().await.expect("close");
    }
}

/// What a process holds in memory, in MiB.
fn resident(pid: u32) -> u64 {
    let process = procfs::process::Process::new(pid.cast_signed());
    let status = process.and_then(|process| process.status());
    status.ok().and_then(|status| status.vmrss).unwrap_or(0) / 1024
}
