//! What is in a support bundle, and what is kept out of it.
//!
//! Invariant: no secret, no prompt, no output of an agent. Secrets of the configuration never leave
//! their type; of events only figures and words of a known list are taken; everything goes through
//! [`redact`] at last, and the home directory becomes `~`.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::doctor::{Findings, Machine};
use crate::{
    config::{Loaded, Origin, environment},
    domain::{
        event::{Event, EventFilter},
        redact::redact,
    },
    logging,
};

/// Newest events taken.
const EVENTS: u32 = 500;

/// The end of a log file is taken, in bytes.
const LOG: usize = 512 << 10;

/// Words in events that say what happened and never what anybody wrote.
const WORDS: &[&str] = &[
    "action",
    "activity",
    "agent",
    "code",
    "event",
    "exit_signal",
    "from",
    "granularity",
    "kind",
    "level",
    "model",
    "period",
    "quality",
    "reason",
    "result",
    "scope",
    "severity",
    "signal",
    "source",
    "state",
    "status",
    "to",
    "type",
    "version",
];

/// A file of the bundle: its name and its text.
pub(super) type File = (String, String);

/// Collects all files.
pub(super) async fn collect(machine: &Machine, found: &Findings, told: &str) -> Vec<File> {
    let mut files = vec![
        ("doctor.txt".to_owned(), told.to_owned()),
        ("doctor.json".to_owned(), pretty(&json!(found))),
        ("system.txt".to_owned(), system()),
        (
            "configuration.txt".to_owned(),
            match &machine.loaded {
                Ok(loaded) => configuration(loaded),
                Err(error) => error.to_string(),
            },
        ),
    ];
    if let Some(daemon) = machine.daemon() {
        files.push(("status.json".to_owned(), pretty(&json!(daemon.status))));
        match &daemon.health {
            Ok(health) => files.push(("health.json".to_owned(), pretty(&json!(health)))),
            Err(failure) => files.push(("health.txt".to_owned(), failure.to_string())),
        }
        let client = &daemon.client;
        if let Ok((_, text)) = client.metrics().await {
            files.push(("metrics.txt".to_owned(), text));
        }
        match client.list_events(&EventFilter::default(), EVENTS).await {
            Ok(events) => {
                let lines: Vec<_> =
                    events.iter().map(|event| event_line(event).to_string()).collect();
                files.push(("events.jsonl".to_owned(), lines.join("\n")));
            }
            Err(failure) => files.push(("events.txt".to_owned(), failure.to_string())),
        }
        if let Ok(nodes) = client.list_nodes().await {
            files.push(("nodes.json".to_owned(), pretty(&json!(nodes))));
        }
        match client.outbox().await {
            Ok(outbox) => files.push(("outbox.json".to_owned(), pretty(&json!(outbox)))),
            Err(failure) => files.push(("outbox.txt".to_owned(), failure.to_string())),
        }
    }
    if let (Ok(loaded), Ok(places)) = (&machine.loaded, &machine.places) {
        let (report, failure) = crate::daemon::database_status(&loaded.config, places).await;
        files.push(("database.json".to_owned(), pretty(&json!(report))));
        if let Some(failure) = failure {
            files.push(("database.txt".to_owned(), failure.to_string()));
        }
    }
    if let Ok(places) = &machine.places {
        files.push(("files.txt".to_owned(), listing(places.root())));
        for path in logs(&places.logs()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push((format!("log/{name}"), tail(&path)));
        }
    }
    let home = environment::home().map(|home| home.display().to_string());
    files.into_iter().map(|(name, text)| (name, cleaned(&text, home.as_deref()))).collect()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Takes secrets out, and the home directory, which names the user.
fn cleaned(text: &str, home: Option<&str>) -> String {
    let text = redact(text);
    match home.filter(|home| home.len() > 1) {
        Some(home) => text.replace(home, "~"),
        None => text.into_owned(),
    }
}

/// What the machine is.
fn system() -> String {
    let name = rustix::system::uname();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: Vec<_> = memory.lines().take(3).collect();
    format!(
        "stratavore {}\n{} {} {}\n{}\n{processors} processors\n{}\n",
        env!("CARGO_PKG_VERSION"),
        name.sysname().to_string_lossy(),
        name.release().to_string_lossy(),
        name.machine().to_string_lossy(),
        pretty.unwrap_or_default().trim_matches('"'),
        memory.join("\n"),
    )
}

/// Every setting that is not the default, with its origin; secrets show that they are set.
fn configuration(loaded: &Loaded) -> String {
    let values = loaded.values().unwrap_or_default();
    let line = |(key, origin): (&String, &Origin)| {
        Some(format!("{key} = {}  # {origin}\n", values.get(key)?))
    };
    loaded.origins.iter().filter_map(line).collect()
}

/// An event without what anybody wrote.
fn event_line(event: &Event) -> Value {
    json!({
        "position": event.position, "at": event.timestamp, "type": event.event_type,
        "entity": event.entity_type, "id": event.entity_id, "sequence": event.sequence,
        "runner": event.runner, "node": event.node_id, "data": without_text("", &event.data),
    })
}

/// Keeps figures, and words under known names; says of everything else that it was left out.
fn without_text(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(name, value)| (name.clone(), without_text(name, value)));
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(|item| without_text(name, item)).collect(),
        Value::String(text) if text.is_empty() || (WORDS.contains(&name) && is_word(text)) => {
            value.clone()
        }
        Value::String(text) => json!(format!("[{} bytes left out]", text.len())),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A word is short and has no spaces: a sentence, which somebody may have written, has some.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && !text.contains(char::is_whitespace)
}

