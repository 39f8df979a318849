//! `stratavore status`, `health`, `metrics`, `reconcile`.

use super::runners;
use crate::{
    cli::{
        args::StatusArgs,
        context::Context,
        doctor::WARNED,
        operations::{MetricsArgs, MetricsCommand, ReconcileArgs},
        printer::Printer,
    },
    client::ComponentView,
    domain::failure::Failure,
};

/// Shows what the daemon is and has.
pub(super) async fn run(
    args: &StatusArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let status = client.status().await?;
    if !printer.is_table() {
        return printer.one(&status, &[]);
    }
    let counts = |map: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<_> =
            map.iter().filter(|(_, n)| **n > 0).map(|(word, n)| format!("{n} {word}")).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    printer.one(
        &status,
        &[
            ("node", format!("{} ({})", status.hostname, status.node_id)),
            ("daemon", format!("{}, process {}", status.version, status.pid)),
            ("up", format!("{} s", status.uptime_seconds)),
            ("memory", format!("{} MiB", status.memory_kb / 1024)),
            ("root", status.root.clone()),
            ("database", status.database.clone()),
            ("projects", status.projects.to_string()),
            ("runners", counts(&status.runners)),
            ("agents", counts(&status.activities)),
        ],
    )?;
    if args.detailed {
        printer.line("")?;
        runners::table(&client.list_runners("", "live", 0).await?, context, printer)?;
    }
    Ok(())
}

/// Checks each part of the daemon. One that fails makes the command fail; one that the rest does without
/// is a warning, as those of a doctor.
pub(super) async fn health(context: &Context, printer: Printer) -> Result<(), Failure> {
    let components = context.client().await?.health().await?;
    printer.list(&components, &["part", "state", "detail"], |component| {
        vec![component.name.clone(), component.state.clone(), component.detail.clone()]
    })?;
    let (warnings, failures): (Vec<_>, Vec<_>) = { components.iter() }
        .filter(|component| component.state != "ok")
        .partition(|component| component.state == "degraded");
    let told = |component: &ComponentView| {
        format!("{} is {}: {}", component.name, component.state, component.detail)
    };
    for component in &warnings {
        printer.talk(&format!("warning: {}", told(component)));
    }
    match failures.first() {
        Some(component) => Err(Failure::unavailable("UNHEALTHY", told(component))
            .with_hint("stratavore doctor tells what to do")),
        None if warnings.is_empty() => Ok(()),
        None => Err(Failure::unavailable(WARNED, "some parts are degraded")),
    }
}

/// Shows the daemon's metrics; their reference is assets/docs/metrics.md.
pub(super) async fn metrics(
    args: &MetricsArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let (values, text) = context.client().await?.metrics().await?;
    if let Some(MetricsCommand::Show { raw: true }) = args.command {
        return printer.bytes(text.as_bytes());
    }
    if !printer.is_table() {
        return printer.one(&values, &[]);
    }
    // What a distribution's buckets hold is for machines.
    let rows: Vec<_> = values.iter().filter(|(name, _)| !name.contains("_bucket{")).collect();
    printer
        .list(&rows, &["metric", "value"], |(name, value)| vec![(*name).clone(), value.to_string()])
}

/// Settles every row against what really runs.
pub(super) async fn reconcile(
    args: &ReconcileArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    if let Some(node) = &args.forget {
        let ended = context.client().await?.forget_node(node).await?;
        if !printer.is_table() {
            return printer.one(&serde_json::json!({ "failed": ended }), &[]);
        }
        printer.note(&format!("forgot {node}; {} of its runners were still live", ended.len()));
        return Ok(());
    }
    let (checked, adopted, ended) = context.client().await?.reconcile().await?;
    if !printer.is_table() {
        let value = serde_json::json!({ "checked": checked, "adopted": adopted, "failed": ended });
        return printer.one(&value, &[]);
    }
    printer.note(&format!("looked at {checked} runners"));
    for name in adopted {
        printer.note(&format!("adopted {name}"));
    }
    for name in ended {
        printer.note(&format!("{name} had ended"));
    }
    Ok(())
}
