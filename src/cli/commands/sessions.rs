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
        amount::{cost_without, marked, tokens},
        failure::Failure,
        runner::Runner,
        session::{Session, lost_together},
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
    // A session, or the id of a runner that had none and can only be started anew.
    let mut wanted: Vec<(String, bool)> =
        args.sessions.iter().map(|session| (session.clone(), false)).collect();
    if args.lost {
        let failed = client.list_runners("", "failed", 0).await?;
        let with = |runner: &Runner| match &runner.session_id {
            Some(session) => (session.clone(), false),
            None => (runner.id.to_string(), true),
        };
        wanted = lost_together(&failed).into_iter().map(with).collect();
        if wanted.is_empty() {
            printer.note("no lost runner is known");
        }
    }
    let (mut runners, mut first_failure) = (Vec::new(), None);
    let size = size_of_terminal().unwrap_or_default();
    let from = environment_of_client();
    for (word, is_bare) in &wanted {
        let before = if *is_bare { None } else { client.get_session(word).await.ok() };
        let outcome = if *is_bare {
            client.restart(word, None, false).await
        } else {
            client.resume_session(word, args.new_runner, (&from, size, umask())).await
        };
        match outcome {
            Ok(runner) => {
                if printer.is_table() {
                    printer.line(&runner.name)?;
                }
                if *is_bare {
                    printer.note(&format!("{} begins anew: it had no conversation", runner.name));
                } else if !before.is_some_and(|session| session.has_begun()) {
                    let why = "nothing was said in its conversation";
                    printer.note(&format!("{} begins anew: {why}", runner.name));
                }
                runners.push(runner);
            }
            Err(failure) => {
                if wanted.len() > 1 {
                    printer.talk(&format!("  {word}: {}", failure.message));
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
            cost_without(session.unpriced, session.cost, session.quality),
            session.state().to_owned(),
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
        ("state", session.state().to_owned()),
        ("began", format!("{} ({})", time(session.started_at), session.origin)),
        ("came from", session.resumed_from.clone().unwrap_or_default()),
        ("last message", session.last_message_at.map(time).unwrap_or_default()),
        ("ended", session.ended_at.map(time).unwrap_or_default()),
        ("messages", session.message_count.to_string()),
        ("tokens", figures(&tokens(session.tokens_used))),
        ("cost", cost_without(session.unpriced, session.cost, session.quality)),
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

fn about(session: &Session) -> &str {
    match session.first_prompt.trim() {
        "" => &session.summary,
        prompt => prompt,
    }
}
