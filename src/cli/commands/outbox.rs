//! `stratavore outbox`: what waits for the broker, and what was given up.

use chrono::{Local, Utc};

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human,
        operations::{OutboxArgs, OutboxCommand},
        printer::Printer,
    },
    domain::failure::Failure,
};

/// Runs what was asked for.
pub(super) fn run(args: OutboxArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(OutboxCommand::Status) {
        OutboxCommand::Status => ("show the outbox", block_on(status(context, printer))),
        OutboxCommand::List { parked, limit } => {
            ("list the outbox", block_on(list(parked, limit, context, printer)))
        }
        OutboxCommand::Retry { event } => (
            "retry",
            block_on(async {
                let retried = context.client().await?.retry_outbox(event).await?;
                printer.note(&format!("{retried} events are tried again"));
                Ok(())
            }),
        ),
        OutboxCommand::Discard { event, .. } => (
            "discard",
            block_on(async {
                let discarded = context.client().await?.discard_outbox(event).await?;
                printer.note(&if event.is_some() {
                    "it is no longer queued; it stays in the event log".to_owned()
                } else {
                    format!("{discarded} events are no longer queued; they stay in the event log")
                });
                Ok(())
            }),
        ),
    }
}

async fn status(context: &Context, printer: Printer) -> Result<(), Failure> {
    let outbox = context.client().await?.outbox().await?;
    let oldest = outbox
        .counts
        .oldest
        .map_or_else(|| "-".to_owned(), |oldest| format!("{} ago", human::age(oldest, Utc::now())));
    let broker = if outbox.broker.is_empty() { "none is configured" } else { &outbox.broker };
    printer.one(
        &outbox,
        &[
            ("broker", broker.to_owned()),
            ("waiting", outbox.counts.waiting.to_string()),
            ("oldest", oldest),
            ("parked", outbox.counts.parked.to_string()),
        ],
    )?;
    if outbox.broker.is_empty() && outbox.counts.waiting > 0 {
        printer
            .note("what waits is kept for a broker; stratavore outbox discard --all gives it up");
    }
    Ok(())
}

async fn list(
    only_parked: bool,
    limit: u32,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let entries = context.client().await?.list_outbox(only_parked, limit).await?;
    let heads = ["since", "event", "routing key", "tries", "state", "why"];
    printer.list(&entries, &heads, |entry| {
        let since = entry.created_at.with_timezone(&Local);
        let state = if entry.parked_at.is_some() { "parked" } else { "waiting" };
        vec![
            since.format("%Y-%m-%d %H:%M:%S").to_string(),
            entry.event_id.to_string(),
            human::clip(&entry.routing_key, 48),
            format!("{}/{}", entry.attempts, entry.max_attempts),
            state.to_owned(),
            human::clip(entry.error.as_deref().unwrap_or("-"), 60),
        ]
    })
}
