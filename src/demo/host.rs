//! What the agent needs from the operating system: output that cannot trap it, input, signals,
//! time.
//!
//! Every wait of the program is one `poll` here, so that a signal ends it even while the terminal
//! is full and nobody drains it. Signals are counted through one socket pair each: none is merged
//! with another kind, and each is written to the witness before it has any effect.
//!
//! The output is opened a second time where that is possible (a terminal or a pipe), because
//! `O_NONBLOCK` on the inherited description would be seen by whoever else uses it.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::witness::Witness;

/// Why a mode ends before its script does.
#[derive(Debug)]
pub(super) enum Stop {
    /// A signal asked for it.
    Signal(Sig),
    /// The terminal or the pipe is gone.
    Hangup,
    /// The operating system refused something.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPIPE | libc::EIO | libc::ECONNRESET) => Self::Hangup,
            _ => Self::Failed(error),
        }
    }
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::from(io::Error::from(error))
    }
}

/// A signal the agent catches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sig {
    /// Asks to end.
    Term,
    /// The terminal is gone.
    Hup,
    /// Interrupt, usually the keyboard's.
    Int,
    /// Quit, usually the keyboard's.
    Quit,
    /// The window has another size.
    Winch,
    /// Goes on after a stop.
    Cont,
    /// Recorded only.
    Usr1,
    /// Recorded only.
    Usr2,
}

impl Sig {
    /// Every signal that is caught.
    const ALL: [Self; 8] = [
        Self::Term,
        Self::Hup,
        Self::Int,
        Self::Quit,
        Self::Winch,
        Self::Cont,
        Self::Usr1,
        Self::Usr2,
    ];

    /// Returns the name without `SIG`, as the witness has it.
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Winch => "WINCH",
            Self::Cont => "CONT",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
        }
    }

    /// Returns the number the kernel uses.
    fn number(self) -> i32 {
        match self {
            Self::Term => libc::SIGTERM,
            Self::Hup => libc::SIGHUP,
            Self::Int => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Winch => libc::SIGWINCH,
            Self::Cont => libc::SIGCONT,
            Self::Usr1 => libc::SIGUSR1,
            Self::Usr2 => libc::SIGUSR2,
        }
    }

    /// Returns whether the signal ends a program that does not ignore it.
    fn ends(self) -> bool {
        matches!(self, Self::Term | Self::Hup | Self::Int | Self::Quit)
    }

    /// Returns the exit code of a program ended by this signal.
    pub(super) fn exit_code(self) -> u8 {
        u8::try_from(128 + self.number()).unwrap_or(1)
    }
}

/// The agent's view of the operating system.
#[derive(Debug)]
pub(super) struct Host {
    /// Where output goes.
    out: OwnedFd,
    /// Whether writing to `out` returns instead of waiting.
    nonblocking: bool,
    /// One readable end per caught signal.
    signals: Vec<(Sig, UnixStream)>,
    /// The witness file.
    witness: Witness,
    /// Records signals and goes on.
    deaf: bool,
    /// The window changed or the process went on after a stop since the last look.
    disturbed: bool,
}

