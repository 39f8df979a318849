//! A runner's past while it is looked at: its history, and after it the screen, held still.
//!
//! Lines are counted from the screen's first row: 0 is that row, -1 the newest line of the history.
//! So nothing moves when the length of the history becomes known, or when the agent goes on.
//! Invariant: lines are loaded where they are looked at, and at most [`MOST_CHUNKS`] pieces are held.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    client::HistoryView,
    terminal::{Pane, Still},
};

/// Lines loaded together.
pub(in crate::ui) const CHUNK: u64 = 500;
/// Pieces held at most; what is farthest away goes.
const MOST_CHUNKS: usize = 24;
/// Matches that are kept.
pub(in crate::ui) const MOST_MATCHES: u32 = 2000;
/// Rows that must agree before we believe that a screen has scrolled.
const SURE: usize = 3;
/// Lines put together at once for copying.
const BATCH: usize = 200;

/// A place in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::ui) struct Spot {
    /// The line.
    pub(in crate::ui) line: i64,
    /// The column.
    pub(in crate::ui) col: u16,
}

/// What a selection grows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Unit {
    /// Characters.
    Cells,
    /// Words.
    Words,
    /// Lines.
    Lines,
}

/// Text that is selected: from where it began to where it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Selection {
    /// Where it began.
    pub(in crate::ui) anchor: Spot,
    /// Where it is now.
    pub(in crate::ui) head: Spot,
    /// What it grows by.
    pub(in crate::ui) unit: Unit,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Search {
    /// The text.
    pub(in crate::ui) needle: String,
    /// Lines that have it, oldest first; `None` until they are known.
    pub(in crate::ui) lines: Option<Vec<i64>>,
}

/// What a runner's screen shows by now, and how much is before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Present {
    /// The rows' text.
    pub(in crate::ui) rows: Vec<String>,
    /// Which of them go on in the next one without a line break.
    pub(in crate::ui) wrapped: Vec<bool>,
    /// Lines of history.
    pub(in crate::ui) history: u64,
    /// Older lines that were forgotten.
    pub(in crate::ui) forgotten: u64,
}

/// A runner's past.
#[derive(Debug)]
pub(in crate::ui) struct Scrollback {
    screen: Vec<String>,
    /// Which rows of the screen go on in the next one, as far as is known.
    wrapped: Vec<bool>,
    cols: u16,
    /// Lines before the screen, those that were forgotten among them: what the runner writes and
    /// forgets meanwhile gives no line another number.
    history: Option<u64>,
    /// How many of them were forgotten when it was opened.
    forgotten: u64,
    chunks: BTreeMap<u64, HistoryView>,
    asked: BTreeSet<u64>,
    above: u64,
    /// The first column shown.
    pub(in crate::ui) left: u16,
    /// Where the keys are, while they go here.
    pub(in crate::ui) cursor: Option<Spot>,
    /// What is selected.
    pub(in crate::ui) selection: Option<Selection>,
    /// What is searched for.
    pub(in crate::ui) search: Option<Search>,
    /// What was found before the length of the history was known.
    pub(in crate::ui) early: Option<(String, Vec<u64>)>,
}

impl Scrollback {
    /// Holds a screen still as it is shown in so many columns and rows.
    pub(in crate::ui) fn new(pane: &Pane, width: u16, height: u16) -> Self {
        let (top, left) = pane.origin(width, height);
        let mut screen = pane.styled_rows();
        screen.truncate(usize::from(top) + usize::from(height));
        Self {
            screen,
            wrapped: Vec::new(),
            cols: pane.size().cols(),
            history: None,
            forgotten: 0,
            chunks: BTreeMap::new(),
            asked: BTreeSet::new(),
            above: 0,
            left,
            cursor: None,
            selection: None,
            search: None,
            early: None,
        }
    }

