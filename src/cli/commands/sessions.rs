//! `stratavore sessions`: agents' conversations.

use chrono::Utc;

use super::{Outcome, conversations};
use crate::{
    cli::{
        context::{Context, block_on, environment_of_client, umask},
        human::{age, clip, one_line},
        printer::Printer,
        usage::{SessionsArgs, SessionsCommand, SessionsListArgs, SessionsResumeArgs},
    },
    client::size_of_terminal,
    domain::{
        amount::{marked, money, tokens},
        failure::Failure,
        runner::{Runner, cut_off_together},
        session::Session,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: SessionsArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(SessionsCommand::List(args.list)) {
        SessionsCommand::List(args) => {
            ("list the sessions", block_on(list(&args, context, printer)))
        }
        SessionsCommand::Resume(args) => ("resume the session", resume(&args, context, printer)),
        SessionsCommand::Show { session, include_transcript } => {
            ("show the session", block_on(show(&session, include_transcript, context, printer)))
        }
        SessionsCommand::Search(args) => {
            ("search the sessions", block_on(conversations::search(&args, context, printer)))
        }
        SessionsCommand::Export(args) => {
            ("export the session", block_on(conversations::export(&args, context, printer)))
        }
        SessionsCommand::Import(args) => {
            ("import sessions", block_on(conversations::import(&args, context, printer)))
        }
    }
}

/// Goes on with sessions; tells each that it cannot, and goes on to the next.
fn resume(args: &SessionsResumeArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let runners = block_on(resume_all(args, context, printer))?;
    match runners.first() {
        Some(runner) if args.attach => super::attach::by_name(&runner.name, context, printer),
        _ => Ok(()),
    }
}

async fn resume_all(
    args: &SessionsResumeArgs,
    context: &Context,
    printer: Printer,
) -> Result<Vec<Runner>, Failure> {
    let client = context.client().await?;
    let mut wanted = args.sessions.clone();
    if args.lost {
        let failed = client.list_runners("", "failed", 0).await?;
        wanted =
            cut_off_together(&failed).into_iter().filter_map(|it| it.session_id.clone()).collect();
        if wanted.is_empty() {
            printer.note("no lost runner held a session");
        }
    }
    let (mut runners, mut first_failure) = (Vec::new(), None);
    let size = size_of_terminal().unwrap_or_default();
    let from = environment_of_client();
    for session in &wanted {
        match client.resume_session(session, args.new_runner, (&from, size, umask())).await {
            Ok(runner) => {
                if printer.is_table() {
                    printer.line(&runner.name)?;
                }
                runners.push(runner);
            }
            Err(failure) => {
                if wanted.len() > 1 {
                    printer.talk(&format!("  {session}: {}", failure.message));
                }
                first_failure.get_or_insert(failure);
            }
        }
    }
    if !printer.is_table() {
        printer.list(&runners, &[], |_| Vec::new())?;
    }
    first_failure.map_or(Ok(runners), Err)
}

async fn list(args: &SessionsListArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let project = args.project.as_deref().unwrap_or_default();
    let runner = args.runner.as_deref().unwrap_or_default();
    let sessions = context.client().await?.list_sessions(project, runner, args.limit).await?;
    if sessions.is_empty() && printer.is_table() {
        printer.note("no conversation is known yet");
        return Ok(());
    }
    let heads =
        ["session", "project", "agent", "last", "messages", "tokens", "cost", "state", "prompt"];
    let now = Utc::now();
    printer.list(&sessions, &heads, |session| {
        let last = session.last_message_at.unwrap_or(session.started_at);
        vec![
            session.id.get(..13).unwrap_or(&session.id).to_owned(),
            session.project.clone(),
            session.agent.clone(),
            age(last, now),
            session.message_count.to_string(),
            marked(&tokens(session.tokens_used), session.quality),
            marked(&money(session.cost), session.quality),
            state(session).to_owned(),
            clip(&one_line(about(session)), 48),
        ]
    })
}

async fn show(
    word: &str,
    include_transcript: bool,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let session = client.get_session(word).await?;
    let time = |time: chrono::DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let figures = |figure: &str| marked(figure, session.quality);
    let fields = [
        ("session", session.id.clone()),
        ("agent", session.agent.clone()),
        ("project", session.project.clone()),
        ("directory", session.cwd.clone()),
        ("model", session.model.clone()),
        ("state", state(&session).to_owned()),
        ("began", format!("{} ({})", time(session.started_at), session.origin)),
        ("came from", session.resumed_from.clone().unwrap_or_default()),
        ("last message", session.last_message_at.map(time).unwrap_or_default()),
        ("ended", session.ended_at.map(time).unwrap_or_default()),
        ("messages", session.message_count.to_string()),
        ("tokens", figures(&tokens(session.tokens_used))),
        ("cost", figures(&money(session.cost))),
        ("figures", session.quality.as_str().to_owned()),
        ("first prompt", clip(&one_line(&session.first_prompt), 200)),
        ("summary", session.summary.clone()),
        ("transcript", session.transcript.clone()),
        ("runner", session.runner_id.clone()),
    ];
    if include_transcript && !printer.is_table() {
        return conversations::transcript(&client, &session, printer).await;
    }
    printer.one(&session, &fields)?;
    if include_transcript {
        conversations::transcript(&client, &session, printer).await?;
    }
    Ok(())
}

fn state(session: &Session) -> &'static str {
    match (session.ended_at.is_some(), session.resumable) {
        (false, _) => "open",
        (true, true) => "resumable",
        (true, false) => "ended",
    }
}

fn about(session: &Session) -> &str {
    if session.summary.is_empty() { &session.first_prompt } else { &session.summary }
}
