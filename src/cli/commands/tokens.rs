//! `stratavore tokens`: what agents used, and what it cost; and tokens of another kind, those of the
//! HTTP API.

use chrono::Utc;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human,
        printer::Printer,
        usage::{TokenUsageArgs, TokensArgs, TokensCommand},
    },
    domain::{
        amount::{cost_of, marked, tokens},
        failure::Failure,
        usage::{Cost, Quality, Tokens, UsageBy, UsageFilter, UsageTotal},
    },
};

/// Shows sums, or sees to the tokens of the HTTP API.
pub(super) fn run(args: &TokensArgs, context: &Context, printer: Printer) -> Outcome {
    match &args.command {
        None => ("show what was used", block_on(used(&args.usage, context, printer))),
        Some(TokensCommand::Create { name, scope, expires }) => (
            "make the token",
            block_on(async {
                let client = context.client().await?;
                let (token, text) = client.create_token(name, *scope, *expires).await?;
                if !printer.is_table() {
                    let value = serde_json::json!({ "token": token, "text": text });
                    return printer.one(&value, &[]);
                }
                printer.note("this is shown once; callers send it as `Authorization: Bearer …`");
                printer.line(&text)
            }),
        ),
        Some(TokensCommand::List) => ("list the tokens", block_on(list(context, printer))),
        Some(TokensCommand::Revoke { token }) => (
            "revoke the token",
            block_on(async {
                let token = context.client().await?.revoke_token(token).await?;
                if !printer.is_table() {
                    return printer.one(&token, &[]);
                }
                printer.note(&format!("revoked {}", token.name));
                Ok(())
            }),
        ),
    }
}

/// Lists the tokens of the HTTP API.
async fn list(context: &Context, printer: Printer) -> Result<(), Failure> {
    let now = Utc::now();
    let tokens = context.client().await?.list_tokens().await?;
    let heads = ["name", "scope", "state", "made", "by", "ends", "used", "id"];
    printer.list(&tokens, &heads, |token| {
        let ends = token.expires_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        let used = token.last_used_at.map(|at| human::age(at, now));
        vec![
            token.name.clone(),
            token.scope.as_str().to_owned(),
            token.state(now).to_owned(),
            human::age(token.created_at, now),
            token.created_by.clone(),
            ends.unwrap_or_else(|| "never".to_owned()),
            used.unwrap_or_else(|| "never".to_owned()),
            token.id.simple().to_string().chars().take(8).collect(),
        ]
    })
}

/// Shows sums.
async fn used(args: &TokenUsageArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
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
    vec![
        name.to_owned(),
        total.requests.to_string(),
        tokens(used.input),
        tokens(used.cache_read),
        tokens(used.cache_write_5m.saturating_add(used.cache_write_1h)),
        tokens(used.output),
        marked(&tokens(used.counted()), total.quality),
        cost_of(total),
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
