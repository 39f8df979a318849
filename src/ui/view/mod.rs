//! Draws the state. Nothing here changes it, asks the daemon or knows a colour.
//!
//! Invariant: any size from 1×1 is drawn without a panic, and text is cut by the width it really
//! has on the screen.

mod budget;
mod correct;
mod dialog;
mod events;
mod header;
mod help;
mod hints;
mod list;
mod notices;
mod page;
mod palette;
mod panes;
mod preview;
mod prompt;
mod quotas;
mod scrollback;
mod spending;
mod themes;
mod welcome;

use chrono::TimeDelta;
use ratatui::{Frame, layout::Rect};

use super::{
    state::{
        Area, Geometry, Group, Mode, Row, State, View, correct_area, geometry, rows, shown_panes,
        themes_area,
    },
    theme::Theme,
};

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    let areas = geometry(state);
    let buf = frame.buffer_mut();
    header::draw(buf, state, theme, &areas);
    let mut cursor = None;
    match &state.mode {
        Mode::Help(scroll) => help::draw(buf, state, theme, areas.body, *scroll),
        Mode::Launch(dialog) => cursor = dialog::draw(buf, state, theme, areas.body, dialog),
        Mode::Quotas(dialog) => cursor = quotas::draw(buf, state, theme, areas.body, dialog),
        Mode::Budget(dialog) => cursor = budget::draw(buf, state, theme, areas.body, dialog),
        _ if state.view == View::Panes => cursor = panes::draw(buf, state, theme),
        _ if state.is_page() => page::draw(buf, state, theme, areas.body),
        _ if !state.is_complete => welcome::draw_waiting(buf, state, theme, areas.body),
        _ if state.is_empty() => welcome::draw(buf, state, theme, areas.body),
        _ => {
            list::draw(buf, state, theme, &areas);
            events::draw(buf, state, theme, &areas);
            let at = preview::draw(buf, state, theme, &areas);
            spending::draw_facts(buf, state, theme, &areas);
            if matches!(state.mode, Mode::Typing(_)) {
                cursor = at;
            }
        }
    }
    notices::draw(buf, state, theme, &areas);
    if let Mode::Palette(palette) = &state.mode {
        cursor = palette::draw(buf, state, theme, &areas, palette);
    }
    if let Mode::Correct(dialog) = &state.mode {
        correct::draw(buf, state, theme, &areas, dialog);
    }
    if let Mode::Themes(picker) = &state.mode {
        themes::draw(buf, state, theme, areas.body, picker);
    }
    cursor = prompt::draw(buf, state, theme, areas.prompt).or(cursor);
    hints::draw(buf, state, theme, areas.hints);
    theme.finish(buf, &screens(state, areas.preview), &over(state, &areas));
    if let Some(at) = cursor {
        frame.set_cursor_position(at);
    }
}

/// What stands over them.
fn over(state: &State, areas: &Geometry) -> Vec<Rect> {
    let mut over = vec![rect(state.notices_area(areas)), rect(areas.prompt)];
    if matches!(state.mode, Mode::Themes(_)) {
        over.push(rect(themes_area(state, areas.body)));
    }
    if matches!(state.mode, Mode::Correct(_)) {
        over.push(rect(correct_area(areas)));
    }
    over
}

/// Where the agents' own screens are.
fn screens(state: &State, preview: Area) -> Vec<Rect> {
    let panes = shown_panes(state).places.panes;
    let all = panes.into_iter().map(|place| place.screen()).chain([preview]);
    all.filter(|area| !area.is_empty()).map(rect).collect()
}

/// Returns after how long something on the screen changes by itself: an age that reads differently,
/// a note or a message whose time is up. `None` if nothing does.
pub(super) fn next_change(state: &State) -> Option<TimeDelta> {
    let period = state.spending.ends().map(|end| (end - state.now).max(TimeDelta::minutes(1)));
    let ends = [state.next_notice_end(), state.next_toast_end(), state.next_progress(), period];
    next_age(state).into_iter().chain(ends.into_iter().flatten()).min()
}

/// Returns after how long an age in the list reads differently.
fn next_age(state: &State) -> Option<TimeDelta> {
    let areas = geometry(state);
    let rows = rows(state);
    let visible = rows.iter().skip(state.scroll).take(usize::from(areas.list.height));
    let listed = visible.filter_map(Row::runner);
    let panes = shown_panes(state).places.panes;
    let ages = listed.chain(panes.into_iter().map(|place| place.id)).filter_map(|id| {
        let runner = state.runners.get(&id)?;
        let group = state.group(runner);
        (group != Group::Finished).then(|| state.age(runner))
    });
    let youngest = ages.min()?;
    Some(TimeDelta::seconds(if youngest < TimeDelta::minutes(1) { 1 } else { 60 }))
}

/// Returns an area in the drawing library's terms.
fn rect(area: Area) -> Rect {
    Rect::new(area.x, area.y, area.width, area.height)
}
