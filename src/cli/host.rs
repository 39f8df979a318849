//! The words of the commands for the machine that Stratavore is on: is it well, installed, saved.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Write a support bundle to this file, too
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SupportArgs {
    /// The file to write; a name with the time in this directory without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args, Clone)]
pub(super) struct InstallPlace {
    /// For you alone, in your home directory (the default)
    #[arg(long, conflicts_with = "system")]
    pub user: bool,
    /// For all users of this machine, in /usr/local and /etc
    #[arg(long)]
    pub system: bool,
    /// Below this directory instead of /, to make a package
    #[arg(long, value_name = "DIR")]
    pub destdir: Option<PathBuf>,
    /// Say what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    #[command(flatten)]
    pub place: InstallPlace,
    /// Leave the program where it is and let the service run it from there
    #[arg(long)]
    pub keep_binary: bool,
    /// Let systemd listen and start the daemon at its first client
    #[arg(long, conflicts_with = "system")]
    pub socket: bool,
    /// Do not start the service
    #[arg(long)]
    pub no_start: bool,
}

#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    pub place: InstallPlace,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write the pages of all commands to this directory instead of printing the first one
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; a name with the time in this directory without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// With the recorded output of all runners, which may be 64 MiB each
    #[arg(long)]
    pub with_output: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// What `stratavore backup` wrote
    pub file: PathBuf,
    /// Check the file and say what is in it, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Put what the root directory holds aside first
    #[arg(long)]
    pub force: bool,
}
