//! The terminal of one program: scanner and engine behind one type.

use std::collections::VecDeque;

use alacritty_terminal::term::TermMode;

use super::HistoryLimits;
use super::answers::{self, DefaultColors};
use super::engine::Engine;
use super::line::{Line, is_wrapped};
use super::modes::Modes;
use super::scan::{Op, Scan};
use super::scanner::Scanner;
use super::snapshot;
use crate::domain::size::TerminalSize;

/// Longest logical line that a search puts together from wrapped rows.
const MOST_JOINED_BYTES: usize = 64 * 1024;

/// Screen, history and modes of one program, fed with what it writes.
///
/// Each batch is first given to [`Terminal::scan`], then, with the result, to
/// [`Terminal::apply`]. The two are apart so that viewers can be served between them.
pub struct Terminal {
    scanner: Scanner,
    engine: Engine,
    colors: DefaultColors,
}

impl Terminal {
    /// Returns a terminal just switched on.
    pub fn new(size: TerminalSize, limits: HistoryLimits) -> Self {
        Self {
            scanner: Scanner::default(),
            engine: Engine::new(size, limits),
            colors: DefaultColors::default(),
        }
    }

    /// Examines one batch of output without touching the screen; keeps state between batches.
    pub fn scan(&mut self, input: &[u8]) -> Scan {
        let size = self.engine.screen.size;
        self.scanner.scan(input, usize::from(size.cols()) * usize::from(size.rows()))
    }

    /// Applies a scanned batch to the screen.
    ///
    /// The answers to its questions are appended to `replies` in the order asked; they belong
    /// into the program's input, best in one write.
    pub fn apply(&mut self, input: &[u8], scan: &Scan, replies: &mut Vec<u8>) {
        let (colors, whole) = (self.colors, scan.whole(input));
        self.engine.guard(|engine| {
            for op in &scan.ops {
                match op {
                    Op::Text(range) => engine.text(whole.get(range.clone()).unwrap_or_default()),
                    Op::Sequence(range) => {
                        engine.sequence(whole.get(range.clone()).unwrap_or_default());
                    }
                    Op::HeldSequence(bytes) => engine.sequence(bytes),
                    Op::Tell(signal) => engine.screen.tell(scan.signals().get(*signal)),
                    Op::Query(query) => answers::answer(&engine.screen, colors, query, replies),
                    Op::SoftReset => engine.screen.soft_reset(),
                    Op::Repeated(text) => engine.text(text.as_bytes()),
                }
            }
        });
    }

