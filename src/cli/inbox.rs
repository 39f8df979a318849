//! The command line of the inbox.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{complete, duration::duration};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct InboxArgs {
    #[command(subcommand)]
    pub command: Option<InboxCommand>,
    #[command(flatten)]
    pub list: InboxListArgs,
}

#[derive(Debug, Args, Clone)]
pub(super) struct InboxListArgs {
    /// Those too that are put off or over, the newest first
    #[arg(long)]
    pub all: bool,
    /// Only those of this project
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub project: String,
    /// The newest so many
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum InboxCommand {
    /// List what waits for you
    List(InboxListArgs),
    /// Show an item with the last lines of its screen
    Show {
        /// Its id, the beginning of it, or the runner's name
        #[arg(add = ArgValueCandidates::new(complete::items))]
        item: String,
    },
    /// Answer what an agent asks
    Answer {
        /// Its id, the beginning of it, or the runner's name
        #[arg(add = ArgValueCandidates::new(complete::items))]
        item: String,
        /// yes (this once), no, the number of a choice, or a text of your own
        #[arg(required = true, value_name = "yes|no|N|TEXT")]
        answer: Vec<String>,
    },
    /// Put an item off
    Snooze {
        /// Its id, the beginning of it, or the runner's name
        #[arg(add = ArgValueCandidates::new(complete::items))]
        item: String,
        /// For how long (10m, 1h, 1d)
        #[arg(value_parser = duration, default_value = "1h")]
        time: Duration,
    },
    /// Put items away; what the agents wait with stays as it is
    Dismiss {
        /// Ids, beginnings of them, or runners' names
        #[arg(required_unless_present = "all", conflicts_with = "all", add = ArgValueCandidates::new(complete::items))]
        items: Vec<String>,
        /// Every open item
        #[arg(long)]
        all: bool,
        /// Only those of this project
        #[arg(long, default_value = "", hide_default_value = true, requires = "all")]
        project: String,
    },
    /// Tell what happened while you were away: what ended, waited, failed, and what it cost
    Digest {
        /// Of the last so long (30m, 8h, 2d); without it, since a dashboard was used last
        #[arg(long, value_parser = duration, value_name = "DURATION")]
        since: Option<Duration>,
    },
    /// Print items as they come and go
    Watch {
        /// Only those of this project
        #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
        project: String,
    },
}
