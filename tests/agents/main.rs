//! Runs real agents against a stand-in for their models, and compares what our readers make of their
//! telemetry and their transcripts with what was billed, request by request.
//!
//! ```text
//! ./tests/run agents [claude codex gemini opencode qwen copilot aider]
//! ./tests/run agents speed
//! ./tests/run agents index
//! ./tests/run agents status [claude codex gemini opencode]
//! ```
//!
//! The stand-in (`mock.py`) gives each request its own numbers, so that a sum cannot hide a request that
//! was missed or counted twice. Every agent has a fresh home and a fresh stand-in; nothing leaves this
//! machine. Needs python3 and git; `tests/run` installs the agents.

#![expect(clippy::print_stdout, reason = "the table is the product of this program")]
#![expect(clippy::disallowed_methods, reason = "it waits for programs from outside")]
#![expect(clippy::expect_used, reason = "a comparison that cannot be made ends the program")]

mod clients;
mod index;
mod ledger;
mod mock;
mod speed;
mod status;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use stratavore::{
    agents::prices,
    domain::{agent::Agent, usage::UsageRecord},
};

use self::ledger::Billed;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    if words.first().is_some_and(|word| word == "speed") {
        speed::run();
        return ExitCode::SUCCESS;
    }
    if words.first().is_some_and(|word| word == "index") {
        index::run();
        return ExitCode::SUCCESS;
    }
    let installed = PathBuf::from(
        std::env::var_os("STRATAVORE_TEST_AGENTS").expect("STRATAVORE_TEST_AGENTS is not set"),
    );
    if let Some((first, others)) = words.split_first()
        && first == "status"
    {
        let wrong = status::run(others, &installed);
        return if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let wanted = |agent: &Agent| words.is_empty() || words.iter().any(|it| it == agent.as_str());
    println!(
        "{:9} {:28} {:>6} {:>7}  {:24} {:24}",
        "agent", "version", "billed", "cut off", "telemetry", "transcript"
    );
    let mut failures = 0;
    for agent in Agent::ALL.into_iter().filter(wanted) {
        failures += compare(agent, &installed);
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one agent and prints a line of the table. Returns how much is wrong.
fn compare(agent: Agent, installed: &std::path::Path) -> usize {
    let place = tempfile::tempdir().expect("failed to create a directory");
    let mock = mock::Mock::start(place.path());
    let client = clients::Client::new(agent, installed, place.path(), mock.address());
    let Some(version) = client.version() else {
        println!("{:9} not installed below {}", agent.as_str(), installed.display());
        return 1;
    };
    let mut wrong = client.run(&mock);
    let billed = mock.billed();
    let reported = mock.reported(agent);
    let written = once(client.written());
    let whole: Vec<&Billed> = billed.iter().filter(|it| !it.cut_off).collect();
    let sides = whole.iter().filter(|it| it.is_side).count();
    let by_otlp = ledger::difference(&whole, &reported);
    let by_file = ledger::difference(&whole, &written);
    println!(
        "{:9} {:28} {:>6} {:>7}  {:24} {:24}",
        agent.as_str(),
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
    if by_file.extra > 0 || by_file.missed > sides {
        fault(format!("the transcript and what was billed differ; {sides} side requests"));
    }
    if matches!(agent, Agent::Claude | Agent::Qwen | Agent::Copilot) {
        let keys = |records: &[UsageRecord]| -> Vec<String> {
            let mut keys: Vec<_> = records.iter().map(|it| it.key.clone()).collect();
            keys.sort();
            keys
        };
        let reported = keys(&reported);
        if let Some(key) = keys(&written).iter().find(|key| reported.binary_search(key).is_err()) {
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
