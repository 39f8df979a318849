//! The command line of a launch.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{complete, worktrees::WorktreeArgs};
use crate::domain::{agent_command::Permission, budget::Limit, launch::RestartPolicy};

#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    /// The project; without it, the one of this directory
    #[arg(add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Name the runner, 3 characters or more; without it, the project's name and a number, which counts its
    /// launches
    #[arg(long, value_name = "NAME", conflicts_with = "count")]
    pub name: Option<String>,
    /// Start so many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub count: u32,
    /// Go into it
    #[arg(long, short, conflicts_with = "count")]
    pub attach: bool,
    /// Start it again when it fails: never, on-failure
    #[arg(long, default_value = "never", value_parser = restart_policy, value_name = "POLICY")]
    pub restart: RestartPolicy,
    /// Start in this directory instead of the project's
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    #[command(flatten)]
    pub worktree: WorktreeArgs,
    /// Do not launch twice with this id, a UUID
    #[arg(long, value_name = "UUID", conflicts_with = "count")]
    pub request_id: Option<uuid::Uuid>,
    /// Register this directory without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Start this agent: one that `stratavore agents` lists
    #[arg(long, value_name = "NAME", conflicts_with = "command", add = ArgValueCandidates::new(complete::agents))]
    pub agent: Option<String>,
    /// What model its agent is to use
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// What its agent may do without asking: own, plan, ask, edits, auto, god
    #[arg(long, value_parser = permission, value_name = "MODE", add = ArgValueCandidates::new(complete::permissions))]
    pub permission: Option<Permission>,
    /// Let its agent run every command and change every file without asking; budgets hold all the same
    #[arg(long, conflicts_with = "permission")]
    pub god: bool,
    /// What its agent is to begin with
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// So many tokens it may use at most (100k, 2M), which are set aside for it
    #[arg(long, value_parser = token_count, value_name = "TOKENS")]
    pub max_tokens: Option<u64>,
    /// Program and arguments; without them, the first agent found
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    RestartPolicy::parse(text).ok_or_else(|| "it is never or on-failure".to_owned())
}

fn permission(text: &str) -> Result<Permission, String> {
    let all = || Permission::ALL.map(Permission::as_str).join(", ");
    Permission::parse(text).filter(|_| !text.is_empty()).ok_or_else(|| format!("one of {}", all()))
}

fn token_count(text: &str) -> Result<u64, String> {
    match Limit::parse(text)? {
        Limit::Tokens(0) => Err("at least 1".to_owned()),
        Limit::Tokens(count) => Ok(count),
        Limit::Money(_) => Err("a number of tokens like 100k or 2M".to_owned()),
    }
}
