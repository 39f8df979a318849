//! `stratavore runners correct`: a state is wrong; says what it really is.

use crate::{
    cli::{context::Context, corrections::CorrectArgs, human, printer::Printer},
    domain::{
        correction::{Correction, CorrectionRequest, Truth},
        failure::Failure,
    },
};

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
    let told = context.client().await?.correct(&request).await?;
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
        ("told by", told.line.clone()),
    ];
    let others = told.lines.iter().filter(|line| **line != told.line);
    fields.extend(others.map(|line| ("or by", line.clone())));
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
