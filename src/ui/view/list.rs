//! The list: a line for each runner with sign, name, word, age and reason, and more where there is
//! room.

use ratatui::{buffer::Buffer, style::Style, text::Span};

use super::spending;
use crate::{
    domain::{
        amount::{cost_without, marked, tokens},
        quota::QuotaName,
        runner::Runner,
    },
    ui::{
        keymap::{Action, Context},
        state::{
            Area, Arrangement, Columns, Geometry, Group, Row, State, TREND, age_text, columns,
            ending, glyph, natural, reason, rows, word,
        },
        theme::{Role, Theme},
        update::shorten,
        widgets::{
            bar, clip, clip_front, clip_name, fit, fit_name, fit_right, piece, put, spark, total,
            width,
        },
    },
};

/// Stands before what an agent in god mode says.
const GOD: &str = "god · ";

/// Draws the list and the names of the projects under it.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let rows = rows(state);
    let list = areas.text_of(areas.list);
    let columns = columns(state, usize::from(list.width));
    let visible = rows.iter().skip(state.scroll).take(usize::from(areas.list.height));
    for (at, row) in (0..areas.list.height).zip(visible) {
        let pieces = match row {
            Row::Group { group, count, is_folded } => {
                let room = usize::from(list.width);
                heading(state, theme, *group, (*count, *is_folded), room)
            }
            Row::Project { name, counts } => {
                let room = usize::from(list.width);
                project(state, theme, name, counts, room)
            }
            Row::Runner(id) => match state.runners.get(id) {
                Some(found) => runner(state, theme, found, &columns),
                None => continue,
            },
        };
        put(buf, list, at, pieces);
    }
    more(buf, state, theme, areas.list, rows.len());
    if rows.iter().all(|row| row.runner().is_none()) && !state.filter.is_blank() {
        let key = state.keys.label(Context::List, Action::Cancel);
        let text = format!(" no runner matches `{}`; {key} shows all", state.filter.text());
        put(buf, areas.list, 0, vec![piece(text, theme.style(Role::Muted))]);
    }
    projects(buf, state, theme, areas);
}

/// Says at the right edge how many lines there are above and below.
fn more(buf: &mut Buffer, state: &State, theme: Theme, list: Area, lines: usize) {
    let height = usize::from(list.height);
    let below = lines.saturating_sub(state.scroll + height);
    let marks = [(state.scroll, "↑", 0), (below, "↓", list.height.saturating_sub(1))];
    for (count, sign, row) in marks.into_iter().filter(|(count, ..)| *count > 0) {
        let text = format!(" {sign} {count} more ");
        let wide = u16::try_from(width(&text)).unwrap_or(u16::MAX);
        if wide.saturating_mul(2) <= list.width && height > 2 {
            let area = Area { x: list.x + list.width - wide, width: wide, ..list };
            put(buf, area, row, vec![piece(text, theme.style(Role::Accent))]);
        }
    }
}

fn heading(
    state: &State,
    theme: Theme,
    group: Group,
    (count, is_folded): (usize, bool),
    room: usize,
) -> Vec<Span<'static>> {
    // One heading is louder than the others.
    let is_loud = group == Group::NeedsYou && state.is_current();
    let role = if is_loud { Role::Needs } else { Role::Muted };
    let mut pieces = vec![piece(format!(" {}", group.heading()), theme.style(role))];
    if is_folded {
        let key = state.keys.label(Context::List, Action::Fold);
        pieces.push(piece(format!(" {count} ▸  {key} shows them"), theme.style(Role::Muted)));
    }
    if group == Group::Failed {
        let key = state.keys.label(Context::List, Action::ResumeLost);
        let text = state.lost_text(&key, room.saturating_sub(total(&pieces) + 3));
        pieces.extend(text.map(|text| piece(format!("   {text}"), theme.style(Role::Warning))));
    }
    pieces
}

