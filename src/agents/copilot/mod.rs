//! GitHub Copilot CLI.

pub mod otlp;
pub mod transcript;
