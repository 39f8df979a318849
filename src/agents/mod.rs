//! L1: what we know of each agent: how it is started so that it reports, and how what it reports and
//! writes is read.
//!
//! Pure: nothing here spawns, opens a file or asks the time. What an agent says is data from a
//! stranger: a reader takes any bytes, skips what it does not know, and never fails as a whole.

pub mod claude;
pub mod codex;
pub mod copilot;
pub mod gemini;
pub mod hooks;
pub mod launch;
pub mod otlp;
pub mod qwen;
pub mod tokens;
mod words;
