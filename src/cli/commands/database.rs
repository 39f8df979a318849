//! `stratavore database`: where state and events are kept; look, migrate, move up to a server.

use std::time::Duration;

use chrono::Utc;
use serde::Serialize;
use tokio::time::Instant;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human,
        operations::{CopyArgs, DatabaseArgs, DatabaseCommand},
        printer::Printer,
    },
    daemon::{self, Copied, DatabaseReport, Progress, Step},
    domain::failure::Failure,
};

/// Progress is told at most so often.
const TELLING: Duration = Duration::from_millis(500);

/// Runs what was asked for; needs no daemon.
pub(super) fn run(args: &DatabaseArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.as_ref().unwrap_or(&DatabaseCommand::Status) {
        DatabaseCommand::Status => ("use the database", block_on(status(context, printer))),
        DatabaseCommand::Migrate => ("migrate the database", block_on(migrate(context, printer))),
        DatabaseCommand::Copy(args) => {
            ("copy the database", block_on(copy(args, context, printer)))
        }
    }
}

/// A report with where its database was configured.
#[derive(Serialize)]
struct Status<'a> {
    #[serde(flatten)]
    report: &'a DatabaseReport,
    source: String,
}

async fn status(context: &Context, printer: Printer) -> Result<(), Failure> {
    let (report, failure) = daemon::database_status(context.config(), &context.places).await;
    let source = source(context);
    let known = |text: String| if report.is_reachable { text } else { String::new() };
    let newest = report.schema_known;
    let held = |text: String| if report.schema == newest { text } else { String::new() };
    let whole = |count: u64| held(count.to_string());
    let schema = match report.schema {
        _ if !report.is_reachable => format!("this program knows {newest}"),
        0 => format!("none, this program knows {newest}"),
        schema => format!("{schema}, this program knows {newest}"),
    };
    let reachable = match &failure {
        Some(_) if !report.is_reachable => "no",
        _ if report.is_reachable => "yes",
        _ => "not yet",
    };
    let waiting = match report.outbox_oldest {
        Some(oldest) => format!(
            "{} waiting, {} parked, the oldest for {}",
            report.outbox_waiting,
            report.outbox_parked,
            human::age(oldest, Utc::now())
        ),
        None => whole(report.outbox_waiting),
    };
    let fields = [
        ("database", format!("{} {}", report.kind, report.version).trim_end().to_owned()),
        ("where", report.name.clone()),
        ("configured", source.clone()),
        ("reachable", reachable.to_owned()),
        ("tls", report.tls.clone()),
        ("schema", schema),
        ("migration", report.migration.clone()),
        ("size", known(size(report.size_bytes))),
        ("projects", whole(report.projects)),
        ("runners", held(format!("{}, {} live", report.runners, report.runners_live))),
        ("events", whole(report.events)),
        ("outbox", waiting),
        ("pgvector", report.pgvector.clone()),
        ("connections", report.pool.clone()),
    ];
    printer.one(&Status { report: &report, source }, &fields)?;
    failure.map_or(Ok(()), Err)
}

/// Where the choice of the database comes from.
fn source(context: &Context) -> String {
    let config = &context.config().database;
    let key = if !config.is_postgresql() && config.names_postgresql() {
        "database.local"
    } else if !config.url.is_empty() {
        "database.url"
    } else {
        "database.postgresql.host"
    };
    match context.loaded.origins.get(key) {
        None => "by default: no server is configured".to_owned(),
        Some(origin) => format!("{key} in {origin}"),
    }
}

fn size(bytes: u64) -> String {
    let kib = bytes.div_ceil(1024);
    if kib < 10_240 { format!("{kib} KiB") } else { format!("{} MiB", kib / 1024) }
}

async fn migrate(context: &Context, printer: Printer) -> Result<(), Failure> {
    let (from, to) = daemon::migrate_database(context.config(), &context.places).await?;
    if !printer.is_table() {
        return printer.one(&serde_json::json!({ "from": from, "to": to }), &[]);
    }
    printer.note(&if from == to {
        format!("the schema is up to date ({to})")
    } else {
        format!("migrated the schema from {from} to {to}")
    });
    Ok(())
}

async fn copy(args: &CopyArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let mut next = Instant::now() + TELLING;
    let mut told = |progress: Progress| {
        if progress.done < progress.total && Instant::now() < next {
            return;
        }
        next = Instant::now() + TELLING;
        let what = match progress.what {
            Step::Copy => "copied",
            Step::Check => "checked",
        };
        printer.note(&format!("{what} {} of {} {}", progress.done, progress.total, progress.table));
    };
    let urls = (args.from.as_deref(), args.to.as_deref());
    let (config, places) = (context.config(), &context.places);
    let copied = daemon::copy_database(config, places, urls, args.rename, &mut told).await?;
    show(&copied, printer)
}

fn show(copied: &Copied, printer: Printer) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.one(copied, &[]);
    }
    printer.list(&copied.tables, &["table", "source", "written", "target"], |table| {
        let [source, written, target] = [table.source, table.written, table.target];
        let mut row = vec![table.table.to_owned()];
        row.extend([source, written, target].map(|count| count.to_string()));
        row
    })?;
    for (old, new) in &copied.renamed {
        printer.note(&format!("{old} is {new} there"));
    }
    if copied.queued > 0 {
        printer.note(&format!("queued {} events for the broker again", copied.queued));
    }
    if copied.unsealed > 0 {
        printer.note(&format!("{} events are sealed by the daemons there", copied.unsealed));
    }
    printer.note("every row of the source is in the target");
    Ok(())
}
