//! Which part of the screen shows what, for any size from 1×1: one column where it is narrow, the
//! selected runner's screen below or beside the list where there is room.
//!
//! Invariant: every area lies within the screen; what does not fit is empty.

use unicode_width::UnicodeWidthStr as _;

use super::{Arrangement, EventsRoom, Mode, State, View, rows};

/// From this width the selected runner's screen stands beside the list.
const WIDE: u16 = 100;
/// From this width it stands below the list.
const MEDIUM: u16 = 60;

/// Columns of the list from which it shows figures, which change with every heartbeat.
pub(in crate::ui) const FIGURES_FROM: u16 = 96;
/// From this height a screen leaves room for what its runner used.
const FACTS_FROM: u16 = 20;
/// More budgets of one runner are in the view of the budgets.
pub(in crate::ui) const MOST_BUDGETS: usize = 3;

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ui) struct Area {
    /// The first column.
    pub(in crate::ui) x: u16,
    /// The first row.
    pub(in crate::ui) y: u16,
    /// Columns.
    pub(in crate::ui) width: u16,
    /// Rows.
    pub(in crate::ui) height: u16,
}

impl Area {
    /// Whether a cell lies in it.
    pub(in crate::ui) fn contains(self, col: u16, row: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&col)
            && (self.y..self.y.saturating_add(self.height)).contains(&row)
    }

    /// Whether there is nothing of it.
    pub(in crate::ui) fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Takes up to `height` rows from the top.
    fn take_top(&mut self, height: u16) -> Self {
        let height = height.min(self.height);
        let top = Self { height, ..*self };
        self.y += height;
        self.height -= height;
        top
    }

    /// Takes up to `height` rows from the bottom.
    fn take_bottom(&mut self, height: u16) -> Self {
        let height = height.min(self.height);
        self.height -= height;
        Self { y: self.y + self.height, height, ..*self }
    }

    /// Takes up to `width` columns from the right.
    fn take_right(&mut self, width: u16) -> Self {
        let width = width.min(self.width);
        self.width -= width;
        Self { x: self.x + self.width, width, ..*self }
    }
}

/// The areas of the screen; an empty one is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ui) struct Geometry {
    /// Who we are and the counts.
    pub(in crate::ui) header: Area,
    /// The line under it.
    pub(in crate::ui) rule: Area,
    /// Everything between header and hints.
    pub(in crate::ui) body: Area,
    /// The runners.
    pub(in crate::ui) list: Area,
    /// The names of projects.
    pub(in crate::ui) projects: Area,
    /// The line above the events.
    pub(in crate::ui) events_rule: Area,
    /// The events.
    pub(in crate::ui) events: Area,
    /// The line between list and screen: one column wide or one row high.
    pub(in crate::ui) divider: Area,
    /// The selected runner's screen.
    pub(in crate::ui) preview: Area,
    /// What it used and may use.
    pub(in crate::ui) facts: Area,
    /// Where the screen will be once there is a runner.
    pub(in crate::ui) preview_after_launch: Area,
    /// A question, a line being typed, a message.
    pub(in crate::ui) prompt: Area,
    /// The keys that work here.
    pub(in crate::ui) hints: Area,
}

impl Geometry {
    /// Whether the screen stands beside the list.
    pub(in crate::ui) fn is_side_by_side(&self) -> bool {
        self.divider.width == 1 && self.divider.height > 1
    }

    /// What text may take of an area on the left: a blank stays before the line beside it.
    pub(in crate::ui) fn text_of(&self, area: Area) -> Area {
        Area { width: area.width.saturating_sub(u16::from(self.is_side_by_side())), ..area }
    }
}

/// Returns the areas for the state's size and mode.
pub(in crate::ui) fn geometry(state: &State) -> Geometry {
    let (width, height) = state.size;
    let mut rest = Area { x: 0, y: 0, width, height };
    let mut areas = Geometry::default();
    let are_panes = state.view == View::Panes;
    if !are_panes || height >= 10 {
        areas.header = rest.take_top(1);
    }
    if height >= 3 {
        areas.hints = rest.take_bottom(1);
    }
    if needs_prompt(state) && height >= 2 {
        areas.prompt = prompt(state, &mut rest, &mut areas);
    }
    if height >= 8 && !are_panes {
        areas.rule = rest.take_top(1);
    }
    areas.body = rest;
    if are_panes {
        // Each pane's title is its own line.
        rest.take_top(1);
        areas.preview_after_launch = rest;
        return areas;
    }
    divide(state, rest, &mut areas);
    if matches!(state.mode, Mode::Palette(_)) && areas.is_side_by_side() {
        // It takes all that is on the left.
        areas.list.height = areas.body.height;
        (areas.projects, areas.events_rule, areas.events) = Default::default();
    }
    areas.preview_after_launch = areas.preview;
    if matches!(state.mode, Mode::Typing(_)) && areas.preview.is_empty() {
        // Nobody types blindly: where there is no room for both, the screen takes it all.
        let (body, nothing) = (areas.body, Area::default());
        areas = Geometry { list: nothing, projects: nothing, events_rule: nothing, ..areas };
        areas = Geometry { events: nothing, divider: nothing, preview: body, ..areas };
    }
    let is_full =
        matches!(state.mode, Mode::Help(_) | Mode::Launch(_) | Mode::Quotas(_) | Mode::Budget(_));
    if state.is_empty() || state.is_page() || is_full {
        let nothing = Area::default();
        areas = Geometry {
            list: nothing,
            projects: nothing,
            events_rule: nothing,
            events: nothing,
            divider: nothing,
            preview: nothing,
            facts: nothing,
            ..areas
        };
    }
    areas
}

