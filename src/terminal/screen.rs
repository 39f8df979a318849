//! The engine's screen together with what it hides: history, tab stops, the fast way for text.
//!
//! The engine keeps no scrollback of its own; rows about to leave the top of the primary screen
//! are pushed into the [`Ring`] just before it scrolls. Invariant: each such row is pushed once.

use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line as RowIndex};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::{Handler, StandardCharset};
use unicode_width::UnicodeWidthChar;

use super::HistoryLimits;
use super::cluster::may_join;
use super::ring::Ring;
use super::scan::Signal;
use super::tracker::Tracker;
use crate::domain::size::TerminalSize;

/// Rows a resize may push into the history: a full screen reflowed to two columns.
const REFLOW_ROWS: usize = 500_000;

impl Dimensions for TerminalSize {
    fn total_lines(&self) -> usize {
        usize::from(self.rows())
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.rows())
    }

    fn columns(&self) -> usize {
        usize::from(self.cols())
    }
}

/// The screen.
pub(crate) struct Screen {
    /// The engine.
    pub(crate) term: Term<VoidListener>,
    /// The history.
    pub(crate) ring: Ring,
    /// What the engine hides.
    pub(crate) tracker: Tracker,
    /// Its size.
    pub(crate) size: TerminalSize,
}

impl Screen {
    /// Returns an empty screen.
    pub(crate) fn new(size: TerminalSize, limits: HistoryLimits) -> Self {
        let config = Config { scrolling_history: 0, ..Config::default() };
        Self {
            term: Term::new(config, &size, VoidListener),
            ring: Ring::new(limits),
            tracker: Tracker::new(size),
            size,
        }
    }

    /// Whether a mode is on.
    pub(crate) fn has(&self, mode: TermMode) -> bool {
        self.term.mode().contains(mode)
    }

