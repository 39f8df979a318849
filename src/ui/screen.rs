//! The user's terminal while the dashboard has it.
//!
//! Invariant: however the dashboard ends, by itself, by an error, by a panic anywhere in the
//! process, the terminal is put back first. Whoever needs it in between (an agent that is attached
//! to, the shell after ctrl-z) gets it as the shell had it.

use std::{
    io::{self, BufWriter, IsTerminal as _, Stdout, Write},
    mem::ManuallyDrop,
    panic::{self, PanicHookInfo},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::{Frame, Terminal, backend::CrosstermBackend, layout::Rect};
use tokio::sync::Notify;

use crate::{config::environment, domain::failure::Failure, terminal::MouseMode};

/// Alternate screen, keys that can be told apart (kitty's first flag, for agents to which shift-enter
/// is another key than enter), bracketed paste, focus, mouse buttons and wheel but no motion.
const ENTER: &[u8] =
    b"\x1b[?1049h\x1b[>1u\x1b[?2004h\x1b[?1004h\x1b[?1000h\x1b[?1006h\x1b[?25l\x1b[2J";
/// All of that off again.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[<1u\x1b[m\x1b[?1049l\x1b[?25h";
/// What is between these is shown at once by terminals that know them.
const BEGIN_SYNC: &[u8] = b"\x1b[?2026h";
const END_SYNC: &[u8] = b"\x1b[?2026l";
/// A whole frame of an ordinary screen goes out in one write.
const BUFFER: usize = 1 << 16;

type Backend = CrosstermBackend<BufWriter<Counted>>;

/// Standard output, with a count of the bytes that went there.
struct Counted {
    out: Stdout,
    bytes: Arc<AtomicUsize>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Writes a report of a panic and returns where it is, if it could be written.
pub(super) type Report = dyn Fn(&PanicHookInfo<'_>) -> Option<PathBuf> + Send + Sync;

/// The terminal, taken.
pub(super) struct Screen {
    /// Never dropped: its `Drop` prints an error when the terminal is gone, and where standard error
    /// is the same terminal, that print panics.
    terminal: ManuallyDrop<Terminal<Backend>>,
    /// Bytes written since the last frame.
    bytes: Arc<AtomicUsize>,
    previous_hook: Arc<Hook>,
    panicked: Arc<Notify>,
    is_left: bool,
}

impl Screen {
    /// Takes the terminal. Whatever panics from now on is reported by `report`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(super) fn take(report: Box<Report>) -> Result<Self, Failure> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let what = "standard input and output are no terminal";
            return Err(Failure::usage("NO_TERMINAL", what)
                .with_hint("stratavore status shows what runs without one"));
        }
        if environment::get_text("TERM").as_deref() == Some("dumb") {
            let what = "this terminal can only print lines (TERM=dumb)";
            return Err(Failure::usage("NO_TERMINAL", what)
                .with_hint("stratavore status, or stratavore watch, which prints lines"));
        }
        let previous_hook: Arc<Hook> = Arc::from(panic::take_hook());
        let panicked = Arc::new(Notify::new());
        let (previous, notify) = (Arc::clone(&previous_hook), Arc::clone(&panicked));
        panic::set_hook(Box::new(move |info| {
            restore();
            previous(info);
            if let Some(path) = report(info) {
                // The terminal may be gone.
                writeln!(io::stderr(), "a report is in {}", path.display()).ok();
            }
            // A task may have panicked, which nobody else would notice.
            notify.notify_one();
        }));
        let bytes = Arc::default();
        let entered = enter().and_then(|()| new_terminal(&bytes));
        match entered {
            Ok(terminal) => {
                let terminal = ManuallyDrop::new(terminal);
                Ok(Self { terminal, bytes, previous_hook, panicked, is_left: false })
            }
            Err(error) => {
                restore();
                put_back(previous_hook);
                Err(failed(&error))
            }
        }
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |size| (size.width, size.height))
    }

    /// Draws a frame; returns the bytes it took.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<usize, Failure> {
        let drawn = || {
            self.terminal.backend_mut().write_all(BEGIN_SYNC)?;
            self.terminal.draw(view)?;
            self.terminal.backend_mut().write_all(END_SYNC)?;
            Write::flush(self.terminal.backend_mut())
        };
        drawn().map(|()| self.bytes.swap(0, Ordering::Relaxed)).map_err(|error| failed(&error))
    }

    /// Makes the next frame paint everything: a terminal that changed its size and changed it back
    /// before we looked has lost what it showed.
    pub(super) fn repaint(&mut self) {
        let (width, height) = self.size();
        // Not `clear`: that asks the terminal where its cursor is, and the answer goes to the input.
        // A terminal that is gone is noticed when it is drawn on.
        self.terminal.resize(Rect::new(0, 0, width, height)).ok();
    }

    /// Rings the bell, or has the terminal notify the desktop; a terminal that is gone does neither.
    pub(super) fn alert(&mut self, bell: bool, desktop: Option<&str>) {
        let mut bytes = Vec::new();
        if bell {
            bytes.push(0x07);
        }
        if let Some(text) = desktop {
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            bytes.extend(format!("\x1b]9;{text}\x1b\\").into_bytes());
        }
        let out = self.terminal.backend_mut();
        out.write_all(&bytes).and_then(|()| Write::flush(out)).ok();
    }

    /// Gives the terminal back for a while.
    pub(super) fn leave(&mut self) {
        self.is_left = true;
        restore();
    }

    /// Takes it again; the next frame paints everything.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub(super) fn enter_again(&mut self) -> Result<(), Failure> {
        let entered = enter().and_then(|()| new_terminal(&self.bytes));
        *self.terminal = entered.map_err(|error| failed(&error))?;
        self.is_left = false;
        Ok(())
    }

    /// Asks the terminal to tell so much of the mouse, until it is asked for something else.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) fn report_mouse(&mut self, mode: MouseMode) -> Result<(), Failure> {
        // Each one switches off what was asked for before, in all terminals we know but not by any
        // standard.
        let sequence: &[u8] = match mode {
            MouseMode::None => b"\x1b[?1003l\x1b[?1002l\x1b[?1000l",
            MouseMode::X10 | MouseMode::Click => b"\x1b[?1003l\x1b[?1002l\x1b[?1000h",
            MouseMode::Drag => b"\x1b[?1003l\x1b[?1000l\x1b[?1002h",
            MouseMode::Motion => b"\x1b[?1002l\x1b[?1000l\x1b[?1003h",
        };
        self.write(sequence)
    }

    /// Writes bytes between two frames.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let out = self.terminal.backend_mut();
        let written = out.write_all(bytes).and_then(|()| Write::flush(out));
        written.map_err(|error| failed(&error))
    }

    /// Waits until some part of the process has panicked.
    pub(super) async fn panicked(&self) {
        self.panicked.notified().await;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Given back already, it may belong to somebody else by now.
        if !self.is_left {
            restore();
        }
        // A panicking thread may not touch the hook, and no longer needs to.
        if !std::thread::panicking() {
            put_back(Arc::clone(&self.previous_hook));
        }
    }
}

fn put_back(hook: Arc<Hook>) {
    drop(panic::take_hook());
    panic::set_hook(Box::new(move |info| hook(info)));
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    let mut out = io::stdout().lock();
    out.write_all(ENTER)?;
    out.flush()
}

fn new_terminal(bytes: &Arc<AtomicUsize>) -> io::Result<Terminal<Backend>> {
    let out = Counted { out: io::stdout(), bytes: Arc::clone(bytes) };
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(BUFFER, out)))
}

/// Puts the terminal back; a terminal that is gone needs none of it.
fn restore() {
    let mut out = io::stdout().lock();
    out.write_all(LEAVE).and_then(|()| out.flush()).ok();
    disable_raw_mode().ok();
}

fn failed(error: &io::Error) -> Failure {
    Failure::unavailable("TERMINAL_LOST", format!("draw on the terminal: {error}"))
}
