//! Shell completion: the shell asks this program, which knows what runs.

use std::{io::Write as _, process::ExitCode, time::Duration};

use clap::CommandFactory as _;
use clap_complete::{CompletionCandidate, env::CompleteEnv, env::Shells};

use super::{context::block_on, top::Cli};
use crate::{
    client::{Client, ItemQuery},
    config::{self, Places},
    domain::{
        agent::Agent,
        agent_command::Permission,
        api_token::Scope,
        budget::{BudgetAction, BudgetScope, Period},
        event::EventType,
        failure::Failure,
    },
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

/// The names of the HTTP API's tokens that are not revoked yet.
pub(super) fn tokens() -> Vec<CompletionCandidate> {
    ask(async |client| {
        let mut tokens = client.list_tokens().await?;
        tokens.retain(|token| token.revoked_at.is_none());
        Ok(tokens.into_iter().map(|token| token.name).collect())
    })
}

/// Whose use a budget can count.
pub(super) fn budget_scopes() -> Vec<CompletionCandidate> {
    let mut all = vec![CompletionCandidate::new("global")];
    all.extend(ask(async |client| {
        let projects = client.list_projects("").await?.into_iter().map(|one| one.name);
        let mut scopes: Vec<_> =
            projects.map(|name| BudgetScope::Project(name).to_string()).collect();
        let runners = client.list_runners("", "live", 0).await?.into_iter().map(|one| one.name);
        scopes.extend(runners.map(|name| BudgetScope::Runner(name).to_string()));
        Ok(scopes)
    }));
    all
}

/// How long a budget lasts.
pub(super) fn periods() -> Vec<CompletionCandidate> {
    words(Period::ALL.map(Period::as_str))
}

/// What a budget does once it is used up.
pub(super) fn budget_actions() -> Vec<CompletionCandidate> {
    words(BudgetAction::ALL.map(BudgetAction::as_str))
}

/// What a token of the HTTP API may do.
pub(super) fn token_scopes() -> Vec<CompletionCandidate> {
    words(Scope::ALL.map(Scope::as_str))
}

/// What an agent may do without asking.
pub(super) fn permissions() -> Vec<CompletionCandidate> {
    words(Permission::ALL.map(Permission::as_str))
}

/// The agents that are known, and those of the user's own.
pub(super) fn agents() -> Vec<CompletionCandidate> {
    let mut all = words(Agent::ALL.map(Agent::as_str));
    if let Ok(loaded) = config::load(&config::Sources::of_process(None)) {
        all.extend(loaded.config.agents.own().map(|(name, _)| CompletionCandidate::new(name)));
    }
    all
}

/// The types of events.
pub(super) fn event_types() -> Vec<CompletionCandidate> {
    EventType::names().into_iter().map(CompletionCandidate::new).collect()
}

fn words<const N: usize>(all: [&'static str; N]) -> Vec<CompletionCandidate> {
    all.into_iter().map(CompletionCandidate::new).collect()
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
