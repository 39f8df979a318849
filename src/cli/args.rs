//! The command line as it is typed. Meaning is given in `commands`.

use std::{ffi::OsString, time::Duration};

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{
    approvals::ApprovalsArgs,
    budgets::BudgetArgs,
    complete,
    corrections::CorrectArgs,
    deferred::Deferred,
    duration::duration,
    host::{BackupArgs, DoctorArgs, InstallArgs, ManArgs, RestoreArgs, SupportArgs, UninstallArgs},
    inbox::InboxArgs,
    launch::LaunchArgs,
    notify::{NotifyArgs, SetupArgs},
    operations::{AuditArgs, ConfigArgs, DatabaseArgs, MetricsArgs, OutboxArgs, ReconcileArgs},
    projects::{NewArgs, ProjectsArgs, QuotasArgs},
    usage::{SessionsArgs, TokensArgs},
    worktrees::{DiffArgs, WorktreesArgs},
};
use crate::{client::Path, demo::DemoArgs};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register a directory as a project
    New(Deferred<NewArgs>),
    /// List, show and delete projects
    #[command(visible_alias = "project")]
    Projects(Deferred<ProjectsArgs>),
    /// Show and set how much projects may use
    Quotas(Deferred<QuotasArgs>),
    /// Start an agent, or any command, in a project
    Launch(Deferred<LaunchArgs>),
    /// Go into a runner's terminal
    Attach(Deferred<AttachArgs>),
    /// List and show runners
    #[command(visible_alias = "runner")]
    Runners(Deferred<RunnersArgs>),
    /// End runners with everything they started
    #[command(visible_alias = "stop")]
    Kill(Deferred<KillArgs>),
    /// End a runner and start the same command again
    Restart(Deferred<RestartArgs>),
    /// Stop a runner's processes where they stand
    Pause(Deferred<NamesArgs>),
    /// Let a paused runner go on
    Resume(Deferred<NamesArgs>),
    /// See to what waits for you: questions, failures, ended turns
    Inbox(Deferred<InboxArgs>),
    /// Show and test what agents may do without asking
    Approvals(Deferred<ApprovalsArgs>),
    /// List and show agents' conversations
    #[command(visible_alias = "session")]
    Sessions(Deferred<SessionsArgs>),
    /// Show and set how much may be used, in tokens or money
    #[command(visible_alias = "budgets")]
    Budget(Deferred<BudgetArgs>),
    /// Show what agents used: tokens and what they cost; make and revoke tokens of the HTTP API
    #[command(visible_alias = "usage")]
    Tokens(Deferred<TokensArgs>),
    /// Type text into a runner
    Send(Deferred<SendArgs>),
    /// Show what a runner has changed since it was launched
    Diff(Deferred<DiffArgs>),
    /// List, remove and restore the worktrees of runners
    #[command(visible_alias = "worktree")]
    Worktrees(Deferred<WorktreesArgs>),
    /// Show what a runner, or the daemon, has written
    Logs(Deferred<LogsArgs>),
    /// Show the state of everything
    Status(Deferred<StatusArgs>),
    /// Print runners as they change
    Watch(Deferred<WatchArgs>),
    /// List and follow events
    Events(Deferred<EventsArgs>),
    /// Compare all runners with what really runs
    Reconcile(Deferred<ReconcileArgs>),
    /// List the agents, which file each name means, and what each can
    Agents,
    /// List the nodes that share the database
    Nodes,
    /// Tell people outside something, and look after what they are told
    Notify(Deferred<NotifyArgs>),
    /// Set up a way to people outside
    Setup(Deferred<SetupArgs>),
    /// Look after the queue of events to the broker
    Outbox(Deferred<OutboxArgs>),
    /// Check that nobody tampered with the event log
    Audit(Deferred<AuditArgs>),
    /// Check the parts of the daemon
    Health,
    /// Show the daemon's figures: runners, usage, queues, latencies
    Metrics(Deferred<MetricsArgs>),
    /// Show, migrate and copy the database
    Database(Deferred<DatabaseArgs>),
    /// Show and check the configuration
    Config(Deferred<ConfigArgs>),
    /// Control the daemon
    Daemon(Deferred<DaemonArgs>),
    /// Find out what is wrong with this machine, and say how to mend it
    Doctor(Deferred<DoctorArgs>),
    /// Write a support bundle: what helps to find a fault, without secrets and prompts
    Support(Deferred<SupportArgs>),
    /// Save the database, the audit key and what else cannot be made again
    Backup(Deferred<BackupArgs>),
    /// Put a backup into the root directory
    Restore(Deferred<RestoreArgs>),
    /// Install the program, its service, manual and completions
    Install(Deferred<InstallArgs>),
    /// Remove what was installed
    Uninstall(Deferred<UninstallArgs>),
    /// Print the manual, or write its pages
    Man(Deferred<ManArgs>),
    /// Print the shell's completion script
    Completion(Deferred<CompletionArgs>),
    /// Print the version
    Version(Deferred<VersionArgs>),
    /// Open the dashboard over scripted agents in a throw-away state
    Demo(Deferred<TryArgs>),
    /// Be a scripted agent
    #[command(hide = true)]
    DemoAgent(Deferred<DemoArgs>),
    /// Go into a project's agent, starting one if none runs
    #[command(external_subcommand)]
    Project(Vec<OsString>),
}

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// Name, id or unique prefix of the id; without it, the only live runner
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: Option<String>,
    /// Look, do not type
    #[arg(long, short)]
    pub read_only: bool,
    /// Draw on the main screen, so that the output stays in the terminal's own scrollback
    #[arg(long, conflicts_with = "via")]
    pub inline: bool,
    /// Which way the bytes go: direct, daemon
    #[arg(long, default_value = "direct", value_parser = path, hide = true)]
    pub via: Path,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RunnersArgs {
    #[command(subcommand)]
    pub command: Option<RunnersCommand>,
    #[command(flatten)]
    pub list: RunnerFilter,
}

