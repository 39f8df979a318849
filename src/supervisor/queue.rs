//! Bytes on their way to somebody who may read slowly.
//!
//! Invariant: the one who fills it looks at [`Outbox::len`] first; the queue itself drops nothing
//! but on request, and then only what has not been begun.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::io::Errno;

/// A queue of pieces that are written in order, each as a whole unless the receiver goes away.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece is written.
    written: usize,
    length: usize,
}

impl Outbox {
    /// Bytes not yet written.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Adds a piece to the empty queue whose beginning has been written already.
    pub(super) fn push_begun(&mut self, piece: &[u8], written: usize) {
        if self.is_empty() && written < piece.len() {
            self.length = piece.len() - written;
            self.written = written;
            self.pieces.push_back(piece.to_vec());
        }
    }

    /// Drops everything that has not been begun.
    pub(super) fn drop_unsent(&mut self) {
        self.pieces.truncate(usize::from(self.written > 0));
        self.length = self.pieces.front().map_or(0, |piece| piece.len() - self.written);
    }

    /// Drops everything, also what has been begun.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Writes as much as the receiver takes now.
    ///
    /// # Errors
    ///
    /// When the receiver is gone.
    pub(super) fn flush<Fd: AsFd>(&mut self, to: &Fd) -> io::Result<()> {
        while let Some(piece) = self.pieces.front() {
            let rest = piece.get(self.written..).unwrap_or_default();
            let count = match write_some(to.as_fd(), rest)? {
                0 => return Ok(()),
                count => count,
            };
            self.length -= count;
            if count == rest.len() {
                self.written = 0;
                self.pieces.pop_front();
            } else {
                self.written += count;
            }
        }
        // A burst must not keep its memory: queues are empty nearly always.
        if self.pieces.capacity() > 64 {
            self.pieces = VecDeque::new();
        }
        Ok(())
    }
}

/// Writes what fits without waiting; 0 when nothing does.
///
/// # Errors
///
/// When the receiver is gone.
pub(super) fn write_some(to: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        return match rustix::io::write(to, bytes) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        };
    }
}

/// Reads what is there without waiting: `None` when nothing is, `Some(0)` at the end.
///
/// # Errors
///
/// When the sender is gone in disorder.
pub(super) fn read_some(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        return match rustix::io::read(from, &mut *buffer) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_finished() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut outbox = Outbox::default();
        outbox.push(vec![b'a'; 100_000]);
        outbox.push(vec![b'b'; 10]);
        outbox.flush(&writer).unwrap();
        assert!(!outbox.is_empty());
        outbox.drop_unsent();
        let mut got = 0;
        let mut buffer = [0; 4096];
        while got < 100_000 {
            let count = rustix::io::read(&reader, &mut buffer).unwrap();
            assert!(buffer[..count].iter().all(|&byte| byte == b'a'));
            got += count;
            outbox.flush(&writer).unwrap();
        }
        assert!(outbox.is_empty());
    }
}