    /// Takes in what the runner's screen shows by now and how long the history before it is.
    pub(in crate::ui) fn know(&mut self, present: &Present) {
        let now = &present.rows;
        let held = Still::new(self.screen.iter().map(String::as_str), self.cols);
        let rows = u16::try_from(self.screen.len()).unwrap_or(u16::MAX);
        let held: Vec<String> =
            (0..rows).map(|row| held.text(row, 0, self.cols).trim_end().to_owned()).collect();
        let has_moved_by = |by: &usize| {
            let (still, now) = (held.get(*by..).unwrap_or_default(), now);
            let shared = still.len().min(now.len());
            shared >= SURE.min(held.len()) && still.iter().zip(now).all(|(a, b)| a == b.trim_end())
        };
        let by = (0..held.len()).find(has_moved_by).unwrap_or(0);
        self.wrapped = vec![false; held.len()];
        let rows = held.get(by..).unwrap_or_default().iter().zip(now).zip(&present.wrapped);
        for (known, ((held, now), wraps)) in self.wrapped.iter_mut().skip(by).zip(rows) {
            // A row that was painted anew meanwhile says nothing of the one that is held.
            *known = *wraps && held == now.trim_end();
        }
        let history = present.forgotten + present.history;
        self.forgotten = present.forgotten;
        self.history = Some(history.saturating_sub(by as u64));
    }

    /// The number of the screen's first line, counted from the first ever written, as far as is known.
    pub(in crate::ui) fn history(&self) -> u64 {
        self.history.unwrap_or(0)
    }

    /// Lines of history that could be read when it was opened.
    pub(in crate::ui) fn held(&self) -> u64 {
        self.history().saturating_sub(self.forgotten)
    }

    /// Whether the history's length is known.
    pub(in crate::ui) fn is_known(&self) -> bool {
        self.history.is_some()
    }

    /// The columns of the runner's screen.
    pub(in crate::ui) fn cols(&self) -> u16 {
        self.cols
    }

    /// The first and the last line.
    pub(in crate::ui) fn ends(&self) -> (i64, i64) {
        (-signed(self.held()), signed(self.screen.len() as u64) - 1)
    }

    /// The first line shown in so many rows.
    pub(in crate::ui) fn top(&self, height: u16) -> i64 {
        signed(self.hidden(height)) - signed(self.above)
    }

    /// Rows of the held screen that have no room above.
    fn hidden(&self, height: u16) -> u64 {
        (self.screen.len() as u64).saturating_sub(height.into())
    }

    /// Scrolls by so many lines, up for a positive number; false at the bottom.
    pub(in crate::ui) fn scroll(&mut self, by: i64, height: u16) -> bool {
        // Before the length is known it may be anything.
        let most = if self.is_known() { self.held() + self.hidden(height) } else { u64::MAX / 2 };
        self.above = self.above.saturating_add_signed(by).min(most);
        self.above > 0
    }

    /// Takes back what was scrolled too far before the length was known.
    pub(in crate::ui) fn settle(&mut self, height: u16) {
        if self.is_known() {
            self.scroll(0, height);
        }
    }

    /// Scrolls as little as needed to show a line.
    pub(in crate::ui) fn show(&mut self, line: i64, height: u16) {
        let top = self.top(height);
        let last = top + i64::from(height.max(1)) - 1;
        if line < top {
            self.scroll(top - line, height);
        } else if line > last {
            self.scroll(last - line, height);
        }
    }

    /// Shows a line in the middle.
    pub(in crate::ui) fn centre(&mut self, line: i64, height: u16) {
        let middle = self.top(height) + i64::from(height / 2);
        self.scroll(middle - line, height);
    }

    /// Returns a line, `None` where there is none or it is not loaded yet.
    pub(in crate::ui) fn line(&self, line: i64) -> Option<&str> {
        if let Ok(row) = usize::try_from(line) {
            return self.screen.get(row).map(String::as_str);
        }
        let (chunk, at) = self.chunk_of(line)?;
        chunk.lines.get(at).map(String::as_str)
    }

    /// Whether a line goes on in the next one without a line break.
    fn is_wrapped(&self, line: i64) -> bool {
        let known = match usize::try_from(line) {
            Ok(row) => self.wrapped.get(row).copied(),
            Err(_) => self.chunk_of(line).and_then(|(chunk, at)| chunk.wrapped.get(at).copied()),
        };
        known.unwrap_or(false)
    }

    fn chunk_of(&self, line: i64) -> Option<(&HistoryView, usize)> {
        let at = self.history?.checked_sub(line.unsigned_abs())?;
        Some((self.chunks.get(&(at / CHUNK))?, usize::try_from(at % CHUNK).ok()?))
    }

    /// Returns the lines shown in so many rows.
    pub(in crate::ui) fn window(&self, height: u16) -> Still {
        let top = self.top(height);
        let rows = (0..i64::from(height)).map(|row| self.line(top + row).unwrap_or_default());
        Still::new(rows, self.cols)
    }

