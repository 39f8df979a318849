//! What stands before a command, and how the whole is described to the parser.
//!
//! Invariant: whether one command is described or all of them, that command is parsed the same.

use std::{ffi::OsStr, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory as _, Parser};

use super::{args::Command, duration::duration, printer::Format};

/// The program, as help calls it.
const NAME: &str = "stratavore";

/// Help is not wider.
const WIDTH: usize = 100;

/// Run and watch many AI coding agents
///
/// Without a command it opens the dashboard. `stratavore PROJECT` goes into that project's agent,
/// starting one if none runs.
#[derive(Debug, Parser)]
#[command(name = NAME, version, disable_help_subcommand = true, max_term_width = WIDTH)]
pub(super) struct Cli {
    #[command(flatten)]
    pub top: TopArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What stands before a command, or without one.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    pub global: GlobalArgs,
    /// Run the daemon in the foreground, for a service manager
    #[arg(long, exclusive = false)]
    pub daemon: bool,
    /// Log to files: the daemon was started by a client
    #[arg(long, hide = true, requires = "daemon")]
    pub background: bool,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// Read this configuration file instead of the user's and the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Format of listings
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Log more
    #[arg(long, global = true)]
    pub debug: bool,
    /// Say nothing but data and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Wait at most so long for the daemon's answer (500ms, 10s, 2m)
    #[arg(long, global = true, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
}

/// Describes the command line; of the commands only the one that is `asked` for, if it is one of them.
///
/// The parser gives each command that it knows a copy of all that every command understands, which takes
/// longer than a quick command needs for the rest.
pub(super) fn described(asked: Option<&OsStr>) -> clap::Command {
    let all = Cli::command();
    let Some(one) = asked.and_then(OsStr::to_str).and_then(|word| all.find_subcommand(word)) else {
        return all;
    };
    let top = clap::Command::new(NAME).max_term_width(WIDTH).disable_help_subcommand(true);
    TopArgs::augment_args(top).subcommand(one.clone())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_is_refused_as_a_project_name() {
        for command in Cli::command().get_subcommands() {
            for name in std::iter::once(command.get_name()).chain(command.get_all_aliases()) {
                assert!(
                    crate::domain::name::check_project_name(name).is_err(),
                    "`{name}` must be reserved"
                );
            }
        }
    }

    #[test]
    fn a_command_that_is_described_alone_is_the_same() {
        let said = |mut command: clap::Command, words: &[&str]| match command
            .try_get_matches_from_mut(words)
            .and_then(|matches| Cli::from_arg_matches(&matches))
        {
            Ok(cli) => format!("{cli:?}"),
            Err(error) => error.render().ansi().to_string(),
        };
        for command in Cli::command().get_subcommands() {
            for name in std::iter::once(command.get_name()).chain(command.get_all_aliases()) {
                for rest in [&["--help"][..], &["-h"], &["--quiet"], &["--no-such"], &["--version"]]
                {
                    let words = [&["stratavore", name], rest].concat();
                    let alone = said(described(Some(OsStr::new(name))), &words);
                    assert_eq!(alone, said(Cli::command(), &words), "{words:?}");
                }
            }
        }
        let word = OsStr::new("runners");
        assert_eq!(described(Some(word)).get_subcommands().count(), 1);
        let before = ["stratavore", "--format", "json", "runners", "list", "--timeout", "2s"];
        assert_eq!(
            said(described(Some(OsStr::new(before[1]))), &before),
            said(Cli::command(), &before)
        );
        assert!(
            said(described(Some(OsStr::new("runers"))), &["stratavore", "runers"])
                .contains("runers")
        );
    }
}
