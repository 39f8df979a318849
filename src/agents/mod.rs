//! L1: what we know of each agent: how it is started so that it reports, and how what it reports and
//! writes is read.
//!
//! Pure: nothing here spawns, opens a file or asks the time. What an agent says is data from a
//! stranger: a reader takes any bytes, skips what it does not know, and never fails as a whole.

pub mod abilities;
pub mod aider;
pub mod claude;
pub mod codex;
pub mod control;
pub mod copilot;
pub mod fixtures;
pub mod gemini;
pub mod hooks;
pub mod json;
pub mod launch;
pub mod opencode;
pub mod otlp;
pub mod place;
pub mod prices;
pub mod qwen;
pub mod screens;
pub mod teaching;
pub mod tokens;
pub mod transcript;
mod words;

use crate::domain::agent::Agent;

/// Returns the keys that end an agent's turn without ending the agent.
///
/// That is ESC, but ctrl-c for aider, for Copilot (1.0.102 takes two ESC, in a time of its own, and one
/// ctrl-c at once), and for programs we do not know, as most programs take it.
pub fn interrupt(agent: Option<Agent>) -> &'static [u8] {
    match agent {
        Some(Agent::Aider | Agent::Copilot) | None => b"\x03",
        Some(_) => b"\x1b",
    }
}