#[derive(Debug, Args, Clone)]
pub(super) struct RunnerFilter {
    /// Only those of this project
    #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCandidates::new(complete::projects))]
    pub project: String,
    /// Only those of this status; `live` for all that have not ended
    #[arg(long, default_value = "", hide_default_value = true)]
    pub status: String,
    /// The newest so many
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunnersCommand {
    /// List runners
    List(RunnerFilter),
    /// Show a runner
    Show {
        #[arg(add = ArgValueCandidates::new(complete::runners))]
        runner: String,
        /// With the screen it shows
        #[arg(long)]
        screen: bool,
    },
    /// Say why a runner's state is what it is: what every source said last
    Explain {
        #[arg(add = ArgValueCandidates::new(complete::runners))]
        runner: String,
    },
    /// Say what a runner is really at, where its state is wrong; its screen is learnt from
    Correct(CorrectArgs),
    /// Remove runners that have ended, with their recorded output
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// Names, ids or unique prefixes of ids
    #[arg(required_unless_present = "ended", conflicts_with = "ended", add = ArgValueCandidates::new(complete::ended))]
    pub runners: Vec<String>,
    /// All that have ended
    #[arg(long)]
    pub ended: bool,
    /// Only those of this project
    #[arg(long, value_name = "NAME", requires = "ended", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Only those that ended at least so long ago (2h, 7d)
    #[arg(long, value_parser = duration, value_name = "DURATION", requires = "ended")]
    pub older_than: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct KillArgs {
    /// Runners, projects, or `all`
    #[arg(required_unless_present = "project", add = ArgValueCandidates::new(complete::runners_and_projects))]
    pub targets: Vec<String>,
    /// All runners of this project
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(complete::projects))]
    pub project: Option<String>,
    /// Kill at once, without a grace period
    #[arg(long, short)]
    pub force: bool,
    /// How long agents may take to leave (500ms, 10s, 2m)
    #[arg(long, value_parser = duration, value_name = "DURATION", conflicts_with = "force")]
    pub grace: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    /// Name, id or unique prefix of the id
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: String,
    /// How long it may take to leave (500ms, 10s, 2m)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub grace: Option<Duration>,
    /// Go on with its agent's conversation instead of beginning a new one
    #[arg(long)]
    pub preserve_session: bool,
}

