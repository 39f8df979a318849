//! A terminal that looks at the agent: what it is sent, and what it types.
//!
//! A viewer whose terminal has exactly the runner's size gets the agent's own bytes, with all that
//! its terminal can do. Any other gets frames, cut to what fits. Invariant: a viewer never slows
//! the agent; one that falls behind loses the past and is shown the present.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
};

use super::{
    clock::monotonic,
    queue::{Outbox, read_some, write_some},
};
use crate::{
    domain::size::TerminalSize,
    terminal::{ClippedView, InputFilter, LeaveKey, Typed},
};

/// Output that may wait for a viewer before it is dropped for a picture of the present.
const MAX_BACKLOG: usize = 256 << 10;

/// The same for a viewer that has just lagged: it must not be shown old things for long.
const MIN_BACKLOG: usize = 16 << 10;

/// A viewer that fell behind is shown the present after this pause: a picture for every gap would cost
/// more than the bytes it stands for, and nobody sees more than sixty a second.
const PICTURE_PAUSE: Duration = Duration::from_millis(16);

/// Where a viewer's bytes go.
pub(super) enum Sink {
    /// Its connection, as messages.
    Link,
    /// Its terminal, which it has handed over.
    Tty(Tty),
}

/// A terminal that was handed over.
pub(super) struct Tty {
    fd: OwnedFd,
    pub outbox: Outbox,
}

impl Tty {
    /// Opens the terminal behind a received descriptor anew: sharing the open file would make the
    /// user's shell non-blocking too. `None` when it is no terminal that we can reach by name.
    pub(super) fn reopen(received: &OwnedFd) -> Option<Self> {
        let name = rustix::termios::ttyname(received, Vec::new()).ok()?;
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&name, flags, Mode::empty()).ok()?;
        // In another mount namespace the same name can be another terminal.
        let (theirs, ours) = (rustix::fs::fstat(received).ok()?, rustix::fs::fstat(&fd).ok()?);
        (theirs.st_rdev == ours.st_rdev).then(|| Self { fd, outbox: Outbox::default() })
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Reads keys: `None` when there are none, empty at the end.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        read_some(self.fd.as_fd(), buffer).unwrap_or(Some(0))
    }

    /// Writes what is queued; false when the terminal is gone.
    pub(super) fn flush(&mut self) -> bool {
        self.outbox.flush(&self.fd).is_ok()
    }

    /// Writes what is queued, waiting for the terminal until then at most, and drops the rest.
    pub(super) fn finish(&mut self, until: Instant) {
        while self.flush() && !self.outbox.is_empty() {
            let left = until.saturating_duration_since(monotonic());
            let timeout = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
            let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
            if left.is_zero() || !matches!(poll(&mut fds, Some(&timeout)), Ok(1..)) {
                break;
            }
        }
        self.outbox.clear();
    }

    /// Writes bytes at once as far as they are taken and queues the rest.
    fn write(&mut self, bytes: &[u8]) {
        if self.outbox.is_empty() {
            let written = write_some(self.fd.as_fd(), bytes).unwrap_or(bytes.len());
            self.outbox.push_begun(bytes, written);
        } else {
            self.outbox.push(bytes.to_vec());
        }
    }
}

