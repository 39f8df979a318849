//! `stratavore watch`: a line whenever a runner changes.

use std::collections::HashMap;

use crate::{
    cli::{args::WatchArgs, context::Context, human, known, printer::Printer},
    domain::{failure::Failure, id::RunnerId, runner::Runner},
};

/// Prints changes until the person has seen enough. A lost daemon is waited for; what changed
/// meanwhile is then printed.
pub(super) async fn run(
    args: &WatchArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let mut client = context.client().await?;
    known::project(&client, &args.project).await?;
    let mut seen = HashMap::new();
    loop {
        let mut changes = client.watch_runners().await?;
        while let Ok(Some(update)) = changes.next().await {
            for runner in update.runners {
                print(&runner, &mut seen, args, printer)?;
            }
        }
        client = context.next_client().await?;
    }
}

/// Prints a runner unless it reads as it did before.
fn print(
    runner: &Runner,
    seen: &mut HashMap<RunnerId, String>,
    args: &WatchArgs,
    printer: Printer,
) -> Result<(), Failure> {
    let wanted = args.project.is_empty() || runner.project == args.project;
    let state = human::state(runner);
    let old = seen.insert(runner.id, state.clone());
    let unchanged = old.as_ref() == Some(&state);
    if !wanted || unchanged || (old.is_none() && !runner.status.is_live()) {
        return Ok(());
    }
    if printer.is_table() {
        let time = chrono::Local::now().format("%H:%M:%S");
        printer.line(&format!("{time}  {:<16}  {state}", runner.name))
    } else {
        printer.json_line(runner)
    }
}
