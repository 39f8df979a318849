//! `stratavore quotas`: how much projects may use, and how much they do.

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        printer::Printer,
        projects::{QuotasArgs, QuotasCommand},
    },
    domain::{
        failure::Failure,
        quota::{ProjectQuota, QuotaChange, QuotaName},
    },
};

/// Runs what was asked for.
pub(super) fn run(args: QuotasArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(QuotasCommand::Show { project: None }) {
        QuotasCommand::Show { project } => {
            let project = project.unwrap_or_default();
            ("show the quotas", block_on(show(&project, context, printer)))
        }
        QuotasCommand::Set { project, name, value } => {
            ("set the quota", block_on(set(&project, name, &value, context, printer)))
        }
        QuotasCommand::Clear { project, name } => {
            ("clear the quota", block_on(clear(&project, name, context, printer)))
        }
    }
}

async fn show(project: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let quotas = context.client().await?.list_quotas(project).await?;
    if quotas.is_empty() && printer.is_table() {
        printer.note("no projects yet");
        printer.note("  next: stratavore launch, in a directory of yours");
        return Ok(());
    }
    table(&quotas, printer)?;
    notes(&quotas, printer);
    Ok(())
}

fn table(quotas: &[ProjectQuota], printer: Printer) -> Result<(), Failure> {
    let heads = ["project", "runners", "memory", "cpu", "tokens today"];
    printer.list(quotas, &heads, |quota| {
        let mut cells = vec![quota.project.clone()];
        cells.extend(QuotaName::ALL.map(|name| cell(quota, name)));
        cells
    })
}

/// What is used of what: `3 of 5`, or only what is used.
fn cell(quota: &ProjectQuota, name: QuotaName) -> String {
    let used = name.amount(quota.used.of(name));
    let Some((_, limit)) = quota.measure(name) else { return used };
    let mark = if quota.is_exceeded(name) { " !" } else { "" };
    format!("{used} of {}{mark}", name.amount(limit))
}

/// Says what goes beyond its limit.
pub(super) fn excesses(quotas: &[ProjectQuota], printer: Printer) {
    for quota in quotas {
        for name in QuotaName::ALL.into_iter().filter(|name| quota.is_exceeded(*name)) {
            let (used, limit) = quota.measure(name).unwrap_or_default();
            let (used, limit) = (name.amount(used), name.amount(limit));
            printer.note(&format!(
                "! project {} uses {used} of {limit} {}",
                quota.project,
                name.short()
            ));
        }
    }
}

/// Says what goes beyond its limit, and whether anything holds it.
fn notes(quotas: &[ProjectQuota], printer: Printer) {
    excesses(quotas, printer);
    let is_limited = |quota: &&ProjectQuota| {
        quota.quota.max_memory_mb.is_some() || quota.quota.max_cpu_percent.is_some()
    };
    if quotas.iter().find(is_limited).is_some_and(|quota| !quota.is_enforced) {
        printer.note("memory and cpu are warned of, not held: see `limits` in stratavore health");
    }
}

async fn set(
    project: &str,
    name: QuotaName,
    value: &str,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let limit = name.parse_limit(value).map_err(|error| Failure::usage("BAD_QUOTA", error))?;
    let change = QuotaChange::from([(name, limit)]);
    let quota = context.client().await?.set_quota(project, &change).await?;
    told(&quota, printer)
}

async fn clear(
    project: &str,
    name: Option<QuotaName>,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let quota = context.client().await?.clear_quota(project, name).await?;
    told(&quota, printer)
}

/// Prints what is in force now.
fn told(quota: &ProjectQuota, printer: Printer) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.one(quota, &[]);
    }
    table(std::slice::from_ref(quota), printer)?;
    notes(std::slice::from_ref(quota), printer);
    Ok(())
}
