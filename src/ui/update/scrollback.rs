//! Looking at a runner's past: scrolling, searching, selecting and copying.
//!
//! The wheel and a page scroll a pane without taking the keys from its agent: the next key goes to
//! the agent, and the pane shows the present again. The keys of the past itself are a mode.

use crate::{
    domain::id::RunnerId,
    terminal::{Pane, Still},
    ui::{
        effect::Effect,
        event::UiEvent,
        keymap::Action,
        state::{
            Mode, Scrollback, Search, Selection, Spot, State, TextLine, Unit, View, shown_panes,
        },
    },
};

/// Scrolls a pane by so many lines, up for a positive number.
pub(super) fn scroll(state: &mut State, id: RunnerId, by: i64) -> Vec<Effect> {
    let Some((_, height)) = room(state, id) else { return Vec::new() };
    if by <= 0 && !state.panes.past.contains_key(&id) {
        return Vec::new();
    }
    let effects = open(state, id);
    let is_followed = matches!(state.mode, Mode::Scrollback(at) if at == id);
    if let Some(past) = state.panes.past.get_mut(&id) {
        let is_above = past.scroll(by, height);
        // Before anything is known of the past there is nothing else to show.
        state.is_dirty |= past.is_known();
        keep_cursor_in_sight(past, height);
        if !is_above && !is_followed && past.selection.is_none() {
            state.panes.past.remove(&id);
        }
    }
    effects
}

/// Scrolls the pane in focus by a page.
pub(super) fn page(state: &mut State, forward: bool) -> Vec<Effect> {
    let Some(id) = state.panes.focus() else { return Vec::new() };
    let Some((_, height)) = room(state, id) else { return Vec::new() };
    let page = i64::from(height.saturating_sub(1).max(1));
    scroll(state, id, if forward { -page } else { page })
}

/// Gives the keys to the past of the pane in focus.
pub(super) fn enter(state: &mut State, searching: bool) -> Vec<Effect> {
    let Some(id) = state.panes.focus() else { return Vec::new() };
    let effects = open(state, id);
    let Some((_, height)) = room(state, id) else { return Vec::new() };
    let Some(past) = state.panes.past.get_mut(&id) else {
        state.say("its past is kept only while it runs; logs show the rest");
        return Vec::new();
    };
    let (_, last) = past.ends();
    let bottom = (past.top(height) + i64::from(height) - 1).min(last);
    past.cursor.get_or_insert(Spot { line: bottom, col: 0 });
    state.mode =
        if searching { Mode::Search(id, TextLine::default()) } else { Mode::Scrollback(id) };
    effects
}

/// Shows the present again.
pub(super) fn close(state: &mut State, id: RunnerId) {
    if state.panes.past.remove(&id).is_some() {
        state.is_dirty = true;
    }
}

/// Holds a runner's screen still and asks what was before it, if that was not done yet.
pub(super) fn open(state: &mut State, id: RunnerId) -> Vec<Effect> {
    if state.panes.past.contains_key(&id) {
        return Vec::new();
    }
    let is_live = state.runners.get(&id).is_some_and(|runner| runner.status.is_live());
    let pane = state.screens.get(&id).and_then(|screen| screen.pane.as_ref());
    let (Some(pane), Some((width, height)), true) = (pane, room(state, id), is_live) else {
        return Vec::new();
    };
    let past = Scrollback::new(pane, width, height);
    state.panes.past.insert(id, past);
    vec![Effect::OpenScrollback(id)]
}

/// Applies an action on the past.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Scrollback(id) = state.mode else { return Vec::new() };
    let Some((width, height)) = room(state, id) else { return Vec::new() };
    let Some(past) = state.panes.past.get_mut(&id) else {
        state.mode = Mode::List;
        return Vec::new();
    };
    let page = i64::from(height.saturating_sub(1).max(1));
    let (first, last) = past.ends();
    match action {
        Action::Up => move_by(past, height, -1),
        Action::Down => move_by(past, height, 1),
        Action::HalfPageUp => move_by(past, height, -page / 2),
        Action::HalfPageDown => move_by(past, height, page / 2),
        Action::PageUp => move_by(past, height, -page),
        Action::PageDown => move_by(past, height, page),
        Action::First => move_by(past, height, first - last),
        Action::Last => move_by(past, height, last - first),
        Action::Left => column(past, |col, _| col.saturating_sub(1)),
        Action::Right => column(past, |col, cols| (col + 1).min(cols - 1)),
        Action::LineStart => column(past, |_, _| 0),
        Action::LineEnd => {
            let line = past.cursor.unwrap_or_default().line;
            let used = Still::new([past.line(line).unwrap_or_default()], past.cols()).used(0);
            column(past, |_, _| used.saturating_sub(1));
        }
        Action::NextWord => word(past, true),
        Action::PreviousWord => word(past, false),
        Action::Select => select(past, Unit::Cells),
        Action::SelectLines => select(past, Unit::Lines),
        Action::Search => state.mode = Mode::Search(id, TextLine::default()),
        Action::Older => return next_match(state, id, height, true),
        Action::Newer => return next_match(state, id, height, false),
        Action::Copy => return copy(state, id),
        Action::Cancel if past.selection.take().is_some() => {}
        Action::Cancel => leave(state, id),
        _ => {}
    }
    if let Some(past) = state.panes.past.get_mut(&id) {
        follow(past, width);
    }
    Vec::new()
}

