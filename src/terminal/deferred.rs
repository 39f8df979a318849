//! A terminal that is drawn when somebody looks.
//!
//! While an agent spews, nobody sees most of its lines: text waits here undrawn until something else
//! than text comes, somebody looks, or much of it waits, and then goes the short way of `bulk`.
//! Invariant: whoever reaches the terminal through here finds it up to date.

use super::{HistoryLimits, Scan, Terminal};
use crate::domain::size::TerminalSize;

/// Text that may wait; thousands of lines of it are drawn in about a millisecond.
const MOST_WAITING: usize = 64 << 10;

/// The terminal, and the text that it has not been told yet.
pub struct Deferred {
    terminal: Terminal,
    waiting: Vec<u8>,
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Deferred {
    /// Returns an empty terminal.
    pub fn new(size: TerminalSize, limits: HistoryLimits) -> Self {
        Self { terminal: Terminal::new(size, limits), waiting: Vec::new() }
    }

    /// Examines the next batch of output: [`Terminal::scan`].
    pub fn scan(&mut self, input: &[u8]) -> Scan {
        self.terminal.scan(input)
    }

    /// Applies a scanned batch, at once or when it is looked at: [`Terminal::apply`].
    pub fn apply(&mut self, input: &[u8], scan: &Scan, replies: &mut Vec<u8>) {
        let length = if scan.is_text() { input.len() } else { usize::MAX };
        if self.waiting.len().saturating_add(length) <= MOST_WAITING {
            for text in scan.texts(input) {
                self.waiting.extend_from_slice(text);
            }
        } else {
            self.current().apply(input, scan, replies);
        }
    }

    /// Returns the terminal, up to date.
    pub fn current(&mut self) -> &mut Terminal {
        if !self.waiting.is_empty() {
            self.terminal.text(&self.waiting);
            self.waiting.clear();
        }
        &mut self.terminal
    }

    /// The size, which no text changes: [`Terminal::size`].
    pub fn size(&self) -> TerminalSize {
        self.terminal.size()
    }

    /// How much of the history is not packed: [`Terminal::loose`].
    pub fn loose(&self) -> usize {
        self.terminal.loose()
    }

    /// Frees spare memory: [`Terminal::settle`].
    pub fn settle(&mut self) {
        self.current().settle();
        self.waiting = Vec::new();
    }
}
