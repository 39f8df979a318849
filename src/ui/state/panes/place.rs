//! Where the panes of a tree lie in an area, and what lies between them.
//!
//! Each pane begins with a row for its title, which is also what divides it from the pane above;
//! a column divides panes side by side. Invariant: panes and columns cover the area without
//! overlapping; what has no room is empty.

use super::tree::{Axis, Side, Split, Tree, WHOLE};
use crate::{domain::id::RunnerId, ui::state::Area};

/// A pane's place, with its title row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Place {
    /// Whose.
    pub(in crate::ui) id: RunnerId,
    /// Where.
    pub(in crate::ui) area: Area,
}

impl Place {
    /// The row of the title, empty where the pane is too low for one.
    pub(in crate::ui) fn title(&self) -> Area {
        Area { height: u16::from(self.area.height > 1), ..self.area }
    }

    /// Where the runner's screen is drawn.
    pub(in crate::ui) fn screen(&self) -> Area {
        let title = self.title().height;
        Area { y: self.area.y + title, height: self.area.height - title, ..self.area }
    }
}

/// What divides the parts of a split: a column, or the row of the lower part's titles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Divider {
    /// Which way through the tree leads to its split: `true` for the second part.
    pub(in crate::ui) path: Vec<bool>,
    /// How the parts lie.
    pub(in crate::ui) axis: Axis,
    /// Its cells.
    pub(in crate::ui) area: Area,
    /// The whole split.
    pub(in crate::ui) whole: Area,
}

impl Divider {
    /// The cells of the first part and of both together, along the axis.
    pub(in crate::ui) fn lengths(&self) -> (u16, u16) {
        match self.axis {
            Axis::SideBySide => (self.area.x - self.whole.x, self.whole.width - 1),
            Axis::Stacked => (self.area.y - self.whole.y, self.whole.height),
        }
    }
}

/// Everything in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Places {
    /// The panes, in the order of the tree.
    pub(in crate::ui) panes: Vec<Place>,
    /// What divides them.
    pub(in crate::ui) dividers: Vec<Divider>,
}

impl Places {
    /// Returns the places of a tree in an area.
    pub(in crate::ui) fn of(tree: &Tree, area: Area) -> Self {
        let mut places = Self::default();
        places.add(tree, area, &mut Vec::new());
        places
    }

    fn add(&mut self, tree: &Tree, area: Area, path: &mut Vec<bool>) {
        let split = match tree {
            Tree::Pane(id) => {
                self.panes.push(Place { id: *id, area });
                return;
            }
            Tree::Split(split) => split,
        };
        let (first, divider, second) = divide(split, area);
        if !divider.is_empty() {
            let (path, axis) = (path.clone(), split.axis);
            self.dividers.push(Divider { path, axis, area: divider, whole: area });
        }
        for (is_second, tree, area) in [(false, &split.first, first), (true, &split.second, second)]
        {
            path.push(is_second);
            self.add(tree, area, path);
            path.pop();
        }
    }

    /// Returns the place of a runner's pane.
    pub(in crate::ui) fn of_runner(&self, id: RunnerId) -> Option<Place> {
        self.panes.iter().copied().find(|place| place.id == id)
    }

    /// Returns the pane that a cell belongs to.
    pub(in crate::ui) fn at(&self, col: u16, row: u16) -> Option<Place> {
        self.panes.iter().copied().find(|place| place.area.contains(col, row))
    }

    /// Returns the divider that a cell belongs to, the innermost of several.
    pub(in crate::ui) fn divider_at(&self, col: u16, row: u16) -> Option<&Divider> {
        let here = self.dividers.iter().filter(|divider| divider.area.contains(col, row));
        here.max_by_key(|divider| divider.path.len())
    }

    /// Returns the pane beside another one: the nearest, of several the one most opposite.
    pub(in crate::ui) fn beside(&self, id: RunnerId, side: Side) -> Option<RunnerId> {
        let from = self.of_runner(id)?.area;
        let others = self.panes.iter().filter(|place| place.id != id && !place.area.is_empty());
        let found = others.filter_map(|place| {
            let to = place.area;
            let (ahead, across) = match side {
                Side::Right => (gap(end_x(from), to.x), overlap_y(from, to)),
                Side::Left => (gap(end_x(to), from.x), overlap_y(from, to)),
                Side::Down => (gap(end_y(from), to.y), overlap_x(from, to)),
                Side::Up => (gap(end_y(to), from.y), overlap_x(from, to)),
            };
            let distance = ahead.filter(|_| across > 0)?;
            Some(((distance, u16::MAX - across), place.id))
        });
        found.min_by_key(|(rank, _)| *rank).map(|(_, id)| id)
    }
}

/// Returns the first part, what divides it from the second, and the second.
fn divide(split: &Split, area: Area) -> (Area, Area, Area) {
    match split.axis {
        Axis::SideBySide => {
            let (first, second) = shares(area.width.saturating_sub(1), split.ratio, 1);
            if second == 0 {
                return (area, Area::default(), Area { x: area.x + area.width, width: 0, ..area });
            }
            let divider = Area { x: area.x + first, width: 1, ..area };
            let rest = Area { x: area.x + first + 1, width: second, ..area };
            (Area { width: first, ..area }, divider, rest)
        }
        Axis::Stacked => {
            let (first, second) = shares(area.height, split.ratio, 2);
            let rest = Area { y: area.y + first, height: second, ..area };
            let divider = Area { height: second.min(1), ..rest };
            (Area { height: first, ..area }, divider, rest)
        }
    }
}

/// Divides so many cells, each part getting `least` if there is room, the first one all if not.
fn shares(cells: u16, ratio: u16, least: u16) -> (u16, u16) {
    if cells < 2 * least {
        return (cells, 0);
    }
    let first = (u32::from(cells) * u32::from(ratio) + u32::from(WHOLE) / 2) / u32::from(WHOLE);
    let first = u16::try_from(first).unwrap_or(cells).clamp(least, cells - least);
    (first, cells - first)
}

fn end_x(area: Area) -> u16 {
    area.x + area.width
}

fn end_y(area: Area) -> u16 {
    area.y + area.height
}

fn gap(from: u16, to: u16) -> Option<u16> {
    to.checked_sub(from)
}

fn overlap_x(a: Area, b: Area) -> u16 {
    end_x(a).min(end_x(b)).saturating_sub(a.x.max(b.x))
}

fn overlap_y(a: Area, b: Area) -> u16 {
    end_y(a).min(end_y(b)).saturating_sub(a.y.max(b.y))
}
