//! Gemini CLI.

pub mod otlp;
