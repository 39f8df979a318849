//! `stratavore backup`: what cannot be made again, in one file.

use std::path::PathBuf;

use chrono::Utc;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        host::BackupArgs,
        printer::Printer,
    },
    config,
    daemon::{self, Entry, Manifest},
    domain::failure::Failure,
};

/// Runs what was asked for; needs no daemon and disturbs none.
pub(super) fn run(args: &BackupArgs, context: &Context, printer: Printer) -> Outcome {
    ("make a backup", block_on(save(args, context, printer)))
}

async fn save(args: &BackupArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let name = format!("stratavore-backup-{}.tar.gz", Utc::now().format("%Y%m%d-%H%M%S"));
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(name));
    let configuration = configuration(context);
    let wanted = daemon::Wanted {
        output: &output,
        with_output: args.with_output,
        configuration: &configuration,
    };
    let mut quiet = |_| {};
    let (config, places) = (context.config(), &context.places);
    let manifest = Box::pin(daemon::backup(config, places, wanted, &mut quiet)).await?;
    show(&manifest, printer)?;
    printer.note(&format!(
        "wrote {}: it holds the audit key, so it is readable by you alone; keep it elsewhere",
        output.display()
    ));
    Ok(())
}

/// Where configuration is, with the names that it gets in a backup.
fn configuration(context: &Context) -> Vec<(String, PathBuf)> {
    let mut places = config::directories();
    let named = context.loaded.origins.values().find_map(|origin| match origin {
        config::Origin::File(path) => Some(path),
        _ => None,
    });
    if let Some(path) = named.filter(|path| !places.iter().any(|(_, dir)| path.starts_with(dir))) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        places.push((format!("named/{name}"), path.clone()));
    }
    places
}

/// Shows what is in a backup.
pub(super) fn show(manifest: &Manifest, printer: Printer) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.one(manifest, &[]);
    }
    printer.list(&manifest.files, &["file", "bytes"], |Entry { path, bytes, .. }| {
        vec![path.clone(), bytes.to_string()]
    })?;
    printer.note(&format!(
        "{} events of {}, schema {}, made by version {} on {}",
        manifest.events, manifest.database, manifest.schema, manifest.version, manifest.hostname
    ));
    for trash in &manifest.trash {
        printer.note(&format!(
            "{}: {} removed worktrees are kept in the repository itself, {}",
            trash.project,
            trash.refs.len(),
            trash.path
        ));
    }
    for note in &manifest.notes {
        printer.note(note);
    }
    Ok(())
}
