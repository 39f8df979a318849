//! The words of the commands about projects: new, projects, quotas.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use super::complete;
use crate::domain::quota::{QuotaChange, QuotaName};

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Its name: letters, digits, `.`, `_`, `-`, at most 64
    pub name: String,
    /// Its directory
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub path: PathBuf,
    /// What it is
    #[arg(long, default_value = "")]
    pub description: String,
    /// A label (can be repeated)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub quotas: FirstQuotas,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ProjectsArgs {
    #[command(subcommand)]
    pub command: Option<ProjectsCommand>,
    /// Only those of this status: active, idle, archived
    #[arg(long, default_value = "", hide_default_value = true)]
    pub status: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProjectsCommand {
    /// List projects
    List {
        /// Only those of this status: active, idle, archived
        #[arg(long, default_value = "", hide_default_value = true)]
        status: String,
    },
    /// Show a project
    Show {
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        name: String,
    },
    /// Forget a project; its directory stays
    Delete {
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        name: String,
        /// End its live runners first
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct QuotasArgs {
    #[command(subcommand)]
    pub command: Option<QuotasCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum QuotasCommand {
    /// Show limits and what is used
    Show {
        /// The project; without it, all
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        project: Option<String>,
    },
    /// Limit a project
    Set {
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        project: String,
        /// `max_concurrent_runners`, `max_memory_mb`, `max_cpu_percent`, `max_tokens_per_day`; in
        /// short: runners, memory, cpu, tokens
        #[arg(value_parser = name, add = ArgValueCandidates::new(names))]
        name: QuotaName,
        /// A number; memory in MiB or like 4G, cpu in percent of one core; `unlimited` for no limit
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove the limits of a project, or one of them
    Clear {
        #[arg(add = ArgValueCandidates::new(complete::projects))]
        project: String,
        /// Which; without it, all
        #[arg(value_parser = name, add = ArgValueCandidates::new(names))]
        name: Option<QuotaName>,
    },
}

/// The first limits of a new project.
#[derive(Debug, Args)]
pub(super) struct FirstQuotas {
    /// At most so many live runners at once
    #[arg(long, value_name = "NUMBER", value_parser = runners)]
    max_runners: Option<Limit>,
    /// At most so much memory for all its runners together (4096, 512M, 4G)
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory_limit: Option<Limit>,
    /// At most so many tokens a day (20000, 500k, 2M)
    #[arg(long, value_name = "TOKENS", value_parser = tokens)]
    token_limit: Option<Limit>,
}

/// A limit that was asked for, `None` for expressly none.
#[derive(Debug, Clone, Copy)]
struct Limit(Option<u64>);

impl FirstQuotas {
    /// The limits that were asked for.
    pub(super) fn change(&self) -> QuotaChange {
        let asked = [
            (QuotaName::Runners, self.max_runners),
            (QuotaName::Memory, self.memory_limit),
            (QuotaName::Tokens, self.token_limit),
        ];
        asked.into_iter().filter_map(|(name, limit)| Some((name, limit?.0))).collect()
    }
}

fn name(text: &str) -> Result<QuotaName, String> {
    let all = || QuotaName::ALL.map(QuotaName::as_str).join(", ");
    QuotaName::parse(text).ok_or_else(|| format!("it is one of {}", all()))
}

fn names() -> Vec<CompletionCandidate> {
    QuotaName::ALL.into_iter().map(|name| CompletionCandidate::new(name.as_str())).collect()
}

fn runners(text: &str) -> Result<Limit, String> {
    QuotaName::Runners.parse_limit(text).map(Limit)
}

fn memory(text: &str) -> Result<Limit, String> {
    QuotaName::Memory.parse_limit(text).map(Limit)
}

fn tokens(text: &str) -> Result<Limit, String> {
    QuotaName::Tokens.parse_limit(text).map(Limit)
}
