//! Measures the shipped binary beside others that keep sessions, in one run and under one load.
//!
//! ```text
//! cargo build --profile dist && cargo test --test bench -- [--vs NAME,…] [--only NAME…] [--json FILE]
//! ```
//!
//! `STRATAVORE_BIN` names another binary than `target/dist/stratavore`. Figures are no assertions:
//! a target that is missed is printed as such and the exit code is 0. It is 1 when something could
//! not be measured at all. The machine is shared with others, so only ratios inside one run count,
//! and whatever is compared is measured in turns. Everything lives in a directory of its own and
//! is gone afterwards, also after an error.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the product of this program, and progress is for a person"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures from outside: no loop, no configuration and no worker is concerned"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds and kilobytes of one run are far below 2^52"
)]

#[path = "../report/mod.rs"]
mod documents;
mod helper;
mod herd;
mod measure;
mod options;
mod peers;
mod pipe;
mod proc;
mod report;
mod signal;
mod stats;
mod tty;
mod world;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use self::{
    documents::Facts, herd::Herd, measure::MEASURES, options::Options, report::Report, world::World,
};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == helper::MARK) {
        return helper::main(&words);
    }
    let outcome = match Options::parse(&words) {
        Ok(Some(options)) => run(&options),
        Ok(None) => Ok(true),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what was asked for; false when something could not be measured.
fn run(options: &Options) -> Result<bool> {
    signal::install()?;
    let binary = world::find_binary()?;
    let mut peers = Vec::new();
    let mut facts = Facts::gather();
    facts.version("stratavore", std::process::Command::new(&binary).arg("--version"));
    let profile = binary.parent().and_then(std::path::Path::file_name).unwrap_or_default();
    facts.add("profile", profile.to_string_lossy());
    for peer in options.peers() {
        let program = peer.find()?;
        facts.version(peer.name(), &mut peer.version(&program));
        peers.push((*peer, program));
    }
    let mut report = Report::new(facts, options.peers().to_vec());
    report.print_head();

    let world = World::create(&binary, peers).context("set up the place to measure in")?;
    let mut herd = Herd::default();
    for measure in MEASURES.iter().filter(|measure| options.wants(measure.name)) {
        signal::check()?;
        let began = std::time::Instant::now();
        match (measure.run)(&world, &mut herd) {
            Ok(rows) => report.add(measure.name, rows),
            Err(error) => report.fail(measure.name, &error),
        }
        eprintln!("  {} ({:.1} s)", measure.name, began.elapsed().as_secs_f64());
        if let Err(error) = world.clear(&herd) {
            report.fail("clearing up", &error);
        }
    }
    drop(world);

    report.print_table();
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    if let Some((section, command)) = options.section() {
        report.write(section, &command).context("write the report")?;
    }
    Ok(report.is_complete())
}
