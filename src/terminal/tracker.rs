//! What a terminal remembers beside its cells and the engine does not show us.
//!
//! Reattaching needs the scroll region, the tab stops, the keyboard flags and so on; the engine
//! keeps them private or not at all. They are followed here, from the same calls.

use alacritty_terminal::grid::Cursor;
use alacritty_terminal::term::cell::Cell;
use alacritty_terminal::vte::ansi::{CharsetIndex, CursorStyle};

use super::line::Line;
use super::modes::{MouseEncoding, MouseMode};
use super::saved::Saved;
use crate::domain::size::TerminalSize;

/// Most entries of the title and keyboard stacks; terminals keep between 8 and 99.
const MOST_STACKED: usize = 16;
const TAB_WIDTH: usize = 8;

/// Flags of the kitty keyboard protocol, one stack for each screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyboardStack(Vec<u8>);

impl Default for KeyboardStack {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl KeyboardStack {
    /// The flags in force.
    pub(crate) fn flags(&self) -> u8 {
        self.0.last().copied().unwrap_or(0)
    }

    /// The entries from the bottom, never empty.
    pub(crate) fn entries(&self) -> &[u8] {
        &self.0
    }

    /// `CSI > flags u`; the oldest entry goes when there are too many.
    pub(crate) fn push(&mut self, flags: u8) {
        if self.0.len() >= MOST_STACKED {
            self.0.remove(0);
        }
        self.0.push(flags);
    }

    /// `CSI < times u`.
    pub(crate) fn pop(&mut self, times: usize) {
        self.0.truncate(self.0.len().saturating_sub(times));
        if self.0.is_empty() {
            self.0.push(0);
        }
    }

    /// `CSI = flags u`.
    pub(crate) fn set(&mut self, flags: u8) {
        if let Some(last) = self.0.last_mut() {
            *last = flags;
        }
    }
}

/// The primary screen as it was when the alternate one was entered.
#[derive(Debug, Clone)]
pub(crate) struct SavedScreen {
    /// Its rows from the top.
    pub(crate) rows: Vec<Line>,
    /// Its cursor.
    pub(crate) cursor: Cursor<Cell>,
    /// The column and the cell at the right edge behind which the cursor waits, if it does.
    pub(crate) edge: Option<(usize, Cell)>,
}

/// The state the engine hides.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    /// First row of the scroll region, and the row after its last.
    pub(crate) region: (usize, usize),
    /// Tab stops by column.
    pub(crate) tabs: Vec<bool>,
    /// Which of the four character sets is shown.
    pub(crate) charset: CharsetIndex,
    /// Keyboard flags of the screen in use.
    pub(crate) keyboard: KeyboardStack,
    /// Keyboard flags of the other screen.
    pub(crate) other_keyboard: KeyboardStack,
    /// What the cursor of the screen in use was saved with.
    pub(crate) saved: Saved,
    /// What that of the other screen was saved with.
    pub(crate) other_saved: Saved,
    /// The title, and the titles pushed below it.
    pub(crate) title: String,
    titles: Vec<String>,
    /// Whether there ever was one: a viewer may have to be told that there is none now.
    pub(crate) titled: bool,
    /// The directory the program announced.
    pub(crate) cwd: Option<String>,
    /// DECSCUSR, `None` for the viewer's default.
    pub(crate) cursor_style: Option<CursorStyle>,
    /// XTMODKEYS 4: 0, 1 or 2.
    pub(crate) modify_other_keys: u8,
    /// Mouse mode.
    pub(crate) mouse: MouseMode,
    /// Mouse encoding.
    pub(crate) mouse_encoding: MouseEncoding,
    /// The whole screen is shown inverted (`?5`).
    pub(crate) inverted: bool,
    /// A colour was changed once: a viewer may have missed that it was changed back.
    pub(crate) recolored: bool,
    /// Inside a synchronized update (`?2026`).
    pub(crate) sync: bool,
    /// The primary screen while the alternate one is shown.
    pub(crate) primary: Option<SavedScreen>,
}

