//! What a cursor is saved with, and the way to the alternate screen and back.
//!
//! The engine saves place, style and character sets. The standard also saves which of the sets is in
//! use and whether places count from the scroll region; both screens have a saved cursor of their
//! own.

use alacritty_terminal::grid::Cursor;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{CharsetIndex, Handler as _, NamedPrivateMode};

use super::line::{Line, visible_len};
use super::screen::Screen;
use super::tracker::SavedScreen;

/// What is saved beside the engine's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Saved {
    /// The character set in use.
    pub(crate) charset: CharsetIndex,
    /// Places count from the scroll region.
    pub(crate) origin: bool,
}

impl Screen {
    /// DECSC.
    pub(crate) fn save_cursor(&mut self) {
        self.term.save_cursor_position();
        self.tracker.saved = self.saved_now();
    }

    /// DECRC.
    pub(crate) fn restore_cursor(&mut self) {
        self.term.restore_cursor_position();
        self.take_over(self.tracker.saved);
    }

    fn saved_now(&self) -> Saved {
        Saved { charset: self.tracker.charset, origin: self.has(TermMode::ORIGIN) }
    }

    fn take_over(&mut self, saved: Saved) {
        self.tracker.charset = saved.charset;
        self.term.set_active_charset(saved.charset);
        if saved.origin {
            // The engine moves the cursor home with it.
            let cursor = self.term.grid().cursor.clone();
            self.term.set_private_mode(NamedPrivateMode::Origin.into());
            self.term.grid_mut().cursor = cursor;
        } else {
            self.term.unset_private_mode(NamedPrivateMode::Origin.into());
        }
        self.clamp_to_origin();
    }

    /// Shows the alternate screen, empty; the cursor is saved.
    pub(crate) fn enter_alternate(&mut self) {
        if self.has(TermMode::ALT_SCREEN) {
            return;
        }
        self.remember_primary();
        self.tracker.saved = self.saved_now();
        self.term.swap_alt();
        self.mark_used();
        self.term.grid_mut().reset_region(..);
        self.tracker.swap_screens();
    }

    /// Shows the primary screen again, with the saved cursor.
    pub(crate) fn leave_alternate(&mut self) {
        if self.swap_to_primary() {
            self.take_over(self.tracker.saved);
        }
    }

    /// Shows the primary screen again; the cursor stays as and where it is.
    pub(crate) fn leave_alternate_as_is(&mut self) {
        let cursor = self.term.grid().cursor.clone();
        if self.swap_to_primary() {
            self.term.grid_mut().cursor = cursor;
        }
    }

    fn swap_to_primary(&mut self) -> bool {
        if !self.has(TermMode::ALT_SCREEN) {
            return false;
        }
        self.term.swap_alt();
        self.tracker.primary = None;
        self.tracker.swap_screens();
        true
    }

    /// Keeps a copy of the primary screen, which the engine hides behind the alternate one.
    pub(crate) fn remember_primary(&mut self) {
        let rows = usize::from(self.size.rows());
        // What is shown, and no more: blanks at the end of a row that went on in the next are not.
        let shown = |row| self.row(row).get(..visible_len(self.row(row))).unwrap_or_default();
        let rows = (0..rows).map(|row| Line::of(shown(row))).collect();
        let cursor = self.term.grid().cursor.clone();
        let edge = self.edge(&cursor);
        self.tracker.primary = Some(SavedScreen { rows, cursor, edge });
    }

    /// The column and the cell that a cursor has just filled at the right edge, if it has.
    pub(crate) fn edge(&self, cursor: &Cursor<Cell>) -> Option<(usize, Cell)> {
        if !cursor.input_needs_wrap {
            return None;
        }
        let row = usize::try_from(cursor.point.line.0).ok()?;
        let cells = self.row(row);
        let col = cursor.point.column.0;
        let col = if cells.get(col)?.flags.contains(Flags::WIDE_CHAR_SPACER) {
            col.saturating_sub(1)
        } else {
            col
        };
        Some((col, cells.get(col)?.clone()))
    }
}
