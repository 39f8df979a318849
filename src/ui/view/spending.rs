//! What is used and may be used, beside everything else: at the end of the header, under the selected
//! runner's screen.

use ratatui::{buffer::Buffer, text::Span};

use super::header::rule;
use crate::{
    domain::{
        amount::{cost_of, cost_without, marked, tokens},
        budget::{Budget, BudgetScope},
        runner::Runner,
    },
    ui::{
        state::{Area, Geometry, MOST_BUDGETS, State, TREND, Tone, sum, tone_of},
        theme::{Role, Theme},
        widgets::{clip, fit, fit_right, meter, piece, put, spark, total, width},
    },
};

/// Columns of a bar beside others.
const BAR: usize = 5;
/// Columns of one that has a line of its own.
const WIDE_BAR: usize = 12;

/// How a share of a budget looks.
pub(super) fn role_of(budget: &Budget) -> Role {
    match tone_of(budget) {
        Tone::Bad => Role::Failed,
        Tone::Warning => Role::Warning,
        _ => Role::Muted,
    }
}

/// A budget as a bar with its share: `▰▰▰▱▱ 62 %`; what is used up has a sign as well.
pub(super) fn bar(budget: &Budget, columns: usize) -> String {
    let mark = if budget.is_exhausted() { "! " } else { "" };
    let percent = budget.percent();
    if columns == 0 {
        return format!("{mark}{percent} %");
    }
    format!("{mark}{} {percent} %", meter(percent, columns))
}

/// Today's figures for the header, in so many columns at most: what has no room is left out whole.
pub(super) fn today(state: &State, theme: Theme, room: usize) -> Vec<Span<'static>> {
    let today = state.today(None);
    let budget = state.global_budget();
    let has_used = today.requests > 0;
    if !has_used && budget.is_none() {
        return Vec::new();
    }
    let look = |role| if state.is_current() { theme.style(role) } else { theme.stale() };
    let used = marked(&tokens(today.tokens.counted()), today.quality);
    let cost = cost_of(&today);
    let hours = state.hours();
    // The longest that has room; a budget that is nearly used up stays to the end.
    let sized = |level: u8| {
        let mut pieces = Vec::new();
        if level >= 5 && has_used {
            let trend = spark(hours.iter(), 1.0, hours.len());
            pieces.push(piece(format!("{trend}  "), look(Role::Muted)));
        }
        if level >= 4 {
            pieces.push(piece("today ", look(Role::Muted)));
        }
        if level >= 2 {
            let unit = if level >= 3 { " tok" } else { "" };
            pieces.push(piece(format!("{used}{unit}  "), look(Role::Text)));
        }
        if level >= 1 || budget.is_none() {
            pieces.push(piece(cost.clone(), look(Role::Text)));
        }
        if let Some(budget) = budget {
            let text = bar(budget, if level >= 3 { BAR } else { 0 });
            let blank = if pieces.is_empty() { "" } else { "  " };
            pieces.push(piece(format!("{blank}{text}"), look(role_of(budget))));
        }
        pieces.push(piece(" ", look(Role::Text)));
        pieces
    };
    (0..=5).rev().map(sized).find(|pieces| total(pieces) <= room).unwrap_or_default()
}

/// The same with its words, or `None` where they have no room.
pub(super) fn today_in_words(
    state: &State,
    theme: Theme,
    room: usize,
) -> Option<Vec<Span<'static>>> {
    let pieces = today(state, theme, room);
    let has_words = pieces.iter().any(|piece| piece.content.starts_with("today"));
    has_words.then_some(pieces)
}

/// What a project used today and how its budget stands, for its heading.
pub(super) fn of_project(state: &State, theme: Theme, name: &str) -> Vec<Span<'static>> {
    let today = state.today(Some(name));
    let mut pieces = Vec::new();
    if today.requests > 0 {
        let used = marked(&tokens(today.tokens.counted()), today.quality);
        let cost = cost_of(&today);
        pieces.push(piece(format!("  {used} {cost} today"), theme.style(Role::Muted)));
    }
    if let Some(budget) = state.project_budget(name) {
        let text = format!("  {} {}", budget.period.as_str(), bar(budget, BAR));
        pieces.push(piece(text, theme.style(role_of(budget))));
    }
    pieces
}

