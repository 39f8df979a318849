//! One file a command: what it means, in terms of the client.

mod agents;
mod approvals;
mod attach;
mod audit;
mod backup;
mod budget;
mod config;
mod conversations;
mod correct;
mod daemon;
mod dashboard;
mod database;
mod demo;
mod diff;
mod doctor;
mod events;
mod inbox;
mod install;
mod kill;
mod launch;
mod logs;
mod man;
mod new;
mod nodes;
mod notify;
mod outbox;
mod projects;
mod quotas;
mod remove;
mod restore;
mod runners;
mod send;
mod sessions;
mod setup;
mod smart;
mod status;
mod support;
mod tokens;
mod version;
mod watch;
mod worktrees;

use super::{
    args::{Command, DaemonCommand},
    context::{Context, block_on},
    deferred::Deferred,
    operations::{AuditCommand, DatabaseCommand},
    printer::Printer,
    top::Cli,
};
use crate::domain::failure::Failure;

/// What a command does, finishing "failed to …", and what came of it.
pub(super) type Outcome = (&'static str, Result<(), Failure>);

/// Runs the command that was asked for.
pub(super) fn dispatch(cli: Cli, printer: Printer) -> Outcome {
    if let Some(what) = cli.command.as_ref().and_then(past_the_daemon)
        && let Err(failure) = crate::daemon::refuse_inside_runner()
    {
        return (what, Err(failure));
    }
    // What needs neither configuration nor daemon works also when both are broken.
    match &cli.command {
        Some(Command::Completion(args)) => {
            let script = super::complete::script(&args.shell);
            return ("print the completion script", script.and_then(|s| printer.bytes(&s)));
        }
        Some(Command::Approvals(_)) => {
            if let Some(Command::Approvals(Deferred(args))) = cli.command {
                return approvals::run(args, &cli.top.global, printer);
            }
        }
        Some(Command::Man(args)) => return ("write the manual", man::run(args, printer)),
        Some(Command::Doctor(args)) => return doctor::run(args, &cli.top.global, printer),
        Some(Command::Support(args)) => return support::run(args, &cli.top.global, printer),
        Some(Command::Config(args)) => return config::run(args, &cli.top.global, printer),
        Some(Command::Version(args)) if !args.detailed => {
            return ("print the version", version::short(args, printer));
        }
        _ => {}
    }
    let is_forgiving = cli.command.as_ref().is_some_and(only_asks);
    let context = match Context::load(&cli.top.global, is_forgiving) {
        Ok(context) => context,
        Err(failure) => return ("load the configuration", Err(failure)),
    };
    if let Some(refused) = &context.refused {
        printer.talk(&format!("warning: failed to load the configuration: {}", refused.message));
    }
    if cli.top.daemon {
        return ("run the daemon", daemon::run_in_process(&context, cli.top.background));
    }
    match cli.command {
        None => dashboard::run(&context, printer),
        Some(command) => run(command, &context, printer),
    }
}

/// Whether all that a command does is to ask a daemon that runs: a mistake in the configuration must not keep anybody
/// from looking at agents, or from ending them.
fn only_asks(command: &Command) -> bool {
    match command {
        Command::Attach(_)
        | Command::Budget(_)
        | Command::Diff(_)
        | Command::Events(_)
        | Command::Health
        | Command::Inbox(_)
        | Command::Kill(_)
        | Command::Logs(_)
        | Command::Metrics(_)
        | Command::Nodes
        | Command::Notify(_)
        | Command::Pause(_)
        | Command::Projects(_)
        | Command::Quotas(_)
        | Command::Resume(_)
        | Command::Runners(_)
        | Command::Send(_)
        | Command::Status(_)
        | Command::Tokens(_)
        | Command::Watch(_) => true,
        Command::Daemon(Deferred(args)) => {
            !matches!(args.command, DaemonCommand::Start { .. } | DaemonCommand::Restart)
        }
        _ => false,
    }
}

/// Returns what a command does, finishing "failed to …", if it goes to the files of the root itself: there
/// nobody but us keeps agents out.
fn past_the_daemon(command: &Command) -> Option<&'static str> {
    match command {
        Command::Audit(Deferred(args)) if matches!(args.command, AuditCommand::Key) => {
            Some("print the verification key")
        }
        Command::Backup(_) => Some("make a backup"),
        Command::Restore(_) => Some("restore the backup"),
        Command::Support(_) => Some("write the support bundle"),
        Command::Doctor(Deferred(args)) if args.bundle.is_some() => {
            Some("write the support bundle")
        }
        Command::Database(Deferred(args)) => match args.command {
            None | Some(DatabaseCommand::Status) => None,
            Some(DatabaseCommand::Migrate) => Some("migrate the database"),
            Some(DatabaseCommand::Copy(_)) => Some("copy the database"),
        },
        _ => None,
    }
}