    /// The cursor's row and column, in bounds.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        let point = self.term.grid().cursor.point;
        let row = usize::try_from(point.line.0).unwrap_or(0);
        (row.min(self.size.screen_lines() - 1), point.column.0.min(self.size.columns() - 1))
    }

    /// Moves the cursor; both are clamped.
    pub(crate) fn move_to(&mut self, row: usize, col: usize) {
        let row = row.min(self.size.screen_lines() - 1);
        let col = col.min(self.size.columns() - 1);
        let cursor = &mut self.term.grid_mut().cursor;
        cursor.point.line = row_index(row);
        cursor.point.column = Column(col);
        cursor.input_needs_wrap = false;
    }

    /// The cells of a row, empty outside the screen.
    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        let cols = self.size.columns();
        if row < self.size.screen_lines() {
            &self.term.grid()[row_index(row)][Column(0)..Column(cols)]
        } else {
            &[]
        }
    }

    /// Keeps the first `count` rows of the screen if a scroll is about to lose them.
    pub(crate) fn save_rows(&mut self, count: usize) {
        let (top, bottom) = self.tracker.region;
        if top != 0 || self.has(TermMode::ALT_SCREEN) {
            return;
        }
        let cols = self.size.columns();
        for row in 0..count.min(bottom) {
            let cells = &self.term.grid()[row_index(row)][Column(0)..Column(cols)];
            self.ring.push(cells);
        }
    }

    /// Keeps the top row if a line feed is about to scroll.
    #[inline]
    pub(crate) fn save_before_linefeed(&mut self) {
        let next = self.term.grid().cursor.point.line.0 + 1;
        if usize::try_from(next) == Ok(self.tracker.region.1) {
            self.save_rows(1);
        }
    }

    /// Keeps the top row if printing a character of this width is about to scroll.
    pub(crate) fn save_before_input(&mut self, width: usize) {
        if !self.has(TermMode::LINE_WRAP) {
            return;
        }
        let cols = self.size.columns();
        let cursor = &self.term.grid().cursor;
        let wraps = cursor.input_needs_wrap || (width == 2 && cursor.point.column.0 + 1 >= cols);
        if wraps {
            // The engine marks the row as wrapped only after this; a region of one row would
            // lose the mark.
            if self.tracker.region.1 == 1 && cursor.input_needs_wrap {
                self.term.grid_mut().cursor_cell().flags.insert(Flags::WRAPLINE);
            }
            self.save_before_linefeed();
        }
    }

    /// Prints a run of printable ASCII.
    pub(crate) fn print_ascii(&mut self, mut run: &[u8]) {
        let charset = self.term.grid().cursor.charsets[self.tracker.charset];
        if self.has(TermMode::INSERT) || charset != StandardCharset::Ascii {
            for byte in run {
                self.input(char::from(*byte));
            }
            return;
        }
        while let Some((first, rest)) = run.split_first() {
            if self.term.grid().cursor.input_needs_wrap {
                self.input(char::from(*first));
                run = rest;
                continue;
            }
            let (row, col) = self.cursor();
            let len = run.len().min(self.size.columns() - col);
            let (part, after) = run.split_at(len);
            if self.overwrite(row, col, part) {
                let cursor = &mut self.term.grid_mut().cursor;
                if col + len < self.size.columns() {
                    cursor.point.column = Column(col + len);
                } else {
                    cursor.point.column = Column(col + len - 1);
                    cursor.input_needs_wrap = true;
                }
            } else {
                for byte in part {
                    self.input(char::from(*byte));
                }
            }
            run = after;
        }
    }

    /// Prints a character beyond ASCII.
    pub(crate) fn print_char(&mut self, c: char) {
        let width = c.width().unwrap_or(0);
        let (row, col) = self.cursor();
        let cols = self.size.columns();
        let simple = matches!(width, 1 | 2)
            && col + width <= cols
            && !self.has(TermMode::INSERT)
            && !self.term.grid().cursor.input_needs_wrap
            && !(may_join(c) && self.joins_before(c));
        if !simple || !self.overwrite_char(row, col, (c, width)) {
            self.input(c);
            return;
        }
        let cursor = &mut self.term.grid_mut().cursor;
        cursor.input_needs_wrap = col + width == cols;
        cursor.point.column = Column((col + width).min(cols - 1));
    }

    /// Writes one character without wrapping; refuses where a wide one is in the way.
    fn overwrite_char(&mut self, row: usize, col: usize, (c, width): (char, usize)) -> bool {
        let grid = self.term.grid_mut();
        let Cell { fg, bg, flags, extra, .. } = grid.cursor.template.clone();
        let cells = &mut grid[row_index(row)][Column(col)..Column(col + width)];
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        if cells.iter().any(|cell| cell.flags.intersects(wide)) {
            return false;
        }
        let halves = [(c, Flags::WIDE_CHAR), (' ', Flags::WIDE_CHAR_SPACER)];
        for (cell, (c, half)) in cells.iter_mut().zip(halves) {
            // Field by field: a cell built aside and copied costs twice as much.
            cell.c = c;
            cell.fg = fg;
            cell.bg = bg;
            cell.flags = if width == 2 { flags | half } else { flags };
            if cell.extra.is_some() || extra.is_some() {
                cell.extra.clone_from(&extra);
            }
        }
        true
    }

    /// Writes cells without wrapping; refuses where a wide character is in the way.
    fn overwrite(&mut self, row: usize, col: usize, part: &[u8]) -> bool {
        let grid = self.term.grid_mut();
        let Cell { fg, bg, flags, extra, .. } = grid.cursor.template.clone();
        let cells = &mut grid[row_index(row)][Column(col)..Column(col + part.len())];
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        if cells.iter().any(|cell| cell.flags.intersects(wide)) {
            return false;
        }
        for (cell, byte) in cells.iter_mut().zip(part) {
            cell.c = char::from(*byte);
            cell.fg = fg;
            cell.bg = bg;
            cell.flags = flags;
            if cell.extra.is_some() || extra.is_some() {
                cell.extra.clone_from(&extra);
            }
        }
        true
    }

    /// Takes over a title or a directory.
    pub(crate) fn tell(&mut self, signal: Option<&Signal>) {
        match signal {
            Some(Signal::Title(title)) => {
                self.tracker.title.clone_from(title);
                self.tracker.titled = true;
            }
            Some(Signal::Cwd(path)) => self.tracker.cwd = Some(path.clone()),
            _ => {}
        }
    }

    /// Blanks halves of wide characters that an erasure in the cursor's row has left behind.
    pub(crate) fn mend_row(&mut self) {
        let (row, _) = self.cursor();
        self.mend(row);
    }

    fn mend(&mut self, row: usize) {
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        if !self.row(row).iter().any(|cell| cell.flags.intersects(wide)) {
            return;
        }
        let cols = self.size.columns();
        let cells = &mut self.term.grid_mut()[row_index(row)][Column(0)..Column(cols)];
        let mut after_wide = false;
        for col in 0..cells.len() {
            let has = |at: usize, flag| cells.get(at).is_some_and(|cell| cell.flags.contains(flag));
            let orphan = has(col, Flags::WIDE_CHAR_SPACER) && !after_wide;
            let split = has(col, Flags::WIDE_CHAR) && !has(col + 1, Flags::WIDE_CHAR_SPACER);
            after_wide = has(col, Flags::WIDE_CHAR) && !split;
            if let Some(cell) = cells.get_mut(col).filter(|_| orphan || split) {
                cell.clear_wide();
                cell.flags.remove(Flags::WIDE_CHAR_SPACER);
            }
        }
    }

    /// With origin mode on the cursor cannot be outside the region.
    pub(crate) fn clamp_to_origin(&mut self) {
        if self.has(TermMode::ORIGIN) {
            let (row, col) = self.cursor();
            let (top, bottom) = self.tracker.region;
            if !(top..bottom).contains(&row) {
                self.move_to(row.clamp(top, bottom.saturating_sub(1).max(top)), col);
            }
        }
    }

    /// Changes the size; rows that no longer fit go to the history.
    ///
    /// The same number of rows and columns again changes nothing, as in the engine: least of all the
    /// scroll region, which any other size makes the whole screen.
    pub(crate) fn resize(&mut self, size: TerminalSize) {
        let same = (self.size.rows(), self.size.cols()) == (size.rows(), size.cols());
        if same {
            self.size = size;
            return;
        }
        if self.has(TermMode::ALT_SCREEN) {
            // The engine reflows the hidden primary screen too, but would lose what does not
            // fit, so both are resized while they are shown. Showing the alternate screen
            // again wipes it, hence the copy.
            let mut alternate = self.term.grid().clone();
            self.term.swap_alt();
            self.resize_primary(size);
            self.remember_primary();
            alternate.resize(false, size.screen_lines(), size.columns());
            self.term.swap_alt();
            *self.term.grid_mut() = alternate;
            self.size = size;
            for row in 0..size.screen_lines() {
                self.mend(row);
            }
        } else {
            self.resize_primary(size);
        }
        self.size = size;
        self.tracker.resize(size);
        let (row, col) = self.cursor();
        let grid = self.term.grid_mut();
        grid.cursor.point.line = row_index(row);
        grid.cursor.point.column = Column(col);
        // In a wider terminal the place after the last column is a column.
        for cursor in [&mut grid.cursor, &mut grid.saved_cursor] {
            let next = cursor.point.column + 1;
            if cursor.input_needs_wrap && next < size.columns() {
                cursor.point.column = next;
                cursor.input_needs_wrap = false;
            }
        }
        grid.truncate();
        self.mark_used();
    }

    /// Makes the engine clear whole rows the next time. It clears what it believes to be in use, and
    /// forgets when a row grows that the rest of it was coloured.
    pub(crate) fn mark_used(&mut self) {
        let cols = self.size.columns();
        for row in 0..self.size.screen_lines() {
            // To lend a row's cells out is what marks them.
            let _cells = &mut self.term.grid_mut()[row_index(row)][Column(0)..Column(cols)];
        }
    }

    fn resize_primary(&mut self, size: TerminalSize) {
        self.term.grid_mut().update_history(REFLOW_ROWS);
        self.term.resize(size);
        let grid = self.term.grid();
        let above = i32::try_from(grid.history_size()).unwrap_or(0);
        for row in -above..0 {
            let cells = &grid[RowIndex(row)];
            self.ring.push(&cells[Column(0)..Column(cells.len())]);
        }
        let grid = self.term.grid_mut();
        grid.update_history(0);
        grid.truncate();
        self.size = size;
    }
}

/// The engine's index of a row of the screen.
pub(crate) fn row_index(row: usize) -> RowIndex {
    RowIndex(i32::try_from(row).unwrap_or(0))
}