    /// Returns the pieces to be loaded for what is shown and a screenful around it, as the number of
    /// the first line.
    pub(in crate::ui) fn missing(&mut self, height: u16) -> Vec<u64> {
        let Some(history) = self.history.filter(|_| self.held() > 0) else { return Vec::new() };
        let (top, room) = (self.top(height), i64::from(height));
        let absolute =
            |line: i64| history.saturating_add_signed(line).clamp(self.forgotten, history - 1);
        if top - room >= 0 {
            return Vec::new();
        }
        let pieces = absolute(top - room) / CHUNK..=absolute(top + 2 * room) / CHUNK;
        let missing = pieces.filter(|piece| !self.chunks.contains_key(piece));
        let missing: Vec<u64> = missing.filter(|piece| !self.asked.contains(piece)).collect();
        self.asked.extend(&missing);
        missing.into_iter().map(|piece| piece * CHUNK).collect()
    }

    /// Takes in loaded lines.
    pub(in crate::ui) fn put(&mut self, from: u64, piece: HistoryView) {
        self.asked.remove(&(from / CHUNK));
        self.chunks.insert(from / CHUNK, piece);
        while self.chunks.len() > MOST_CHUNKS {
            let here = self.history().saturating_sub(self.above) / CHUNK;
            let farthest = self.chunks.keys().copied().max_by_key(|piece| piece.abs_diff(here));
            match farthest {
                Some(farthest) => self.chunks.remove(&farthest),
                None => return,
            };
        }
    }

    /// Returns the selected places, the first one and the one after the last, whole words or lines
    /// where they are wanted.
    pub(in crate::ui) fn selected(&self) -> Option<(Spot, Spot)> {
        let Selection { anchor, head, unit } = self.selection?;
        let (from, to) = if anchor <= head { (anchor, head) } else { (head, anchor) };
        let word = |spot: Spot| {
            let row = self.line(spot.line).unwrap_or_default();
            Still::new([row], self.cols).word(0, spot.col)
        };
        let (start, end) = match unit {
            Unit::Cells => (from.col, to.col.saturating_add(1)),
            Unit::Words => (word(from).0, word(to).1),
            Unit::Lines => (0, self.cols),
        };
        Some((Spot { col: start, ..from }, Spot { col: end, ..to }))
    }

    /// Returns the columns of a line that are selected.
    pub(in crate::ui) fn selected_in(&self, line: i64) -> Option<(u16, u16)> {
        let (from, to) = self.selected()?;
        if !(from.line..=to.line).contains(&line) {
            return None;
        }
        let start = if line == from.line { from.col } else { 0 };
        let end = if line == to.line { to.col } else { self.cols };
        Some((start, end))
    }

    /// Returns the selected text without blanks at the ends of lines; what was only broken because the
    /// screen is not wider is put together again.
    pub(in crate::ui) fn selected_text(&self) -> Option<String> {
        let (from, to) = self.selected()?;
        let lines: Vec<i64> = (from.line..=to.line).collect();
        let mut text = String::new();
        for lines in lines.chunks(BATCH) {
            let rows = lines.iter().map(|line| self.line(*line).unwrap_or_default());
            let still = Still::new(rows, self.cols);
            for (row, line) in (0_u16..).zip(lines) {
                let (start, end) = self.selected_in(*line).unwrap_or_default();
                let part = still.text(row, start, end);
                if *line == to.line || !self.is_wrapped(*line) {
                    text.push_str(part.trim_end());
                    text.push('\n');
                } else {
                    text.push_str(&part);
                }
            }
        }
        text.pop();
        Some(text)
    }
}