fn project(
    state: &State,
    theme: Theme,
    name: &str,
    counts: &std::collections::BTreeMap<Group, usize>,
    room: usize,
) -> Vec<Span<'static>> {
    let mut pieces = vec![piece(format!(" {name}"), theme.style(Role::Strong))];
    for (group, count) in counts {
        let role = if state.is_current() { Theme::group(*group) } else { Role::Muted };
        pieces.push(piece(format!("  {count} {}", group.counted()), theme.style(role)));
    }
    if counts.is_empty() {
        pieces.push(piece("  no runners", theme.style(Role::Muted)));
    }
    let quotas = state.quota_texts(name).into_iter().map(|(text, is_exceeded)| {
        let role = if is_exceeded { Role::Warning } else { Role::Muted };
        piece(format!("  {text}"), theme.style(role))
    });
    for next in spending::of_project(state, theme, name).into_iter().chain(quotas) {
        if total(&pieces) + total(std::slice::from_ref(&next)) <= room {
            pieces.push(next);
        }
    }
    let known = state.projects.iter().find(|project| project.name == name);
    let left = room.saturating_sub(total(&pieces) + 3);
    if let Some(project) = known
        && left >= 8
    {
        let path = clip_front(&shorten(state, &project.path), left);
        pieces.push(piece(format!("  {path}"), theme.style(Role::Muted)));
    }
    pieces
}

fn runner(state: &State, theme: Theme, runner: &Runner, columns: &Columns) -> Vec<Span<'static>> {
    let group = state.group(runner);
    let is_selected = state.selected == Some(runner.id);
    let look = |role: Role| -> Style {
        if state.is_current() { theme.style(role) } else { theme.stale() }
    };
    let state_look = look(Theme::group(group));
    let quiet = matches!(group, Group::Finished | Group::Stopping);
    let name_look = match (is_selected, quiet) {
        (true, _) => look(Role::Strong),
        (false, true) => look(Role::Muted),
        (false, false) => look(Role::Text),
    };
    let text_look = if quiet { look(Role::Muted) } else { look(Role::Text) };
    let muted = look(Role::Muted);
    let mark = if is_selected { "▌" } else { " " };
    let mut pieces = vec![
        piece(mark, theme.style(Role::Accent)),
        piece(format!("{} ", glyph(runner, group)), state_look),
        piece(fit_name(&runner.name, columns.name), name_look),
    ];
    let age = age_text(state.age(runner));
    // What it may do without asking stands in words, too, where there are no colours.
    let god = piece(if state.is_god(runner) { GOD } else { "" }, look(Role::Warning));
    let taken = width(&god.content);
    if columns.is_narrow {
        let word = word(runner, group);
        // The bar has no room here; the seconds do.
        let said =
            time_to_leave(state, runner).map_or_else(|| said(state, runner), |(_, text)| text);
        pieces.push(piece(fit_right(&age, columns.age), text_look));
        pieces.push(piece(format!(" {}", clip(word, columns.word)), state_look));
        pieces.extend([piece(" ", muted), god, piece(said, muted)]);
        return pieces;
    }
    pieces.push(piece(format!("  {}", fit(word(runner, group), columns.word)), state_look));
    pieces.push(piece(format!("{}  ", fit_right(&age, columns.age)), muted));
    // What it asks, why it failed or when it is killed goes before everything else.
    let asked = said(state, runner);
    let is_first = matches!(group, Group::NeedsYou | Group::Failed | Group::Stopping);
    let is_long = is_first && width(&asked) + taken > columns.usual();
    let beside = columns.room("").saturating_sub(columns.yielded() + taken);
    let gives_way = is_long && columns.agent_yields && width(&asked) > beside;
    if columns.agent > 0 && !gives_way {
        pieces.push(piece(format!("{}  ", fit(&runner.agent, columns.agent)), muted));
    }
    pieces.push(god);
    if is_long {
        let room = if gives_way { beside + columns.yielded() } else { beside };
        pieces.push(piece(clip(&asked, room), text_look));
        return pieces;
    }
    if columns.said == 0 {
        pieces.push(piece(asked, text_look));
        return pieces;
    }
    let mut after = vec![
        if columns.tokens > 0 { used(runner, columns) } else { String::new() },
        if columns.has_figures { figures(state, runner, columns.has_trend) } else { String::new() },
    ];
    if columns.command > 0 {
        after.push(format!("  {}", fit(&ending(state, runner), columns.command)));
    }
    // What it says takes the columns after it in which this line has nothing.
    let blank = after.iter().take_while(|text| text.trim().is_empty()).count();
    let more: usize = after.drain(..blank).map(|text| width(&text)).sum();
    let room = columns.said.saturating_sub(taken) + more;
    pieces.push(piece(fit(&asked, room), text_look));
    pieces.extend(after.into_iter().map(|text| piece(text, muted)));
    pieces
}

