//! The arrangement of panes: a tree of splits with runners at its leaves. Pure, knows no terminal.
//!
//! Invariant: no runner has two panes, and each ratio lies strictly between nothing and all.

use serde::{Deserialize, Serialize};

use crate::{domain::id::RunnerId, ui::state::Area};

/// What a ratio is a part of.
pub(in crate::ui) const WHOLE: u16 = 1000;

/// The size by which a grid is judged: most agents are written for it.
const CLASSIC: (u32, u32) = (80, 24);

/// How the two parts of a split lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::ui) enum Axis {
    /// One beside the other, with a column between them.
    SideBySide,
    /// One above the other; the lower one's title divides them.
    Stacked,
}

/// A direction on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Side {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

impl Side {
    fn axis(self) -> Axis {
        match self {
            Self::Left | Self::Right => Axis::SideBySide,
            Self::Up | Self::Down => Axis::Stacked,
        }
    }
}

/// A pane, or two parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::ui) enum Tree {
    /// A runner's pane.
    Pane(RunnerId),
    /// Two parts.
    Split(Box<Split>),
}

/// Two parts of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ui) struct Split {
    /// How they lie.
    pub(in crate::ui) axis: Axis,
    /// How much of the whole the first one gets, of [`WHOLE`].
    pub(in crate::ui) ratio: u16,
    /// The left or upper one.
    pub(in crate::ui) first: Tree,
    /// The right or lower one.
    pub(in crate::ui) second: Tree,
}

impl Tree {
    /// The runners, from left to right and top to bottom.
    pub(in crate::ui) fn runners(&self) -> Vec<RunnerId> {
        match self {
            Self::Pane(id) => vec![*id],
            Self::Split(split) => {
                let mut runners = split.first.runners();
                runners.extend(split.second.runners());
                runners
            }
        }
    }

    /// Whether a runner has a pane.
    pub(in crate::ui) fn contains(&self, id: RunnerId) -> bool {
        match self {
            Self::Pane(known) => *known == id,
            Self::Split(split) => split.first.contains(id) || split.second.contains(id),
        }
    }

    /// Divides the pane of `at` in halves, the second one for `new`; without such a pane, the whole.
    /// Nothing changes when `new` has a pane already.
    pub(in crate::ui) fn split(&mut self, at: Option<RunnerId>, axis: Axis, new: RunnerId) {
        if self.contains(new) {
            return;
        }
        match at.and_then(|at| self.pane_mut(at)) {
            Some(pane) => pane.divide(axis, new),
            None => self.divide(axis, new),
        }
    }

    fn divide(&mut self, axis: Axis, new: RunnerId) {
        let first = std::mem::replace(self, Self::Pane(new));
        let ratio = WHOLE / 2;
        *self = Self::Split(Box::new(Split { axis, ratio, first, second: Self::Pane(new) }));
    }

    fn pane_mut(&mut self, id: RunnerId) -> Option<&mut Self> {
        match self {
            Self::Pane(known) if *known == id => Some(self),
            Self::Pane(_) => None,
            Self::Split(split) => {
                let Split { first, second, .. } = &mut **split;
                first.pane_mut(id).or_else(|| second.pane_mut(id))
            }
        }
    }

    /// Returns the tree without a runner's pane, `None` when nothing is left.
    pub(in crate::ui) fn without(self, id: RunnerId) -> Option<Self> {
        match self {
            Self::Pane(known) => (known != id).then_some(self),
            Self::Split(split) => {
                let Split { axis, ratio, first, second } = *split;
                match (first.without(id), second.without(id)) {
                    (Some(first), Some(second)) => {
                        Some(Self::Split(Box::new(Split { axis, ratio, first, second })))
                    }
                    (one, other) => one.or(other),
                }
            }
        }
    }

    /// Lets two runners change places.
    pub(in crate::ui) fn swap(&mut self, one: RunnerId, other: RunnerId) {
        match self {
            Self::Pane(id) if *id == one => *id = other,
            Self::Pane(id) if *id == other => *id = one,
            Self::Pane(_) => {}
            Self::Split(split) => {
                split.first.swap(one, other);
                split.second.swap(one, other);
            }
        }
    }

