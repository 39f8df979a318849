//! `stratavore doctor`: what is wrong with this machine, and how it is mended.

use serde::Serialize;

use super::{Outcome, support};
use crate::{
    cli::{
        context::block_on,
        doctor::{self, Finding, Findings, Level, Machine},
        host::DoctorArgs,
        printer::Printer,
        top::GlobalArgs,
    },
    config::Sources,
    daemon,
    domain::failure::Failure,
};

/// Runs what was asked for; needs no daemon and no valid configuration.
pub(super) fn run(args: &DoctorArgs, global: &GlobalArgs, printer: Printer) -> Outcome {
    let sources = Sources::of_process(global.config.clone());
    let examining = async {
        if let Some(path) = &args.bundle {
            daemon::check_output(path).map_err(|failure| match failure.reason.as_str() {
                "EXISTS" => failure.with_hint("--bundle names another file"),
                _ => failure,
            })?;
        }
        let machine = Machine::look(&sources).await;
        let found = doctor::examine(&machine).await;
        show(&found, printer)?;
        if let Some(path) = &args.bundle {
            support::write(&machine, &found, path, printer).await?;
        }
        verdict(&found, printer)
    };
    ("find this machine well", block_on(examining))
}

/// All that was found, with the worst of it.
#[derive(Serialize)]
struct Report<'a> {
    worst: Level,
    findings: &'a [Finding],
}

fn show(found: &Findings, printer: Printer) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.one(&Report { worst: found.worst(), findings: found.all() }, &[]);
    }
    for line in lines(found) {
        printer.line(&line)?;
    }
    Ok(())
}

/// Returns what was found as it is read.
pub(super) fn lines(found: &Findings) -> Vec<String> {
    let width = found.all().iter().map(|finding| finding.area.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { area, level, what, fix } in found.all() {
        let level = level.as_str();
        lines.push(format!("{level:7}  {area:width$}  {}", what.replace('\n', " ")));
        if !fix.is_empty() {
            lines.push(format!("{:7}  {:width$}  → {fix}", "", ""));
        }
    }
    lines
}

/// Turns the worst level into the exit code: 0, 1 with warnings, 6 when something does not work.
fn verdict(found: &Findings, printer: Printer) -> Result<(), Failure> {
    let (broken, warnings) = (found.count(Level::Broken), found.count(Level::Warning));
    let warned = match warnings {
        0 => String::new(),
        1 => "1 warning".to_owned(),
        many => format!("{many} warnings"),
    };
    match found.worst() {
        Level::Broken => {
            let also = if warned.is_empty() { warned } else { format!("; {warned}") };
            let what = match broken {
                1 => format!("1 thing does not work{also}"),
                many => format!("{many} things do not work{also}"),
            };
            Err(Failure::unavailable("BROKEN", what))
        }
        Level::Warning => {
            printer.note(&warned);
            Err(Failure::unavailable(doctor::WARNED, warned))
        }
        Level::Ok | Level::Note => {
            printer.note("all is well");
            Ok(())
        }
    }
}
