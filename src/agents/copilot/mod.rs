//! GitHub Copilot CLI.

pub mod otlp;
