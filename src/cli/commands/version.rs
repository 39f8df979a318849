//! `stratavore version`.

use crate::{
    cli::{args::VersionArgs, context::Context, printer::Printer},
    domain::failure::Failure,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints this program's version.
pub(super) fn short(args: &VersionArgs, printer: Printer) -> Result<(), Failure> {
    if args.short { printer.line(VERSION) } else { printer.line(&format!("stratavore {VERSION}")) }
}

/// Prints this program's version and the running daemon's.
pub(super) async fn detailed(context: &Context, printer: Printer) -> Result<(), Failure> {
    let daemon = match context.running_client().await? {
        Some(client) => client.status().await?.version,
        None => "not running".to_owned(),
    };
    let value = serde_json::json!({ "stratavore": VERSION, "daemon": daemon });
    printer.one(&value, &[("stratavore", VERSION.to_owned()), ("daemon", daemon)])
}