/// Draws what the selected runner used and may use, under its screen.
pub(super) fn draw_facts(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let area = areas.facts;
    let Some(runner) = state.selected_runner().filter(|_| !area.is_empty()) else { return };
    let look = |role| if state.is_current() { theme.style(role) } else { theme.stale() };
    rule(buf, theme, Area { height: 1, ..area });
    let is_crossed = areas.events_rule.y == area.y && !areas.events_rule.is_empty();
    let joint = if is_crossed { "┼" } else { "├" };
    let corner = Area { y: area.y, height: 1, ..areas.divider };
    put(buf, corner, 0, vec![piece(joint, theme.style(Role::Rule))]);
    let room = usize::from(area.width).saturating_sub(4);
    let title = clip(&summary(state, runner, room), room);
    let inner = Area { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
    put(buf, inner, 0, vec![piece(format!(" {title} "), look(Role::Text))]);
    let mut row = 1;
    if runner.tokens_used > 0 {
        let room = usize::from(area.width).saturating_sub(2);
        let mut text = kinds(state, runner, room);
        let beside = cpu(state, runner).map(|cpu| format!("  {cpu}"));
        text += &beside.filter(|cpu| width(&text) + width(cpu) <= room).unwrap_or_default();
        put(buf, area, row, vec![piece(format!(" {text}"), look(Role::Muted))]);
        row += 1;
    }
    let budgets: Vec<&Budget> = state.budgets_of(runner).into_iter().take(MOST_BUDGETS).collect();
    let names: Vec<String> = budgets.iter().map(|budget| name(budget, runner)).collect();
    let wide = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (budget, name) in budgets.into_iter().zip(names) {
        let of = budget.limit.show(budget.limit.amount());
        let used = budget.used_text();
        let share = fit_right(&format!("{} %", budget.percent()), 6);
        let bar = meter(budget.percent(), WIDE_BAR);
        let pieces = vec![
            piece(format!(" {}  ", fit(&name, wide)), look(Role::Muted)),
            piece(format!("{bar}{share}"), look(role_of(budget))),
            piece(format!("  {used} of {of}"), look(Role::Muted)),
        ];
        put(buf, area, row, pieces);
        row += 1;
    }
}

/// Whose budget and how long: `api daily`.
fn name(budget: &Budget, runner: &Runner) -> String {
    let whose = match &budget.scope {
        BudgetScope::Global => "everything",
        BudgetScope::Project(name) => name,
        BudgetScope::Runner(_) => &runner.name,
    };
    format!("{} {}", clip(whose, 20), budget.period.as_str())
}

/// Tokens, cost, limit, CPU, model and conversation of a runner, as many as have room.
fn summary(state: &State, runner: &Runner, room: usize) -> String {
    let quality = runner.usage_quality;
    let mut facts = Vec::new();
    if runner.tokens_used > 0 {
        let limit = runner.max_tokens.map_or(String::new(), |most| format!(" of {}", tokens(most)));
        facts.push(format!("{}{limit} tokens", marked(&tokens(runner.tokens_used), quality)));
        facts.push(cost_without(runner.unpriced, runner.cost, quality));
    } else {
        facts.push("nothing used yet".to_owned());
    }
    if runner.tokens_used == 0 {
        facts.extend(cpu(state, runner));
    }
    let models = state.usage_of(runner.id).iter().map(|total| total.name.as_str());
    facts.extend(models.filter(|name| !name.is_empty()).take(2).map(str::to_owned));
    if let Some(session) = &runner.session_id {
        facts.push(format!("session {}", session.get(..8).unwrap_or(session)));
    }
    while facts.len() > 1 && width(&facts.join(" · ")) > room {
        facts.pop();
    }
    facts.join(" · ")
}

/// How much of the CPU a runner takes and has taken; `None` as long as little is known.
fn cpu(state: &State, runner: &Runner) -> Option<String> {
    let history = state.history(runner.id).filter(|_| runner.status.is_live())?;
    let trend = spark(history.cpu.iter(), 100.0, TREND);
    (history.cpu.len() > 1).then(|| format!("cpu {trend} {:.0} %", runner.cpu_percent))
}

/// A runner's tokens by kind, in words as short as the room asks for.
fn kinds(state: &State, runner: &Runner, room: usize) -> String {
    let totals = state.usage_of(runner.id);
    if totals.is_empty() {
        return "reading …".to_owned();
    }
    let used = sum(totals).tokens;
    let written = used.cache_write_5m.saturating_add(used.cache_write_1h);
    let long = format!(
        "input {}  cache read {}  cache write {}  output {} (reasoning {})",
        tokens(used.input),
        tokens(used.cache_read),
        tokens(written),
        tokens(used.output),
        tokens(used.reasoning),
    );
    let short = format!(
        "in {}  cache {} + {}  out {}",
        tokens(used.input),
        tokens(used.cache_read),
        tokens(written),
        tokens(used.output),
    );
    if width(&long) <= room { long } else { short }
}