    /// Turns the split around a runner's pane: what lay side by side is stacked, and back.
    pub(in crate::ui) fn turn(&mut self, id: RunnerId) {
        let Self::Split(split) = self else { return };
        let is_here = |tree: &Self| matches!(tree, Self::Pane(known) if *known == id);
        if is_here(&split.first) || is_here(&split.second) {
            split.axis = match split.axis {
                Axis::SideBySide => Axis::Stacked,
                Axis::Stacked => Axis::SideBySide,
            };
        } else {
            split.first.turn(id);
            split.second.turn(id);
        }
    }

    /// Gives all panes of a row, and all of a column, the same size.
    pub(in crate::ui) fn balance(&mut self) {
        if let Self::Split(split) = self {
            split.first.balance();
            split.second.balance();
            let (first, second) = (split.first.share(split.axis), split.second.share(split.axis));
            split.ratio = part(first, first + second);
        }
    }

    /// How many panes lie in a line along an axis.
    fn share(&self, axis: Axis) -> usize {
        match self {
            Self::Split(split) if split.axis == axis => {
                split.first.share(axis) + split.second.share(axis)
            }
            _ => 1,
        }
    }

    /// Makes a divider divide at so many cells from the start of its split's `length` cells.
    pub(in crate::ui) fn set_divider(&mut self, path: &[bool], first: u16, length: u16) {
        match (self, path) {
            (Self::Split(split), []) => split.ratio = part(first.into(), length.into()),
            (Self::Split(split), [is_second, rest @ ..]) => {
                let part = if *is_second { &mut split.second } else { &mut split.first };
                part.set_divider(rest, first, length);
            }
            (Self::Pane(_), _) => {}
        }
    }

    /// Returns the path of the divider that moves when a pane is resized towards a side: the one on
    /// its far side, else the one before it.
    pub(in crate::ui) fn divider_towards(&self, id: RunnerId, side: Side) -> Option<Vec<bool>> {
        let mut after = None;
        let mut before = None;
        let mut tree = self;
        let mut path = Vec::new();
        while let Self::Split(split) = tree {
            let is_second = split.second.contains(id);
            if split.axis == side.axis() {
                let found = if is_second { &mut before } else { &mut after };
                *found = Some(path.clone());
            }
            path.push(is_second);
            tree = if is_second { &split.second } else { &split.first };
        }
        after.or(before)
    }

    /// Returns panes of equal size for these runners in a place, `None` for none.
    pub(in crate::ui) fn grid(runners: &[RunnerId], area: Area) -> Option<Self> {
        let columns = (1..=runners.len()).max_by_key(|columns| {
            let fitting = |cells: u16, count: usize, classic: u32| {
                u32::from(cells) * 1000 / u32::try_from(count).unwrap_or(u32::MAX) / classic
            };
            let rows = runners.len().div_ceil(*columns);
            fitting(area.width, *columns, CLASSIC.0).min(fitting(area.height, rows, CLASSIC.1))
        })?;
        let rows = runners.len().div_ceil(columns);
        let (least, longer) = (runners.len() / rows, runners.len() % rows);
        let mut rest = runners;
        let mut lines = Vec::new();
        for row in 0..rows {
            let (line, others) = rest.split_at(least + usize::from(row < longer));
            lines
                .extend(in_line(line.iter().map(|id| Self::Pane(*id)).collect(), Axis::SideBySide));
            rest = others;
        }
        in_line(lines, Axis::Stacked)
    }
}

/// Returns trees in a line, each with the same share.
fn in_line(trees: Vec<Tree>, axis: Axis) -> Option<Tree> {
    let mut line: Option<(Tree, usize)> = None;
    for tree in trees.into_iter().rev() {
        line = Some(match line {
            None => (tree, 1),
            Some((rest, count)) => {
                let ratio = part(1, count + 1);
                let split = Split { axis, ratio, first: tree, second: rest };
                (Tree::Split(Box::new(split)), count + 1)
            }
        });
    }
    line.map(|(tree, _)| tree)
}

/// Returns how much of the whole `first` of `all` is.
fn part(first: usize, all: usize) -> u16 {
    let all = all.max(1);
    let part = (first * usize::from(WHOLE) + all / 2) / all;
    u16::try_from(part).unwrap_or(WHOLE).clamp(1, WHOLE - 1)
}