#[derive(Debug, Args)]
pub(super) struct NamesArgs {
    /// Names, ids or unique prefixes of ids
    #[arg(required = true, add = ArgValueCandidates::new(complete::runners))]
    pub runners: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Name, id or unique prefix of the id
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: Option<String>,
    /// The text; without it, standard input
    pub text: Vec<String>,
    /// Do not press Enter after it
    #[arg(long)]
    pub no_submit: bool,
    /// Queue it until the agent is at rest, however long that takes
    #[arg(long, visible_alias = "queue", conflicts_with_all = ["now", "no_submit"])]
    pub when_idle: bool,
    /// Type it at once, whatever the agent is doing, and do not wait for a turn to start
    #[arg(long)]
    pub now: bool,
    /// So long it is waited for that the agent is at rest
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = patience)]
    pub wait: Duration,
    /// Refuse when the runner is at another run than this one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub run: Option<u32>,
    /// Refuse when the runner holds another conversation than this one: its id, or how that begins
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// List the prompts that wait, of the runner if one is named
    #[arg(long, conflicts_with_all = ["when_idle", "now", "no_submit", "cancel"])]
    pub list: bool,
    /// List those that are settled too
    #[arg(long, requires = "list")]
    pub all: bool,
    /// Take back a prompt that waits: its id, or how that ends
    #[arg(long, value_name = "ID", conflicts_with_all = ["when_idle", "now", "no_submit"])]
    pub cancel: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Name, id or unique prefix of the id; without it, the daemon
    #[arg(add = ArgValueCandidates::new(complete::runners))]
    pub runner: Option<String>,
    /// Go on as more is written
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last so many lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub tail: Option<usize>,
    /// The bytes as the agent wrote them, escape sequences included
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// With every live runner
    #[arg(long)]
    pub detailed: bool,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Only this project
    #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCandidates::new(complete::projects))]
    pub project: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct EventsArgs {
    #[command(subcommand)]
    pub command: Option<EventsCommand>,
    #[command(flatten)]
    pub filter: EventArgs,
}

#[derive(Debug, Args, Clone)]
pub(super) struct EventArgs {
    #[command(flatten)]
    pub about: AboutArgs,
    /// Only of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Not of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub until: Option<Duration>,
    /// The newest so many
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
}

#[derive(Debug, Args, Clone)]
pub(super) struct FollowArgs {
    #[command(flatten)]
    pub about: AboutArgs,
    /// First those of the last (10m, 2h, 1d)
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Of those the newest so many
    #[arg(long, default_value_t = 1000, requires = "since")]
    pub limit: u32,
}

#[derive(Debug, Args, Clone)]
pub(super) struct AboutArgs {
    /// Only of this project
    #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCandidates::new(complete::projects))]
    pub project: String,
    /// Only of this type, or, ending with a dot, types that begin so (`runner.`)
    #[arg(long = "type", default_value = "", hide_default_value = true, value_name = "TYPE", add = ArgValueCandidates::new(complete::event_types))]
    pub event_type: String,
    /// Only about this runner
    #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCandidates::new(complete::runners))]
    pub runner: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum EventsCommand {
    /// List events
    List(EventArgs),
    /// Show one event whole
    Show {
        /// Its id or its position
        event: String,
    },
    /// Print events as they happen, one JSON object a line with `--format json`
    Subscribe(FollowArgs),
}

#[derive(Debug, Args)]
pub(super) struct DaemonArgs {
    #[command(subcommand)]
    pub command: DaemonCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum DaemonCommand {
    /// Start it, if it does not run
    Start {
        /// Stay in the foreground and log to standard error
        #[arg(long)]
        foreground: bool,
    },
    /// End it; runners go on
    Stop,
    /// End it and start it again; runners go on
    Restart,
    /// Show whether it runs
    Status,
    /// Show what it logged
    Logs {
        /// Go on as more is written
        #[arg(long, short)]
        follow: bool,
        /// Only the last so many lines
        #[arg(long, short = 'n', value_name = "LINES")]
        tail: Option<usize>,
    },
}

#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    pub shell: String,
}

#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// Only the number
    #[arg(long, conflicts_with = "detailed")]
    pub short: bool,
    /// With the daemon's
    #[arg(long)]
    pub detailed: bool,
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    /// Start the agents and print where they are instead of opening the dashboard
    #[arg(long, hide = true)]
    pub no_dashboard: bool,
}

fn patience(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_hours(1);
    let is_sound = |wait: &Duration| (Duration::from_secs(1)..=longest).contains(wait);
    let bounds = || "between a second and an hour, like 20s or 5m".to_owned();
    duration(text).and_then(|wait| Some(wait).filter(is_sound).ok_or_else(bounds))
}

fn path(text: &str) -> Result<Path, String> {
    match text {
        "direct" => Ok(Path::Direct),
        "daemon" => Ok(Path::Daemon),
        _ => Err("it is direct or daemon".to_owned()),
    }
}