/// Why a runner is at it; for one that is asked to leave, how long it may still take.
fn said(state: &State, runner: &Runner) -> String {
    leaving(state, runner).unwrap_or_else(|| reason(runner, state.group(runner)))
}

fn leaving(state: &State, runner: &Runner) -> Option<String> {
    let (part, text) = time_to_leave(state, runner)?;
    let stays = if text.ends_with('s') { " if it stays" } else { "" };
    Some(format!("{} {text}{stays}", bar(part, 6)))
}

/// How much of the time is over that it has to leave, and what comes then.
fn time_to_leave(state: &State, runner: &Runner) -> Option<(f64, String)> {
    let (part, left) = state.leaving(runner)?;
    let text = match left.num_seconds() {
        0 => "being killed".to_owned(),
        left => format!("killed in {left}s"),
    };
    Some((part, text))
}

/// CPU, how it went if there is room, and memory of a live runner, in a fixed number of columns.
fn figures(state: &State, runner: &Runner, has_trend: bool) -> String {
    let trend = if has_trend { TREND } else { 0 };
    if !runner.status.is_live() {
        return " ".repeat(2 + trend + 6 + 7);
    }
    let samples = state.history(runner.id).map(|history| history.cpu.iter());
    let trend = spark(samples.unwrap_or_default(), 100.0, trend);
    let cpu = fit_right(&format!("{:.0} %", runner.cpu_percent), 6);
    format!("  {trend}{cpu}{}", fit_right(&memory_text(runner.memory_mb), 7))
}

/// Tokens and their cost, in a fixed number of columns; nothing for an agent that has used nothing.
fn used(runner: &Runner, columns: &Columns) -> String {
    if runner.tokens_used == 0 {
        return " ".repeat(columns.tokens + columns.cost);
    }
    let quality = runner.usage_quality;
    let count = fit_right(&marked(&tokens(runner.tokens_used), quality), columns.tokens);
    count + &fit_right(&cost_without(runner.unpriced, runner.cost, quality), columns.cost)
}

fn memory_text(mib: u64) -> String {
    match mib {
        0..=999 => format!("{mib} M"),
        _ => format!("{}.{} G", mib / 1024, mib % 1024 * 10 / 1024),
    }
}

/// The names of the projects with how many live runners each has.
fn projects(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    if areas.projects.is_empty() || state.arrangement == Arrangement::ByProject {
        return;
    }
    let mut listed: Vec<_> = state.projects.iter().collect();
    listed.sort_by(|a, b| natural(&a.name, &b.name));
    let mut pieces = vec![piece(" PROJECTS", theme.style(Role::Muted))];
    let count = listed.len();
    for (at, project) in listed.into_iter().enumerate() {
        let live = state.runners.values().filter(|r| r.project == project.name);
        let live = live.filter(|runner| runner.status.is_live()).count();
        let quota = state.quota_of(&project.name);
        let most =
            quota.quota.max_concurrent_runners.map_or(String::new(), |most| format!("/{most}"));
        let is_over = QuotaName::ALL.into_iter().any(|name| quota.is_exceeded(name));
        let look = if is_over { Role::Warning } else { Role::Muted };
        let budget = state.project_budget(&project.name).map_or_else(
            || piece("", theme.style(Role::Muted)),
            |one| {
                piece(format!(" · {}", spending::bar(one, 0)), theme.style(spending::role_of(one)))
            },
        );
        let next = [
            piece(format!("   {}", clip_name(&project.name, 20)), theme.style(Role::Text)),
            piece(format!(" {live}{most}"), theme.style(look)),
            budget,
        ];
        let others = format!("   +{} more", count - at);
        // Who is left out is counted; for that its room is kept.
        let kept = if at + 1 < count { width(&others) } else { 0 };
        if total(&pieces) + total(&next) + kept > usize::from(areas.projects.width) {
            pieces.push(piece(others, theme.style(Role::Muted)));
            break;
        }
        pieces.extend(next);
    }
    put(buf, areas.projects, 0, pieces);
}
