//! Shell completion: the shell asks this program, which knows what runs.

use std::{io::Write as _, process::ExitCode, time::Duration};

use clap::CommandFactory as _;
use clap_complete::{CompletionCandidate, env::CompleteEnv, env::Shells};

use super::{args::Cli, context::block_on};
use crate::{
    client::{Client, ItemQuery},
    config::Places,
    domain::failure::Failure,
};

/// A person waits with a finger on the tab key.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers the shell.
pub(super) fn answer() -> ExitCode {
    CompleteEnv::with_factory(Cli::command).complete();
    ExitCode::SUCCESS
}

/// Returns the script that makes a shell ask.
pub(super) fn script(shell: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::internal(format!("write the completion script: {error}"))
    };
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| failed(&"an unknown shell"))?;
    let mut script = Vec::new();
    completer
        .write_registration("COMPLETE", "stratavore", "stratavore", "stratavore", &mut script)
        .map_err(|error| failed(&error))?;
    script.flush().map_err(|error| failed(&error))?;
    Ok(script)
}

/// The live runners' names.
pub(super) fn runners() -> Vec<CompletionCandidate> {
    ask(async |client| {
        let runners = client.list_runners("", "live", 0).await?;
        Ok(runners.into_iter().map(|runner| runner.name).collect())
    })
}

/// The names of the runners that have ended.
pub(super) fn ended() -> Vec<CompletionCandidate> {
    ask(async |client| {
        let mut runners = client.list_runners("", "", 0).await?;
        runners.retain(|runner| !runner.status.is_live());
        Ok(runners.into_iter().map(|runner| runner.name).collect())
    })
}

/// The open items of the inbox.
pub(super) fn items() -> Vec<CompletionCandidate> {
    ask(async |client| {
        let items = client.list_items(ItemQuery::default()).await?;
        Ok(items.into_iter().map(|item| item.short()).collect())
    })
}

/// The projects' names.
pub(super) fn projects() -> Vec<CompletionCandidate> {
    ask(async |client| {
        let projects = client.list_projects("").await?;
        Ok(projects.into_iter().map(|project| project.name).collect())
    })
}

/// Both, and `all`.
pub(super) fn runners_and_projects() -> Vec<CompletionCandidate> {
    let mut all = vec![CompletionCandidate::new("all")];
    all.extend(runners());
    all.extend(projects());
    all
}

/// Asks the daemon, if one runs; completion never starts one and never fails.
fn ask<F>(question: F) -> Vec<CompletionCandidate>
where
    F: AsyncFnOnce(Client) -> Result<Vec<String>, Failure>,
{
    let answered = block_on(async {
        let Ok(places) = Places::from_environment() else { return Ok(Vec::new()) };
        let asking = async {
            match Client::connect_if_running(&places).await? {
                Some(client) => question(client).await,
                None => Ok(Vec::new()),
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_elapsed| Ok(Vec::new()))
    });
    answered.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}
