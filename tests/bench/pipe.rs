//! A named pipe between the bench and the programs it starts.

use std::{fs::File, io::Read as _, path::PathBuf, time::Instant};

use anyhow::{Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, FileType, Mode, OFlags},
};

use crate::{
    signal,
    world::{LIMIT, World},
};

/// A named pipe between the bench and the programs it starts; held open on our side, so that no
/// opening waits.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Its path.
    pub path: PathBuf,
    file: File,
}

impl Pipe {
    /// Makes a pipe.
    pub(crate) fn create(world: &World) -> Result<Self> {
        let path = world.fresh_path("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::empty())?.into();
        Ok(Self { path, file })
    }

    /// The path as text.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Waits for a time that a helper writes.
    pub(crate) fn stamp(&mut self) -> Result<u64> {
        let began = Instant::now();
        let mut bytes = [0; 8];
        let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while began.elapsed() < LIMIT {
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut fds, Some(&tenth)).is_ok_and(|ready| ready > 0) {
                self.file.read_exact(&mut bytes)?;
                return Ok(u64::from_ne_bytes(bytes));
            }
            signal::check()?;
        }
        bail!("waited {} s in vain for a helper", LIMIT.as_secs())
    }

    /// Whether something was written into it since the last look.
    pub(crate) fn was_written(&mut self) -> Result<bool> {
        match self.file.read(&mut [0; 64]) {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a line for a shell that reads.
    pub(crate) fn say(&self, line: &str) -> Result<()> {
        use std::io::Write as _;
        Ok((&self.file).write_all(format!("{line}\n").as_bytes())?)
    }
}
