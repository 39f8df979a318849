//! Claude Code.

pub mod otlp;
pub mod state_file;
pub mod transcript;
