//! The words of the commands about people outside: notify, setup.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Subcommand};

use super::duration::duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct NotifyArgs {
    #[command(subcommand)]
    pub command: Option<NotifyCommand>,
    /// What to tell; without it, standard input
    pub text: Vec<String>,
    /// info, warning or critical
    #[arg(long, default_value = "info", value_parser = ["info", "warning", "critical"])]
    pub severity: String,
    /// Only here: telegram, ntfy, webhook, desktop
    #[arg(long, default_value = "", hide_default_value = true)]
    pub channel: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// List what was told, what waits and what was given up
    List {
        /// Only what is waiting, sent, parked or suppressed
        #[arg(long, default_value = "", hide_default_value = true)]
        state: String,
        /// The newest so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Try what was not taken again, at once on every channel, or one that waits
    Retry {
        /// Its number; without one, all that were not taken
        id: Option<i64>,
    },
    /// Give up what waits or is parked
    #[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
    Discard {
        /// Its number
        id: Option<i64>,
        /// All that wait or are parked
        #[arg(long)]
        all: bool,
    },
    /// Send a test at once, and say whether it was taken
    Test {
        /// Only here: telegram, ntfy, webhook, desktop
        #[arg(default_value = "", hide_default_value = true)]
        channel: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    #[command(subcommand)]
    pub command: SetupCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SetupCommand {
    /// Set up a Telegram bot: its token, who you are, a test
    Telegram {
        /// Read the token from this file instead of asking for it
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// Wait so long for your message to the bot
        #[arg(long, value_parser = duration, value_name = "DURATION", default_value = "5m")]
        wait: Duration,
    },
}
