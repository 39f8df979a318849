//! opencode.

pub mod transcript;