/// Applies an action while a text to search for is typed.
pub(super) fn on_search(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Search(id, line) = std::mem::replace(&mut state.mode, Mode::List) else {
        return Vec::new();
    };
    state.mode = Mode::Scrollback(id);
    let needle = line.text().to_owned();
    let Some(past) = state.panes.past.get_mut(&id) else { return Vec::new() };
    if action != Action::Accept || needle.is_empty() {
        return Vec::new();
    }
    past.search = Some(Search { needle: needle.clone(), lines: None });
    vec![Effect::SearchScrollback(id, needle)]
}

/// Applies what was learnt of the past.
pub(super) fn on_event(state: &mut State, event: UiEvent) {
    state.is_dirty = true;
    match event {
        UiEvent::ScrollbackOpened(id, present) => {
            let past = state.panes.past.get_mut(&id).filter(|past| !past.is_known());
            let Some(past) = past else { return };
            past.know(&present);
            if let Some((needle, lines)) = past.early.take() {
                on_found(state, id, needle, lines);
            }
        }
        UiEvent::ScrollbackRead(id, from, piece) => {
            if let Some(past) = state.panes.past.get_mut(&id) {
                past.put(from, piece);
            }
        }
        UiEvent::ScrollbackFound(id, needle, lines) => on_found(state, id, needle, lines),
        _ => {}
    }
}

/// Loads what is looked at, and forgets what no longer is.
pub(super) fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let places = if state.view == View::Panes { shown_panes(state).places } else { <_>::default() };
    let runners = &state.runners;
    state.panes.past.retain(|id, _| {
        let is_live = runners.get(id).is_some_and(|runner| runner.status.is_live());
        is_live && places.of_runner(*id).is_some_and(|place| !place.screen().is_empty())
    });
    if let Mode::Scrollback(id) | Mode::Search(id, _) = &state.mode
        && !state.panes.past.contains_key(id)
    {
        state.mode = Mode::List;
    }
    for (id, past) in &mut state.panes.past {
        let Some(place) = places.of_runner(*id) else { continue };
        let height = place.screen().height;
        past.settle(height);
        effects.extend(past.missing(height).into_iter().map(|at| Effect::ReadScrollback(*id, at)));
    }
}

/// Copies what is selected, or the line where the keys are, and shows the present again.
pub(super) fn copy(state: &mut State, id: RunnerId) -> Vec<Effect> {
    let Some(past) = state.panes.past.get_mut(&id) else { return Vec::new() };
    if past.selection.is_none() {
        let at = past.cursor.unwrap_or_default();
        past.selection = Some(Selection { anchor: at, head: at, unit: Unit::Lines });
    }
    let text = past.selected_text().unwrap_or_default();
    past.selection = None;
    if text.trim().is_empty() {
        state.say("there is nothing to copy");
        return Vec::new();
    }
    let lines = text.lines().count();
    let characters = text.chars().count();
    state.say(match lines {
        1 => format!("copied {characters} characters"),
        _ => format!("copied {lines} lines, {characters} characters"),
    });
    leave(state, id);
    vec![Effect::Copy(text)]
}

/// The columns and rows in which a runner's screen is shown.
fn room(state: &State, id: RunnerId) -> Option<(u16, u16)> {
    let area = shown_panes(state).places.of_runner(id)?.screen();
    (!area.is_empty()).then_some((area.width, area.height))
}

/// Shows the present again; the keys arrange panes.
fn leave(state: &mut State, id: RunnerId) {
    close(state, id);
    if matches!(state.mode, Mode::Scrollback(_)) {
        state.mode = Mode::List;
        // There is nothing to arrange around a runner that stands alone.
        if state.panes.alone.is_some() {
            super::panes::enter(state);
        }
    }
}

/// Moves by so many lines, as far as there are any.
fn move_by(past: &mut Scrollback, height: u16, by: i64) {
    let (first, last) = past.ends();
    let at = past.cursor.unwrap_or_default();
    go(past, height, Spot { line: at.line.saturating_add(by).clamp(first, last), ..at });
}

fn go(past: &mut Scrollback, height: u16, to: Spot) {
    past.cursor = Some(to);
    if let Some(selection) = &mut past.selection {
        selection.head = to;
    }
    past.show(to.line, height);
}

fn column(past: &mut Scrollback, to: impl Fn(u16, u16) -> u16) {
    let at = past.cursor.unwrap_or_default();
    let at = Spot { col: to(at.col, past.cols()), ..at };
    past.cursor = Some(at);
    if let Some(selection) = &mut past.selection {
        selection.head = at;
    }
}

