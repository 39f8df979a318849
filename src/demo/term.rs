//! The terminal itself: raw mode, size, and the mode switches of a full-screen-ish program.
//!
//! [`RawMode`] gives back what it changed when it is dropped, unless it was told to leave a mess
//! (the `alt` mode is there to leave one).

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// Begins an update that the terminal shows at once.
pub(super) const SYNC_BEGIN: &str = "\x1b[?2026h";
/// Ends an update that the terminal shows at once.
pub(super) const SYNC_END: &str = "\x1b[?2026l";
/// Bracketed paste and focus events on.
pub(super) const MODES_ON: &str = "\x1b[?2004h\x1b[?1004h";
/// Bracketed paste and focus events off, cursor shown, attributes reset.
pub(super) const MODES_OFF: &str = "\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[0m";

/// A terminal in raw mode for as long as this lives.
#[derive(Debug)]
pub(super) struct RawMode {
    /// What to go back to, `None` when standard input is no terminal.
    before: Option<Termios>,
}

impl RawMode {
    /// Switches standard input to raw mode; without a terminal there is nothing to switch.
    pub(super) fn enter() -> Self {
        let stdin = rustix::stdio::stdin();
        let before = if isatty(stdin) { tcgetattr(stdin).ok() } else { None };
        let raw = Self { before };
        raw.again();
        raw
    }

    /// Switches to raw mode once more, for a shell that changed it while the agent was stopped.
    pub(super) fn again(&self) {
        if let Some(before) = &self.before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw).ok();
        }
    }

    /// Leaves the terminal raw for good.
    pub(super) fn abandon(&mut self) {
        self.before = None;
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, before).ok();
        }
    }
}

/// Columns and rows of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Columns, 10…500.
    pub(super) cols: usize,
    /// Rows, 3…500.
    pub(super) rows: usize,
}

impl Size {
    /// Returns the window's size, 80×24 when it has none.
    pub(super) fn of_window() -> Self {
        let size = tcgetwinsize(rustix::stdio::stdout())
            .or_else(|_error| tcgetwinsize(rustix::stdio::stdin()));
        match size {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Self::clamped(usize::from(size.ws_col), usize::from(size.ws_row))
            }
            _ => Self { cols: 80, rows: 24 },
        }
    }

    /// Brings any numbers into the range the layout is made for.
    pub(super) fn clamped(cols: usize, rows: usize) -> Self {
        Self { cols: cols.clamp(10, 500), rows: rows.clamp(3, 500) }
    }
}

/// Returns whether standard input is a terminal.
pub(super) fn stdin_is_terminal() -> bool {
    isatty(rustix::stdio::stdin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_clamped() {
        assert_eq!(Size::clamped(0, 0), Size { cols: 10, rows: 3 });
        assert_eq!(Size::clamped(65_535, 65_535), Size { cols: 500, rows: 500 });
        assert_eq!(Size::clamped(80, 24), Size { cols: 80, rows: 24 });
    }

    #[test]
    fn what_is_switched_on_is_switched_off() {
        for mode in MODES_ON.split('\x1b').filter(|mode| !mode.is_empty()) {
            assert!(MODES_OFF.contains(&mode.replace('h', "l")));
        }
    }
}
