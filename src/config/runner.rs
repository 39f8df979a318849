//! The section `runner`: how agents are run.

use serde::{Deserialize, Serialize};

/// Limits and defaults of runners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerConfig {
    /// The program that a launch without a command starts; empty for the first of claude, codex,
    /// gemini, opencode, qwen, copilot and aider that is installed.
    pub default_command: String,
    /// Seconds an agent may take to leave before its tree is killed, 0…3600.
    pub stop_grace_seconds: u64,
    /// Lines of history a supervisor keeps in memory.
    pub history_lines: u64,
    /// Kilobytes that the compressed history may take.
    pub history_kb: u64,
    /// Megabytes of recorded output kept on disk for a runner; the oldest goes first.
    pub output_log_mb: u64,
    /// Automatic restarts in a row before a crash loop is given up.
    pub max_restart_attempts: u32,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            default_command: String::new(),
            stop_grace_seconds: 5,
            history_lines: 10_000,
            history_kb: 1024,
            output_log_mb: 64,
            max_restart_attempts: 5,
        }
    }
}
