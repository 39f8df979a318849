//! `stratavore PROJECT`: into that project's agent, starting one if none runs.

use std::ffi::OsString;

use super::{Outcome, attach};
use crate::{
    cli::{
        args::Cli,
        context::{Context, block_on, environment_of_client, umask},
        is_interactive,
        printer::Printer,
    },
    client::size_of_terminal,
    domain::{
        failure::Failure,
        launch::{LaunchRequest, RestartPolicy},
        name::check_project_name,
    },
};

/// Goes into the newest live runner of the project, or launches its agent.
pub(super) fn run(words: &[OsString], context: &Context, printer: Printer) -> Outcome {
    let Some((name, rest)) = words.split_first() else { return ("", Ok(())) };
    let name = name.to_string_lossy().into_owned();
    // A word that can be no project is a mistyped command, and starts nothing.
    if let Err(error) = check_project_name(&name) {
        let failure = Failure::usage("UNKNOWN_COMMAND", error.to_string());
        return ("understand the command", Err(unknown(&name, failure, Vec::new())));
    }
    if let Some(word) = rest.first() {
        let what = format!("`{}` after the project's name", word.to_string_lossy().escape_debug());
        let failure = Failure::usage("UNEXPECTED_ARGUMENT", what)
            .with_hint(format!("stratavore launch {name} -- COMMAND"));
        return ("understand", Err(failure));
    }
    ("go into the project", go(&name, context, printer))
}

fn go(name: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let runner = block_on(async {
        let client = context.client().await?;
        if let Err(failure) = client.get_project(name).await {
            let projects = client.list_projects("").await.unwrap_or_default();
            let names = projects.into_iter().map(|project| project.name).collect();
            return Err(unknown(name, failure, names));
        }
        if let Some(runner) = client.list_runners(name, "live", 1).await?.pop() {
            return Ok(runner.name);
        }
        let request = LaunchRequest {
            request_id: None,
            project: name.to_owned(),
            name: String::new(),
            command: Vec::new(),
            cwd: None,
            worktree: None,
            environment: environment_of_client(),
            size: size_of_terminal().unwrap_or_default(),
            restart: RestartPolicy::Never,
            umask: umask(),
            max_tokens: None,
        };
        let launched = client.launch(&request).await?;
        for warning in &launched.warnings {
            printer.note(&format!("! {warning}"));
        }
        Ok(launched.runner.name)
    })?;
    if is_interactive() {
        return attach::by_name(&runner, context, printer);
    }
    printer.line(&runner)
}

/// Names the command or project that was probably meant.
fn unknown(name: &str, failure: Failure, projects: Vec<String>) -> Failure {
    use clap::CommandFactory as _;
    let cli = Cli::command();
    let mut names = projects;
    names.extend(cli.get_subcommands().map(|command| command.get_name().to_owned()));
    let what = format!("no command and no project `{}`", name.escape_debug());
    let hint = match crate::config::nearest(name, &names) {
        Some(near) => format!("did you mean: stratavore {near}"),
        None => "stratavore --help".to_owned(),
    };
    Failure { message: what, hint, ..failure }
}
