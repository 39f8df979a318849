//! Measures the way of an event: commit, seal, queue, publish, consumer; on both databases, beside what
//! the broker and the database can do without us, in one run.
//!
//! ```text
//! cargo test --release --test throughput -- [--only NAME…]
//! ```
//!
//! The daemon's own parts run in this process: store, services, tasks. The servers are real and thrown
//! away. Figures are no assertions: a target that is missed is printed as such.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the product of this program, and progress is for a person"
)]
#![expect(clippy::disallowed_methods, reason = "it measures from outside")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of one run are far below 2^52"
)]
#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends the program")]

mod blocked;
mod broker;
mod cost;
#[path = "../report/mod.rs"]
mod documents;
mod node;
mod rates;
#[path = "../servers/mod.rs"]
mod servers;

use std::process::ExitCode;

use self::rates::Figures;

/// What is measured, by name.
const MEASURES: [&str; 7] =
    ["commits", "heartbeats", "launch", "latency", "delivery", "backlog", "blocked"];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Runners of tests ask every target for its tests: this one has none.
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let only: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).cloned().collect();
    if let Some(unknown) = only.iter().find(|word| !MEASURES.contains(&word.as_str())) {
        eprintln!("throughput: `{unknown}` is none of {}", MEASURES.join(", "));
        return ExitCode::from(2);
    }
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
    runtime.block_on(async {
        let mut figures = Figures::default();
        for name in
            MEASURES.iter().filter(|name| only.is_empty() || only.contains(&(**name).to_owned()))
        {
            eprintln!("  {name}");
            match *name {
                "commits" => rates::commits(&mut figures).await,
                "heartbeats" => rates::heartbeats(&mut figures).await,
                "launch" => rates::launch(&mut figures).await,
                "latency" => broker::latency(&mut figures).await,
                "delivery" => broker::delivery(&mut figures).await,
                "backlog" => broker::backlog(&mut figures).await,
                _ => blocked::blocked(&mut figures).await,
            }
        }
        figures.print();
        if only.is_empty() {
            figures.write().expect("write the report");
        }
    });
    ExitCode::SUCCESS
}
