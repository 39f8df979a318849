//! `stratavore restore`: puts a backup into the root directory.

use super::{Outcome, backup};
use crate::{
    cli::{
        context::{Context, block_on},
        host::RestoreArgs,
        printer::Printer,
    },
    daemon,
    domain::failure::Failure,
};

/// Runs what was asked for; no daemon may run.
pub(super) fn run(args: &RestoreArgs, context: &Context, printer: Printer) -> Outcome {
    ("restore the backup", block_on(restore(args, context, printer)))
}

async fn restore(args: &RestoreArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let RestoreArgs { file, dry_run, force } = args;
    let restored = daemon::restore(&context.places, file, *dry_run, *force).await?;
    if !printer.is_table() {
        return printer.one(&restored, &[]);
    }
    backup::show(&restored.manifest, printer)?;
    let to = &restored.restored_to;
    if *dry_run {
        printer.note(&format!("the backup is whole; it would go to {to}, nothing was changed"));
        if !restored.refused_now.is_empty() {
            printer.note(&format!("as things stand it would be refused: {}", restored.refused_now));
        }
        return Ok(());
    }
    printer.note(&format!("restored to {to}"));
    if !restored.put_aside.is_empty() {
        printer.note(&format!("what was there is in {}", restored.put_aside));
    }
    printer.note("the configuration that was saved is in its folder config, for looking at");
    printer.note(
        "next: stratavore audit verify (with --verify-key HEX if the key was printed once), then \
         stratavore daemon start",
    );
    Ok(())
}
