//! `stratavore tokens`: what agents used, and what it cost.

use chrono::Utc;

use crate::{
    cli::{context::Context, printer::Printer, usage::TokensArgs},
    domain::{
        amount::{marked, money, tokens},
        failure::Failure,
        usage::{Cost, Quality, Tokens, UsageBy, UsageFilter, UsageTotal},
    },
};

/// Shows sums.
pub(super) async fn run(
    args: &TokensArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let now = Utc::now();
    let filter = UsageFilter {
        project: args.project.clone().unwrap_or_default(),
        runner: args.runner.clone().unwrap_or_default(),
        session: args.session.clone().unwrap_or_default(),
        since: args.since.map(|ago| now - ago),
        until: args.until.map(|ago| now - ago),
        imported: args.imported,
    };
    let mut totals = context.client().await?.usage(args.by, &filter).await?;
    if totals.is_empty() && printer.is_table() {
        printer.note("no agent has used anything that was reported");
        return Ok(());
    }
    if printer.is_table() && totals.len() > 1 {
        totals.push(sum(&totals));
    }
    let heads = [
        args.by.as_str(),
        "requests",
        "input",
        "cache read",
        "cache write",
        "output",
        "counted",
        "cost",
        "figures",
    ];
    printer.list(&totals, &heads, |total| row(args.by, total))?;
    if printer.is_table() && totals.iter().any(|total| total.unpriced > 0) {
        printer.note("  ? the price of some requests is not known");
    }
    Ok(())
}

fn row(by: UsageBy, total: &UsageTotal) -> Vec<String> {
    let used = &total.tokens;
    let name = if total.name.is_empty() { "-" } else { &total.name };
    // An id is told by its beginning.
    let name = if by == UsageBy::Session { name.get(..13).unwrap_or(name) } else { name };
    let unpriced = if total.unpriced > 0 { "?" } else { "" };
    vec![
        name.to_owned(),
        total.requests.to_string(),
        tokens(used.input),
        tokens(used.cache_read),
        tokens(used.cache_write_5m.saturating_add(used.cache_write_1h)),
        tokens(used.output),
        marked(&tokens(used.counted()), total.quality),
        format!("{}{unpriced}", marked(&money(total.cost), total.quality)),
        total.quality.as_str().to_owned(),
    ]
}

fn sum(totals: &[UsageTotal]) -> UsageTotal {
    let mut sum = UsageTotal { name: "total".to_owned(), ..UsageTotal::default() };
    let (mut tokens, mut cost, mut worst) = (Tokens::default(), Cost::default(), Quality::Exact);
    for total in totals {
        tokens += total.tokens;
        cost += total.cost;
        worst = worst.max(total.quality);
        sum.requests += total.requests;
        sum.unpriced += total.unpriced;
    }
    UsageTotal { tokens, cost, quality: worst, ..sum }
}