/// Lines are fewer than that.
fn signed(lines: u64) -> i64 {
    i64::try_from(lines).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::size::TerminalSize;

    fn pane(rows: &[&str]) -> Pane {
        let mut pane = Pane::new(TerminalSize::new(20, u16::try_from(rows.len()).unwrap()));
        pane.feed(rows.join("\r\n").as_bytes());
        pane
    }

    fn present(rows: &[&str], history: u64) -> Present {
        let rows = rows.iter().map(|row| (*row).to_owned()).collect();
        Present { rows, history, ..Present::default() }
    }

    fn numbered(range: std::ops::Range<u64>) -> HistoryView {
        let lines = range.map(|line| format!("line {line}")).collect();
        HistoryView { lines, wrapped: Vec::new() }
    }

    #[test]
    fn lines_are_counted_from_the_screen_and_loaded_where_one_looks() {
        let mut past = Scrollback::new(&pane(&["a", "b", "c", "d"]), 20, 4);
        assert!(past.scroll(3, 4));
        assert_eq!((past.missing(4), past.line(-1)), (vec![], None));
        past.know(&present(&["a", "b", "c", "d"], 1200));
        assert_eq!(past.missing(4), [1000]);
        assert!(past.missing(4).is_empty(), "asked once");
        past.put(1000, numbered(1000..1200));
        assert_eq!((past.top(4), past.line(-3), past.line(0)), (-3, Some("line 1197"), Some("a")));
        past.scroll(100_000, 4);
        assert_eq!((past.top(4), past.missing(4)), (-1200, vec![0]));
        assert!(!past.scroll(-100_000, 4));
    }

    #[test]
    fn a_screen_that_has_scrolled_meanwhile_is_found_in_the_history() {
        let mut past = Scrollback::new(&pane(&["a", "b", "c", "d", "e"]), 20, 5);
        past.know(&present(&["c", "d", "e", "f", "g"], 102));
        assert_eq!(past.history(), 100);
        // One that was painted anew tells nothing.
        past.know(&present(&["v", "w", "x", "y", "z"], 102));
        assert_eq!(past.history(), 102);
    }

    #[test]
    fn lines_keep_their_numbers_when_old_ones_are_forgotten() {
        let mut past = Scrollback::new(&pane(&["a", "b", "c", "d"]), 20, 4);
        past.know(&Present { forgotten: 700, ..present(&["a", "b", "c", "d"], 1000) });
        assert_eq!((past.ends(), past.held()), ((-1000, 3), 1000));
        past.scroll(100_000, 4);
        assert_eq!((past.top(4), past.missing(4)), (-1000, vec![500]));
        past.put(500, numbered(500..1000));
        assert_eq!(past.line(-1000), Some("line 700"));
    }

    #[test]
    fn what_is_selected_is_copied_without_blanks_at_the_ends() {
        let mut past = Scrollback::new(&pane(&["one two", "", "  three four"]), 20, 3);
        let at = |line, col| Spot { line, col };
        let mut copied = |anchor, head, unit| {
            past.selection = Some(Selection { anchor, head, unit });
            past.selected_text().unwrap()
        };
        assert_eq!(copied(at(0, 4), at(2, 6), Unit::Cells), "two\n\n  three");
        assert_eq!(copied(at(2, 6), at(0, 4), Unit::Cells), "two\n\n  three");
        assert_eq!(copied(at(0, 5), at(0, 5), Unit::Words), "two");
        assert_eq!(copied(at(2, 9), at(2, 3), Unit::Lines), "  three four");
    }

    #[test]
    fn lines_that_were_only_wrapped_are_copied_as_one() {
        let mut past = Scrollback::new(&pane(&["0123456789abcdefghij", "klm  ", "next"]), 20, 3);
        let rows = present(&["0123456789abcdefghij", "klm", "next"], 500);
        past.know(&Present { wrapped: vec![true, false, false], ..rows });
        let lines = vec!["x".repeat(19) + " ", "y".to_owned()];
        past.scroll(2, 3);
        past.put(0, HistoryView::default());
        past.chunks.insert(0, {
            let mut all = numbered(0..498);
            all.lines.extend(lines);
            all.wrapped = vec![false; 498];
            all.wrapped.extend([true, false]);
            all
        });
        let at = |line, col| Spot { line, col };
        let mut copied = |anchor, head, unit| {
            past.selection = Some(Selection { anchor, head, unit });
            past.selected_text().unwrap()
        };
        assert_eq!(copied(at(0, 15), at(1, 10), Unit::Cells), "fghijklm");
        assert_eq!(copied(at(0, 15), at(0, 19), Unit::Cells), "fghij");
        assert_eq!(copied(at(-2, 17), at(2, 3), Unit::Lines).lines().count(), 3);
        assert_eq!(copied(at(-2, 17), at(-1, 3), Unit::Cells), "xx y");
    }

    #[test]
    fn only_so_much_is_held() {
        let mut past = Scrollback::new(&pane(&["a", "b"]), 20, 2);
        past.know(&present(&["a", "b"], 1_000_000));
        for piece in 0..100 {
            past.put(piece * CHUNK, numbered(0..CHUNK));
        }
        assert_eq!(past.chunks.len(), MOST_CHUNKS);
        assert!(past.chunks.contains_key(&99), "what is near is kept");
    }
}
