//! Runs real agents against a stand-in for their models, and compares what our readers make of their
//! telemetry and their transcripts with what was billed, request by request.
//!
//! ```text
//! ./tests/run agents [claude codex gemini opencode qwen copilot aider]
//! ./tests/run agents status [NAME..]     what is said of their states, through the daemon
//! ./tests/run agents life [NAME..]       the first prompt, usage, the conversation resumed
//! ./tests/run agents approvals [NAME..]  what rules and persons decide
//! ./tests/run agents budgets [NAME..]    a budget crossed in the middle of a turn
//! ./tests/run agents telemetry [NAME..]  telemetry that is the user's own
//! ./tests/run agents speed               how fast transcripts are read
//! ./tests/run agents index               how fast the daemon takes them in
//! ./tests/run agents verdict             how fast hooks are answered and states seen
//! ```
//!
//! The stand-in (`mock.py`) gives each request its own numbers, so that a sum cannot hide a request that
//! was missed or counted twice. Every agent has a fresh home and a fresh stand-in; nothing leaves this
//! machine. `claude@2.1.20` is another version beside the newest. Needs python3 and git; `tests/run` installs the agents.

#![expect(clippy::print_stdout, reason = "the table is the product of this program")]
#![expect(clippy::disallowed_methods, reason = "it waits for programs from outside")]
#![expect(clippy::expect_used, reason = "a comparison that cannot be made ends the program")]

mod approvals;
mod budgets;
mod clients;
mod figures;
mod index;
mod ledger;
mod life;
mod mock;
mod speed;
mod stage;
mod status;
mod telemetry;
mod verdict;
mod world;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use stratavore::{
    agents::prices,
    domain::{
        agent::Agent,
        usage::{Quality, UsageRecord},
    },
};

use self::ledger::Billed;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let (what, named) = match words.split_first() {
        Some((first, named)) if SCENES.iter().any(|(name, _)| name == first) => {
            (first.as_str(), named)
        }
        _ => ("", words.as_slice()),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("failed to start a runtime");
    match what {
        "speed" => speed::run(),
        "index" => index::run(),
        "verdict" => runtime.block_on(verdict::run()),
        _ => {
            let installed = std::env::var_os("STRATAVORE_TEST_AGENTS");
            let installed = PathBuf::from(installed.expect("STRATAVORE_TEST_AGENTS is not set"));
            let usual =
                SCENES.iter().find(|(name, _)| *name == what).map_or("", |(_, usual)| usual);
            let named: Vec<&str> = match named {
                [] => usual.split(' ').collect(),
                named => named.iter().map(String::as_str).collect(),
            };
            if what.is_empty() {
                println!(
                    "{:9} {:28} {:>6} {:>7}  {:24} {:24}",
                    "agent", "version", "billed", "cut off", "telemetry", "transcript"
                );
            }
            let mut failures = 0;
            for folder in named {
                failures += match what {
                    "status" => runtime.block_on(status::run(folder, &installed)),
                    "life" => runtime.block_on(life::run(folder, &installed)),
                    "approvals" => runtime.block_on(approvals::run(folder, &installed)),
                    "budgets" => runtime.block_on(budgets::run(folder, &installed)),
                    "telemetry" => runtime.block_on(telemetry::run(folder, &installed)),
                    _ => compare(folder, &installed),
                };
            }
            if failures > 0 {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// What can be run, and with which agents where none is named.
const SCENES: [(&str, &str); 9] = [
    ("", "claude codex gemini opencode qwen copilot aider"),
    ("speed", ""),
    ("index", ""),
    ("verdict", ""),
    ("status", "claude codex gemini opencode qwen copilot"),
    ("life", "claude codex gemini opencode qwen copilot"),
    ("approvals", "claude codex"),
    ("budgets", "claude"),
    ("telemetry", "claude gemini"),
];

/// Runs one agent and prints a line of the table. Returns how much is wrong.
fn compare(folder: &str, installed: &std::path::Path) -> usize {
    let Some(agent) = clients::agent(folder) else {
        println!("{folder:9} is no agent that is known");
        return 1;
    };
    let place = tempfile::tempdir().expect("failed to create a directory");
    let mock = mock::Mock::start(place.path());
    let client = clients::Client::new(folder, installed, place.path(), mock.address());
    let Some(version) = client.version() else {
        println!("{folder:9} not installed below {}", installed.display());
        return 1;
    };
    let mut wrong = client.run(&mock);
    let billed = mock.billed();
    let reported = mock.reported(agent);
    let written = once(client.written());
    let whole: Vec<&Billed> = billed.iter().filter(|it| !it.cut_off).collect();
    let sides = whole.iter().filter(|it| it.is_side).count();
    let by_otlp = ledger::difference(&whole, &reported);
    // An old version writes down what it knew when a response began; that it is a floor is said of it.
    let (floors, exact): (Vec<_>, Vec<_>) =
        written.iter().cloned().partition(|it| it.quality == Quality::Floor);
    let by_file = ledger::difference(&whole, &exact);
    println!(
        "{:9} {:28} {:>6} {:>7}  {:24} {:24}",
        folder,
        version,
        whole.len(),
        billed.len() - whole.len(),
        if clients::reports(agent) { by_otlp.to_string() } else { "none".to_owned() },
        by_file.to_string(),
    );
    let mut fault = |fault: String| {
        println!("          WRONG: {fault}");
        wrong += 1;
    };
    if whole.is_empty() {
        fault("nothing was asked of the model".to_owned());
    }
    let reports = clients::reports(agent);
    if reports && (by_otlp.missed > 0 || by_otlp.extra > 0) {
        fault("telemetry and what was billed differ".to_owned());
    }
    // Titles and routing are not written down; what was said is.
    if by_file.extra > 0 || by_file.missed > sides + floors.len() {
        let floors = floors.len();
        fault(format!(
            "the transcript and what was billed differ; {sides} side requests, {floors} floors"
        ));
    }
    if matches!(agent, Agent::Claude | Agent::Qwen | Agent::Copilot) {
        let keys = |records: &[UsageRecord]| -> Vec<String> {
            let mut keys: Vec<_> = records.iter().map(|it| it.key.clone()).collect();
            keys.sort();
            keys
        };
        // An old version's telemetry names no requests; the daemon's database pairs them with the transcript's.
        let reported = keys(&reported);
        let has_names = reported.iter().any(|key| !key.is_empty());
        if has_names
            && let Some(key) =
                keys(&written).iter().find(|key| reported.binary_search(key).is_err())
        {
            fault(format!("telemetry does not know {key} of the transcript"));
        }
    }
    for record in reported.iter().filter(|it| it.cost.is_some()) {
        let listed = prices::cost(&record.tokens, &record.model);
        if listed != record.cost {
            fault(format!("{} costs {:?}, by the list {listed:?}", record.model, record.cost));
        }
    }
    wrong
}

/// Each request once, as a database would have it: by key, the one with most tokens.
fn once(records: Vec<UsageRecord>) -> Vec<UsageRecord> {
    let mut by_key: BTreeMap<String, UsageRecord> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for record in records {
        if record.key.is_empty() {
            unnamed.push(record);
            continue;
        }
        let known = by_key.entry(record.key.clone()).or_insert_with(|| record.clone());
        if known.tokens.total() < record.tokens.total() {
            *known = record;
        }
    }
    by_key.into_values().chain(unnamed).collect()
}
