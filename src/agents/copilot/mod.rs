//! GitHub Copilot CLI.

pub mod events;
pub mod otlp;
pub mod transcript;
