//! Gemini CLI.

pub mod otlp;
pub mod transcript;
