//! The command line of sessions and usage.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{args::duration, complete};
use crate::domain::usage::UsageBy;

#[derive(Debug, Args)]
pub(super) struct TokensArgs {
    /// What sums are told apart by
    #[arg(long, default_value = "project", value_parser = by, value_name = "WHAT")]
    pub by: UsageBy,
    /// Only of this project
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Only of this runner
    #[arg(long, value_name = "RUNNER", add = ArgValueCandidates::new(complete::runners))]
    pub runner: Option<String>,
    /// Only of this session
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
    /// Only of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Not of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub until: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct SessionsArgs {
    #[command(subcommand)]
    pub command: Option<SessionsCommand>,
    #[command(flatten)]
    pub list: SessionsListArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// List conversations, the one that went on last first
    List(SessionsListArgs),
    /// Show one
    Show {
        /// Its id or a unique prefix of it
        session: String,
    },
    /// Go on with one: in the runner that held it last, or in a new one
    Resume(SessionsResumeArgs),
}

#[derive(Debug, Args)]
pub(super) struct SessionsResumeArgs {
    /// Ids or unique prefixes of ids
    #[arg(required_unless_present = "lost")]
    pub sessions: Vec<String>,
    /// Those of all runners that were lost, as by a restart of the machine
    #[arg(long, conflicts_with = "sessions")]
    pub lost: bool,
    /// In a new runner also where the one that held it last could go on
    #[arg(long)]
    pub new_runner: bool,
    /// Go into it
    #[arg(long, short, conflicts_with = "lost")]
    pub attach: bool,
}

#[derive(Debug, Args)]
pub(super) struct SessionsListArgs {
    /// Only of this project
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Only those that this runner held
    #[arg(long, value_name = "RUNNER", add = ArgValueCandidates::new(complete::runners))]
    pub runner: Option<String>,
    /// So many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

fn by(word: &str) -> Result<UsageBy, String> {
    let all = || UsageBy::ALL.map(UsageBy::as_str).join(", ");
    UsageBy::parse(word).ok_or_else(|| format!("one of {}", all()))
}
