//! The words of the commands for operators: configuration, database, nodes, outbox, audit.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// End the rows of a node that is gone for good, by host name or the beginning of its id
    #[arg(long, value_name = "NODE")]
    pub forget: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    #[command(subcommand)]
    pub command: Option<MetricsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum MetricsCommand {
    /// Show every figure (the default)
    Show {
        /// Print the text that Prometheus reads
        #[arg(long)]
        raw: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(subcommand)]
    pub command: Option<OutboxCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OutboxCommand {
    /// Show how much waits, and how it stands with the broker
    Status,
    /// List what waits, oldest first
    List {
        /// Only what was given up after its last try
        #[arg(long)]
        parked: bool,
        /// So many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Try parked events again
    Retry {
        /// The event's id; without one, all that are parked
        event: Option<Uuid>,
    },
    /// Take a parked event out of the queue, so that what follows it goes on
    #[command(group(ArgGroup::new("which").required(true).args(["event", "all"])))]
    Discard {
        /// The event's id
        event: Option<Uuid>,
        /// Give up all that waits, when no broker is configured any more
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check every event against the chain: changed, removed, moved, cut off, rolled back
    Verify {
        /// The first key of a node, as `stratavore audit key` printed it; one for each node
        #[arg(long, value_name = "HEX")]
        verify_key: Vec<String>,
        /// A file of checkpoints; without one, the configured one
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
    },
    /// Print this node's verification key, once; keep it on another machine
    Key,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show what is in force
    Show {
        /// With where each value comes from
        #[arg(long)]
        source: bool,
    },
    /// Check the configuration
    Validate,
}

#[derive(Debug, Args)]
pub(super) struct DatabaseArgs {
    #[command(subcommand)]
    pub command: Option<DatabaseCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum DatabaseCommand {
    /// Show which database is configured, whether it answers, and what it holds
    Status,
    /// Bring its schema up to date
    Migrate,
    /// Copy everything into another database, which may hold data; can be repeated
    Copy(CopyArgs),
}

#[derive(Debug, Args)]
pub(super) struct CopyArgs {
    /// The source, `sqlite:///path/stratavore.db`; without it, the file of the root directory
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// The target, `postgres://user:password@host:port/database`; without it, the configured server
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Give runners whose name is another's in the target the next number of their project
    #[arg(long)]
    pub rename: bool,
}
