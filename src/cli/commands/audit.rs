//! `stratavore audit`: is the event log what it was?

use std::path::Path;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        operations::{AuditArgs, AuditCommand},
        printer::Printer,
    },
    daemon,
    domain::{
        audit::AuditReport,
        chain::{Checkpoint, Key},
        failure::Failure,
    },
};

/// Runs what was asked for; needs no daemon.
pub(super) fn run(args: AuditArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command {
        AuditCommand::Verify { verify_key, checkpoint } => {
            let verifying = async {
                let keys = verify_key.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
                let mut checkpoints = Vec::new();
                for path in &checkpoint {
                    checkpoints.extend(read_checkpoints(path)?);
                }
                let (config, places) = (&context.loaded.config, &context.places);
                let report = daemon::verify_log(config, places, keys, checkpoints).await?;
                show(&report, printer)
            };
            ("verify the event log", block_on(verifying))
        }
        AuditCommand::Key => ("print the verification key", print_key(context, printer)),
    }
}

fn key(text: &str) -> Result<Key, Failure> {
    Key::parse(text).ok_or_else(|| {
        Failure::usage("BAD_KEY", "the verification key is not 64 hexadecimal digits")
            .with_hint("stratavore audit key prints it once, on the node that wrote the log")
    })
}

/// Reads checkpoints, one JSON object a line.
fn read_checkpoints(path: &Path) -> Result<Vec<Checkpoint>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage("BAD_CHECKPOINTS", format!("read checkpoints `{shown}`: {error}"))
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                let what = format!("read checkpoints `{shown}`:{}: {error}", index + 1);
                Failure::usage("BAD_CHECKPOINTS", what)
            })
        })
        .collect()
}

fn show(report: &AuditReport, printer: Printer) -> Result<(), Failure> {
    if printer.is_table() {
        for finding in &report.findings {
            printer.line(finding)?;
        }
        let told = report.findings.len() as u64;
        if report.wrong > told {
            printer.line(&format!("… and {} more", report.wrong - told))?;
        }
        let range = if report.checked == 0 {
            "the log is empty".to_owned()
        } else {
            format!("checked {} events, {} to {}", report.checked, report.first, report.newest)
        };
        printer.note(&format!("{range}; {} checkpoints", report.checkpoints));
        if report.unsigned > 0 {
            printer.note(&format!("{} events are older than signatures", report.unsigned));
        }
    } else {
        printer.one(
            &serde_json::json!({
                "good": report.is_good(), "checked": report.checked, "first": report.first,
                "newest": report.newest, "checkpoints": report.checkpoints,
                "unsigned": report.unsigned, "wrong": report.wrong, "findings": report.findings,
                "unknown_keys": report.unknown_keys,
            }),
            &[],
        )?;
    }
    if report.wrong > 0 {
        let things = if report.wrong == 1 { "thing is" } else { "things are" };
        let what = format!("{} {things} wrong: the log is not what was written", report.wrong);
        return Err(Failure::conflict("TAMPERED", what));
    }
    if !report.unknown_keys.is_empty() {
        let names: Vec<_> = report.unknown_keys.iter().map(String::as_str).collect();
        let what = format!("events name keys that are not given: {}", names.join(", "));
        return Err(Failure::usage("KEY_MISSING", what)
            .with_hint("pass each node's key with --verify-key; stratavore audit key printed it"));
    }
    if printer.is_table() {
        printer.note("the log is what was written");
    }
    Ok(())
}

/// Prints the first key and removes it from this machine.
fn print_key(context: &Context, printer: Printer) -> Result<(), Failure> {
    let (key, path) = daemon::first_key(&context.loaded.config, &context.places)?;
    daemon::note_key_shown(&context.loaded.config, &context.places)?;
    printer.line(&key.to_hex())?;
    std::fs::remove_file(&path).map_err(|error| {
        let what = format!("remove `{}`: {error}", path.display());
        Failure::unavailable("KEY_LEFT", what)
            .with_hint(format!("remove it yourself: rm -f '{}'", path.display()))
    })?;
    printer.talk(
        "keep it on another machine: it is not shown again, and with it stratavore audit verify \
         --verify-key checks everything that this node wrote",
    );
    Ok(())
}
