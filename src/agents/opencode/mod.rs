//! opencode.

mod asks;
pub mod events;
pub mod transcript;
