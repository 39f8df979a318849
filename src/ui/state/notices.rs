//! Notes about runners that nobody looks at: who needs a person, failed, or is done.
//!
//! Invariant: at most one a runner and [`MAX`] in all, who needs a person before who failed before
//! who is done, of those the newest first; a note goes when its time is up, when it is no longer
//! true, when the user has gone there, or when more urgent ones take its room.

use chrono::{DateTime, TimeDelta, Utc};

use unicode_width::UnicodeWidthStr as _;

use super::{Area, Geometry, Group, Mode, State, View, shown_panes};
use crate::{
    domain::{id::RunnerId, runner::Runner},
    ui::keymap::{Action, Context},
};

/// Notes that are kept; the first is shown, the others are counted.
pub(in crate::ui) const MAX: usize = 9;
/// Columns of a note among panes.
const WIDE: u16 = 52;
/// How long a note stays.
const STAYS: TimeDelta = TimeDelta::seconds(10);

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Notice {
    /// About whom.
    pub(in crate::ui) id: RunnerId,
    /// What it is about.
    pub(in crate::ui) group: Group,
    /// When it was raised.
    pub(in crate::ui) at: DateTime<Utc>,
}

impl State {
    /// Raises a note if what a runner is at now is news that nobody sees; returns whether it is.
    pub(in crate::ui) fn raise(
        &mut self,
        before: Group,
        asked_before: Option<DateTime<Utc>>,
        id: RunnerId,
    ) -> bool {
        let Some(runner) = self.runners.get(&id) else { return false };
        let group = self.group(runner);
        let is_news =
            group != before || (group == Group::NeedsYou && runner.activity.since != asked_before);
        let is_worth_it = matches!(group, Group::NeedsYou | Group::Failed | Group::Done);
        if !is_news || !is_worth_it || self.is_looked_at(runner) {
            return false;
        }
        // What is selected by itself stands before the eyes, if anybody looks; who does not, hears it.
        let is_shown = self.view == View::Dashboard && self.selected == Some(id);
        if self.settings.notify.toasts && !is_shown {
            self.notices.retain(|notice| notice.id != id);
            self.notices.insert(0, Notice { id, group, at: self.now });
            // Stable: of those that are as urgent, the newest stays first.
            self.notices.sort_by_key(|notice| notice.group);
            self.notices.truncate(MAX);
            self.is_dirty = true;
        }
        true
    }

    /// Drops the notes whose time is up or that are no longer true.
    pub(in crate::ui) fn settle_notices(&mut self) {
        let mut notices = std::mem::take(&mut self.notices);
        let before = notices.len();
        notices.retain(|notice| {
            let runner = self.runners.get(&notice.id);
            let is_true = runner.is_some_and(|runner| {
                self.group(runner) == notice.group && !self.is_looked_at(runner)
            });
            is_true && self.now - notice.at < STAYS
        });
        self.is_dirty |= notices.len() != before;
        self.notices = notices;
    }

    /// After how long the next note goes.
    pub(in crate::ui) fn next_notice_end(&self) -> Option<TimeDelta> {
        let ends = self.notices.iter().map(|notice| STAYS - (self.now - notice.at));
        ends.min().map(|left| left.max(TimeDelta::milliseconds(1)))
    }

    /// Where the first note stands: on a line that says nothing that cannot wait, so that no row, no
    /// screen and above all no question is ever under it. That is the line under the header, as far as
    /// it has no title in it; among panes the end of the header.
    pub(in crate::ui) fn notices_area(&self, areas: &Geometry) -> Area {
        let nothing = Area::default();
        if self.notices.is_empty() || !self.is_current() {
            return nothing;
        }
        if self.view == View::Panes {
            let is_taken = !areas.prompt.is_empty() && areas.prompt.y == areas.header.y;
            let width = if is_taken { 0 } else { WIDE.min(areas.header.width / 2) };
            return Area { x: areas.header.x + areas.header.width - width, width, ..areas.header };
        }
        let end = if areas.is_side_by_side() { areas.divider.x } else { areas.rule.width };
        let label = u16::try_from(self.filter_label().width()).unwrap_or(u16::MAX);
        let x = if label > 0 { label.saturating_add(2).min(end) } else { 0 };
        Area { x, width: end - x, ..areas.rule }
    }

    /// What the line under the header says of a filter; empty without one.
    pub(in crate::ui) fn filter_label(&self) -> String {
        if self.filter.is_blank() || self.mode == Mode::Filter {
            return String::new();
        }
        let key = self.keys.label(Context::List, Action::Cancel);
        format!(" only `{}` · {key} shows all ", self.filter.text())
    }

    /// Whether the first note stands at a cell of the terminal.
    pub(in crate::ui) fn is_on_notice(&self, areas: &Geometry, col: u16, row: u16) -> bool {
        self.notices_area(areas).contains(col, row)
    }

    /// The runners whose screens the user has before the eyes.
    pub(in crate::ui) fn before_eyes(&self) -> Vec<RunnerId> {
        match (&self.mode, self.view) {
            (Mode::Typing(id), _) => vec![*id],
            (_, View::Panes) => {
                shown_panes(self).places.panes.iter().map(|place| place.id).collect()
            }
            (_, View::Dashboard) => self.selected.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the user has this runner before the eyes.
    fn is_looked_at(&self, runner: &Runner) -> bool {
        if let Mode::Typing(id) = self.mode {
            return id == runner.id;
        }
        if self.view == View::Panes {
            let panes = shown_panes(self).places.panes;
            return panes.iter().any(|place| place.id == runner.id);
        }
        // In a page nothing of it is seen; in the list at least its row is.
        self.view == View::Dashboard && self.selected == Some(runner.id) && self.has_chosen
    }
}
