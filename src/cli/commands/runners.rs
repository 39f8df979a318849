//! `stratavore runners`, `restart`, `pause`, `resume`.

use chrono::Utc;

use super::{Outcome, correct, quotas, remove};
use crate::{
    cli::{
        args::{NamesArgs, RestartArgs, RunnerFilter, RunnersArgs, RunnersCommand},
        context::{Context, block_on},
        human, known,
        printer::Printer,
    },
    domain::{
        agent_command::is_god,
        amount::{cost_without, marked, tokens},
        failure::Failure,
        redact::redact_words,
        runner::Runner,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: RunnersArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(RunnersCommand::List(args.list)) {
        RunnersCommand::List(filter) => {
            ("list the runners", block_on(list(&filter, context, printer)))
        }
        RunnersCommand::Show { runner, screen } => {
            ("show the runner", block_on(show(&runner, screen, context, printer)))
        }
        RunnersCommand::Explain { runner } => {
            ("explain the state", block_on(explain(&runner, context, printer)))
        }
        RunnersCommand::Correct(args) => {
            ("correct the state", block_on(correct::run(&args, context, printer)))
        }
        RunnersCommand::Remove(args) => {
            ("remove the runners", block_on(remove::run(&args, context, printer)))
        }
    }
}

async fn explain(word: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let told = context.client().await?.explain(word).await?;
    if !printer.is_table() {
        return printer.one(&told, &[]);
    }
    let runner = &told.runner;
    let is_over = !runner.status.is_live();
    let why = match told.author {
        _ if is_over => match human::exit(runner) {
            exit if exit.is_empty() => "nobody saw how".to_owned(),
            exit => format!("exit {exit}"),
        },
        Some(author) => format!("{} says so", author.as_str()),
        None => "no source has said anything".to_owned(),
    };
    printer.line(&format!("{} is {}: {why}", runner.name, human::said(runner)))?;
    if let Some(why) = runner.held_by().filter(|_| !is_over) {
        printer.line(&format!("its prompts are held: {why}"))?;
        printer.note("  next: stratavore budget show");
    }
    if is_over && !told.words.is_empty() {
        printer.line("what was said before its end:")?;
    }
    if told.words.is_empty() {
        return Ok(());
    }
    let now = Utc::now();
    let heads = ["", "source", "says", "why", "since"];
    printer.list(&told.words, &heads, |(source, word)| {
        let why: Vec<_> =
            word.kind.iter().chain(&word.message).map(|text| human::one_line(text)).collect();
        vec![
            if told.author == Some(*source) && !is_over { "*" } else { "" }.to_owned(),
            source.as_str().to_owned(),
            word.state.as_str().to_owned(),
            human::clip(&why.join(": "), 60),
            human::age(word.at, now),
        ]
    })?;
    for (source, _) in &told.words {
        if let Some(pattern) = told.rule_of(*source) {
            printer.line(&format!("{}: its rule looks for `{pattern}`", source.as_str()))?;
        }
    }
    Ok(())
}

async fn list(filter: &RunnerFilter, context: &Context, printer: Printer) -> Result<(), Failure> {
    let client = context.client().await?;
    let runners = client.list_runners(&filter.project, &filter.status, filter.limit).await?;
    if runners.is_empty() {
        known::project(&client, &filter.project).await?;
    }
    // The list is what was asked for; quotas, which stand in the database, tell whether that was all.
    let quotas = client.list_quotas(&filter.project).await;
    let is_away = matches!(&quotas, Err(failure) if failure.reason == "DATABASE_AWAY");
    if runners.is_empty() && printer.is_table() {
        let is_narrow = !filter.project.is_empty() || !filter.status.is_empty();
        match (is_away, is_narrow) {
            (true, _) => printer.note("no live runners"),
            (false, true) => {
                printer.note("no runners match");
                printer.note("  next: stratavore runners lists all");
            }
            (false, false) => {
                printer.note("no runners");
                printer.note("  next: stratavore launch");
            }
        }
    } else {
        table(&runners, context, printer)?;
    }
    if let (true, Err(failure)) = (is_away, &quotas) {
        printer
            .talk(&format!("! only live runners of this machine are listed: {}", failure.message));
    }
    if printer.is_table() {
        quotas::excesses(&quotas.unwrap_or_default(), printer);
    }
    Ok(())
}

/// Prints runners as a table.
pub(super) fn table(
    runners: &[Runner],
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let now = Utc::now();
    let heads =
        ["name", "state", "for", "agent", "cpu", "memory", "tokens", "cost", "exit", "title"];
    printer.list(runners, &heads, |runner| {
        let live = runner.status.is_live();
        let since = runner.activity.since.filter(|_| live).or(runner.terminated_at);
        let figure = |text: String| if live { text } else { String::new() };
        vec![
            runner.name.clone(),
            human::brief_state(runner),
            human::age(since.unwrap_or(runner.started_at), now),
            agent(runner, context),
            figure(format!("{:.1} %", runner.cpu_percent)),
            figure(format!("{} MiB", runner.memory_mb)),
            used(runner, || marked(&tokens(runner.tokens_used), runner.usage_quality)),
            used(runner, || cost(runner)),
            human::exit(runner),
            human::clip(runner.title.trim(), 40),
        ]
    })
}

/// The agent, and whether it does everything without asking.
fn agent(runner: &Runner, context: &Context) -> String {
    let own = context.config().agents.named(&runner.agent);
    let mode = if is_god(&runner.command, own.as_ref()) { ", god mode" } else { "" };
    format!("{}{mode}", runner.agent)
}

/// A figure of usage; none for what has used nothing.
fn used(runner: &Runner, figure: impl FnOnce() -> String) -> String {
    if runner.tokens_used == 0 { String::new() } else { figure() }
}

fn cost(runner: &Runner) -> String {
    cost_without(runner.unpriced, runner.cost, runner.usage_quality)
}

async fn show(
    name: &str,
    screen: bool,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let runner = client.get_runner(name).await?;
    if !printer.is_table() && !screen {
        return printer.one(&runner, &[]);
    }
    if printer.is_table() {
        printer.one(&runner, &fields(&runner, context))?;
    }
    if screen {
        let view = client.screen(name).await?;
        if !printer.is_table() {
            return printer.one(&serde_json::json!({ "runner": runner, "screen": view }), &[]);
        }
        printer.line("")?;
        for line in &view.lines {
            printer.line(line)?;
        }
    }
    Ok(())
}

fn fields(runner: &Runner, context: &Context) -> Vec<(&'static str, String)> {
    let time = |time: Option<chrono::DateTime<Utc>>| {
        time.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    };
    let pid = |pid: Option<u32>| pid.map(|pid| pid.to_string()).unwrap_or_default();
    let activity = &runner.activity;
    let source = activity.since.map(|_| activity.source.as_str()).unwrap_or_default();
    vec![
        ("name", runner.name.clone()),
        ("id", runner.id.to_string()),
        ("project", format!("{} ({})", runner.project, runner.project_path.display())),
        ("state", human::state(runner)),
        ("told by", source.to_owned()),
        ("held", runner.held_by().unwrap_or_default()),
        ("title", runner.title.trim().to_owned()),
        ("agent", agent(runner, context)),
        ("session", runner.session_id.clone().unwrap_or_default()),
        ("tokens", used(runner, || marked(&tokens(runner.tokens_used), runner.usage_quality))),
        ("cost", used(runner, || cost(runner))),
        ("at most", runner.max_tokens.map(|most| format!("{most} tokens")).unwrap_or_default()),
        ("command", redact_words(&runner.command).join(" ")),
        ("directory", runner.cwd.display().to_string()),
        ("process", pid(runner.pid)),
        ("supervisor", pid(runner.supervisor_pid)),
        ("processes", runner.processes.to_string()),
        ("cpu", format!("{:.1} %", runner.cpu_percent)),
        ("memory", format!("{} MiB", runner.memory_mb)),
        ("run", runner.run.to_string()),
        (
            "restart",
            format!(
                "{} ({} of {})",
                runner.restart,
                runner.restart_attempts.min(runner.max_restart_attempts),
                runner.max_restart_attempts
            ),
        ),
        ("started", time(Some(runner.started_at))),
        ("ended", time(runner.terminated_at)),
        ("exit", human::exit(runner)),
        ("reason", runner.reason.clone().unwrap_or_default()),
        ("survivors", runner.survivors.join(", ")),
        ("adopted", if runner.adopted { "yes".to_owned() } else { String::new() }),
    ]
}

/// Restarts a runner.
pub(super) async fn restart(
    args: &RestartArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let runner =
        context.client().await?.restart(&args.runner, args.grace, args.preserve_session).await?;
    if !printer.is_table() {
        return printer.one(&runner, &[]);
    }
    printer.note(&format!("restarted {} (run {})", runner.name, runner.run));
    Ok(())
}

/// Pauses or resumes runners.
pub(super) async fn set_paused(
    args: &NamesArgs,
    paused: bool,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    for name in &args.runners {
        let runner = client.set_paused(name, paused).await?;
        let what = if paused { "paused" } else { "resumed" };
        printer.note(&format!("{what} {}", runner.name));
    }
    Ok(())
}