fn divide(state: &State, mut rest: Area, areas: &mut Geometry) {
    if rest.width >= WIDE && rest.height >= 8 {
        let list_width = (rest.width * 52 / 100).clamp(58, 104);
        areas.preview = rest.take_right(rest.width - list_width - 1);
        areas.divider = rest.take_right(1);
        if areas.preview.height >= FACTS_FROM {
            areas.facts = areas.preview.take_bottom(facts(state));
        }
        take_events(state, &mut rest, areas, 14);
    } else if rest.width >= MEDIUM && rest.height >= 16 {
        let wanted = u16::try_from(rows(state).len()).unwrap_or(u16::MAX);
        let list_height = wanted.clamp(6, (rest.height / 2).max(6));
        areas.preview = rest.take_bottom(rest.height - list_height - 1);
        areas.divider = rest.take_bottom(1);
        // Here the events are shown only on demand: they take the room of the screen.
        if state.events_room == EventsRoom::Half {
            areas.events = areas.preview;
            areas.events_rule = areas.divider;
            areas.preview = Area::default();
            areas.divider = Area::default();
        }
    } else {
        take_events(state, &mut rest, areas, 18);
    }
    areas.list = rest;
}

/// How many lines tell what the selected runner used and may use.
fn facts(state: &State) -> u16 {
    let Some(runner) = state.selected_runner() else { return 0 };
    let budgets = state.budgets_of(runner).len();
    let has_used = runner.tokens_used > 0;
    match (has_used, budgets) {
        (false, 0) => 0,
        (_, budgets) => {
            u16::try_from(1 + usize::from(has_used) + budgets.min(MOST_BUDGETS)).unwrap_or(0)
        }
    }
}

fn take_events(state: &State, rest: &mut Area, areas: &mut Geometry, from_height: u16) {
    let height = rest.height;
    let lines = match state.events_room {
        EventsRoom::Hidden => 0,
        EventsRoom::Some if height < from_height => 0,
        EventsRoom::Some => (height / 5).clamp(3, 10),
        EventsRoom::Half => height / 2,
    };
    if lines > 0 {
        areas.events = rest.take_bottom(lines);
        areas.events_rule = rest.take_bottom(1);
    }
    let are_headings = state.arrangement == Arrangement::ByProject;
    if height >= from_height && !state.projects.is_empty() && !are_headings {
        areas.projects = rest.take_bottom(1);
    }
}

/// Nothing may move or change its size for a message: one line takes the end of the header among
/// panes, else that of the hints; more lie over what is above the hints.
fn prompt(state: &State, rest: &mut Area, areas: &mut Geometry) -> Area {
    let are_panes = state.view == View::Panes;
    let lines = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX).max(1);
    if is_asked(state) {
        let height = lines(state.asked_lines().len());
        return if are_panes { { *rest }.take_bottom(height) } else { rest.take_bottom(height) };
    }
    let told = state.toast_lines();
    let [one] = told.as_slice() else { return { *rest }.take_bottom(lines(told.len())) };
    let width = u16::try_from(one.width() + 4).unwrap_or(u16::MAX);
    match if are_panes { areas.header } else { areas.hints } {
        line if line.is_empty() => { *rest }.take_bottom(1),
        mut line if are_panes => line.take_right(width),
        _ => areas.hints.take_right(width),
    }
}

fn needs_prompt(state: &State) -> bool {
    is_asked(state) || state.toast.is_some() || state.progress_line().is_some()
}

fn is_asked(state: &State) -> bool {
    let is_typed = matches!(
        state.mode,
        Mode::Line(..) | Mode::Filter | Mode::Find | Mode::Search(..) | Mode::Words(_)
    );
    is_typed || state.unread.is_some() || matches!(state.mode, Mode::Confirm(_))
}
