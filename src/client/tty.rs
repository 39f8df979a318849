//! The user's terminal while it is handed to an agent: raw, and afterwards as it was.
//!
//! Invariant: whatever happens, dropping a [`RawTerminal`] puts the terminal back: its line
//! settings, its modes, its screen and its title.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
};

use rustix::{
    fs::{Mode, OFlags},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};

use crate::{domain::size::TerminalSize, terminal::Terminal};

/// Saves the title.
const SAVE_TITLE: &[u8] = b"\x1b[22;0t";

/// Enters the alternate screen, so that what the user had is kept.
const ENTER: &[u8] = b"\x1b[?1049h";

/// Brings back the title.
const RESTORE_TITLE: &[u8] = b"\x1b[23;0t";

/// The controlling terminal, opened anew so that its settings are not shared with other processes.
pub(super) struct RawTerminal {
    tty: File,
    saved: Termios,
}

impl RawTerminal {
    /// Takes the terminal over; `inline` leaves it on its main screen.
    ///
    /// # Errors
    ///
    /// When there is none, on input or output.
    pub(super) fn take(inline: bool) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("standard input and output are no terminal"));
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty: File = match rustix::fs::open("/dev/tty", flags, Mode::empty()) {
            Ok(fd) => fd.into(),
            // A terminal that is not the controlling one serves as well.
            Err(_) => File::from(rustix::io::dup(io::stdin())?),
        };
        let saved = tcgetattr(&tty)?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &raw)?;
        let mut terminal = Self { tty, saved };
        terminal.write(SAVE_TITLE)?;
        if !inline {
            terminal.write(ENTER)?;
        }
        Ok(terminal)
    }

    /// Writes to it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tty.write_all(bytes)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        self.write(Terminal::restore_sequence()).and_then(|()| self.write(RESTORE_TITLE)).ok();
        // Flush: answers to the agent's questions that are still under way are not the shell's.
        tcsetattr(&self.tty, OptionalActions::Flush, &self.saved).ok();
    }
}

/// Returns the size of the terminal that standard output, input or error is, `None` if none is.
pub fn size_of_terminal() -> Option<TerminalSize> {
    let size = tcgetwinsize(io::stdout())
        .or_else(|_| tcgetwinsize(io::stdin()))
        .or_else(|_| tcgetwinsize(io::stderr()))
        .ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| {
        TerminalSize::new(size.ws_col, size.ws_row).with_pixels(size.ws_xpixel, size.ws_ypixel)
    })
}
