//! Codex CLI.

pub mod otlp;
