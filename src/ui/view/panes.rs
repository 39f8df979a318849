//! The panes: screens with a title each, divided by single lines, the one in focus by its colour.

use ratatui::{buffer::Buffer, layout::Position, style::Style, text::Span};

use super::{preview, scrollback};
use crate::ui::{
    keymap::{Action, Context},
    state::{
        Area, Axis, Mode, Pick, Place, Shown, State, glyph, reason, shown_panes, without_pane, word,
    },
    theme::{Role, Theme},
    widgets::{clip_name, piece, put, total},
};

/// Draws the panes and returns where the cursor of the agent that is typed into is.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme) -> Option<Position> {
    let shown = shown_panes(state);
    let mut cursor = None;
    for (number, place) in shown.places.panes.iter().enumerate() {
        let at = screen(buf, state, theme, *place);
        if matches!(state.mode, Mode::Typing(id) | Mode::Scrollback(id) if id == place.id) {
            cursor = at;
        }
        title(buf, state, theme, &shown, (number, *place));
    }
    columns(buf, state, theme, &shown);
    if let Mode::Pick(choice) = &state.mode {
        pick(buf, state, theme, &shown, *choice);
    }
    cursor
}

fn screen(buf: &mut Buffer, state: &State, theme: Theme, place: Place) -> Option<Position> {
    let area = place.screen();
    let Some(runner) = state.runners.get(&place.id) else {
        let key = state.keys.label(Context::Panes, Action::ClosePane);
        let text = format!(" this runner is gone; {key} closes its pane");
        // Before the daemon has told its runners, nobody knows.
        let text = if state.is_complete { text } else { String::new() };
        put(buf, area, 0, vec![piece(text, theme.style(Role::Muted))]);
        return None;
    };
    match state.panes.past.get(&place.id) {
        Some(past) => {
            let has_keys = matches!(state.mode, Mode::Scrollback(id) if id == place.id);
            scrollback::draw(buf, theme, area, past).filter(|_| has_keys)
        }
        None => preview::screen(buf, state, theme, area, runner),
    }
}

/// How the lines around a pane look: where the focus is, and where keys go.
fn look(state: &State, theme: Theme, place: Place) -> Style {
    let is_focused = state.panes.focus() == Some(place.id);
    theme.style(match state.mode {
        Mode::Typing(_) if state.panes.is_synchronised => Role::Warning,
        _ if is_focused => Role::Accent,
        _ => Role::Rule,
    })
}

/// Draws the line above a pane with what it shows and, at its end, what is special about it.
fn title(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    shown: &Shown,
    (number, place): (usize, Place),
) {
    let area = place.title();
    let look = look(state, theme, place);
    let is_typed_into = match state.mode {
        Mode::Typing(_) if state.panes.is_synchronised => true,
        Mode::Typing(id) => id == place.id,
        _ => false,
    };
    let line = if is_typed_into { "━" } else { "─" };
    put(buf, area, 0, vec![piece(line.repeat(usize::from(area.width)), look)]);
    let inner = Area { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let room = usize::from(inner.width);
    let mark = mark(state, shown, number, place);
    let notes = notes(state, theme, place);
    let wide = total(&notes);
    // Where one looks matters more than what can be read from the dashboard, too.
    let left = if wide * 2 > room { room } else { room.saturating_sub(wide) };
    let mut name = vec![piece(format!(" {mark}"), look)];
    if let Some(runner) = state.runners.get(&place.id) {
        name.extend(preview::title(state, theme, runner, left.saturating_sub(mark.len() + 2)));
    } else {
        let known = state.panes.names.get(&place.id).map_or("runner", String::as_str);
        let gone = if state.is_complete { " · gone" } else { "" };
        name.push(piece(format!("{known}{gone}"), theme.style(Role::Muted)));
    }
    name.push(piece(" ", look));
    let left = room.saturating_sub(total(&name));
    put(buf, inner, 0, name);
    if wide > 0 && wide <= left {
        let wide = u16::try_from(wide).unwrap_or(inner.width);
        let end = Area { x: inner.x + inner.width - wide, width: wide, ..inner };
        put(buf, end, 0, notes);
    }
}

/// The number of a pane while a key chooses one, and which of how many is shown.
fn mark(state: &State, shown: &Shown, number: usize, place: Place) -> String {
    if shown.count > shown.places.panes.len() {
        let order = state.panes.runners();
        let at = order.iter().position(|id| *id == place.id).unwrap_or(0);
        return format!("{}/{} ", at + 1, shown.count);
    }
    match state.mode {
        Mode::List if shown.count > 1 && number < 9 => format!("{} ", number + 1),
        _ => String::new(),
    }
}

/// What is special about a pane.
fn notes(state: &State, theme: Theme, place: Place) -> Vec<Span<'static>> {
    let mut notes = Vec::new();
    let area = place.screen();
    if let Some(past) = state.panes.past.get(&place.id) {
        notes.push(piece(scrollback::position(past, area.height), theme.style(Role::Accent)));
        return notes;
    }
    let screen = state.screens.get(&place.id).and_then(|screen| screen.pane.as_ref());
    if let Some(size) = screen.map(crate::terminal::Pane::size)
        && (size.cols() > area.width || size.rows() > area.height)
    {
        let text = format!(" clipped, is {}×{} ", size.cols(), size.rows());
        notes.push(piece(text, theme.style(Role::Muted)));
    }
    if state.panes.is_synchronised && state.panes.alone.is_none() {
        notes.push(piece(" all panes type ", theme.style(Role::Warning)));
    }
    notes
}

