//! `stratavore approvals`: what agents may do without asking. Needs no daemon.

use super::Outcome;
use crate::{
    cli::{
        approvals::{ApprovalsArgs, ApprovalsCommand},
        context::current_dir,
        printer::Printer,
    },
    config::approvals,
    domain::{
        approval::{Policy, Rule, Wish},
        failure::Failure,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: ApprovalsArgs, printer: Printer) -> Outcome {
    match args.command.unwrap_or(ApprovalsCommand::Show) {
        ApprovalsCommand::Show => ("show the approval policy", show(printer)),
        ApprovalsCommand::Test { agent, tool, argument } => {
            ("test the approval policy", test(&agent, &tool, &argument.join(" "), printer))
        }
        ApprovalsCommand::Check => ("check the approval policy", check(printer)),
    }
}

fn load() -> Result<Policy, Failure> {
    let project = approvals::project_of(&current_dir()?);
    approvals::load(&project).map_err(|error| {
        Failure::usage("BAD_APPROVALS", error.to_string())
            .with_hint("nothing is allowed until this is mended")
    })
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

fn test(agent: &str, tool: &str, argument: &str, printer: Printer) -> Result<(), Failure> {
    let cwd = current_dir()?;
    let cwd = cwd.to_string_lossy();
    let wish = Wish { agent, tool, argument, is_cut: false, cwd: &cwd };
    let verdict = load()?.decide(&wish);
    let rule = verdict.rule.clone().unwrap_or_else(|| "no rule matches".to_owned());
    printer.one(&verdict, &[("decision", verdict.decision.as_str().to_owned()), ("rule", rule)])
}

fn check(printer: Printer) -> Result<(), Failure> {
    let policy = load()?;
    let count = policy.user.len() + policy.project.len();
    let ending = if count == 1 { "" } else { "s" };
    printer.note(&format!("{count} rule{ending}, all of them sound"));
    Ok(())
}
