//! Drives the screen: text takes the short way, escape sequences go through the parser.
//!
//! The scanner guarantees that what arrives here is complete, so the parser is always between
//! two sequences and the two ways can alternate. A panic inside the engine is caught, the screen
//! starts anew and says so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use alacritty_terminal::vte::ansi::{CharsetIndex, Handler, Processor, Timeout};

use super::HistoryLimits;
use super::lexer::printable;
use super::screen::Screen;
use super::sgr;
use crate::domain::size::TerminalSize;

/// A synchronized update never holds the screen back here: viewers decide whether to wait.
#[derive(Debug, Default)]
struct NoHold;

impl Timeout for NoHold {
    fn set_timeout(&mut self, _: Duration) {}

    fn clear_timeout(&mut self) {}

    fn pending_timeout(&self) -> bool {
        false
    }
}

/// The screen and its parser.
pub(crate) struct Engine {
    /// The screen.
    pub(crate) screen: Screen,
    parser: Processor<NoHold>,
    /// The engine panicked once; the screen was emptied then.
    pub(crate) degraded: bool,
}

impl Engine {
    /// Returns an engine with an empty screen.
    pub(crate) fn new(size: TerminalSize, limits: HistoryLimits) -> Self {
        Self { screen: Screen::new(size, limits), parser: Processor::new(), degraded: false }
    }

    /// Runs `step`; a panic in it costs the screen, not the process.
    pub(crate) fn guard(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            let limits = self.screen.ring.limits();
            let ring = std::mem::replace(&mut self.screen.ring, super::ring::Ring::new(limits));
            *self = Self::new(self.screen.size, limits);
            self.screen.ring = ring;
            self.degraded = true;
        }
    }

    /// Carries out one complete escape sequence.
    pub(crate) fn sequence(&mut self, bytes: &[u8]) {
        if !sgr::apply(&mut self.screen, bytes) {
            self.parser.advance(&mut self.screen, bytes);
        }
    }

    /// Prints text and carries out single control characters.
    pub(crate) fn text(&mut self, mut bytes: &[u8]) {
        // Lines to be drawn before the short way is worth another look.
        let mut wait = 0;
        let mut is_line_start = true;
        loop {
            if is_line_start && wait == 0 {
                let bulk = self.screen.bulk(bytes);
                bytes = bytes.get(bulk.taken..).unwrap_or_default();
                wait = bulk.left;
            }
            let Some(&first) = bytes.first() else { return };
            is_line_start = first == b'\n';
            if is_line_start {
                wait = wait.saturating_sub(1);
            }
            let len = match first {
                b' '..=b'~' => {
                    let len = printable(bytes);
                    self.screen.print_ascii(bytes.get(..len).unwrap_or_default());
                    len
                }
                0..=0x1f | 0x7f => {
                    self.control(first);
                    1
                }
                0x80.. => {
                    let len = run(bytes, |byte| byte >= 0x80);
                    self.unicode(bytes.get(..len).unwrap_or_default());
                    len
                }
            };
            bytes = bytes.get(len..).unwrap_or_default();
        }
    }

    fn unicode(&mut self, bytes: &[u8]) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            text.chars().for_each(|c| self.screen.print_char(c));
            return;
        }
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                self.screen.print_char(c);
            }
            if !chunk.invalid().is_empty() {
                self.screen.input(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn control(&mut self, byte: u8) {
        match byte {
            b'\x08' => self.screen.backspace(),
            b'\t' => self.screen.put_tab(1),
            b'\n' | b'\x0b' | b'\x0c' => self.screen.linefeed(),
            b'\r' => self.screen.carriage_return(),
            b'\x0e' => self.screen.set_active_charset(CharsetIndex::G1),
            b'\x0f' => self.screen.set_active_charset(CharsetIndex::G0),
            _ => {}
        }
    }
}

/// Returns how many bytes from the start satisfy the condition.
fn run(bytes: &[u8], condition: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !condition(*byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_the_screen_but_not_the_history() {
        let mut engine = Engine::new(TerminalSize::new(20, 3), HistoryLimits::default());
        engine.text(b"a\nb\nc\nd\ne");
        engine.guard(|_| panic!("as an emulator might"));
        assert!(engine.degraded);
        assert_eq!(engine.screen.ring.len(), 2);
        assert_eq!(engine.screen.size, TerminalSize::new(20, 3));
        engine.text(b"x");
        assert_eq!(engine.screen.cursor(), (0, 1));
    }
}
