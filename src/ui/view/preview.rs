//! The selected runner's own screen, with a title in the line that divides it from the list.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    text::Span,
};

use super::{
    header::rule,
    rect,
    text::{clip, clip_front, piece, put, total, width},
};
use crate::{
    domain::runner::Runner,
    terminal::Pane,
    ui::{
        keymap::{Action, Context},
        state::{
            Area, Geometry, Group, Mode, RunnerScreen, State, age_text, command, reason, word,
        },
        theme::{Role, Theme},
        update::shorten,
    },
};

/// Draws the screen, its title and the dividing line; returns where the agent's cursor is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    areas: &Geometry,
) -> Option<Position> {
    divider(buf, state, theme, areas);
    let runner = state.selected_runner()?;
    let preview = state.screens.get(&runner.id)?;
    let inner = areas.preview;
    match &preview.pane {
        Some(pane) if runner.status.is_live() || preview.last.is_empty() => {
            let cursor = show(pane, rect(inner), buf);
            if !preview.is_live || !state.is_current() {
                buf.set_style(rect(inner), theme.stale());
            }
            cursor
        }
        _ if runner.status.is_live() => {
            let text = if state.is_current() { " waiting for its screen…" } else { "" };
            put(buf, inner, 0, vec![piece(text, theme.style(Role::Muted))]);
            None
        }
        _ => {
            ended(buf, state, theme, inner, runner, preview);
            None
        }
    }
}

/// Draws as much of the screen as fits: from its left edge, unless its cursor would not be seen.
fn show(pane: &Pane, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let area = area.intersection(buf.area);
    let whole = Rect::new(0, 0, pane.size().cols().max(area.width), area.height);
    let mut scratch = Buffer::empty(whole);
    let cursor = pane.render(whole, &mut scratch);
    let left = cursor.map_or(0, |at| at.x.saturating_sub(area.width.saturating_sub(1)));
    for row in 0..area.height {
        for col in 0..area.width {
            let from = scratch.cell((left + col, row));
            if let (Some(from), Some(to)) = (from, buf.cell_mut((area.x + col, area.y + row))) {
                to.clone_from(from);
                // The second half of a wide character does not fit.
                if col + 1 == area.width && width(from.symbol()) > 1 {
                    to.set_symbol(" ");
                }
            }
        }
    }
    cursor.map(|at| Position { x: area.x + at.x.saturating_sub(left), y: area.y + at.y })
}

/// Draws the line between list and screen and the title in it.
fn divider(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    let is_typing = matches!(state.mode, Mode::Typing(_));
    let look = theme.style(if is_typing { Role::Accent } else { Role::Rule });
    let divider = areas.divider;
    if areas.is_side_by_side() {
        for row in 0..divider.height {
            put(buf, divider, row, vec![piece("│", look)]);
        }
        let corner = Area { y: areas.rule.y, height: areas.rule.height, ..divider };
        put(buf, corner, 0, vec![piece("┬", look)]);
        let (x, width) = (areas.preview.x, areas.preview.width);
        let above = Area { x, width, ..areas.rule };
        titled(buf, state, theme, above);
        if !areas.events_rule.is_empty() {
            let join = Area { y: areas.events_rule.y, height: 1, ..divider };
            put(buf, join, 0, vec![piece("┤", look)]);
        }
    } else if !divider.is_empty() {
        titled(buf, state, theme, divider);
    }
}

/// Draws a line with a title in it.
fn titled(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    let is_typing = matches!(state.mode, Mode::Typing(_));
    rule(buf, theme, area);
    let look = theme.style(if is_typing { Role::Accent } else { Role::Rule });
    if is_typing {
        put(buf, area, 0, vec![piece("━".repeat(usize::from(area.width)), look)]);
    }
    let Some(runner) = state.selected_runner() else { return };
    let room = usize::from(area.width).saturating_sub(4);
    // What says least goes first where it is narrow.
    let mut title = (0..=2)
        .map(|details| title(state, theme, runner, 2 - details))
        .find(|title| total(title) <= room)
        .unwrap_or_else(|| title(state, theme, runner, 0));
    title.insert(0, piece(" ", look));
    title.push(piece(" ", look));
    let shifted = Area { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    put(buf, shifted, 0, title);
}

/// The runner in a line: its name, what it is at, and of agent and directory as much as wanted.
fn title(state: &State, theme: Theme, runner: &Runner, details: u8) -> Vec<Span<'static>> {
    let group = state.group(runner);
    let role = if state.is_current() { Theme::group(group) } else { Role::Muted };
    let age = age_text(state.age(runner));
    let path = clip_front(&shorten(state, &runner.cwd), 30);
    let branch = state.branches.of(&runner.cwd).map_or_else(String::new, |b| format!(" ⎇ {b}"));
    // A wrong status shown without its origin cannot be argued with.
    let source = match runner.activity.source.as_str() {
        source if details > 0 && is_told(group) => format!(" · {source}"),
        _ => String::new(),
    };
    let between = match details {
        0 => " · ".to_owned(),
        1 => format!(" · {} · ", runner.agent),
        _ => format!(" · {} · {path}{branch} · ", runner.agent),
    };
    vec![
        piece(runner.name.clone(), theme.style(Role::Strong)),
        piece(between, theme.style(Role::Muted)),
        piece(format!("{} {age}", word(runner, group)), theme.style(role)),
        piece(source, theme.style(Role::Muted)),
    ]
}

/// Whether somebody said what the agent is at; what the process is at needs no source.
fn is_told(group: Group) -> bool {
    matches!(group, Group::NeedsYou | Group::Working | Group::Done | Group::Idle)
}

/// What is left of a runner that has ended: how, what it ran, and what it showed last.
fn ended(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    runner: &Runner,
    screen: &RunnerScreen,
) {
    let group = state.group(runner);
    let how = match (group, &runner.exit_signal, runner.exit_code) {
        (Group::Failed, ..) => reason(runner, group),
        (_, Some(signal), _) => format!("ended by {signal}"),
        (_, None, Some(code)) => format!("exit code {code}"),
        (_, None, None) => "ended".to_owned(),
    };
    let age = age_text(state.age(runner));
    let role = if group == Group::Failed { Role::Failed } else { Role::Text };
    let wide = usize::from(area.width);
    let again = format!(" {} starts it again", state.keys.label(Context::List, Action::Restart));
    let mut facts = vec![
        vec![piece(format!(" {age} ago: {how}"), theme.style(role))],
        vec![piece(format!(" {}", command(runner)), theme.style(Role::Muted))],
    ];
    if !runner.survivors.is_empty() {
        let text = format!(" ! left running: {}", runner.survivors.join(", "));
        facts.push(vec![piece(text, theme.style(Role::Warning))]);
    }
    facts.push(vec![piece(again, theme.style(Role::Muted))]);
    let last: Vec<&String> = screen.last.iter().collect();
    let used = last.iter().rposition(|line| width(line.trim()) > 0).map_or(0, |at| at + 1);
    if used > 0 {
        facts.push(Vec::new());
        facts.push(vec![piece(" its last screen", theme.style(Role::Muted))]);
    }
    let room = usize::from(area.height).saturating_sub(facts.len());
    let from = used.saturating_sub(room);
    let shown = last.into_iter().take(used).skip(from);
    let shown = shown.map(|line| vec![piece(clip(line, wide), theme.style(Role::Text))]);
    let lines: Vec<_> = facts.into_iter().chain(shown).collect();
    for (row, line) in (0..area.height).zip(lines) {
        put(buf, area, row, line);
    }
}
