//! The git branches of the directories that runners work in, as far as they are shown.
//!
//! Invariant: only directories of known runners are kept; each is read when it is first shown and
//! again when something happened to a runner in it, never by the clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use super::{FIGURES_FROM, State, geometry};
use crate::domain::event::Event;

/// What is checked out in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Checkout {
    /// The branch, or that there is none.
    pub branch: String,
    /// Lines added since the last commit.
    pub added: u64,
    /// Lines removed since the last commit.
    pub removed: u64,
}

impl fmt::Display for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.branch)?;
        if self.added + self.removed > 0 {
            write!(f, " +{} −{}", self.added, self.removed)?;
        }
        Ok(())
    }
}

/// Branches by directory; `None` while one is not known, or where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Branches {
    known: BTreeMap<PathBuf, Option<Checkout>>,
    outdated: BTreeSet<PathBuf>,
}

impl Branches {
    /// What is checked out in a directory.
    pub(in crate::ui) fn of(&self, directory: &Path) -> Option<&Checkout> {
        self.known.get(directory)?.as_ref()
    }

    /// Takes in what was read; returns whether it is news.
    pub(in crate::ui) fn learn(&mut self, directory: PathBuf, branch: Option<Checkout>) -> bool {
        let known = self.known.entry(directory).or_default();
        let is_news = *known != branch;
        *known = branch;
        is_news
    }
}

impl State {
    /// Something happened to a runner: the branch of its directory may be another one.
    pub(in crate::ui) fn outdate_branch(&mut self, event: &Event) {
        let runner = self.runners.values().find(|runner| runner.name == event.runner);
        let directory = runner.map(|runner| runner.cwd.clone());
        self.branches.outdated.extend(directory);
    }

    /// Returns the directories whose branches are shown and have to be read.
    pub(in crate::ui) fn branches_to_read(&mut self) -> Vec<PathBuf> {
        if geometry(self).list.width < FIGURES_FROM {
            return Vec::new();
        }
        let all: BTreeSet<&PathBuf> = self.runners.values().map(|runner| &runner.cwd).collect();
        self.branches.known.retain(|directory, _| all.contains(directory));
        let unknown = all.into_iter().filter(|directory| {
            !self.branches.known.contains_key(*directory)
                || self.branches.outdated.contains(*directory)
        });
        let unknown: Vec<PathBuf> = unknown.cloned().collect();
        self.branches.outdated.clear();
        for directory in &unknown {
            self.branches.known.entry(directory.clone()).or_default();
        }
        unknown
    }
}
