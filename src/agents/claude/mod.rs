//! Claude Code.

pub mod otlp;
pub mod transcript;