    /// Prints text that a scan has found.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.engine.guard(|engine| engine.text(text));
    }

    /// Changes the size. Rows that no longer fit go to the history, text is wrapped anew.
    pub fn resize(&mut self, size: TerminalSize) {
        self.engine.guard(|engine| engine.screen.resize(size));
        // After a panic the screen is empty but must have the new size all the same.
        if self.engine.screen.size != size {
            self.engine.guard(|engine| engine.screen.resize(size));
        }
    }

    /// The size, with pixels where the last resize told them.
    pub fn size(&self) -> TerminalSize {
        self.engine.screen.size
    }

    /// The input modes in force.
    pub fn modes(&self) -> Modes {
        let screen = &self.engine.screen;
        Modes {
            alternate: screen.has(TermMode::ALT_SCREEN),
            app_cursor: screen.has(TermMode::APP_CURSOR),
            app_keypad: screen.has(TermMode::APP_KEYPAD),
            bracketed_paste: screen.has(TermMode::BRACKETED_PASTE),
            mouse: screen.tracker.mouse,
            mouse_encoding: screen.tracker.mouse_encoding,
            focus: screen.has(TermMode::FOCUS_IN_OUT),
            cursor_visible: screen.has(TermMode::SHOW_CURSOR),
            kitty_flags: screen.tracker.keyboard.flags(),
            alternate_scroll: screen.has(TermMode::ALTERNATE_SCROLL),
        }
    }

    /// The window title, empty before the first.
    pub fn title(&self) -> &str {
        &self.engine.screen.tracker.title
    }

    /// The directory the program announced last.
    pub fn cwd(&self) -> Option<&str> {
        self.engine.screen.tracker.cwd.as_deref()
    }

    /// The cursor's row and column, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        let (row, col) = self.engine.screen.cursor();
        (u16::try_from(row).unwrap_or(0), u16::try_from(col).unwrap_or(0))
    }

    /// Whether the program is in the middle of a synchronized update (`?2026`).
    ///
    /// The screen is up to date all the same; a viewer had better wait, with a time limit.
    pub fn in_sync(&self) -> bool {
        self.engine.screen.tracker.sync
    }

    /// Returns bytes that bring any modern terminal, whatever its state, to this screen.
    ///
    /// Up to `history` rows are printed first, into the terminal's own scrollback.
    pub fn snapshot(&self, history: usize) -> Vec<u8> {
        snapshot::snapshot(&self.engine.screen, history)
    }

    /// Returns bytes that draw the visible screen, with its modes, on a terminal that shows its
    /// alternate screen: what the user had on the other one is kept.
    pub fn picture(&self) -> Vec<u8> {
        snapshot::picture(&self.engine.screen)
    }

    /// Returns bytes that put a user's terminal back after detaching from, or losing, a program
    /// in any state. They are the same for every state.
    pub fn restore_sequence() -> &'static [u8] {
        snapshot::RESTORE.as_bytes()
    }

    /// Returns the rows on the screen without trailing blanks.
    pub fn screen_text(&self) -> Vec<String> {
        self.screen_lines().map(|line| trimmed(line.text)).collect()
    }

    /// Number of rows in the history.
    pub fn history_len(&self) -> usize {
        self.engine.screen.ring.len()
    }

    /// Number of rows that were in the history and are forgotten: with them counted, a row keeps its
    /// number for ever.
    pub fn history_forgotten(&self) -> u64 {
        self.engine.screen.ring.forgotten()
    }

    /// Returns for each of the rows that [`Self::history`] returns whether it went on in the next one
    /// without a line break.
    pub fn history_wraps(&self, from_oldest: usize, count: usize) -> Vec<bool> {
        let mut wraps = Vec::new();
        self.engine.screen.ring.read(from_oldest, count, &mut |_, line| {
            wraps.push(line.wrapped);
            true
        });
        wraps
    }

    /// Returns for each row on the screen whether it goes on in the next one without a line break.
    pub fn screen_wraps(&self) -> Vec<bool> {
        let screen = &self.engine.screen;
        (0..usize::from(screen.size.rows())).map(|row| is_wrapped(screen.row(row))).collect()
    }

    /// Returns up to `count` rows of the history from the one numbered `from_oldest`.
    ///
    /// With `styled` they carry SGR sequences, closed at the end of each row, and no others.
    pub fn history(&self, from_oldest: usize, count: usize, styled: bool) -> Vec<String> {
        let mut rows = Vec::new();
        self.engine.screen.ring.read(from_oldest, count, &mut |_, line| {
            rows.push(if styled { line.styled() } else { trimmed(line.text) });
            true
        });
        rows
    }

    /// Returns the first `limit` lines that contain `needle`, with their row numbers.
    ///
    /// Rows are numbered from the oldest of the history through to the bottom of the screen. Wrapped
    /// rows count as one line, found under the number of its first row. A needle without capital
    /// letters matches either case.
    pub fn search(&self, needle: &str, limit: usize) -> Vec<(usize, String)> {
        let mut search = Search::new(needle, limit);
        let ring = &self.engine.screen.ring;
        if limit > 0 {
            ring.read(0, usize::MAX, &mut |row, line| search.add(row, &line));
            for (row, line) in self.screen_lines().enumerate() {
                if !search.add(ring.len() + row, &line) {
                    break;
                }
            }
            search.flush();
        }
        search.found.into()
    }

    /// Frees spare memory; meant for a program that has been quiet for a while.
    pub fn settle(&mut self) {
        self.scanner.settle();
        self.engine.screen.term.grid_mut().truncate();
        self.engine.screen.ring.settle();
    }

    /// Packs some of the history more tightly, for a few milliseconds; returns whether there is more to
    /// do. Meant for a history that does not grow.
    pub fn pack(&mut self) -> bool {
        self.engine.screen.ring.pack()
    }

    /// How much of the history is not packed at all; a number that changes when it grows.
    pub fn loose(&self) -> usize {
        self.engine.screen.ring.loose()
    }

    /// Learns the viewer's default colours, which programs ask for to choose their theme.
    pub fn set_colors(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8)) {
        self.colors = DefaultColors { foreground, background };
    }

    /// Whether the emulator failed once and began with an empty screen again.
    pub fn is_degraded(&self) -> bool {
        self.engine.degraded
    }

    /// Bytes held by history and scanner; the grid comes on top, 48 bytes for each cell.
    pub fn buffered_bytes(&self) -> usize {
        self.engine.screen.ring.memory() + self.scanner.memory()
    }

    /// The screen behind the terminal, for the encoders of this module.
    pub(crate) fn screen(&self) -> &super::screen::Screen {
        &self.engine.screen
    }

    fn screen_lines(&self) -> impl Iterator<Item = Line> + '_ {
        let screen = &self.engine.screen;
        (0..usize::from(screen.size.rows())).map(|row| Line::of(screen.row(row)))
    }
}

fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// Puts wrapped rows together and keeps those that match.
struct Search {
    needle: String,
    any_case: bool,
    limit: usize,
    first_row: usize,
    joined: String,
    found: VecDeque<(usize, String)>,
}

impl Search {
    fn new(needle: &str, limit: usize) -> Self {
        Self {
            needle: needle.to_owned(),
            any_case: !needle.chars().any(char::is_uppercase),
            limit,
            first_row: 0,
            joined: String::new(),
            found: VecDeque::new(),
        }
    }

    /// Takes the next row; returns false once there are enough matches.
    fn add(&mut self, row: usize, line: &Line) -> bool {
        if self.joined.is_empty() {
            self.first_row = row;
        }
        self.joined.push_str(&line.text);
        if !line.wrapped || self.joined.len() >= MOST_JOINED_BYTES {
            self.flush();
        }
        self.found.len() < self.limit
    }

    fn flush(&mut self) {
        let text = trimmed(std::mem::take(&mut self.joined));
        if self.found.len() >= self.limit || text.is_empty() {
            return;
        }
        let hit = if self.any_case {
            text.to_lowercase().contains(&self.needle)
        } else {
            text.contains(&self.needle)
        };
        if hit {
            self.found.push_back((self.first_row, text));
        }
    }
}