/// Goes to the next word of the line, or the one before.
fn word(past: &mut Scrollback, forward: bool) {
    let at = past.cursor.unwrap_or_default();
    let row = Still::new([past.line(at.line).unwrap_or_default()], past.cols());
    let is_blank = |col: u16| {
        let (from, to) = row.word(0, col);
        row.text(0, from, to).trim().is_empty()
    };
    let mut col = at.col;
    if forward {
        col = row.word(0, col).1;
        if is_blank(col) {
            col = row.word(0, col).1;
        }
        col = if col >= past.cols() { at.col } else { col };
    } else {
        col = col.saturating_sub(1);
        if is_blank(col) {
            col = row.word(0, col).0.saturating_sub(1);
        }
        col = row.word(0, col).0;
    }
    column(past, |_, _| col);
}

/// Begins to select here, or ends it.
fn select(past: &mut Scrollback, unit: Unit) {
    let at = past.cursor.unwrap_or_default();
    past.selection = match past.selection {
        Some(selection) if selection.unit == unit => None,
        Some(selection) => Some(Selection { unit, ..selection }),
        None => Some(Selection { anchor: at, head: at, unit }),
    };
}

/// Shows the column where the keys are.
fn follow(past: &mut Scrollback, width: u16) {
    let Some(at) = past.cursor else { return };
    let last = past.left.saturating_add(width.saturating_sub(1));
    if at.col < past.left {
        past.left = at.col;
    } else if at.col > last {
        past.left = at.col.saturating_sub(width.saturating_sub(1));
    }
}

/// After the wheel, the keys are where one looks.
fn keep_cursor_in_sight(past: &mut Scrollback, height: u16) {
    let top = past.top(height);
    let (first, last) = past.ends();
    if let Some(at) = &mut past.cursor {
        let bottom = top + i64::from(height.max(1)) - 1;
        at.line = at.line.clamp(top, bottom).clamp(first, last.max(first));
    }
}

fn on_found(state: &mut State, id: RunnerId, needle: String, lines: Vec<u64>) {
    let Some((_, height)) = room(state, id) else { return };
    let Some(past) = state.panes.past.get_mut(&id) else { return };
    if !past.is_known() {
        past.early = Some((needle, lines));
        return;
    }
    let history = i64::try_from(past.history()).unwrap_or(i64::MAX);
    let (first, last) = past.ends();
    let Some(search) = past.search.as_mut().filter(|search| search.needle == needle) else {
        return;
    };
    let relative =
        lines.into_iter().filter_map(|line| i64::try_from(line).ok().map(|l| l - history));
    let found: Vec<i64> = relative.filter(|line| (first..=last).contains(line)).collect();
    let is_empty = found.is_empty();
    search.lines = Some(found);
    if is_empty {
        state.say(format!("`{needle}` is nowhere in its past"));
        return;
    }
    let at = past.cursor.unwrap_or_default();
    // The line where the keys are counts, too.
    past.cursor = Some(Spot { line: at.line.saturating_add(1), ..at });
    next_match(state, id, height, true);
}

/// Goes to the next line that matches, older or newer, round and round.
fn next_match(state: &mut State, id: RunnerId, height: u16, older: bool) -> Vec<Effect> {
    let Some(past) = state.panes.past.get_mut(&id) else { return Vec::new() };
    let at = past.cursor.unwrap_or_default().line;
    let search = past.search.as_ref().and_then(|s| s.lines.as_ref().map(|l| (&s.needle, l)));
    let Some((needle, lines)) = search.filter(|(_, lines)| !lines.is_empty()) else {
        state.say("nothing was searched for, or nothing found");
        return Vec::new();
    };
    let found = if older {
        lines.iter().rev().find(|line| **line < at).or(lines.last())
    } else {
        lines.iter().find(|line| **line > at).or(lines.first())
    };
    let Some(line) = found.copied() else { return Vec::new() };
    let row = Still::new([past.line(line).unwrap_or_default()], past.cols());
    let col = row.find(0, needle).first().map_or(0, |(from, _)| *from);
    let is_shown = (past.top(height)..past.top(height) + i64::from(height)).contains(&line);
    go(past, height, Spot { line, col });
    if !is_shown {
        past.centre(line, height);
    }
    Vec::new()
}

/// Returns the place in the past that a cell of a pane shows.
pub(super) fn spot_at(state: &State, id: RunnerId, col: u16, row: u16) -> Option<Spot> {
    let area = shown_panes(state).places.of_runner(id)?.screen();
    if area.is_empty() {
        return None;
    }
    let (top, left, cols) = if let Some(past) = state.panes.past.get(&id) {
        (past.top(area.height), past.left, past.cols())
    } else {
        let pane = state.screens.get(&id)?.pane.as_ref()?;
        let (top, left) = Pane::origin(pane, area.width, area.height);
        (i64::from(top), left, pane.size().cols())
    };
    let row = row.clamp(area.y, area.y + area.height - 1) - area.y;
    let col = col.clamp(area.x, area.x + area.width - 1) - area.x + left;
    Some(Spot { line: top + i64::from(row), col: col.min(cols.saturating_sub(1)) })
}
