//! The list: a line for each runner with sign, name, word, age and reason, and more where there is
//! room.

use ratatui::{buffer::Buffer, style::Style, text::Span};

use super::text::{clip, clip_front, fit, fit_right, piece, put, total, width};
use crate::{
    domain::runner::Runner,
    ui::{
        state::{
            Arrangement, Geometry, Group, Row, State, age, age_text, command, glyph, group,
            natural, reason, rows, word,
        },
        theme::{Role, Theme},
        update::{FIGURES_FROM, shorten},
    },
};

/// The columns of a list of some width.
struct Columns {
    name: usize,
    word: usize,
    agent: usize,
    figures: bool,
    command: usize,
    is_narrow: bool,
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
    if rows.iter().all(|row| row.runner().is_none()) && !state.filter.is_blank() {
        let text = format!(" no runner matches `{}`; esc shows all", state.filter.text());
        put(buf, areas.list, 0, vec![piece(text, theme.style(Role::Muted))]);
    }
    projects(buf, state, theme, areas);
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
        agent: if wide >= 72 { agent } else { 0 },
        figures: wide >= usize::from(FIGURES_FROM),
        command: if wide >= 96 { (wide - 70).min(24) } else { 0 },
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
    let role = if state.is_current() { Theme::group(group) } else { Role::Muted };
    let mut pieces = vec![piece(format!(" {}", group.heading()), theme.style(role))];
    if is_folded {
        pieces.push(piece(format!(" {count} ▸  f shows them"), theme.style(Role::Muted)));
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
    let group = group(runner, state.now);
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
    let age = age_text(age(runner, group, state.now));
    if columns.is_narrow {
        let word = word(runner, group);
        let said = reason(runner, group);
        pieces.push(piece(fit_right(&age, 5), text_look));
        pieces.push(piece(format!(" {}", clip(word, 10)), state_look));
        pieces.push(piece(format!(" {said}"), muted));
        return pieces;
    }
    pieces.push(piece(format!("  {}", fit(word(runner, group), columns.word)), state_look));
    pieces.push(piece(format!("{}  ", fit_right(&age, 5)), muted));
    if columns.figures {
        let (cpu, memory) = if runner.status.is_live() {
            (format!("{:.0} %", runner.cpu_percent), memory_text(runner.memory_mb))
        } else {
            (String::new(), String::new())
        };
        pieces.push(piece(format!("{}{}  ", fit_right(&cpu, 6), fit_right(&memory, 7)), muted));
    }
    if columns.agent > 0 {
        pieces.push(piece(format!("{}  ", fit(&runner.agent, columns.agent)), muted));
    }
    if columns.command > 0 {
        let text = command(runner);
        pieces.push(piece(format!("{}  ", fit(&text, columns.command)), muted));
    }
    pieces.push(piece(reason(runner, group), text_look));
    pieces
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
