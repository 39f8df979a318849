//! `stratavore sessions search|export|import`, and `show --include-transcript`: what was said.

use std::{
    fs::{self, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use chrono::Utc;
use serde_json::json;

use crate::{
    cli::{
        context::{Context, environment_of_client},
        human::{age, clip, one_line},
        printer::Printer,
        usage::{SessionsExportArgs, SessionsImportArgs, SessionsSearchArgs},
    },
    client::Client,
    domain::{
        failure::Failure,
        session::{Conversation, FOUND, Hit, SearchFilter, Session, Utterance},
        snippet::Snippet,
    },
};

/// Of what was said, in columns.
const LONGEST_SAID: usize = 80;

/// Finds what was said.
pub(super) async fn search(
    args: &SessionsSearchArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let now = Utc::now();
    let wanted = SearchFilter {
        words: SearchFilter::words(&args.words.join(" ")),
        project: args.project.clone().unwrap_or_default(),
        agent: args.agent.clone().unwrap_or_default(),
        since: args.since.map(|ago| now - ago),
        limit: args.limit,
    };
    let hits = context.client().await?.search_sessions(&wanted).await?;
    if hits.is_empty() && printer.is_table() {
        printer.note("nobody has said that");
        return Ok(());
    }
    let heads = ["session", "project", "agent", "when", "who", "said"];
    let plain = |hit: &Hit| hit.snippet.replace([FOUND.0, FOUND.1], "");
    if !printer.is_table() {
        let clean: Vec<_> =
            hits.iter().map(|hit| Hit { snippet: plain(hit), ..hit.clone() }).collect();
        return printer.list(&clean, &[], |_| Vec::new());
    }
    printer.list(&hits, &heads, |hit| {
        vec![
            hit.session.get(..13).unwrap_or(&hit.session).to_owned(),
            hit.project.clone(),
            hit.agent.clone(),
            age(hit.at, now),
            hit.role.clone(),
            Snippet::of(&hit.snippet).within(LONGEST_SAID).marked(),
        ]
    })
}

/// Writes a conversation out.
pub(super) async fn export(
    args: &SessionsExportArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let session = client.get_session(&args.session).await?;
    match args.output.as_deref() {
        None => write_out(&client, &session, printer, &mut |piece| printer.bytes(piece)).await,
        Some(path) => {
            let failed = |error: &std::io::Error| {
                let what = format!("write {}: {error}", path.display());
                Failure::unavailable("NOT_WRITTEN", what)
            };
            let mut file = new_file(path).map_err(|error| failed(&error))?;
            let written = write_out(&client, &session, printer, &mut |piece| {
                file.write_all(piece).map_err(|error| failed(&error))
            })
            .await;
            if written.is_err() {
                // What was only begun would stand in the way of the next try.
                fs::remove_file(path).ok();
            }
            written?;
            file.flush().map_err(|error| failed(&error))?;
            printer.note(&format!("written to {}", path.display()));
            Ok(())
        }
    }
}

/// Creates a file for us alone; one that is there is not written over.
fn new_file(path: &Path) -> std::io::Result<BufWriter<fs::File>> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(BufWriter::new)
}

/// Writes a conversation, piece by piece.
async fn write_out(
    client: &Client,
    session: &Session,
    printer: Printer,
    write: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let mut reading = client.read_transcript(&session.id).await?;
    if printer.is_table() {
        write(heading(session).as_bytes())?;
        while let Some(said) = reading.next().await? {
            write(markdown(&said).as_bytes())?;
        }
        return Ok(());
    }
    write(format!("{{\"session\":{},\"messages\":[", json!(session)).as_bytes())?;
    let mut separator = "\n";
    while let Some(said) = reading.next().await? {
        write(format!("{separator}{}", json!(said)).as_bytes())?;
        separator = ",\n";
    }
    write(b"\n]}\n")
}

fn heading(session: &Session) -> String {
    let title = if session.summary.is_empty() { &session.first_prompt } else { &session.summary };
    let began = session.started_at.format("%Y-%m-%d %H:%M UTC");
    format!(
        "# {}\n\n{} session `{}`, project {}, began {began}\n",
        clip(&one_line(title), 100),
        session.agent,
        session.id,
        session.project,
    )
}

fn markdown(said: &Utterance) -> String {
    let who = if said.role == "user" { "User" } else { "Assistant" };
    let at = said.at.map(|at| at.format(" (%Y-%m-%d %H:%M:%S)").to_string()).unwrap_or_default();
    format!("\n## {who}{at}\n\n{}\n", said.text.trim_end())
}

/// Prints what was said in a session.
pub(super) async fn transcript(
    client: &Client,
    session: &Session,
    printer: Printer,
) -> Result<(), Failure> {
    write_out(client, session, printer, &mut |piece| printer.bytes(piece)).await
}

/// Takes conversations in that agents have on the disk.
pub(super) async fn import(
    args: &SessionsImportArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let from = environment_of_client();
    let agent = args.agent.as_deref().unwrap_or_default();
    let mut found = client.find_conversations(agent, &from).await?;
    let named = |found: &Conversation| {
        args.sessions.is_empty() || args.sessions.iter().any(|id| found.id.starts_with(id))
    };
    found.retain(named);
    let target = |found: &Conversation| match &args.project {
        // One that is named goes where it is told to; of all others those of the project's directory.
        Some(project) if args.all || !args.sessions.is_empty() => Some(project.clone()),
        Some(project) => Some(project.clone()).filter(|project| *project == found.project),
        None => Some(found.project.clone()).filter(|project| !project.is_empty()),
    };
    let is_wanted = |it: &Conversation| !it.is_known && target(it).is_some();
    let is_dry = args.dry_run || (!args.all && args.sessions.is_empty() && args.project.is_none());
    if is_dry {
        return list(&found, &is_wanted, printer);
    }
    let (mut imported, mut first_failure) = (Vec::new(), None);
    // The oldest first: what is copied into a fork belongs to where it came from.
    for conversation in found.iter().rev().filter(|it| is_wanted(it)) {
        let project = target(conversation).unwrap_or_default();
        match client.import_conversation(conversation, &project, &from).await {
            Ok(session) => {
                if printer.is_table() {
                    let messages = session.message_count;
                    printer.line(&format!(
                        "{}  {}  {}  {messages} messages  {}",
                        session.id,
                        session.project,
                        session.agent,
                        clip(&one_line(&session.first_prompt), 48),
                    ))?;
                }
                imported.push(session);
            }
            Err(failure) => {
                printer.talk(&format!("  {}: {}", conversation.id, failure.message));
                first_failure.get_or_insert(failure);
            }
        }
    }
    if !printer.is_table() {
        printer.list(&imported, &[], |_| Vec::new())?;
    } else if imported.is_empty() && first_failure.is_none() {
        printer.note("there is nothing to import; stratavore sessions import --dry-run lists all");
    } else if !imported.is_empty() {
        printer.note("  next: stratavore sessions resume SESSION");
    }
    first_failure.map_or(Ok(()), Err)
}

fn list(
    found: &[Conversation],
    is_wanted: &dyn Fn(&Conversation) -> bool,
    printer: Printer,
) -> Result<(), Failure> {
    if found.is_empty() && printer.is_table() {
        printer.note("no agent has a conversation here");
        return Ok(());
    }
    let now = Utc::now();
    let heads = ["session", "agent", "last", "size", "project", "directory", "state", "about"];
    printer.list(found, &heads, |it| {
        let state = match (it.is_known, is_wanted(it)) {
            (true, _) => "recorded",
            (false, true) => "new",
            (false, false) => "no project",
        };
        vec![
            it.id.get(..13).unwrap_or(&it.id).to_owned(),
            it.agent.clone(),
            it.at.map(|at| age(at, now)).unwrap_or_default(),
            format!("{} KiB", it.size >> 10),
            it.project.clone(),
            clip(&it.cwd, 32),
            state.to_owned(),
            clip(&one_line(&it.about), 40),
        ]
    })?;
    if printer.is_table() && found.iter().any(is_wanted) {
        printer.note("  next: stratavore sessions import --all");
    }
    Ok(())
}
