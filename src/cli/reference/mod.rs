//! Tests: the references in `assets/docs` are what the code says, and every command that is shown
//! there or in the README can at least be typed.
//!
//! `./tests/run docs` writes the references anew.

#![expect(clippy::format_push_string, reason = "pages are short, and made by tests alone")]

mod calls;
mod commands;
mod configuration;
mod grpc;
mod http;
mod http_client;
mod metrics;
mod shown;

use std::{fs, path::PathBuf};

use crate::config::environment;

/// The directory of the crate.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a page with what it ought to be; writes it when that was asked for.
fn check(name: &str, text: &str) {
    check_file(&format!("assets/docs/{name}"), text);
}

/// The same for any file that is made.
fn check_file(name: &str, text: &str) {
    let path = root().join(name);
    if environment::get("STRATAVORE_BLESS").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        found == text,
        "{name} is stale from line {}; ./tests/run docs writes it anew",
        differs.unwrap_or(found.lines().count().min(text.lines().count())) + 1
    );
}

/// Makes a text fit into a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
