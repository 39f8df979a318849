//! The agent's terminal as the loop uses it: read in batches, write without ever waiting.
//!
//! Invariant: input is queued in order up to [`MAX_INPUT`]; what does not fit is refused to the
//! sender and never half taken.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    io::{Errno, ioctl_fionread},
    process::Pid,
    termios::{Winsize, tcgetpgrp, tcsetwinsize},
};

use super::{
    queue::{Outbox, write_some},
    spawn::Spawned,
};
use crate::domain::size::TerminalSize;

/// Output taken in one turn of the loop, so that a spewing agent cannot starve everything else.
const BATCH: usize = 16 << 10;

/// What the kernel hands out in one read when there is more.
const FULL_READ: usize = 4095;

/// Input that waits for the agent, at most.
pub(super) const MAX_INPUT: usize = 1 << 20;

/// What a turn of reading found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more: every process has closed the terminal.
    End,
}

/// The master side and what waits to be typed.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    /// Held while the agent lives, so that a moment without an open terminal is no end.
    slave: Option<OwnedFd>,
    input: Outbox,
    ended: bool,
}

impl Pty {
    /// Takes over the terminal of a started agent.
    pub(super) fn new(spawned: Spawned) -> Self {
        Self {
            master: spawned.master,
            slave: Some(spawned.slave),
            input: Outbox::default(),
            ended: false,
        }
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Whether the output has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether input waits here for room in the kernel.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Whether input waits for the agent: here, or in the kernel until the agent reads it.
    pub(super) fn has_unread(&self) -> bool {
        // Of a line that is edited in the kernel nothing can be read before its end, so that this says 0.
        let in_kernel = || ioctl_fionread(self.slave.as_ref()?).ok();
        self.has_input() || in_kernel().is_some_and(|count| count > 0)
    }

    /// Bytes that can still be queued.
    pub(super) fn room(&self) -> usize {
        MAX_INPUT.saturating_sub(self.input.len())
    }

    /// Lets go of our slave side after the agent's end: from now on the output can end.
    pub(super) fn agent_left(&mut self) {
        self.slave = None;
        self.input.clear();
    }

    /// Reads the next batch of output to the beginning of the buffer.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>) -> Output {
        // It stays at its length: making room is writing 64 KiB of zeros.
        if buffer.len() < BATCH {
            buffer.resize(BATCH, 0);
        }
        let mut length = 0;
        while let Some(space) = buffer.get_mut(length..).filter(|space| !space.is_empty()) {
            match rustix::io::read(&self.master, space) {
                // Linux says EIO, macOS 0, after the last byte.
                Ok(0) | Err(Errno::IO) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => {
                    length += count;
                    if count < FULL_READ {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        match (length, self.ended) {
            (0, true) => Output::End,
            (0, false) => Output::Nothing,
            _ => Output::Bytes(length),
        }
    }

    /// Types bytes: at once as far as the agent takes them, the rest is queued. Returns false, with
    /// nothing typed, when the queue has no room.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room() {
            return false;
        }
        let direct = if self.input.is_empty() {
            write_some(self.master.as_fd(), bytes).unwrap_or(bytes.len())
        } else {
            0
        };
        self.input.push(bytes.get(direct..).unwrap_or_default().to_vec());
        true
    }

    /// Types what is queued as far as the agent takes it now.
    pub(super) fn flush(&mut self) {
        if self.input.flush(&self.master).is_err() {
            self.input.clear();
        }
    }

    /// Changes the size; the kernel tells the agent.
    pub(super) fn resize(&self, size: TerminalSize) -> io::Result<()> {
        set_size(self.master.as_fd(), size)
    }

    /// The process group that has the terminal.
    pub(super) fn foreground(&self) -> Option<Pid> {
        tcgetpgrp(&self.master).ok()
    }
}

/// Sets the size of a terminal, by either of its sides.
pub(super) fn set_size(terminal: BorrowedFd<'_>, size: TerminalSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows(),
        ws_col: size.cols(),
        ws_xpixel: size.x_pixels(),
        ws_ypixel: size.y_pixels(),
    };
    Ok(tcsetwinsize(terminal, size)?)
}
