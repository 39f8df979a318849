//! `stratavore inbox`: what waits for a person, and what is done about it.

use std::{collections::BTreeMap, time::Duration};

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human::{age, clip, period, until},
        inbox::{InboxArgs, InboxCommand, InboxListArgs},
        printer::Printer,
    },
    client::ItemQuery,
    domain::{
        amount::{marked, money, tokens},
        answer::Answer,
        failure::Failure,
        inbox::{Class, Item, ItemState, Reason},
    },
};

/// How answers from here are written down.
const BY: &str = "command line";

/// Runs what was asked for.
pub(super) fn run(args: InboxArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(InboxCommand::List(args.list)) {
        InboxCommand::List(args) => ("list the inbox", block_on(list(args, context, printer))),
        InboxCommand::Show { item } => ("show the item", block_on(show(&item, context, printer))),
        InboxCommand::Answer { item, answer } => {
            ("answer", block_on(self::answer(&item, &answer.join(" "), context, printer)))
        }
        InboxCommand::Snooze { item, time } => {
            ("put the item off", block_on(snooze(&item, time, context, printer)))
        }
        InboxCommand::Dismiss { items, all, project } => {
            let which = if all { Err(project) } else { Ok(items) };
            ("put the items away", block_on(dismiss(which, context, printer)))
        }
        InboxCommand::Digest { since } => {
            ("tell what happened", block_on(digest(since, context, printer)))
        }
        InboxCommand::Watch { project } => {
            ("watch the inbox", block_on(watch(&project, context, printer)))
        }
    }
}

async fn list(args: InboxListArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let InboxListArgs { all, project, limit } = args;
    let query = ItemQuery { project, with_snoozed: all, with_closed: all, limit };
    let items = context.client().await?.list_items(query).await?;
    if items.is_empty() && printer.is_table() {
        printer.note("nothing waits for you");
        return Ok(());
    }
    if all {
        let heads = ["item", "runner", "reason", "state", "opened", "message"];
        return printer.list(&items, &heads, |item| {
            let state = match item.state {
                ItemState::Open => String::new(),
                ItemState::Answered => format!("answered {}", clip(&item.answer, 16)),
                state => state.as_str().to_owned(),
            };
            vec![
                item.short(),
                item.runner.clone(),
                item.reason.as_str().to_owned(),
                state,
                age(item.opened_at, Utc::now()),
                clip(&item.message, 48),
            ]
        });
    }
    let heads = ["item", "runner", "reason", "waits", "cost", "message"];
    printer.list(&items, &heads, |item| {
        vec![
            item.short(),
            item.runner.clone(),
            item.reason.as_str().to_owned(),
            age(item.opened_at, Utc::now()),
            cost(item),
            clip(&item.message, 48),
        ]
    })
}

fn cost(item: &Item) -> String {
    if item.cost.0 == 0 { String::new() } else { marked(&money(item.cost), item.quality) }
}

async fn show(word: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let item = context.client().await?.get_item(word).await?;
    let now = Utc::now();
    let state = match (item.state, item.snoozed_until) {
        (ItemState::Snoozed, Some(time)) => format!("snoozed for {}", until(time, now)),
        (state, _) => state.as_str().to_owned(),
    };
    let ended = match (&item.answer, item.closed_by.as_str(), item.resolution.as_str()) {
        (answer, by, _) if item.state == ItemState::Answered => format!("{answer} (by {by})"),
        (_, by, _) if item.state == ItemState::Dismissed => format!("put away by {by}"),
        (_, _, why) => why.to_owned(),
    };
    let fields = [
        ("item", item.id.to_string()),
        ("state", state),
        ("runner", item.runner.clone()),
        ("project", item.project.clone()),
        ("agent", item.agent.clone()),
        ("reason", item.reason.as_str().to_owned()),
        ("message", item.message.clone()),
        ("opened", format!("{} ago", age(item.opened_at, now))),
        ("cost", cost(&item)),
        ("ended", ended),
    ];
    printer.one(&item, &fields)?;
    if printer.is_table() {
        if !item.lines.is_empty() {
            printer.line("")?;
        }
        for line in &item.lines {
            printer.line(&format!("  │ {line}"))?;
        }
        if item.state.is_live() {
            printer.note(&format!("  next: {}", next(&item)));
        }
    }
    Ok(())
}

/// What can be done about an item.
fn next(item: &Item) -> String {
    let id = item.short();
    match item.class {
        // A person decides these in the agent's own dialog.
        Class::Ask if !matches!(item.reason, Reason::Permission | Reason::Question) => {
            format!("stratavore attach {}", item.runner)
        }
        Class::Ask => format!("stratavore inbox answer {id} yes|no|N|TEXT"),
        Class::Turn => format!("stratavore attach {}", item.runner),
        Class::End => format!("stratavore restart {}", item.runner),
        Class::Budget => "stratavore budget show".to_owned(),
        Class::Alert => format!("stratavore inbox dismiss {id}"),
    }
}

