//! `stratavore runners remove`: ended runners go, with what they wrote; live ones never do.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};

use crate::{
    cli::{args::RemoveArgs, context::Context, printer::Printer},
    client::Client,
    domain::{failure::Failure, runner::Runner},
};

/// Runners removed at the same time.
const TOGETHER: usize = 32;

/// Removes every runner that the arguments name.
pub(super) async fn run(
    args: &RemoveArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let words = if args.ended { ended(args, &client).await? } else { args.runners.clone() };
    if words.is_empty() {
        printer.note("no such runner has ended");
        return Ok(());
    }
    let mut ends = stream::iter(&words)
        .map(async |word| (word, client.remove_runner(word).await))
        .buffered(TOGETHER);
    let (mut first, mut removed) = (None, Vec::new());
    while let Some((word, end)) = ends.next().await {
        match end {
            Ok(runner) => {
                printer.note(&format!("{}: removed", runner.name));
                removed.push(runner);
            }
            // What was meant is that it be gone.
            Err(failure) if args.ended && failure.reason == "RUNNER_NOT_FOUND" => {}
            Err(failure) => {
                if words.len() > 1 {
                    printer.talk(&format!("{word}: {}", failure.message));
                }
                first.get_or_insert(failure);
            }
        }
    }
    if !printer.is_table() {
        printer.list(&removed, &[], |_: &Runner| Vec::new())?;
    }
    first.map_or(Ok(()), Err)
}

/// Returns the names of all that have ended and that the filters leave.
async fn ended(args: &RemoveArgs, client: &Client) -> Result<Vec<String>, Failure> {
    if let Some(project) = &args.project {
        client.get_project(project).await?;
    }
    let project = args.project.as_deref().unwrap_or_default();
    let age = args.older_than.map(TimeDelta::from_std).transpose();
    let age = age.map_err(|_error| Failure::usage("BAD_AGE", "that is longer ago than time"))?;
    let before = age.map(|age| Utc::now() - age);
    let runners = client.list_runners(project, "", 0).await?;
    let is_meant = |runner: &Runner| !runner.status.is_live() && is_before(runner, before);
    Ok(runners.into_iter().filter(is_meant).map(|runner| runner.name).collect())
}

fn is_before(runner: &Runner, before: Option<DateTime<Utc>>) -> bool {
    let ended = runner.terminated_at.unwrap_or(runner.updated_at);
    before.is_none_or(|before| ended <= before)
}