impl Tracker {
    /// The state of a terminal just switched on.
    pub(crate) fn new(size: TerminalSize) -> Self {
        Self {
            region: (0, usize::from(size.rows())),
            tabs: default_tabs(usize::from(size.cols())),
            charset: CharsetIndex::G0,
            keyboard: KeyboardStack::default(),
            other_keyboard: KeyboardStack::default(),
            saved: Saved::default(),
            other_saved: Saved::default(),
            title: String::new(),
            titles: Vec::new(),
            titled: false,
            cwd: None,
            cursor_style: None,
            modify_other_keys: 0,
            mouse: MouseMode::None,
            mouse_encoding: MouseEncoding::Default,
            inverted: false,
            recolored: false,
            sync: false,
            primary: None,
        }
    }

    /// RIS: everything but what it does not change in a viewer's terminal either.
    pub(crate) fn reset(&mut self, size: TerminalSize) {
        let (recolored, titled) = (self.recolored, self.titled);
        let (title, cwd) = (std::mem::take(&mut self.title), self.cwd.take());
        *self = Self { title, titled, cwd, recolored, ..Self::new(size) };
    }

    /// What each screen has of its own changes places.
    pub(crate) fn swap_screens(&mut self) {
        std::mem::swap(&mut self.keyboard, &mut self.other_keyboard);
        std::mem::swap(&mut self.saved, &mut self.other_saved);
    }

    /// Adapts to a new size: the region becomes the whole screen, as everywhere.
    pub(crate) fn resize(&mut self, size: TerminalSize) {
        self.region = (0, usize::from(size.rows()));
        let cols = usize::from(size.cols());
        let known = self.tabs.len();
        self.tabs.resize(cols, false);
        for (col, tab) in self.tabs.iter_mut().enumerate().skip(known) {
            *tab = col % TAB_WIDTH == 0;
        }
    }

    /// Whether the tab stops are at every eighth column.
    pub(crate) fn has_default_tabs(&self) -> bool {
        self.tabs == default_tabs(self.tabs.len())
    }

    /// The column a tab leads to.
    pub(crate) fn next_tab(&self, col: usize) -> usize {
        let last = self.tabs.len().saturating_sub(1);
        let found = self.tabs.iter().skip(col + 1).position(|tab| *tab);
        found.map_or(last, |offset| col + 1 + offset)
    }

    /// The column a backward tab leads to.
    pub(crate) fn previous_tab(&self, col: usize) -> usize {
        self.tabs.iter().take(col).rposition(|tab| *tab).unwrap_or(0)
    }

    /// `CSI 22 t`.
    pub(crate) fn push_title(&mut self) {
        if self.titles.len() >= MOST_STACKED {
            self.titles.remove(0);
        }
        self.titles.push(self.title.clone());
    }

    /// `CSI 23 t`.
    pub(crate) fn pop_title(&mut self) {
        if let Some(title) = self.titles.pop() {
            self.title = title;
        }
    }
}

fn default_tabs(cols: usize) -> Vec<bool> {
    (0..cols).map(|col| col % TAB_WIDTH == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyboard_stacks_are_bounded_and_never_empty() {
        let mut stack = KeyboardStack::default();
        for flags in 0..100 {
            stack.push(flags);
        }
        assert_eq!((stack.flags(), stack.entries().len()), (99, MOST_STACKED));
        stack.pop(1);
        assert_eq!(stack.flags(), 98);
        stack.pop(usize::MAX);
        assert_eq!(stack, KeyboardStack::default());
    }

    #[test]
    fn tabs_lead_to_the_next_stop_and_end_at_the_edge() {
        let tracker = Tracker::new(TerminalSize::new(20, 5));
        assert_eq!(tracker.next_tab(0), 8);
        assert_eq!(tracker.next_tab(8), 16);
        assert_eq!(tracker.next_tab(16), 19);
        assert_eq!(tracker.previous_tab(16), 8);
        assert_eq!(tracker.previous_tab(3), 0);
    }
}