/// The files of the root with their sizes and modes, not what is in them.
fn listing(root: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    let walk = walkdir::WalkDir::new(root).max_depth(3).sort_by_file_name();
    for entry in walk.into_iter().filter_map(Result::ok).take(5000) {
        let Ok(meta) = entry.metadata() else { continue };
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        // A worktree is somebody's work: even its names say what of.
        if path.components().count() > 1 && path.starts_with("worktrees") {
            continue;
        }
        lines.push(format!("{:06o} {:>12} {}", meta.mode(), meta.len(), path.display()));
    }
    lines.join("\n")
}

/// The two newest log files.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.is_some_and(|name| name.starts_with(logging::LOG_PREFIX))
        })
        .collect();
    files.sort();
    files.split_off(files.len().saturating_sub(2))
}

/// The last lines of a file.
fn tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let start = bytes.len().saturating_sub(LOG);
    let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
    match (start, text.split_once('\n')) {
        (1.., Some((_, whole))) => whole.to_owned(),
        _ => text.into_owned(),
    }
}

/// Writes the bundle: a new file, closed to others.
///
/// # Errors
///
/// When the file is there already or cannot be written.
pub(super) fn pack(path: &Path, files: &[File]) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, format!("stratavore-support/{name}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fixtures;

    #[test]
    fn no_secret_of_the_configuration_is_packed() {
        let config = fixtures::full_of_secrets();
        let mut loaded = Loaded { config, ..Loaded::default() };
        // As if every key had been set.
        let keys = loaded.values().unwrap().into_keys();
        loaded.origins = keys.map(|key| (key, Origin::Flag("--test".to_owned()))).collect();
        let told = configuration(&loaded);
        for key in ["database.url", "docker.rabbitmq.url", "docker.telegram.token"] {
            assert!(told.contains(&format!("{key} = \"********\"")), "{told}");
        }
        for key in ["notify.ntfy.url", "notify.webhook.url", "storage.s3.secret_key"] {
            assert!(told.contains(&format!("{key} = ")), "{told}");
        }
        assert!(!told.contains(fixtures::CANARY), "{told}");
    }

    #[test]
    fn of_an_event_only_figures_and_known_words_are_kept() {
        let data = json!({
            "state": "blocked", "message": "may I rm -rf /?", "tokens": 12, "ok": true,
            "prompts": ["my secret plan"], "reason": "two words", "nested": {"status": "failed"},
        });
        let kept = without_text("", &data);
        assert_eq!(kept["state"], "blocked");
        assert_eq!(kept["tokens"], 12);
        assert_eq!(kept["nested"]["status"], "failed");
        let text = kept.to_string();
        for left_out in ["rm -rf", "secret plan", "two words"] {
            assert!(!text.contains(left_out), "{text}");
        }
    }

    #[test]
    fn the_home_directory_and_secrets_are_taken_out() {
        let text = "opened /home/amy/x with GITHUB_TOKEN=abcdefghijklmnop1234";
        let clean = cleaned(text, Some("/home/amy"));
        assert!(clean.contains("~/x") && !clean.contains("abcdefgh"), "{clean}");
    }
}
