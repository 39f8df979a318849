//! The panes: runners' screens side by side and one below the other, and where the user is in them.
//!
//! Invariant: the focus names a pane of the tree if there is one. A runner that was opened in place
//! stands alone in front of the tree, which waits behind it unchanged.

mod place;
mod saved;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(in crate::ui) use self::{
    place::{Place, Places},
    saved::{MOST_PANES, SavedLayout},
    tree::{Axis, Side, Tree},
};
use chrono::{DateTime, Utc};

use super::{Area, Scrollback, Spot, State, Unit, View, geometry, natural};
use crate::domain::{id::RunnerId, size::TerminalSize};

/// A pane with less room than this for its screen is not worth looking at: then only the one in
/// focus is shown.
const LEAST: (u16, u16) = (24, 2);
/// Room that a screen in a grid gets at least; further runners are left out.
const LEAST_IN_GRID: (u16, u16) = (24, 5);
/// Arrangements that can be brought back.
const MOST_UNDONE: usize = 20;

/// An arrangement and the pane in focus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Layout {
    /// The panes, `None` without any.
    pub(in crate::ui) tree: Option<Tree>,
    /// The pane that keys speak of.
    pub(in crate::ui) focus: Option<RunnerId>,
    /// Only that one is shown.
    pub(in crate::ui) is_zoomed: bool,
}

/// All about the panes.
#[derive(Debug, Default)]
pub(in crate::ui) struct Panes {
    /// The arrangement.
    pub(in crate::ui) layout: Layout,
    /// The runner that was opened in place, in front of it.
    pub(in crate::ui) alone: Option<RunnerId>,
    /// What is typed goes to every pane that is shown.
    pub(in crate::ui) is_synchronised: bool,
    /// What runners were called, for panes whose runner is gone.
    pub(in crate::ui) names: BTreeMap<RunnerId, String>,
    /// What runners showed before, where it is looked at.
    pub(in crate::ui) past: BTreeMap<RunnerId, Scrollback>,
    /// The last click, to know a double one.
    pub(in crate::ui) click: Option<Click>,
    /// The arrangement that is kept for the next start.
    pub(in crate::ui) kept: Option<SavedLayout>,
    /// The size that the pane that is typed into has asked for last.
    pub(in crate::ui) asked: Option<(RunnerId, TerminalSize)>,
    /// A runner whose terminal cannot be given another size.
    pub(in crate::ui) fixed: Option<RunnerId>,
    /// What the mouse holds.
    pub(in crate::ui) drag: Option<Drag>,
    before: Vec<Layout>,
}

/// What the mouse holds while its button is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Drag {
    /// A divider.
    Divider {
        /// The way to its split.
        path: Vec<bool>,
        /// How the parts of that lie.
        axis: Axis,
        /// Where that is.
        whole: Area,
    },
    /// An agent is told of it.
    Passed(RunnerId),
    /// The screen of a pane: text may be selected.
    Screen {
        /// Whose.
        id: RunnerId,
        /// Where the button went down.
        from: Spot,
        /// What a selection grows by.
        unit: Unit,
        /// The pane had the focus before.
        had_focus: bool,
    },
}

/// A click, to be counted with those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Click {
    /// When.
    pub(in crate::ui) at: DateTime<Utc>,
    /// The column and row.
    pub(in crate::ui) cell: (u16, u16),
    /// The how manieth at the same place.
    pub(in crate::ui) count: u8,
}

impl Panes {
    /// The runner whose pane has the focus.
    pub(in crate::ui) fn focus(&self) -> Option<RunnerId> {
        self.alone.or(self.layout.focus)
    }

    /// The runners with panes, in order.
    pub(in crate::ui) fn runners(&self) -> Vec<RunnerId> {
        self.layout.tree.as_ref().map(Tree::runners).unwrap_or_default()
    }

    /// Changes the arrangement so that it can be undone.
    pub(in crate::ui) fn change(&mut self, change: impl FnOnce(&mut Layout)) {
        let before = self.layout.clone();
        change(&mut self.layout);
        if before.tree != self.layout.tree {
            self.before.push(before);
            let more = self.before.len().saturating_sub(MOST_UNDONE);
            self.before.drain(..more);
        }
    }

    /// Brings back the arrangement before the last change; false when there is none.
    pub(in crate::ui) fn undo(&mut self) -> bool {
        let before = self.before.pop();
        if let Some(before) = &before {
            self.layout.clone_from(before);
        }
        before.is_some()
    }