/// Draws the columns between panes, with their joints to the titles.
fn columns(buf: &mut Buffer, state: &State, theme: Theme, shown: &Shown) {
    let places = &shown.places;
    let columns = places.dividers.iter().filter(|divider| divider.axis == Axis::SideBySide);
    let columns: Vec<Area> = columns.map(|divider| divider.area).collect();
    for area in &columns {
        let above = area.y.checked_sub(1);
        let goes_on = above.is_some_and(|y| columns.iter().any(|other| other.contains(area.x, y)));
        for row in 0..area.height {
            let y = area.y + row;
            let left = area.x.checked_sub(1).and_then(|x| places.at(x, y));
            let right = places.at(area.x + 1, y);
            let is_title = |place: &Option<Place>| place.is_some_and(|p| p.title().y == y);
            let sign = match (is_title(&left), is_title(&right)) {
                (true, true) if row == 0 && !goes_on => "┬",
                (true, true) => "┼",
                (true, false) => "┤",
                (false, true) => "├",
                (false, false) => "│",
            };
            let beside = [left, right].into_iter().flatten();
            let focused = beside.clone().find(|place| state.panes.focus() == Some(place.id));
            let place = focused.or(beside.clone().next());
            let style = place.map_or(theme.style(Role::Rule), |place| look(state, theme, place));
            put(buf, *area, row, vec![piece(sign, style)]);
        }
    }
}

/// Draws the runners that have no pane yet over the pane in focus.
fn pick(buf: &mut Buffer, state: &State, theme: Theme, shown: &Shown, pick: Pick) {
    let Some(place) = state.panes.focus().and_then(|id| shown.places.of_runner(id)) else { return };
    let free = without_pane(state);
    let area = place.screen();
    let blank = " ".repeat(usize::from(area.width));
    for row in 0..area.height {
        put(buf, area, row, vec![piece(blank.clone(), Style::reset())]);
    }
    let how = if pick.axis == Axis::SideBySide { "BESIDE" } else { "BELOW" };
    let head = format!(" OPEN {how} THIS PANE");
    put(buf, area, 0, vec![piece(head, theme.style(Role::Muted))]);
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let chosen = pick.chosen.min(free.len().saturating_sub(1));
    let from = (chosen + 1).saturating_sub(height);
    let visible = free.iter().enumerate().skip(from);
    for (row, (at, id)) in (1..area.height).zip(visible) {
        let Some(runner) = state.runners.get(id) else { continue };
        let group = state.group(runner);
        let is_chosen = at == chosen;
        let name = theme.style(if is_chosen { Role::Strong } else { Role::Text });
        let said = theme.style(Theme::group(group));
        let line = vec![
            piece(if is_chosen { "▌" } else { " " }, theme.style(Role::Accent)),
            piece(format!("{} ", glyph(runner, group)), said),
            piece(format!("{}  ", clip_name(&runner.name, 20)), name),
            piece(format!("{}  ", word(runner, group)), said),
            piece(reason(runner, group), theme.style(Role::Muted)),
        ];
        put(buf, area, row, line);
    }
}
