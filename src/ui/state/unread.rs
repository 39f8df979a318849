//! A question that has no room where it stands: it is shown whole above the hints before a key can
//! be an answer to it.
//!
//! Invariant: it is that of the selected runner, as it asks it now, and all of it is shown.

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr as _;

use super::{
    Area, Group, Mode, State, View, columns, geometry, position_of, question, reason, rows,
    shown_panes, word, wrap,
};
use crate::{
    domain::{id::RunnerId, runner::Runner},
    terminal::Pane,
};

/// Columns that the list's count of further lines may cover at the end of a row.
const MORE: usize = 14;
/// Rows that are not for it: header, line, a row of the list, hints.
const OTHERS: u16 = 4;

/// A question that is shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Unread {
    /// Who asks it.
    pub(in crate::ui) id: RunnerId,
    /// When it was asked.
    pub(in crate::ui) asked: DateTime<Utc>,
}

impl State {
    /// Whether all of a runner's question stands in its row, or on its screen where that is shown with
    /// nothing cut off and says what is asked.
    pub(in crate::ui) fn is_question_in_sight(&self, runner: &Runner) -> bool {
        let areas = geometry(self);
        let screen = self.screens.get(&runner.id).filter(|screen| screen.is_live);
        let room = match self.view {
            View::Panes => {
                shown_panes(self).places.of_runner(runner.id).map(|place| place.screen())
            }
            _ => Some(areas.preview).filter(|_| self.selected == Some(runner.id)),
        };
        // A program that only reports may ask in words that it does not draw.
        let asked = runner.activity.message.as_deref().unwrap_or_default();
        let is_whole = |pane: &Pane, room: Area| {
            pane.is_shown_whole(room.width, room.height) && pane.says(asked)
        };
        if let Some(room) = room.filter(|room| !room.is_empty())
            && screen
                .and_then(|screen| screen.pane.as_ref())
                .is_some_and(|pane| is_whole(pane, room))
        {
            return true;
        }
        // What it has not said stands on its screen alone.
        if areas.list.is_empty() || !has_words(runner) {
            return false;
        }
        let rows = rows(self);
        let height = usize::from(areas.list.height);
        let at = position_of(&rows, runner.id).unwrap_or(0);
        let is_first = self.scroll > 0 && at == self.scroll;
        let is_last = at + 1 == self.scroll + height && at + 1 < rows.len();
        let covered = if is_first || is_last { MORE } else { 0 };
        let columns = columns(self, usize::from(areas.text_of(areas.list).width));
        let room = columns.room(word(runner, Group::NeedsYou)).saturating_sub(covered);
        reason(runner, Group::NeedsYou).width() <= room
    }

    /// Shows a runner's question whole; returns whether there is room for that.
    pub(in crate::ui) fn show_whole(&mut self, unread: Unread) -> bool {
        self.unread = Some(unread).filter(|_| self.runners.get(&unread.id).is_some_and(has_words));
        self.settle_whole();
        self.unread.is_some()
    }

    /// Returns the lines of the question that is shown whole, the last of which tells what to do.
    pub(in crate::ui) fn whole_lines(&self) -> Vec<String> {
        let runner = self.unread.and_then(|whole| self.runners.get(&whole.id));
        let Some(runner) = runner else { return Vec::new() };
        let asked = reason(runner, Group::NeedsYou);
        let words: Vec<&str> = asked.split_whitespace().collect();
        let text = format!("{} asks: {}", runner.name, words.join(" "));
        let mut lines = wrap(&text, usize::from(self.size.0).saturating_sub(2));
        lines.push("read it; the same key again answers".to_owned());
        lines
    }

    /// Drops it once it is not asked any more, or where it has no room.
    pub(in crate::ui) fn settle_whole(&mut self) {
        let Some(whole) = self.unread else { return };
        let asked = self.runners.get(&whole.id).and_then(question);
        let is_asked = asked == Some(whole.asked) && self.selected == Some(whole.id);
        let room = usize::from(self.size.1.saturating_sub(OTHERS));
        if !is_asked || self.mode != Mode::List || self.whole_lines().len() > room {
            self.unread = None;
            self.is_dirty = true;
        }
    }
}

/// Whether the runner's question is known in words.
fn has_words(runner: &Runner) -> bool {
    runner.activity.message.as_deref().is_some_and(|text| !text.trim().is_empty())
}