async fn answer(
    word: &str,
    text: &str,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    // What is answered is what stands there now: the daemon refuses when that has changed until then.
    let item = client.get_item(word).await?;
    let (id, asked) = (item.id.to_string(), Some(item.asked_at));
    let item = client.answer_item(&id, asked, Answer::parse(text), BY).await?;
    printer.note(&format!("told {}: {}", item.runner, clip(text, 60)));
    Ok(())
}

async fn snooze(
    word: &str,
    time: Duration,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let item = context.client().await?.snooze_item(word, time, BY).await?;
    let time = item.snoozed_until.map(|time| until(time, Utc::now())).unwrap_or_default();
    printer.note(&format!("{} ({}) is put off for {time}", item.short(), item.runner));
    Ok(())
}

async fn dismiss(
    which: Result<Vec<String>, String>,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let items = match which {
        Ok(items) => client.dismiss_items(&items, BY).await?,
        Err(project) => client.dismiss_all(&project, BY).await?,
    };
    let ending = if items.len() == 1 { "" } else { "s" };
    printer.note(&format!("put {} item{ending} away", items.len()));
    Ok(())
}

/// Runners whose changes are looked at for a digest.
const MOST_COMPARED: usize = 12;

async fn digest(
    since: Option<Duration>,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let now = Utc::now();
    let since = since.and_then(|time| Some(now - chrono::TimeDelta::from_std(time).ok()?));
    let digest = client.digest(since).await?;
    if !printer.is_table() {
        return printer.one(&digest, &[]);
    }
    let ago = period(digest.since, digest.until);
    if digest.is_empty() {
        printer.note(&format!("nothing happened in the last {ago}"));
        return Ok(());
    }
    let told = [
        digest.line(),
        if digest.tokens() == 0 {
            String::new()
        } else {
            format!("{} tokens", tokens(digest.tokens()))
        },
        if digest.cost().0 == 0 {
            String::new()
        } else {
            format!("it cost {}", money(digest.cost()))
        },
    ];
    let told: Vec<_> = told.into_iter().filter(|part| !part.is_empty()).collect();
    let told = if told.is_empty() { "asked and answered".to_owned() } else { told.join("; ") };
    printer.note(&format!("in the last {ago}: {told}"));
    let mut changes = BTreeMap::new();
    for one in digest.runners.iter().take(MOST_COMPARED) {
        // What was not launched in a repository, or is gone, has none.
        if let Ok(found) = client.changes(&one.runner, 0).await
            && !found.files.is_empty()
        {
            let (added, removed) = found.lines();
            let files = found.files.len() as u64 + found.more_files;
            changes.insert(one.runner.clone(), format!("+{added} -{removed} in {files}"));
        }
    }
    let heads = ["runner", "state", "turns", "waited", "tokens", "cost", "changed"];
    printer.list(&digest.runners, &heads, |one| {
        let state = match (&one.failed, one.is_waiting, one.has_ended) {
            (_, true, _) => "waits for you".to_owned(),
            (Some(why), ..) => clip(&format!("failed: {why}"), 32),
            (None, _, true) => "ended".to_owned(),
            (None, _, false) if one.turns == 0 && one.questions > 0 => "answered".to_owned(),
            (None, _, false) => String::new(),
        };
        let figure = |count: u64, text: String| if count == 0 { String::new() } else { text };
        let waited = chrono::TimeDelta::seconds(i64::try_from(one.waited_seconds).unwrap_or(0));
        vec![
            one.runner.clone(),
            state,
            figure(one.turns.into(), one.turns.to_string()),
            figure(one.waited_seconds, age(now - waited, now)),
            figure(one.tokens, tokens(one.tokens)),
            if one.cost.0 == 0 { String::new() } else { money(one.cost) },
            changes.get(&one.runner).cloned().unwrap_or_default(),
        ]
    })
}

/// Prints what comes and goes until the person has seen enough. A lost daemon is waited for.
async fn watch(project: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let mut client = context.client().await?;
    let mut known: BTreeMap<Uuid, Item> = BTreeMap::new();
    loop {
        let query = ItemQuery { project: project.to_owned(), ..ItemQuery::default() };
        let mut stream = client.watch_items(query).await?;
        while let Ok(Some(items)) = stream.next().await {
            let now: BTreeMap<_, _> = items.into_iter().map(|item| (item.id, item)).collect();
            for (id, item) in &now {
                let is_news = known.get(id).is_none_or(|old| old.message != item.message);
                if is_news {
                    print(printer, "+", item)?;
                }
            }
            for item in known.values().filter(|item| !now.contains_key(&item.id)) {
                print(printer, "-", item)?;
            }
            known = now;
        }
        client = context.next_client().await?;
    }
}

fn print(printer: Printer, sign: &str, item: &Item) -> Result<(), Failure> {
    if !printer.is_table() {
        return printer.json_line(&json!({ "open": sign == "+", "item": item }));
    }
    let time = chrono::Local::now().format("%H:%M:%S");
    let (id, reason) = (item.short(), item.reason.as_str());
    let message = clip(&item.message, 60);
    printer.line(&format!("{time}  {sign} {id}  {:<16}  {reason:<10}  {message}", item.runner))
}
