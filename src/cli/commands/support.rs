//! `stratavore support`: writes what helps somebody else to find a fault.

use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Serialize;

use super::{Outcome, doctor::lines};
use crate::{
    cli::{
        context::block_on,
        doctor::{self, Findings, Machine},
        host::SupportArgs,
        printer::Printer,
        support,
        top::GlobalArgs,
    },
    config::Sources,
    daemon,
    domain::failure::Failure,
};

/// Runs what was asked for; needs no daemon and no valid configuration.
pub(super) fn run(args: &SupportArgs, global: &GlobalArgs, printer: Printer) -> Outcome {
    let sources = Sources::of_process(global.config.clone());
    let writing = async {
        let name = format!("stratavore-support-{}.tar.gz", Utc::now().format("%Y%m%d-%H%M%S"));
        let path = args.output.clone().unwrap_or_else(|| PathBuf::from(name));
        daemon::check_output(&path)?;
        let machine = Machine::look(&sources).await;
        let found = doctor::examine(&machine).await;
        write(&machine, &found, &path, printer).await
    };
    ("write the support bundle", block_on(writing))
}

/// A file in the bundle.
#[derive(Serialize)]
struct Entry {
    file: String,
    bytes: usize,
}

/// Writes the bundle and says what is in it.
pub(super) async fn write(
    machine: &Machine,
    found: &Findings,
    path: &Path,
    printer: Printer,
) -> Result<(), Failure> {
    let files = support::collect(machine, found, &lines(found).join("\n")).await;
    support::pack(path, &files).map_err(|error| {
        let what = format!("write `{}`: {error}", path.display());
        Failure::unavailable("NOT_WRITTEN", what).with_hint("--output names another file")
    })?;
    let entries: Vec<_> =
        files.into_iter().map(|(file, text)| Entry { file, bytes: text.len() }).collect();
    // Beside the findings of a doctor it would be a second document.
    if printer.is_table() {
        printer.list(&entries, &["file", "bytes"], |entry| {
            vec![entry.file.clone(), entry.bytes.to_string()]
        })?;
    }
    printer.note(&format!(
        "wrote {}, readable by you alone; look into it before you pass it on",
        path.display()
    ));
    Ok(())
}