/// Runs a command that talks to the daemon.
fn run(command: Command, context: &Context, printer: Printer) -> Outcome {
    match command {
        Command::New(Deferred(args)) => {
            ("register the project", block_on(new::run(args, context, printer)))
        }
        Command::Projects(Deferred(args)) => projects::run(args, context, printer),
        Command::Quotas(Deferred(args)) => quotas::run(args, context, printer),
        Command::Launch(Deferred(args)) => ("launch", launch::run(args, context, printer)),
        Command::Agents => ("list the agents", block_on(agents::run(context, printer))),
        Command::Attach(Deferred(args)) => ("attach", attach::run(&args, context, printer)),
        Command::Runners(Deferred(args)) => runners::run(args, context, printer),
        Command::Kill(Deferred(args)) => {
            ("end the runners", block_on(kill::run(&args, context, printer)))
        }
        Command::Restart(Deferred(args)) => {
            ("restart the runner", block_on(runners::restart(&args, context, printer)))
        }
        Command::Pause(Deferred(args)) => {
            ("pause", block_on(runners::set_paused(&args, true, context, printer)))
        }
        Command::Resume(Deferred(args)) => {
            ("resume", block_on(runners::set_paused(&args, false, context, printer)))
        }
        Command::Inbox(Deferred(args)) => inbox::run(args, context, printer),
        Command::Sessions(Deferred(args)) => sessions::run(args, context, printer),
        Command::Budget(Deferred(args)) => budget::run(args, context, printer),
        Command::Tokens(Deferred(args)) => tokens::run(&args, context, printer),
        Command::Send(Deferred(args)) => ("send", block_on(send::run(&args, context, printer))),
        Command::Diff(Deferred(args)) => diff::run(&args, context, printer),
        Command::Worktrees(Deferred(args)) => worktrees::run(args, context, printer),
        Command::Logs(Deferred(args)) => {
            ("show the log", block_on(logs::run(&args, context, printer)))
        }
        Command::Status(Deferred(args)) => {
            ("show the status", block_on(status::run(&args, context, printer)))
        }
        Command::Watch(Deferred(args)) => ("watch", block_on(watch::run(&args, context, printer))),
        Command::Events(Deferred(args)) => events::run(args, context, printer),
        Command::Reconcile(Deferred(args)) => {
            ("reconcile", block_on(status::reconcile(&args, context, printer)))
        }
        Command::Nodes => ("list the nodes", block_on(nodes::run(context, printer))),
        Command::Notify(Deferred(args)) => notify::run(args, context, printer),
        Command::Setup(Deferred(args)) => setup::run(&args, context, printer),
        Command::Outbox(Deferred(args)) => outbox::run(args, context, printer),
        Command::Database(Deferred(args)) => database::run(&args, context, printer),
        Command::Audit(Deferred(args)) => audit::run(args, context, printer),
        Command::Health => ("check the health", block_on(status::health(context, printer))),
        Command::Metrics(Deferred(args)) => {
            ("show the metrics", block_on(status::metrics(&args, context, printer)))
        }
        Command::Backup(Deferred(args)) => backup::run(&args, context, printer),
        Command::Restore(Deferred(args)) => restore::run(&args, context, printer),
        Command::Install(Deferred(args)) => {
            ("install", block_on(install::install(&args, context, printer)))
        }
        Command::Uninstall(Deferred(args)) => {
            ("uninstall", block_on(install::uninstall(&args, printer)))
        }
        Command::Daemon(Deferred(args)) => daemon::run(&args.command, context, printer),
        Command::Version(_) => ("print the version", block_on(version::detailed(context, printer))),
        Command::Demo(Deferred(args)) => ("run the demo", demo::run(&args, context, printer)),
        Command::Project(words) => smart::run(&words, context, printer),
        // Handled before.
        Command::Approvals(_)
        | Command::Config(_)
        | Command::Completion(_)
        | Command::DemoAgent(_)
        | Command::Doctor(_)
        | Command::Support(_)
        | Command::Man(_) => ("", Ok(())),
    }
}
