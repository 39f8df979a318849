//! `stratavore runners correct`: a state is wrong; says what it really is. A person at a terminal chooses
//! the line that tells it; without one the best is taken, where that changes nothing about other runners.

use crate::{
    cli::{
        context::Context, corrections::CorrectArgs, human, is_interactive, printer::Printer,
        question,
    },
    client::Client,
    domain::{
        amount::named,
        correction::{Correction, CorrectionRequest, Truth},
        failure::Failure,
    },
};

/// Other runners that are named, at most.
const NAMED: usize = 5;

/// Says what a runner is really at, and tells what was learnt.
pub(super) async fn run(
    args: &CorrectArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let kind = args.kind.as_deref().unwrap_or_default();
    let request = CorrectionRequest {
        runner: args.runner.clone(),
        truth: Truth::parse(&args.state, kind)?,
        looked: None,
        line: args.line.clone(),
        is_draft: args.dry_run,
    };
    let client = context.client().await?;
    let is_choosing =
        args.line.is_none() && !args.dry_run && printer.is_table() && is_interactive();
    let request = if is_choosing { choose(request, &client, printer).await? } else { request };
    let told = client.correct(&request).await?;
    if !printer.is_table() {
        return printer.one(&told, &[]);
    }
    let runner = &told.runner;
    let source = runner.activity.source.as_str();
    let was = format!("{} ({source})", human::said(runner));
    let tested = match told.tested {
        0 => "no other screen of this agent is known".to_owned(),
        1 => "on 1 known screen, which reads as before".to_owned(),
        count => format!("on {count} known screens, which read as before"),
    };
    let mut fields = vec![
        ("runner", runner.name.clone()),
        ("was said to be", was),
        ("is really", told.truth.to_string()),
        ("told by", with_changes(&told, &told.line)),
    ];
    let others = told.lines.iter().filter(|line| **line != told.line);
    fields.extend(others.map(|line| ("or by", with_changes(&told, line))));
    fields.extend([
        ("tried", if told.refused.is_empty() { tested } else { String::new() }),
        ("rules", told.file.clone()),
        ("screen", told.fixture.clone()),
    ]);
    printer.one(&told, &fields)?;
    if args.dry_run && told.refused.is_empty() {
        printer.line("")?;
        printer.line(told.rule.trim_end())?;
    }
    refusal(&told).map_or(Ok(()), Err)
}

/// Shows a person the lines of the screen and returns the request with the one that was chosen, and with
/// the screen that was shown. Where there is nothing to choose from, it is returned as it was.
async fn choose(
    request: CorrectionRequest,
    client: &Client,
    printer: Printer,
) -> Result<CorrectionRequest, Failure> {
    let draft = client.correct(&CorrectionRequest { is_draft: true, ..request.clone() }).await?;
    let request = CorrectionRequest { looked: Some(draft.looked.clone()), ..request };
    if !draft.refused.is_empty() || draft.lines.is_empty() {
        return Ok(request);
    }
    printer.talk(&format!(
        "{} is really {}. Which line of its screen tells that? Every {} that shows it will be that.",
        draft.runner.name, draft.truth, draft.runner.agent
    ));
    for (at, line) in draft.lines.iter().enumerate() {
        printer.talk(&format!("  {} {}", at + 1, with_changes(&draft, line)));
    }
    let count = draft.lines.len();
    let offered = draft.lines.iter().position(|line| *line == draft.line).map_or(1, |at| at + 1);
    let asked = format!("Line 1 to {count}, or q for none [{offered}]: ");
    loop {
        let Some(answer) = question::line(&asked)? else { return Err(given_up()) };
        let number = match answer.as_str() {
            "" => offered,
            "q" | "Q" => return Err(given_up()),
            answer => answer.parse().unwrap_or(0),
        };
        let line = usize::checked_sub(number, 1).and_then(|at| draft.lines.get(at));
        if let Some(line) = line {
            return Ok(CorrectionRequest { line: Some(line.clone()), ..request });
        }
    }
}

fn given_up() -> Failure {
    Failure::conflict("NOT_CHOSEN", "no line was chosen, and nothing was learnt")
}

/// A line, and what it would change about others.
fn with_changes(told: &Correction, line: &str) -> String {
    match told.changed_by(line) {
        [] => line.to_owned(),
        names => format!("{line}   (changes {}, too)", named(names, NAMED)),
    }
}

/// Why nothing was learnt, if so.
fn refusal(told: &Correction) -> Option<Failure> {
    if told.refused.is_empty() {
        return None;
    }
    let kept = if told.fixture.is_empty() { "" } else { "; the screen is kept all the same" };
    let what = format!("draft a rule that is wrong about nothing: {}{kept}", told.refused);
    Some(Failure::conflict("NO_RULE", what).with_hint(
        "try again when the screen shows something that tells this state from the others",
    ))
}
