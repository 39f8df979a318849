//! A person's terminal, without the person: a PTY with an attached client behind it, read raw.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, fcntl_setfl},
    io::Errno,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::{
    signal,
    stats::now_ns,
    world::{LIMIT, Running, SIZE, Side, World, stop},
};

/// After so long without a byte there is nothing more to wait for.
const SILENCE: Duration = Duration::from_secs(10);

/// A terminal with a client.
#[derive(Debug)]
pub(crate) struct Tty {
    master: OwnedFd,
    slave: OwnedFd,
    client: Child,
    side: Side,
    buffer: Vec<u8>,
    /// Bytes read so far.
    pub total: u64,
    /// When the client was started.
    pub started: u64,
}

impl Tty {
    /// Opens a terminal and attaches it to a runner or a session.
    pub(crate) fn attach(world: &World, running: &Running) -> Result<Self> {
        Self::open(world.attach_command(running), SIZE, running.side)
    }

    /// Opens a terminal of a size and starts a program on it.
    pub(crate) fn open(mut command: Command, size: (u16, u16), side: Side) -> Result<Self> {
        let (master, slave) = open_pair(size).context("open a PTY")?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?);
        own_session(&mut command);
        let started = now_ns();
        let client = command.spawn().with_context(|| format!("start {command:?}"))?;
        let buffer = vec![0; 64 << 10];
        Ok(Self { master, slave, client, side, buffer, total: 0, started })
    }

    /// The process on it.
    pub(crate) fn pid(&self) -> u32 {
        self.client.id()
    }

    /// Waits until the client has taken the terminal over.
    pub(crate) fn wait_taken(&mut self) -> Result<()> {
        self.wait_for(self.side.first_bytes(), LIMIT)?;
        self.wait_raw()
    }

    /// Waits until keys reach the client as they are.
    pub(crate) fn wait_raw(&self) -> Result<()> {
        let slave = self.slave.try_clone()?;
        signal::until("raw mode", LIMIT, || {
            Ok((!tcgetattr(&slave)?.local_modes.contains(LocalModes::ICANON)).then_some(()))
        })
    }

    /// Types.
    pub(crate) fn type_bytes(&self, bytes: &[u8]) -> Result<()> {
        let count = rustix::io::write(&self.master, bytes)?;
        if count != bytes.len() {
            bail!("the terminal takes no keys");
        }
        Ok(())
    }

    /// The reading end, for a reader with a pace of its own.
    pub(crate) fn reader(&self) -> Result<OwnedFd> {
        Ok(self.master.try_clone()?)
    }

    /// Waits for output, so long at most, and returns it; empty when there was none.
    pub(crate) fn read(&mut self, limit: Duration) -> Result<&[u8]> {
        let time = Timespec {
            tv_sec: i64::try_from(limit.as_secs())?,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let count = match poll(&mut fds, Some(&time)) {
            Ok(0) | Err(Errno::INTR) => 0,
            Ok(_) => match rustix::io::read(&self.master, &mut self.buffer) {
                Ok(count) => count,
                Err(Errno::AGAIN | Errno::INTR) => 0,
                Err(error) => return Err(error).context("read the terminal"),
            },
            Err(error) => return Err(error.into()),
        };
        self.total += count as u64;
        Ok(self.buffer.get(..count).unwrap_or_default())
    }

    /// Reads until these bytes have come; returns when.
    pub(crate) fn wait_for(&mut self, needle: &[u8], limit: Duration) -> Result<u64> {
        let began = Instant::now();
        let mut last = began;
        let mut tail: Vec<u8> = Vec::new();
        while began.elapsed() < limit && last.elapsed() < SILENCE {
            let chunk = self.read(Duration::from_millis(100))?;
            let now = now_ns();
            let silent = chunk.is_empty();
            if find(chunk, needle) {
                return Ok(now);
            }
            // The needle may be cut in two.
            tail.extend_from_slice(chunk.get(..needle.len()).unwrap_or(chunk));
            if find(&tail, needle) {
                return Ok(now);
            }
            if chunk.len() > needle.len() {
                tail.clear();
                tail.extend_from_slice(chunk.get(chunk.len() - needle.len()..).unwrap_or_default());
            }
            let excess = tail.len().saturating_sub(needle.len());
            tail.drain(..excess);
            signal::check()?;
            if !silent {
                last = Instant::now();
            } else if self.client.try_wait()?.is_some() {
                break;
            }
        }
        let what = String::from_utf8_lossy(needle).escape_debug().to_string();
        let (side, silent) = (self.side, last.elapsed().as_secs_f64());
        bail!(
            "`{what}` did not come ({side:?}): {} bytes came, then nothing for {silent:.1} s",
            self.total
        )
    }

    /// Reads until nothing has come for a moment.
    pub(crate) fn drain(&mut self, quiet: Duration) -> Result<()> {
        while !self.read(quiet)?.is_empty() {
            signal::check()?;
        }
        Ok(())
    }

    /// Reads whatever comes for so long.
    pub(crate) fn read_for(&mut self, time: Duration) -> Result<()> {
        let began = Instant::now();
        while let Some(left) = time.checked_sub(began.elapsed()) {
            self.read(left)?;
            signal::check()?;
        }
        Ok(())
    }

    /// Detaches with the key for it and waits until the client has left.
    pub(crate) fn detach(mut self) -> Result<()> {
        // tmux takes keys that follow each other too closely, or come too early, for a paste.
        self.drain(Duration::from_millis(20))?;
        self.type_bytes(self.side.detach_keys())?;
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            self.read(Duration::from_millis(1))?;
            if self.client.try_wait()?.is_some() {
                return Ok(());
            }
        }
        bail!("the client does not detach ({:?})", self.side)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        stop(&mut self.client);
    }
}

/// Opens a PTY of a size.
fn open_pair((ws_col, ws_row): (u16, u16)) -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    tcsetwinsize(&slave, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 })?;
    fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
    Ok((master, slave))
}

/// Makes the client the leader of a session whose terminal is its standard input.
#[expect(unsafe_code, reason = "pre_exec is the only place for what must happen after the fork")]
fn own_session(command: &mut Command) {
    let set_up = || {
        rustix::process::setsid()?;
        Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
    };
    // SAFETY: between fork and exec only system calls are allowed; these two are nothing else.
    unsafe {
        command.pre_exec(set_up);
    }
}

/// Whether the bytes contain others. This binary is not optimised, and a reader that is slower
/// than the programs it reads from would measure itself: so the C library searches.
#[expect(unsafe_code, reason = "memmem is the C library's")]
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> bool {
    // SAFETY: both ranges are valid for their lengths and only read.
    let found = unsafe {
        libc::memmem(bytes.as_ptr().cast(), bytes.len(), needle.as_ptr().cast(), needle.len())
    };
    !found.is_null()
}