impl Host {
    /// Catches the signals and opens the output.
    ///
    /// # Errors
    /// Fails when a signal cannot be caught or standard output is closed.
    pub(super) fn open(witness: Witness, deaf: bool) -> io::Result<Self> {
        let mut signals = Vec::new();
        for signal in Sig::ALL {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal.number(), writer)?;
            signals.push((signal, reader));
        }
        let (out, nonblocking) = open_output()?;
        Ok(Self { out, nonblocking, signals, witness, deaf, disturbed: false })
    }

    /// Returns the witness file.
    pub(super) fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Writes everything, and gives up when a signal or a hangup says so.
    ///
    /// # Errors
    /// Stops as described; part of the bytes may have been written.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            let done = self.try_write(bytes)?;
            bytes = bytes.get(done..).unwrap_or_default();
            if !bytes.is_empty() {
                self.wait_writable(None)?;
            }
        }
        Ok(())
    }

    /// Writes what fits now and returns how much that was, 0 when the terminal is full.
    ///
    /// # Errors
    /// Stops when the terminal is gone.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        loop {
            match rustix::io::write(&self.out, bytes) {
                Ok(done) => return Ok(done),
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until output fits again, at most `timeout`.
    ///
    /// # Errors
    /// Stops when a signal says so.
    pub(super) fn wait_writable(&mut self, timeout: Option<Duration>) -> Result<(), Stop> {
        let timeout = if self.nonblocking { timeout } else { Some(Duration::ZERO) };
        self.poll(timeout, false, true).map(drop)
    }

    /// Waits for input (when wanted), a signal or the timeout; returns whether there is input.
    ///
    /// # Errors
    /// Stops when a signal says so.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, input: bool) -> Result<bool, Stop> {
        self.poll(timeout, input, false)
    }

    /// Stays for the time given, or until a signal ends the program when none is given.
    ///
    /// # Errors
    /// Stops when a signal says so.
    pub(super) fn stay(&mut self, time: Option<Duration>) -> Result<(), Stop> {
        let end = time.map(|time| now_ns().saturating_add(nanos(time)));
        loop {
            let left = match end {
                Some(end) => match end.saturating_sub(now_ns()) {
                    0 => return Ok(()),
                    left => Some(Duration::from_nanos(left)),
                },
                None => None,
            };
            self.poll(left, false, false)?;
        }
    }

    /// Reads what is there; 0 means that nothing will ever come again.
    ///
    /// # Errors
    /// Stops when the terminal is gone.
    #[expect(clippy::unused_self, reason = "input belongs to the host like output does")]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        loop {
            match rustix::io::read(rustix::stdio::stdin(), &mut *buffer) {
                Ok(done) => return Ok(done),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns whether the window changed or the process went on after a stop since the last call.
    pub(super) fn take_disturbed(&mut self) -> bool {
        std::mem::take(&mut self.disturbed)
    }

    /// Polls once and handles what signals have arrived.
    fn poll(&mut self, timeout: Option<Duration>, input: bool, output: bool) -> Result<bool, Stop> {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(self.signals.len() + 2);
        let stdin: BorrowedFd<'_> = rustix::stdio::stdin();
        if input {
            fds.push(PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        }
        if output {
            fds.push(PollFd::new(&self.out, PollFlags::OUT));
        }
        for (_, reader) in &self.signals {
            fds.push(PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, timeout.map(timespec).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return self.take_signals().map(|()| false),
            Err(error) => return Err(error.into()),
        }
        let readable = input && fds.first().is_some_and(|fd| !fd.revents().is_empty());
        let streams = usize::from(input) + usize::from(output);
        let signalled = fds.iter().skip(streams).any(|fd| !fd.revents().is_empty());
        drop(fds);
        if signalled {
            self.take_signals()?;
        }
        Ok(readable)
    }

    /// Records the signals that have arrived and acts on them.
    fn take_signals(&mut self) -> Result<(), Stop> {
        let mut end = None;
        for (signal, reader) in &mut self.signals {
            let mut buffer = [0_u8; 64];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                for _ in 0..count {
                    self.witness.line(&format!("signal {}", signal.name()));
                }
                self.disturbed |= matches!(signal, Sig::Winch | Sig::Cont);
                if signal.ends() && end.is_none() {
                    end = Some(*signal);
                }
            }
        }
        match end {
            Some(signal) if !self.deaf => Err(Stop::Signal(signal)),
            _ => Ok(()),
        }
    }
}

/// Returns nanoseconds of the monotonic clock.
pub(super) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns a duration in nanoseconds, at most `u64::MAX`.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Converts a duration for `poll`, at most a year.
fn timespec(time: Duration) -> Timespec {
    let time = time.min(Duration::from_hours(24 * 365));
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// Opens standard output once more without waiting writes, or duplicates it where that is unsafe.
fn open_output() -> io::Result<(OwnedFd, bool)> {
    let stdout = rustix::stdio::stdout();
    let kind = FileType::from_raw_mode(rustix::fs::fstat(stdout)?.st_mode);
    // A regular file opened again would start at offset 0 and overwrite what is there.
    if matches!(kind, FileType::CharacterDevice | FileType::Fifo) {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Ok(out) = rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()) {
            return Ok((out, true));
        }
    }
    Ok((stdout.try_clone_to_owned()?, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_shell_exit_codes() {
        assert_eq!(Sig::Term.exit_code(), 143);
        assert_eq!(Sig::Hup.exit_code(), 129);
        assert_eq!(Sig::Int.exit_code(), 130);
        assert!(!Sig::Winch.ends());
    }

    #[test]
    fn a_closed_terminal_is_a_hangup() {
        assert!(matches!(Stop::from(Errno::IO), Stop::Hangup));
        assert!(matches!(Stop::from(Errno::PIPE), Stop::Hangup));
        assert!(matches!(Stop::from(Errno::NOSPC), Stop::Failed(_)));
    }

    #[test]
    fn time_moves_and_does_not_overflow() {
        let before = now_ns();
        assert!(now_ns() >= before);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert!(timespec(Duration::MAX).tv_sec > 0);
    }
}
