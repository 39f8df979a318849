//! Qwen Code.

pub mod otlp;
