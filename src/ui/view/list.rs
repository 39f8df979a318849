//! The list: a line for each runner with sign, name, word, age and reason, and more where there is
//! room.

use ratatui::{buffer::Buffer, style::Style, text::Span};

use crate::{
    domain::runner::Runner,
    ui::{
        keymap::{Action, Context},
        state::{
            Area, Arrangement, FIGURES_FROM, Geometry, Group, Row, State, age_text, command, glyph,
            natural, reason, rows, told, word,
        },
        theme::{Role, Theme},
        update::shorten,
        widgets::{bar, clip, clip_front, fit, fit_right, piece, put, spark, total, width},
    },
};

/// Samples of CPU shown as bars.
const TREND: usize = 8;

/// The columns of a list of some width.
struct Columns {
    name: usize,
    word: usize,
    agent: usize,
    command: usize,
    is_narrow: bool,
    wide: usize,
}

/// Draws the list and the names of the projects under it.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let rows = rows(state);
    let columns = columns(state, usize::from(areas.list.width));
    let visible = rows.iter().skip(state.scroll).take(usize::from(areas.list.height));
    for (at, row) in (0..areas.list.height).zip(visible) {
        let pieces = match row {
            Row::Group { group, count, is_folded } => {
                heading(state, theme, *group, *count, *is_folded)
            }
            Row::Project { name, counts } => {
                let room = usize::from(areas.list.width);
                project(state, theme, name, counts, room)
            }
            Row::Runner(id) => match state.runners.get(id) {
                Some(found) => runner(state, theme, found, &columns),
                None => continue,
            },
        };
        put(buf, areas.list, at, pieces);
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

fn columns(state: &State, wide: usize) -> Columns {
    let listed = state.runners.values();
    let longest = |f: fn(&Runner) -> usize| listed.clone().map(f).max().unwrap_or(0);
    let name = longest(|runner| width(&runner.name)).max(5);
    let agent = longest(|runner| width(&runner.agent)).min(12);
    let is_narrow = wide < 48;
    Columns {
        name: name.min(if is_narrow { 10 } else { (wide / 4).max(10) }),
        word: 10,
        agent: if (72..usize::from(FIGURES_FROM)).contains(&wide) { agent } else { 0 },
        command: if wide >= usize::from(FIGURES_FROM) { (wide - 76).min(18) } else { 0 },
        wide,
        is_narrow,
    }
}

fn heading(
    state: &State,
    theme: Theme,
    group: Group,
    count: usize,
    is_folded: bool,
) -> Vec<Span<'static>> {
    // One heading is louder than the others.
    let is_loud = group == Group::NeedsYou && state.is_current();
    let role = if is_loud { Role::Needs } else { Role::Muted };
    let mut pieces = vec![piece(format!(" {}", group.heading()), theme.style(role))];
    if is_folded {
        let key = state.keys.label(Context::List, Action::Fold);
        pieces.push(piece(format!(" {count} ▸  {key} shows them"), theme.style(Role::Muted)));
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
        piece(fit(&runner.name, columns.name), name_look),
    ];
    let age = age_text(state.age(runner));
    if columns.is_narrow {
        let word = word(runner, group);
        let said = said(state, runner);
        pieces.push(piece(fit_right(&age, 5), text_look));
        pieces.push(piece(format!(" {}", clip(word, 10)), state_look));
        pieces.push(piece(format!(" {said}"), muted));
        return pieces;
    }
    pieces.push(piece(format!("  {}", fit(word(runner, group), columns.word)), state_look));
    pieces.push(piece(format!("{}  ", fit_right(&age, 5)), muted));
    if columns.agent > 0 {
        pieces.push(piece(format!("{}  ", fit(&runner.agent, columns.agent)), muted));
    }
    if columns.command == 0 {
        pieces.push(piece(said(state, runner), text_look));
        return pieces;
    }
    let figures = figures(state, runner);
    let branch = state.branches.of(&runner.cwd).map(|branch| format!("⎇ {branch}"));
    let last = branch.unwrap_or_else(|| command(runner));
    let command = format!("  {}", fit(&last, columns.command));
    let taken = total(&pieces) + width(&figures) + width(&command);
    let said = leaving(state, runner).or_else(|| told(runner, group)).unwrap_or_default();
    pieces.push(piece(fit(&said, columns.wide.saturating_sub(taken)), text_look));
    pieces.push(piece(figures, muted));
    pieces.push(piece(command, muted));
    pieces
}

/// Why a runner is at it; for one that is asked to leave, how long it may still take.
fn said(state: &State, runner: &Runner) -> String {
    leaving(state, runner).unwrap_or_else(|| reason(runner, state.group(runner)))
}

fn leaving(state: &State, runner: &Runner) -> Option<String> {
    let (part, left) = state.leaving(runner)?;
    let left = left.num_seconds();
    let what =
        if left > 0 { format!("killed in {left}s if it stays") } else { "being killed".into() };
    Some(format!("{} {what}", bar(part, 8)))
}

/// CPU, how it went, and memory of a live runner, in a fixed number of columns.
fn figures(state: &State, runner: &Runner) -> String {
    if !runner.status.is_live() {
        return " ".repeat(6 + 2 + TREND + 7);
    }
    let samples = state.history(runner.id).map(|history| history.cpu.iter());
    let trend = spark(samples.unwrap_or_default(), 100.0, TREND);
    let cpu = fit_right(&format!("{:.0} %", runner.cpu_percent), 6);
    format!("  {trend}{cpu}{}", fit_right(&memory_text(runner.memory_mb), 7))
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
    for project in listed {
        let live = state.runners.values().filter(|r| r.project == project.name);
        let live = live.filter(|runner| runner.status.is_live()).count();
        pieces.push(piece(format!("   {}", project.name), theme.style(Role::Text)));
        pieces.push(piece(format!(" {live}"), theme.style(Role::Muted)));
    }
    put(buf, areas.projects, 0, pieces);
}
