//! The form in which an arrangement is kept for the next start. Pure: where it is kept is said
//! elsewhere.
//!
//! Invariant: whatever is read back is a valid arrangement, or refused with the reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Layout, Panes,
    tree::{Tree, WHOLE},
};
use crate::domain::id::RunnerId;

/// The form that this program writes.
const VERSION: u32 = 1;
/// More panes than these fit no screen; and each may lie inside of all others, which is as deep as JSON
/// is read back.
pub(in crate::ui) const MOST_PANES: usize = 48;

/// An arrangement as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ui) struct SavedLayout {
    version: u32,
    tree: Tree,
    focus: Option<RunnerId>,
    is_zoomed: bool,
    /// What the runners were called, for those that are gone by then.
    names: BTreeMap<RunnerId, String>,
}

impl SavedLayout {
    /// Returns what is to be kept; `None` for an empty arrangement, which never replaces another.
    pub(in crate::ui) fn of(panes: &Panes) -> Option<Self> {
        let Layout { tree, focus, is_zoomed } = panes.layout.clone();
        let tree = tree?;
        let mut names = panes.names.clone();
        names.retain(|id, _| tree.contains(*id));
        Some(Self { version: VERSION, tree, focus, is_zoomed, names })
    }

    /// Reads one back.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(in crate::ui) fn parse(text: &str) -> Result<Self, String> {
        let saved: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if saved.version != VERSION {
            return Err(format!("it has version {}, known is {VERSION}", saved.version));
        }
        let runners = saved.tree.runners();
        let different: BTreeSet<_> = runners.iter().collect();
        if different.len() != runners.len() {
            return Err("a runner has two panes in it".to_owned());
        }
        if runners.len() > MOST_PANES {
            return Err(format!(
                "it has {} panes, at most {MOST_PANES} are possible",
                runners.len()
            ));
        }
        if !has_ratios(&saved.tree) {
            return Err("a pane in it has nothing or everything of its split".to_owned());
        }
        Ok(saved)
    }

    /// Whether another arrangement differs by more than where its user is in it: that alone must not undo
    /// what was arranged elsewhere meanwhile.
    pub(in crate::ui) fn is_like(&self, other: &Self) -> bool {
        self.tree == other.tree && self.names == other.names
    }

    /// Returns it as text.
    pub(in crate::ui) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Makes it the arrangement.
    pub(in crate::ui) fn restore(self, panes: &mut Panes) {
        let Self { tree, focus, is_zoomed, names, .. } = self;
        panes.layout = Layout { tree: Some(tree), focus, is_zoomed };
        panes.names = names;
    }
}

fn has_ratios(tree: &Tree) -> bool {
    match tree {
        Tree::Pane(_) => true,
        Tree::Split(split) => {
            (1..WHOLE).contains(&split.ratio)
                && has_ratios(&split.first)
                && has_ratios(&split.second)
        }
    }
}
