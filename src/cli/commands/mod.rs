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
    args::{Cli, Command},
    context::{Context, block_on},
    printer::Printer,
};
use crate::domain::failure::Failure;

/// What a command does, finishing "failed to …", and what came of it.
pub(super) type Outcome = (&'static str, Result<(), Failure>);

/// Runs the command that was asked for.
pub(super) fn dispatch(cli: Cli, printer: Printer) -> Outcome {
    // What needs neither configuration nor daemon works also when both are broken.
    match &cli.command {
        Some(Command::Completion(args)) => {
            let script = super::complete::script(&args.shell);
            return ("print the completion script", script.and_then(|s| printer.bytes(&s)));
        }
        Some(Command::Approvals(_)) => {
            if let Some(Command::Approvals(args)) = cli.command {
                return approvals::run(args, printer);
            }
        }
        Some(Command::Man(args)) => return ("write the manual", man::run(args, printer)),
        Some(Command::Doctor(args)) => return doctor::run(args, &cli.global, printer),
        Some(Command::Support(args)) => return support::run(args, &cli.global, printer),
        Some(Command::Config(args)) => return config::run(args, &cli.global, printer),
        Some(Command::Version(args)) if !args.detailed => {
            return ("print the version", version::short(args, printer));
        }
        _ => {}
    }
    let context = match Context::load(&cli.global) {
        Ok(context) => context,
        Err(failure) => return ("load the configuration", Err(failure)),
    };
    for path in &context.loaded.exposed {
        tracing::debug!(path = %path.display(), "others can read the configuration");
    }
    if cli.daemon {
        return ("run the daemon", daemon::run_in_process(&context, cli.background));
    }
    match cli.command {
        None => dashboard::run(&context, printer),
        Some(command) => run(command, &context, printer),
    }
}

/// Runs a command that talks to the daemon.
fn run(command: Command, context: &Context, printer: Printer) -> Outcome {
    match command {
        Command::New(args) => ("register the project", block_on(new::run(args, context, printer))),
        Command::Projects(args) => projects::run(args, context, printer),
        Command::Quotas(args) => quotas::run(args, context, printer),
        Command::Launch(args) => ("launch", launch::run(args, context, printer)),
        Command::Agents => ("list the agents", block_on(agents::run(context, printer))),
        Command::Attach(args) => ("attach", attach::run(&args, context, printer)),
        Command::Runners(args) => runners::run(args, context, printer),
        Command::Kill(args) => ("end the runners", block_on(kill::run(&args, context, printer))),
        Command::Restart(args) => {
            ("restart the runner", block_on(runners::restart(&args, context, printer)))
        }
        Command::Pause(args) => {
            ("pause", block_on(runners::set_paused(&args, true, context, printer)))
        }
        Command::Resume(args) => {
            ("resume", block_on(runners::set_paused(&args, false, context, printer)))
        }
        Command::Inbox(args) => inbox::run(args, context, printer),
        Command::Sessions(args) => sessions::run(args, context, printer),
        Command::Budget(args) => budget::run(args, context, printer),
        Command::Tokens(args) => tokens::run(&args, context, printer),
        Command::Send(args) => ("send", block_on(send::run(&args, context, printer))),
        Command::Diff(args) => diff::run(&args, context, printer),
        Command::Worktrees(args) => worktrees::run(args, context, printer),
        Command::Logs(args) => ("show the log", block_on(logs::run(&args, context, printer))),
        Command::Status(args) => {
            ("show the status", block_on(status::run(&args, context, printer)))
        }
        Command::Watch(args) => ("watch", block_on(watch::run(&args, context, printer))),
        Command::Events(args) => events::run(args, context, printer),
        Command::Reconcile(args) => {
            ("reconcile", block_on(status::reconcile(&args, context, printer)))
        }
        Command::Nodes => ("list the nodes", block_on(nodes::run(context, printer))),
        Command::Notify(args) => notify::run(args, context, printer),
        Command::Setup(args) => setup::run(&args, context, printer),
        Command::Outbox(args) => outbox::run(args, context, printer),
        Command::Database(args) => database::run(&args, context, printer),
        Command::Audit(args) => audit::run(args, context, printer),
        Command::Health => ("check the health", block_on(status::health(context, printer))),
        Command::Metrics(args) => {
            ("show the metrics", block_on(status::metrics(&args, context, printer)))
        }
        Command::Backup(args) => backup::run(&args, context, printer),
        Command::Restore(args) => restore::run(&args, context, printer),
        Command::Install(args) => ("install", block_on(install::install(&args, context, printer))),
        Command::Uninstall(args) => ("uninstall", block_on(install::uninstall(&args, printer))),
        Command::Daemon(args) => daemon::run(&args.command, context, printer),
        Command::Version(_) => ("print the version", block_on(version::detailed(context, printer))),
        Command::Demo(args) => ("run the demo", demo::run(&args, context, printer)),
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
