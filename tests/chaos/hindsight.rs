//! What is found out after a run: what agents wrote down and what is recorded of it, whether the rows came
//! to say what runs, whether anything forbidden was done, and where secrets lie.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use stratavore::{client::Client, domain::quota::QuotaName};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    cluster::Node,
    eyes::Eyes,
    history::{Forbidden, History, Reality, RunnerRow, Testimony},
    support::Bot,
    work::{Employed, Kind},
};

/// What the servers are asked with: it belongs into configurations, environments of daemons, and nowhere else.
pub(crate) const SECRETS: [&str; 2] = ["test-server-password", "test-broker-password"];
/// Rows and processes are compared for so long.
const AGREEING: Duration = Duration::from_secs(20);
/// Reading a record.
const READING: Duration = Duration::from_secs(20);
/// Larger files are no logs.
const LARGE: u64 = 64 << 20;

/// Waits until the live rows and the agents that live are the same.
pub(crate) async fn reality(
    eyes: &Eyes,
    since: Instant,
    mut rows: impl AsyncFnMut() -> Vec<RunnerRow>,
) -> Reality {
    loop {
        let agents = eyes.agents();
        let rows: Vec<_> = rows().await;
        let is_live = |row: &&RunnerRow| !matches!(&*row.status, "terminated" | "failed");
        let live: BTreeMap<_, _> = rows.iter().filter(is_live).map(|row| (&row.id, row)).collect();
        let without_agent = live.keys().filter(|id| !agents.contains_key(**id));
        let without_row = agents.keys().filter(|id| !live.contains_key(id));
        let reality = Reality {
            after: since.elapsed(),
            without_agent: without_agent.map(|id| format!("{id} ({})", live[*id].status)).collect(),
            without_row: without_row.cloned().collect(),
        };
        let agrees = reality.without_agent.is_empty() && reality.without_row.is_empty();
        if agrees || reality.after > AGREEING {
            return reality;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Returns what the agents of these runners wrote down, with what is recorded of it.
pub(crate) async fn testimonies(
    employed: &[Employed],
    history: &History,
    nodes: &[&Node],
) -> Vec<Testimony> {
    let mut clients = BTreeMap::new();
    for node in nodes {
        let own = std::fs::read_to_string(node.places().root().join("node")).unwrap_or_default();
        let client = Client::connect_if_running(&node.places()).await.expect("connect");
        clients.insert(own.trim().to_owned(), client.expect("the daemon runs"));
    }
    let rows: BTreeMap<_, _> =
        history.runners.iter().filter_map(|row| Some((row.request.as_deref()?, row))).collect();
    let mut testimonies = Vec::new();
    for employed in employed {
        let Some(row) = rows.get(employed.request.to_string().as_str()) else { continue };
        let mut testimony = employed.testimony(&row.id);
        // What was ended by a signal has no code of its own.
        if matches!(employed.kind, Kind::Brief(_)) && (row.exit.1.is_some() || row.exit.0.is_none())
        {
            testimony.exit = None;
        }
        if testimony.said.is_some()
            && let Some(client) = clients.get(&row.node)
        {
            testimony.recorded = record(client, &row.id).await;
        }
        testimonies.push(testimony);
    }
    testimonies
}

/// Reads a record to its end.
async fn record(client: &Client, runner: &str) -> Vec<u8> {
    let reading = async {
        let mut stream = client.read_log(runner, None, false).await.expect("read a record");
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await.expect("read on") {
            bytes.extend_from_slice(&piece.bytes);
        }
        bytes
    };
    timeout(READING, reading).await.expect("a record is read in time")
}

/// Returns what agents tried, and whether anything came of it in a system.
pub(crate) async fn forbidden(
    employed: &[Employed],
    node: &Node,
    project: &str,
    limit: Option<u64>,
) -> Vec<Forbidden> {
    let mut all: Vec<_> = employed.iter().flat_map(Employed::tried).collect();
    let client = Client::connect_if_running(&node.places()).await.expect("connect");
    let client = client.expect("the daemon runs");
    let intruder = client.get_project("intruder").await.is_err();
    let quotas = client.list_quotas(project).await.expect("ask for quotas");
    let quota = quotas.first().map(|quota| quota.quota.limit(QuotaName::Runners));
    let quota = limit.is_none() || quota == Some(limit);
    let budgets = client.list_budgets().await.expect("ask for budgets");
    let budget = !budgets.iter().any(|budget| budget.scope.words().0 == "global");
    for (what, is_unchanged) in [("a project", intruder), ("a quota", quota), ("a budget", budget)]
    {
        let what = format!("what agents tried with {what}");
        all.push(Forbidden { what, is_refused: true, is_unchanged });
    }
    all
}

/// Counts how often the channel took each message.
pub(crate) fn count_told(history: &mut History, bot: &Bot) {
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for call in bot.taken("/hook") {
        *taken
            .entry(call.headers.get("idempotency-key").cloned().unwrap_or_default())
            .or_default() += 1;
    }
    for told in &mut history.told {
        told.taken = taken.get(&told.event.to_string()).copied().unwrap_or(0);
    }
}

/// Looks for secrets in everything that lies in the daemons' directories and in the events.
pub(crate) fn search(history: &mut History, nodes: &[&Node]) {
    let mut files: Vec<PathBuf> = Vec::new();
    for node in nodes {
        for root in [node.places().root().to_owned(), node.home()] {
            let entries = walkdir::WalkDir::new(root).into_iter().flatten();
            files.extend(
                entries.filter(|e| e.file_type().is_file()).map(walkdir::DirEntry::into_path),
            );
        }
        files.push(node.path("daemon.err"));
    }
    for path in &files {
        let is_small = std::fs::metadata(path).is_ok_and(|data| data.len() < LARGE);
        if is_small && let Ok(bytes) = std::fs::read(path) {
            history.leaks.extend(leaks(&bytes, path));
        }
    }
    for event in &history.events {
        let what = format!("the event {}", event.event);
        history.leaks.extend(leaks(event.data.to_string().as_bytes(), Path::new(&what)));
    }
    history.searched += files.len() + history.events.len();
}

fn leaks(bytes: &[u8], place: &Path) -> Vec<String> {
    let is_in = |secret: &&&str| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
    let leak = |secret: &&str| format!("{secret} in {}", place.display());
    SECRETS.iter().filter(is_in).map(leak).collect()
}
