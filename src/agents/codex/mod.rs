//! Codex CLI.

pub mod otlp;
pub mod server;
pub mod transcript;
