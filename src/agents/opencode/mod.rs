//! opencode.

pub mod events;
pub mod transcript;
