//! Notes about runners that nobody looks at: who needs a person, failed, or is done.
//!
//! Invariant: at most one a runner and [`MAX`] in all, who needs a person before who failed before
//! who is done, of those the newest first; a note goes when its time is up, when it is no longer
//! true, when the user has gone there, or when more urgent ones take its room.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Area, Geometry, Group, Mode, State, View, shown_panes};
use crate::domain::{id::RunnerId, runner::Runner};

/// Notes shown at a time.
pub(in crate::ui) const MAX: usize = 3;
/// Columns of a note.
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
        if self.settings.notify.toasts {
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

    /// Where the notes stand: where they cover least, at the top of the screen beside or below the
    /// list, else on the line under the header, else at the end of what there is.
    pub(in crate::ui) fn notices_area(&self, areas: &Geometry) -> Area {
        // A small screen is not covered by more than the first.
        let most = if self.size.1 < 20 { 1 } else { MAX };
        let count = u16::try_from(self.notices.len().min(most)).unwrap_or(0);
        if count > 0 && are_in_rule(areas) {
            return areas.rule;
        }
        let has_screen = !areas.preview.is_empty();
        let under = if has_screen { areas.preview } else { areas.body };
        let height = (count * self.lines_of_notice(areas)).min(under.height);
        let width = WIDE.min(under.width);
        let y = if has_screen { under.y } else { under.y + under.height - height };
        Area { x: under.x + under.width - width, y, width, height }
    }

    /// Lines of a note: where there is little room, one has to do.
    pub(in crate::ui) fn lines_of_notice(&self, areas: &Geometry) -> u16 {
        if self.size.1 < 20 || are_in_rule(areas) { 1 } else { 2 }
    }

    /// Returns which note stands at a cell of the terminal.
    pub(in crate::ui) fn notice_at(&self, areas: &Geometry, col: u16, row: u16) -> Option<usize> {
        let area = self.notices_area(areas);
        let is_on = area.contains(col, row);
        is_on.then(|| usize::from((row - area.y) / self.lines_of_notice(areas)))
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

/// Whether the first note takes the line under the header: over a list it would cover a row and look
/// like one.
fn are_in_rule(areas: &Geometry) -> bool {
    areas.preview.is_empty() && !areas.rule.is_empty()
}
