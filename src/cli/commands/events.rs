//! `stratavore events`: list and follow the event log.

use std::time::Duration;

use chrono::{Local, Utc};

use super::Outcome;
use crate::{
    cli::{
        args::{AboutArgs, EventArgs, EventsArgs, EventsCommand, FollowArgs},
        context::{Context, block_on},
        human, known,
        printer::Printer,
    },
    domain::{
        event::{Event, EventFilter},
        event_text::event_text,
        failure::Failure,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: EventsArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(EventsCommand::List(args.filter)) {
        EventsCommand::List(filter) => {
            ("list the events", block_on(list(&filter, context, printer)))
        }
        EventsCommand::Subscribe(args) => {
            ("follow the events", block_on(subscribe(&args, context, printer)))
        }
        EventsCommand::Show { event } => {
            ("show the event", block_on(show(&event, context, printer)))
        }
    }
}

fn filter(about: &AboutArgs, since: Option<Duration>, until: Option<Duration>) -> EventFilter {
    let before_now = |long: Duration| Utc::now() - long;
    EventFilter {
        project: about.project.clone(),
        event_type: about.event_type.clone(),
        runner: about.runner.clone(),
        since: since.map(before_now),
        until: until.map(before_now),
    }
}

async fn list(args: &EventArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    known::event_type(&args.about.event_type)?;
    let filter = filter(&args.about, args.since, args.until);
    let client = context.client().await?;
    let events = client.list_events(&filter, args.limit).await?;
    if events.is_empty() {
        known::project_or_past(&client, &filter.project).await?;
    }
    printer.list(&events, &["time", "event", "of", "what"], |event| {
        let time = event.timestamp.with_timezone(&Local);
        vec![
            time.format("%Y-%m-%d %H:%M:%S").to_string(),
            event.event_type.clone(),
            subject(event).to_owned(),
            human::clip(&summary(event), 80),
        ]
    })
}

/// Shows one event whole.
async fn show(word: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let event = context.client().await?.get_event(word).await?;
    let time = event.timestamp.with_timezone(&Local);
    printer.one(
        &event,
        &[
            ("event", event.event_type.clone()),
            ("of", subject(&event).to_owned()),
            ("time", time.format("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()),
            ("position", event.position.to_string()),
            ("id", event.event_id.clone()),
            ("entity", format!("{} {}", event.entity_type, event.entity_id)),
            ("sequence", event.sequence.to_string()),
            ("by", event.user_id.clone()),
            ("on", format!("{} ({})", event.hostname, event.node_id)),
            ("trace", event.trace_id.clone()),
            ("data", event.data.to_string()),
        ],
    )
}

/// Prints events as they happen. A lost daemon is waited for, and nothing is missed: the log is
/// followed by position. What was asked for of the past comes first; the log is followed before that is read, so
/// that none falls in between, and what both told is printed once.
async fn subscribe(args: &FollowArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    known::event_type(&args.about.event_type)?;
    let filter = filter(&args.about, args.since, None);
    let mut client = context.client().await?;
    known::project_or_past(&client, &filter.project).await?;
    let mut position = None;
    let (mut asks_for_past, mut printed) = (args.since.is_some(), 0);
    loop {
        let mut stream = client.subscribe_events(&filter, position).await?;
        if std::mem::take(&mut asks_for_past) {
            for event in client.list_events(&filter, args.limit).await? {
                printed = printed.max(event.position);
                print(&event, printer)?;
            }
        }
        while let Ok(Some(event)) = stream.next().await {
            if event.position > printed {
                print(&event, printer)?;
            }
        }
        position = stream.position();
        client = context.next_client().await?;
    }
}

fn print(event: &Event, printer: Printer) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.json_line(event);
    }
    let time = event.timestamp.with_timezone(&Local).format("%H:%M:%S");
    let line =
        format!("{time}  {:<16}  {:<16}  {}", event.event_type, subject(event), summary(event));
    printer.line(line.trim_end())
}

/// Whom an event is about.
fn subject(event: &Event) -> &str {
    if !event.runner.is_empty() {
        &event.runner
    } else if !event.project.is_empty() {
        &event.project
    } else {
        &event.hostname
    }
}

/// Returns the details of an event that a person wants to see.
fn summary(event: &Event) -> String {
    let mut parts = vec![event_text(event).0];
    if let Some(code) = event.data.get("exit_code").and_then(serde_json::Value::as_i64) {
        parts.push(format!("exit {code}"));
    }
    if let Some(words) = event.data.get("command").and_then(|value| value.as_array()) {
        let words: Vec<_> = words.iter().filter_map(|word| word.as_str()).collect();
        parts.push(words.join(" "));
    }
    human::one_line(&parts.join(" · "))
}
