//! `stratavore watch`: a line whenever a runner changes.

use crate::{
    cli::{args::WatchArgs, context::Context, human, printer::Printer},
    domain::failure::Failure,
};

/// Prints changes until the daemon leaves or the person has seen enough.
pub(super) async fn run(
    args: &WatchArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let mut changes = context.client().await?.watch_runners().await?;
    let mut seen = std::collections::HashMap::new();
    while let Some(update) = changes.next().await? {
        for runner in update.runners {
            let wanted = args.project.is_empty() || runner.project == args.project;
            let state = human::state(&runner);
            let old = seen.insert(runner.id, state.clone());
            let unchanged = old.as_ref() == Some(&state);
            if !wanted || unchanged || (old.is_none() && !runner.status.is_live()) {
                continue;
            }
            if printer.is_table() {
                let time = chrono::Local::now().format("%H:%M:%S");
                printer.line(&format!("{time}  {:<16}  {state}", runner.name))?;
            } else {
                printer.json_line(&runner)?;
            }
        }
    }
    Ok(())
}
