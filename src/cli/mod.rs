//! L4: the command line: one file a command.
//!
//! Standard output is data, standard error is talk. A command returns a [`Failure`]; kind, hint and
//! exit code are settled here, in one place.

mod approvals;
mod args;
mod ask;
mod budgets;
mod commands;
mod complete;
mod context;
mod corrections;
mod deferred;
mod doctor;
mod duration;
mod hook;
mod host;
mod human;
mod inbox;
mod install;
mod known;
mod launch;
mod man;
mod notify;
mod operations;
mod printer;
mod projects;
mod question;
#[cfg(test)]
mod reference;
mod settings;
mod support;
mod systemd;
mod top;
mod usage;
mod worktrees;

use std::{ffi::OsString, io::IsTerminal as _, mem::ManuallyDrop, process::ExitCode};

use clap::FromArgMatches as _;

use self::{
    args::Command,
    printer::Printer,
    top::{Cli, described},
};
use crate::{config::environment, demo, domain::failure::Failure, supervisor};

/// Runs what the arguments ask for.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    // A supervisor is small and dull: it does not even parse a command line.
    if words.next().is_some_and(|word| word == "supervise") {
        return supervisor::run();
    }
    // Nor does a hook: an agent waits for it, many times in each turn.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "hook") {
        return hook::run(words.next());
    }
    if environment::get("COMPLETE").is_some() {
        return complete::answer();
    }
    let cli = match parse(asked_for_help(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if let Some(Command::DemoAgent(args)) = &cli.command {
        return demo::run(args);
    }
    let printer = Printer::new(cli.top.global.format, cli.top.global.quiet);
    let (verb, outcome) = commands::dispatch(cli, printer);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(printer, verb, &failure),
    }
}

/// Reads `help [COMMAND]` as `[COMMAND] --help`. As a command of its own it would have all commands
/// described, whichever is run.
fn asked_for_help(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    words
}

/// Parses the arguments; prints help and errors as clap does.
fn parse(words: Vec<OsString>) -> Result<Cli, ExitCode> {
    // Never dropped: taking its thousands of small strings apart would take a fifth of the time that a
    // quick command needs, and the process ends soon.
    let mut command = ManuallyDrop::new(described(words.get(1).map(OsString::as_os_str)));
    let parsed =
        command.try_get_matches_from_mut(words).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let code = if error.use_stderr() { 2 } else { 0 };
        // A closed pipe is no reason to complain.
        error.print().ok();
        ExitCode::from(code)
    })
}

/// Tells what went wrong and what to do next.
fn report(printer: Printer, verb: &str, failure: &Failure) -> ExitCode {
    if failure.reason == printer::CLOSED {
        return ExitCode::SUCCESS;
    }
    if failure.reason == doctor::WARNED {
        return ExitCode::from(1);
    }
    if failure.reason == context::INTERRUPTED {
        return ExitCode::from(130);
    }
    printer.talk(&format!("error: failed to {verb}: {}", failure.message));
    if !failure.hint.is_empty() {
        printer.talk(&format!("  next: {}", failure.hint));
    }
    ExitCode::from(failure.kind.exit_code())
}

/// Whether a person sits at both ends.
fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}
