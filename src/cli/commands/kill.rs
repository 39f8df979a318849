//! `stratavore kill`: ends runners with everything they started.

use futures_util::{StreamExt as _, stream};

use crate::{
    cli::{args::KillArgs, context::Context, printer::Printer},
    client::Client,
    domain::{failure::Failure, runner::Runner},
};

/// Runners ended at the same time.
const TOGETHER: usize = 32;

/// Ends every runner that the arguments name.
pub(super) async fn run(
    args: &KillArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let names = targets(args, &client).await?;
    if names.is_empty() {
        printer.note("no runner is live");
        return Ok(());
    }
    let mut ends = stream::iter(&names)
        .map(async |name| (name, client.stop(name, args.grace, args.force).await))
        .buffered(TOGETHER);
    let mut first = None;
    let mut runners = Vec::new();
    while let Some((name, end)) = ends.next().await {
        match end {
            Ok((runner, already)) => {
                tell(&runner, already, printer);
                runners.push(runner);
            }
            Err(failure) => {
                if names.len() > 1 {
                    printer.talk(&format!("{name}: {}", failure.message));
                }
                first.get_or_insert(failure);
            }
        }
    }
    if !printer.is_table() {
        printer.list(&runners, &[], |_| Vec::new())?;
    }
    first.map_or(Ok(()), Err)
}

fn tell(runner: &Runner, already: bool, printer: Printer) {
    let name = &runner.name;
    if already && runner.next_start().is_some() {
        printer.note(&format!("{name}: had ended, and is not started again"));
    } else if already {
        printer.note(&format!("{name}: already stopped"));
    } else if runner.survivors.is_empty() {
        printer.note(&format!("{name}: stopped"));
    } else {
        printer.talk(&format!("{name}: stopped, but survived: {}", runner.survivors.join(", ")));
    }
}

/// Returns the names of the runners meant: a word is a runner, a project or `all`.
async fn targets(args: &KillArgs, client: &Client) -> Result<Vec<String>, Failure> {
    let live = |project: String| async move {
        let mut runners = client.list_runners(&project, "live", 0).await?;
        // What has failed and waits for its next start comes back, unless it is stopped.
        let failed = client.list_runners(&project, "failed", 0).await?.into_iter();
        runners.extend(failed.filter(|runner| runner.next_start().is_some()));
        Ok::<_, Failure>(runners.into_iter().map(|runner| runner.name))
    };
    let mut names = Vec::new();
    if let Some(project) = &args.project {
        client.get_project(project).await?;
        names.extend(live(project.clone()).await?);
    }
    for word in &args.targets {
        if word == "all" {
            names.extend(live(String::new()).await?);
            continue;
        }
        match client.get_runner(word).await {
            Ok(runner) => names.push(runner.name),
            Err(failure) => match client.get_project(word).await {
                Ok(project) => names.extend(live(project.name).await?),
                Err(_) => return Err(failure),
            },
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}
