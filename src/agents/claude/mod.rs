//! Claude Code.

pub mod otlp;
