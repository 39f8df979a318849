//! Puts emoji sequences into one cell of the screen: the rules are [`super::cluster`]'s.
//!
//! Invariant: a cell whose characters ask for two columns has them. Where there is no room, at the
//! right edge, the character that would widen it is not kept.

use alacritty_terminal::index::Column;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::Handler as _;

use super::cluster::{EMOJI_SELECTOR, may_join, widens};
use super::line::{is_stranger, would_join};
use super::screen::{Screen, row_index};

/// Most characters beside the first in one cell; a longer cluster is no text.
const MOST_MARKS: usize = 15;

impl Screen {
    /// The row and column of the cell that a zero-width character joins: the one before the cursor.
    fn cluster_place(&self) -> (usize, usize) {
        let (row, col) = self.cursor();
        let needs_wrap = self.term.grid().cursor.input_needs_wrap;
        let col = if needs_wrap { col } else { col.saturating_sub(1) };
        let cell = self.row(row).get(col);
        let spacer = cell.is_some_and(|cell| cell.flags.contains(Flags::WIDE_CHAR_SPACER));
        (row, if spacer { col.saturating_sub(1) } else { col })
    }

    /// The same, with the cell, if there is one before the cursor.
    fn cluster(&self) -> Option<((usize, usize), &Cell)> {
        let cursor = &self.term.grid().cursor;
        if cursor.point.column == 0 && !cursor.input_needs_wrap {
            return None;
        }
        let (row, col) = self.cluster_place();
        Some(((row, col), self.row(row).get(col)?))
    }

    /// Prints a character that takes no column.
    pub(crate) fn print_mark(&mut self, c: char) {
        let (row, col) = self.cluster_place();
        let cell = self.row(row).get(col);
        if cell.and_then(Cell::zerowidth).map_or(0, <[char]>::len) >= MOST_MARKS {
            return;
        }
        let widening = c == EMOJI_SELECTOR
            && self.cluster().is_some_and(|(_, cell)| {
                !cell.flags.contains(Flags::WIDE_CHAR)
                    && cell.zerowidth().is_none_or(<[char]>::is_empty)
                    && widens(cell.c)
            });
        if !widening {
            self.term.input(c);
        } else if col + 1 < usize::from(self.size.cols()) {
            self.term.input(c);
            self.widen(row, col);
        }
    }

    /// Whether a character that takes columns goes into the cell before the cursor instead.
    pub(crate) fn joins_before(&self, c: char) -> bool {
        self.cluster().is_some_and(|((_, col), cell)| {
            let has_room =
                cell.flags.contains(Flags::WIDE_CHAR) || col + 1 < usize::from(self.size.cols());
            has_room && would_join(cell, c)
        })
    }

    /// Puts a character for which [`Self::joins_before`] is true into the cell before the cursor.
    pub(crate) fn join(&mut self, c: char) {
        let (row, col) = self.cluster_place();
        let cell = &mut self.term.grid_mut()[row_index(row)][Column(col)];
        if cell.zerowidth().map_or(0, <[char]>::len) >= MOST_MARKS {
            return;
        }
        cell.push_zerowidth(c);
        if !cell.flags.contains(Flags::WIDE_CHAR) {
            self.widen(row, col);
        }
    }

    /// Makes the cell before the cursor two columns wide; the second one exists.
    fn widen(&mut self, row: usize, col: usize) {
        let cols = usize::from(self.size.cols());
        let grid = self.term.grid_mut();
        let [cell, next] = &mut grid[row_index(row)][Column(col)..Column(col + 2)] else { return };
        cell.flags.insert(Flags::WIDE_CHAR);
        let mut spacer = Cell { fg: cell.fg, bg: cell.bg, flags: cell.flags, ..Cell::default() };
        spacer.flags.remove(Flags::WIDE_CHAR);
        spacer.flags.insert(Flags::WIDE_CHAR_SPACER);
        spacer.set_hyperlink(cell.hyperlink());
        spacer.set_underline_color(cell.underline_color());
        *next = spacer;
        let cursor = &mut grid.cursor;
        cursor.input_needs_wrap = col + 2 == cols;
        cursor.point.column = Column((col + 2).min(cols - 1));
        self.mend_row();
    }
}

/// Whether neighbouring cells of a row, printed in their order, would become one.
pub(crate) fn has_strangers(cells: &[Cell]) -> bool {
    let joins = |(at, cell): (usize, &Cell)| {
        may_join(cell.c) && is_stranger(cells.get(..at).unwrap_or_default(), cell.c)
    };
    cells.iter().enumerate().any(joins)
}