/// A viewer.
pub(super) struct Viewer {
    /// Whether its keys count.
    pub driver: bool,
    /// Its terminal's size.
    pub size: TerminalSize,
    pub sink: Sink,
    /// The key that detaches it.
    pub leave_key: LeaveKey,
    filter: InputFilter,
    /// It must be shown the present before anything else.
    pub lagging: bool,
    /// Not before this moment.
    pub picture_due: Option<Instant>,
    backlog: usize,
    /// For a terminal of another size: frames instead of bytes.
    pub frames: Option<ClippedView>,
    /// Frames are due.
    pub dirty: bool,
    pub last_frame: Option<Instant>,
    /// It draws on its terminal's main screen.
    pub inline: bool,
    /// Lines of history that the first picture brings along.
    pub history: usize,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer")
            .field("driver", &self.driver)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Viewer {
    /// Returns a viewer that has seen nothing yet.
    pub(super) fn new(driver: bool, size: TerminalSize, sink: Sink) -> Self {
        Self {
            driver,
            size,
            sink,
            leave_key: LeaveKey::default(),
            filter: InputFilter::new(),
            lagging: true,
            picture_due: None,
            backlog: MAX_BACKLOG,
            frames: None,
            dirty: false,
            last_frame: None,
            inline: false,
            history: 0,
        }
    }

    /// Whether the agent's own bytes make sense on its terminal.
    pub(super) fn fits(&self, size: TerminalSize) -> bool {
        (self.size.cols(), self.size.rows()) == (size.cols(), size.rows())
    }

    /// Whether it lags and may be shown the present now.
    pub(super) fn awaits_picture(&self, now: Instant) -> bool {
        self.lagging && self.picture_due.is_none_or(|due| now >= due)
    }

    /// Its terminal, if it was handed over.
    pub(super) fn tty(&mut self) -> Option<&mut Tty> {
        match &mut self.sink {
            Sink::Tty(tty) => Some(tty),
            Sink::Link => None,
        }
    }

    /// Whether so many more bytes would be too far behind. If so, the viewer now lags: whoever asks
    /// drops what waits.
    pub(super) fn falls_behind(&mut self, waiting: usize, more: usize) -> bool {
        if waiting == 0 {
            self.backlog = MAX_BACKLOG;
        }
        if waiting + more <= self.backlog {
            return false;
        }
        self.backlog = (self.backlog / 4).max(MIN_BACKLOG);
        self.lagging = true;
        self.picture_due = Some(monotonic() + PICTURE_PAUSE);
        true
    }

    /// Sends output to a terminal that was handed over; drops it all when it lags.
    pub(super) fn show(&mut self, bytes: &[u8]) {
        let waiting = self.tty().map_or(0, |tty| tty.outbox.len());
        // A picture is always taken: it replaces everything.
        let behind = !self.lagging && self.falls_behind(waiting, bytes.len());
        let Some(tty) = self.tty() else { return };
        if behind {
            tty.outbox.drop_unsent();
        } else {
            tty.write(bytes);
        }
    }

    /// Looks through what its terminal sent: finds the detach key, takes out the terminal's replies.
    pub(super) fn keys(&mut self, bytes: &[u8]) -> Typed {
        let looked = self.leave_key.look(bytes);
        let mut typed = Vec::with_capacity(looked.bytes.len());
        self.filter.filter(&looked.bytes, &mut typed);
        if !self.driver {
            typed.clear();
        }
        Typed { bytes: typed, leaves: looked.leaves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(driver: bool) -> Viewer {
        let mut viewer = Viewer::new(driver, TerminalSize::default(), Sink::Link);
        let forms = crate::config::AttachConfig::default().detach_sequences();
        viewer.leave_key = LeaveKey::new(forms);
        viewer
    }

    #[test]
    fn a_reader_types_nothing_but_can_detach() {
        let typed = |bytes: &[u8], leaves| Typed { bytes: bytes.to_vec(), leaves };
        assert_eq!(viewer(false).keys(b"rm -rf\r"), typed(b"", false));
        assert_eq!(viewer(false).keys(b"x\x1c"), typed(b"", true));
        assert_eq!(viewer(true).keys(b"x\x1c"), typed(b"x", true));
    }

    #[test]
    fn a_slow_viewer_is_held_to_less_until_it_keeps_up() {
        let mut viewer = viewer(true);
        assert!(!viewer.falls_behind(1, MAX_BACKLOG - 1));
        assert!(viewer.falls_behind(1, MAX_BACKLOG));
        assert!(viewer.falls_behind(1, MAX_BACKLOG / 4));
        assert!(!viewer.falls_behind(0, MAX_BACKLOG));
    }
}
