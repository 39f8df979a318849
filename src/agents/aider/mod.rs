//! aider.

pub mod transcript;
