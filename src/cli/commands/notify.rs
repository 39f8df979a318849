//! `stratavore notify`: tells people outside something, and shows what became of it.

use std::io::{self, IsTerminal as _, Read as _};

use chrono::{Local, TimeDelta, Utc};

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human,
        notify::{NotifyArgs, NotifyCommand},
        printer::Printer,
    },
    domain::{amount::counted, failure::Failure, notification::DeliveryState},
};

/// Text at most; the daemon refuses more.
const MOST: u64 = 100_000;

/// Runs what was asked for.
pub(super) fn run(args: NotifyArgs, context: &Context, printer: Printer) -> Outcome {
    let Some(command) = args.command else {
        return ("notify", block_on(say(&args, context, printer)));
    };
    match command {
        NotifyCommand::List { state, limit } => {
            ("list the notifications", block_on(list(&state, limit, context, printer)))
        }
        NotifyCommand::Retry { id } => (
            "retry",
            block_on(async {
                let retried = context.client().await?.retry_notifications(id).await?;
                let said = match retried {
                    0 => "none waits; a channel that rested is tried at once".to_owned(),
                    _ => counted(
                        retried,
                        "notification is tried again",
                        "notifications are tried again",
                    ),
                };
                printer.note(&said);
                Ok(())
            }),
        ),
        NotifyCommand::Discard { id, .. } => (
            "discard",
            block_on(async {
                let discarded = context.client().await?.discard_notifications(id).await?;
                printer.note(&counted(
                    discarded,
                    "notification was given up",
                    "notifications were given up",
                ));
                Ok(())
            }),
        ),
        NotifyCommand::Test { channel } => {
            ("send the test", block_on(test(&channel, context, printer)))
        }
    }
}

async fn say(args: &NotifyArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let text = if args.text.is_empty() { read_stdin()? } else { args.text.join(" ") };
    context.client().await?.notify(&text, &args.severity, &args.channel).await?;
    printer.note("it is on its way; stratavore notify list shows what becomes of it");
    Ok(())
}

fn read_stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage("NO_TEXT", "there is no text")
            .with_hint("stratavore notify TEXT, or: stratavore notify < FILE"));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(MOST).read_to_end(&mut bytes).map_err(|error| {
        Failure::unavailable("NO_TEXT", format!("read standard input: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn list(state: &str, limit: u32, context: &Context, printer: Printer) -> Result<(), Failure> {
    let all = context.client().await?.list_notifications(state, limit).await?;
    let now = Utc::now();
    let heads = ["id", "since", "channel", "state", "tries", "what", "why"];
    printer.list(&all, &heads, |delivery| {
        let since = delivery.created_at.with_timezone(&Local);
        let state = match delivery.state {
            DeliveryState::Waiting if delivery.due_at > now => {
                // A part of a second is left too.
                let left = human::until(delivery.due_at + TimeDelta::seconds(1), now);
                format!("waiting {left}")
            }
            state => state.as_str().to_owned(),
        };
        let told = &delivery.notification;
        vec![
            delivery.id.to_string(),
            since.format("%m-%d %H:%M:%S").to_string(),
            delivery.channel.clone(),
            state,
            delivery.attempts.to_string(),
            human::clip(&told.title, 48),
            human::clip(delivery.error.as_deref().unwrap_or("-"), 60),
        ]
    })
}

async fn test(channel: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let tests = context.client().await?.test_channels(channel).await?;
    printer.list(&tests, &["channel", "test"], |test| {
        let outcome = test.error.as_deref().unwrap_or("taken");
        vec![test.channel.clone(), human::clip(outcome, 120)]
    })?;
    match tests.iter().find(|test| test.error.is_some()) {
        None => Ok(()),
        Some(test) => {
            let what = format!("{} does not take it", test.channel);
            Err(Failure::unavailable("NOT_TAKEN", what))
        }
    }
}
