//! The command line of the approval policy.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct ApprovalsArgs {
    #[command(subcommand)]
    pub command: Option<ApprovalsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// Show the rules in force in this directory, in their order
    Show,
    /// Say what would be decided
    Test {
        /// The agent: claude, codex, …
        agent: String,
        /// The tool: Bash, Edit, …
        tool: String,
        /// What the tool is given: a command, a path, an address
        argument: Vec<String>,
    },
    /// Check the files
    Check,
}