    /// Opens a pane for a runner beside the one in focus, which it takes over.
    pub(in crate::ui) fn open(&mut self, axis: Axis, id: RunnerId) {
        self.change(|layout| {
            match &mut layout.tree {
                Some(tree) => tree.split(layout.focus, axis, id),
                None => layout.tree = Some(Tree::Pane(id)),
            }
            layout.focus = Some(id);
            layout.is_zoomed = false;
        });
    }

    /// Closes a runner's pane; its neighbour in the order gets the focus.
    pub(in crate::ui) fn close(&mut self, id: RunnerId) {
        let order = self.runners();
        let at = order.iter().position(|known| *known == id);
        let next = at.and_then(|at| order.get(at + 1).or_else(|| order.get(at.checked_sub(1)?)));
        let next = next.copied();
        self.change(|layout| {
            layout.tree = layout.tree.take().and_then(|tree| tree.without(id));
            layout.focus = next;
            layout.is_zoomed = false;
        });
    }

    /// The runner so many panes further in the order, round and round.
    pub(in crate::ui) fn further(&self, by: isize) -> Option<RunnerId> {
        let order = self.runners();
        let at = order.iter().position(|id| Some(*id) == self.layout.focus).unwrap_or(0);
        let count = isize::try_from(order.len()).ok().filter(|count| *count > 0)?;
        let to = (isize::try_from(at).ok()? + by).rem_euclid(count);
        order.get(usize::try_from(to).ok()?).copied()
    }
}

/// The panes as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Shown {
    /// The panes that are shown and what divides them.
    pub(in crate::ui) places: Places,
    /// How many there are altogether; more than are shown when only the one in focus is.
    pub(in crate::ui) count: usize,
}

/// Returns the panes as they are shown now, none in another view.
pub(in crate::ui) fn shown_panes(state: &State) -> Shown {
    let panes = &state.panes;
    let area = geometry(state).body;
    if state.view != View::Panes || area.is_empty() {
        return Shown::default();
    }
    let only = |id: RunnerId, count| Shown {
        places: Places { panes: vec![Place { id, area }], dividers: Vec::new() },
        count,
    };
    if let Some(id) = panes.alone {
        return only(id, 1);
    }
    let Some(tree) = &panes.layout.tree else { return Shown::default() };
    let places = Places::of(tree, area);
    let count = places.panes.len();
    let is_tight = |place: &Place| {
        let room = place.screen();
        room.width < LEAST.0 || room.height < LEAST.1
    };
    match panes.layout.focus {
        Some(id) if panes.layout.is_zoomed || places.panes.iter().any(is_tight) => only(id, count),
        _ => Shown { places, count },
    }
}

/// Returns where the panes would be if all were shown, to move among them.
pub(in crate::ui) fn all_places(state: &State) -> Places {
    let area = geometry(state).body;
    state.panes.layout.tree.as_ref().map(|tree| Places::of(tree, area)).unwrap_or_default()
}

/// Returns the live runners without a pane, who needs a person first.
pub(in crate::ui) fn without_pane(state: &State) -> Vec<RunnerId> {
    let tree = state.panes.layout.tree.as_ref();
    let is_free = |id: RunnerId| tree.is_none_or(|tree| !tree.contains(id));
    by_need(state).into_iter().filter(|id| is_free(*id)).collect()
}

/// Returns the live runners of a project for a grid in an area: as many as have room, who needs a
/// person first, by name; and how many were left out.
pub(in crate::ui) fn for_grid(state: &State, project: &str, area: Area) -> (Vec<RunnerId>, usize) {
    let is_in = |id: &RunnerId| state.runners.get(id).is_some_and(|r| r.project == project);
    let mut chosen: Vec<RunnerId> = by_need(state).into_iter().filter(is_in).collect();
    let columns = (area.width + 1) / (LEAST_IN_GRID.0 + 1);
    let rows = area.height / (LEAST_IN_GRID.1 + 1);
    let most = usize::from(columns.max(1)) * usize::from(rows.max(1));
    let left_out = chosen.len().saturating_sub(most);
    chosen.truncate(most);
    let name = |id: &RunnerId| state.runners.get(id).map_or("", |runner| runner.name.as_str());
    chosen.sort_by(|a, b| natural(name(a), name(b)));
    (chosen, left_out)
}

/// Returns the live runners, who needs a person first, then by name.
fn by_need(state: &State) -> Vec<RunnerId> {
    let mut live: Vec<_> = state.runners.values().filter(|r| r.status.is_live()).collect();
    live.sort_by(|a, b| {
        let groups = state.group(a).cmp(&state.group(b));
        groups.then_with(|| natural(&a.name, &b.name)).then(a.id.cmp(&b.id))
    });
    live.into_iter().map(|runner| runner.id).collect()
}
