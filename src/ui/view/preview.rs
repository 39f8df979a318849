//! The selected runner's own screen, with a title in the line that divides it from the list.

use ratatui::{buffer::Buffer, layout::Position, text::Span};

use super::{header::rule, rect};
use crate::{
    domain::{
        amount::{cost_without, marked, tokens},
        runner::Runner,
    },
    ui::{
        keymap::{Action, Context},
        state::{
            Area, Geometry, Group, Mode, RunnerScreen, State, age_text, command, geometry, is_held,
            reason, word,
        },
        theme::{Role, Theme},
        update::shorten,
        widgets::{clip, clip_front, clip_name, piece, put, total, width},
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
    screen(buf, state, theme, areas.preview, state.selected_runner()?)
}

/// Draws a runner's screen, or how it ended; returns where the agent's cursor is.
pub(super) fn screen(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    runner: &Runner,
) -> Option<Position> {
    let screen = state.screens.get(&runner.id)?;
    match &screen.pane {
        Some(pane) if runner.status.is_live() || screen.last.is_empty() => {
            let cursor = pane.render(rect(area), buf);
            if !screen.is_live || !state.is_current() {
                buf.set_style(rect(area).intersection(buf.area), theme.stale());
            }
            cursor
        }
        _ if runner.status.is_live() => {
            let text = if state.is_current() { " waiting for its screen" } else { "" };
            put(buf, area, 0, vec![piece(text, theme.style(Role::Muted))]);
            None
        }
        _ => {
            ended(buf, state, theme, area, runner, screen);
            None
        }
    }
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
    let mut title = title(state, theme, runner, room);
    title.insert(0, piece(" ", look));
    title.push(piece(" ", look));
    let shifted = Area { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    put(buf, shifted, 0, title);
}

/// The runner in a line: its name, what it is at, and of agent and directory as much as has room.
pub(super) fn title(
    state: &State,
    theme: Theme,
    runner: &Runner,
    room: usize,
) -> Vec<Span<'static>> {
    // What says least goes first where it is narrow.
    let titles = (0..=3).map(|details| detailed(state, theme, runner, 3 - details));
    let mut titles = titles.skip_while(|title| total(title) > room);
    titles.next().unwrap_or_else(|| {
        // What it is at must not fall off behind a long name.
        let mut title = detailed(state, theme, runner, 0);
        let others = total(&title).saturating_sub(width(&runner.name));
        if let Some(name) = title.first_mut() {
            name.content = clip_name(&runner.name, room.saturating_sub(others).max(8)).into();
        }
        title
    })
}

fn detailed(state: &State, theme: Theme, runner: &Runner, details: u8) -> Vec<Span<'static>> {
    let group = state.group(runner);
    let role = if state.is_current() { Theme::group(group) } else { Role::Muted };
    let age = age_text(state.age(runner));
    let path = clip_front(&shorten(state, &runner.cwd), 30);
    let branch = state.branches.of(&runner.cwd).map_or_else(String::new, |b| format!(" ⎇ {b}"));
    // A wrong status shown without its origin cannot be argued with.
    let source = match runner.activity.source.as_str() {
        _ if details > 1 && is_held(runner) => " · budget".to_owned(),
        source if details > 1 && is_told(group) => format!(" · {source}"),
        _ => String::new(),
    };
    // Where they do not stand under the screen.
    let used = if details > 1 && runner.tokens_used > 0 && geometry(state).facts.is_empty() {
        let quality = runner.usage_quality;
        let cost = cost_without(runner.unpriced, runner.cost, quality);
        format!(" · {} {cost}", marked(&tokens(runner.tokens_used), quality))
    } else {
        String::new()
    };
    let between = match details {
        0 => " · ".to_owned(),
        1 | 2 => format!(" · {} · ", runner.agent),
        _ => format!(" · {} · {path}{branch} · ", runner.agent),
    };
    vec![
        piece(runner.name.clone(), theme.style(Role::Strong)),
        piece(if state.is_god(runner) { " god mode" } else { "" }, theme.style(Role::Warning)),
        piece(between, theme.style(Role::Muted)),
        piece(format!("{} {age}", word(runner, group)), theme.style(role)),
        piece(source, theme.style(Role::Muted)),
        piece(used, theme.style(Role::Muted)),
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
