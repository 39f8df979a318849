//! The command line of sessions and usage.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{complete, duration::duration};
use crate::domain::{api_token::Scope, usage::UsageBy};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct TokensArgs {
    #[command(subcommand)]
    pub command: Option<TokensCommand>,
    #[command(flatten)]
    pub usage: TokenUsageArgs,
}

/// Those of the HTTP API.
#[derive(Debug, Subcommand)]
pub(super) enum TokensCommand {
    /// Make a token for the HTTP API; it is printed once
    Create {
        /// What it is for: letters, digits, `.`, `_` and `-`, beginning with neither `.` nor `-`
        name: String,
        /// What it may do: look (viewer), run agents (operator), everything (admin)
        #[arg(long, default_value = "viewer", value_parser = scope, add = ArgValueCandidates::new(complete::token_scopes))]
        scope: Scope,
        /// It is accepted for so long (12h, 30d)
        #[arg(long, value_parser = lifetime, value_name = "DURATION")]
        expires: Option<Duration>,
    },
    /// List the tokens of the HTTP API
    List,
    /// Refuse a token from now on
    Revoke {
        /// Its name, its id or a unique beginning of it
        #[arg(add = ArgValueCandidates::new(complete::tokens))]
        token: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct TokenUsageArgs {
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
    /// Also what was used outside of runners, in conversations that were imported
    #[arg(long)]
    pub imported: bool,
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
        /// Also what was said, without secrets
        #[arg(long)]
        include_transcript: bool,
    },
    /// Find what was said, in all of them
    Search(SessionsSearchArgs),
    /// Write one out without secrets: as Markdown, or with `--format json`
    Export(SessionsExportArgs),
    /// Take in conversations that agents have on the disk; list them, when none is asked for
    Import(SessionsImportArgs),
    /// Go on with one: in the runner that held it last, or in a new one
    Resume(SessionsResumeArgs),
}

#[derive(Debug, Args)]
pub(super) struct SessionsSearchArgs {
    /// Words, all of which were said in one message; "several words" are a phrase
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Only of this project
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Only of this agent (claude, codex, …)
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<String>,
    /// Only of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// So many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct SessionsExportArgs {
    /// Its id or a unique prefix of it
    pub session: String,
    /// Into this new file, closed to others; without it to the standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SessionsImportArgs {
    /// Only these: ids or prefixes of ids
    pub sessions: Vec<String>,
    /// Only of this agent (claude, codex, …)
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<String>,
    /// Only those of this project's directory; with --all or ids, whatever their directory, into it
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// All whose directory belongs to a project
    #[arg(long)]
    pub all: bool,
    /// List what would be taken in, and take in nothing
    #[arg(long)]
    pub dry_run: bool,
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

fn lifetime(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    let lasts = time >= Duration::from_secs(1);
    if lasts { Ok(time) } else { Err("a token lasts a second at least".to_owned()) }
}

fn scope(word: &str) -> Result<Scope, String> {
    let all = || Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(word).ok_or_else(|| format!("one of {}", all()))
}

fn by(word: &str) -> Result<UsageBy, String> {
    let all = || UsageBy::ALL.map(UsageBy::as_str).join(", ");
    UsageBy::parse(word).ok_or_else(|| format!("one of {}", all()))
}
