//! The command line of corrections.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::complete;

#[derive(Debug, Args)]
pub(super) struct CorrectArgs {
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: String,
    /// What it is really: idle, working, blocked or error
    #[arg(value_parser = ["idle", "done", "working", "blocked", "error"])]
    pub state: String,
    /// Why it is blocked
    #[arg(long, value_parser = ["permission", "question", "auth", "trust", "onboarding"])]
    pub kind: Option<String>,
    /// The line of the screen that tells it, as --dry-run offers them; at a terminal it is asked for
    #[arg(long, value_name = "TEXT")]
    pub line: Option<String>,
    /// Only show the rule that would be learnt
    #[arg(long)]
    pub dry_run: bool,
}
