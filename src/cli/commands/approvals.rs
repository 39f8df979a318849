//! `stratavore approvals`: what agents may do without asking. Needs no daemon.

use super::Outcome;
use crate::{
    cli::{
        approvals::{ApprovalsArgs, ApprovalsCommand},
        context::current_dir,
        printer::Printer,
        top::GlobalArgs,
    },
    config::{self, ConfigError, Sources, approvals, nearest},
    domain::{
        agent::Agent,
        approval::{Policy, Rule, Wish},
        failure::Failure,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: ApprovalsArgs, global: &GlobalArgs, printer: Printer) -> Outcome {
    match args.command.unwrap_or(ApprovalsCommand::Show) {
        ApprovalsCommand::Show => ("show the approval policy", show(printer)),
        ApprovalsCommand::Test { agent, tool, argument } => {
            let words = (&*agent, &*tool, &*argument.join(" "));
            ("test the approval policy", test(words, global, printer))
        }
        ApprovalsCommand::Check => ("check the approval policy", check(printer)),
    }
}

fn load() -> Result<Policy, Failure> {
    let project = approvals::project_of(&current_dir()?);
    approvals::load(&project).map_err(|error| bad(&error))
}

fn bad(error: &ConfigError) -> Failure {
    Failure::usage("BAD_APPROVALS", error.to_string()).with_hint(
        "correct it there, nothing is allowed until then; stratavore approvals check looks again",
    )
}

fn show(printer: Printer) -> Result<(), Failure> {
    let policy = load()?;
    let rules: Vec<&Rule> = policy.project.iter().chain(&policy.user).collect();
    if rules.is_empty() && printer.is_table() {
        printer.note("no rule is set: you are asked whatever an agent asks");
        if let Some(file) = approvals::user_file() {
            printer.note(&format!("  next: write rules into {}", file.display()));
        }
        return Ok(());
    }
    let heads = ["decision", "agent", "tool", "argument", "where"];
    printer.list(&rules, &heads, |rule| {
        vec![
            rule.decision.as_str().to_owned(),
            rule.agent.clone(),
            rule.tool.clone(),
            rule.argument.clone().unwrap_or_default(),
            rule.place.clone(),
        ]
    })
}

/// Refuses an agent that there is not: no rule would match, which says nothing.
fn check_agent(
    agent: &str,
    tool: &str,
    policy: &Policy,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let mut names: Vec<String> = Agent::ALL.map(|known| known.as_str().to_owned()).to_vec();
    let named = policy.project.iter().chain(&policy.user).map(|rule| rule.agent.clone());
    names.extend(named.filter(|name| !name.contains('*')));
    // The policy is tested also where the configuration is broken.
    if let Ok(loaded) = config::load(&Sources::of_process(global.config.clone())) {
        names.extend(loaded.config.agents.own().map(|(name, _)| name.to_owned()));
    }
    let is_there = |word: &str| names.iter().any(|name| name == word);
    if is_there(agent) {
        return Ok(());
    }
    let what = format!("there is no agent `{}`", agent.escape_debug());
    Err(Failure::not_found("NO_AGENT", what).with_hint(match nearest(agent, &names) {
        _ if is_there(tool) => {
            format!("the agent comes first: stratavore approvals test {tool} {agent} …")
        }
        Some(near) => format!("did you mean: stratavore approvals test {near} {tool} …"),
        None => "stratavore agents lists them".to_owned(),
    }))
}

fn test(
    (agent, tool, argument): (&str, &str, &str),
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), Failure> {
    let cwd = current_dir()?;
    let cwd = cwd.to_string_lossy();
    let policy = load()?;
    check_agent(agent, tool, &policy, global)?;
    let wish = Wish { agent, tool, argument, is_cut: false, cwd: &cwd };
    let verdict = policy.decide(&wish);
    let rule = verdict.rule.clone().unwrap_or_else(|| "no rule matches".to_owned());
    printer.one(&verdict, &[("decision", verdict.decision.as_str().to_owned()), ("rule", rule)])
}

fn check(printer: Printer) -> Result<(), Failure> {
    let policy = load()?;
    let project = approvals::project_of(&current_dir()?);
    approvals::check_project(&project).map_err(|error| {
        Failure::usage("BAD_PROJECT_FILE", error.to_string())
            .with_hint("correct it there; no worktree is made with it as it is")
    })?;
    let count = policy.user.len() + policy.project.len();
    let ending = if count == 1 { "" } else { "s" };
    printer.note(&format!("{count} rule{ending}, all of them sound"));
    Ok(())
}
