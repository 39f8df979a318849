//! One connection to the supervisor's socket: the daemon's, or a viewer's.
//!
//! Invariant: what waits for a receiver is bounded. A viewer that lags gets a new picture instead
//! of the past; a daemon that does not read is disconnected and finds everything on its return.

use std::{
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Instant,
};

use prost::Message as _;
use rustix::{
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};

use super::{queue::Outbox, viewer::Viewer};
use crate::{
    proto::{
        framing::{Decoder, encode},
        link::v1::{FromSupervisor, ToSupervisor, from_supervisor::Message},
    },
    terminal::FrameEncoder,
};

/// What may wait for the daemon; more means that it has stopped reading.
const MAX_DAEMON_OUTBOX: usize = 16 << 20;

/// Read from a connection in one turn.
const READ: usize = 16 << 10;

/// Who is at the other end.
#[derive(Debug)]
pub(super) enum Peer {
    /// Has not said yet.
    Unknown,
    /// The daemon, with the frames it asked for.
    Daemon(Option<FrameStream>),
    /// A terminal.
    Viewer(Box<Viewer>),
}

/// The frames one daemon connection gets.
pub(super) struct FrameStream {
    pub encoder: FrameEncoder,
    /// The shortest time between two frames.
    pub interval: std::time::Duration,
    pub last: Option<Instant>,
    /// Until then a change may be the echo of a key.
    pub echo_until: Option<Instant>,
    pub dirty: bool,
    pub size: crate::domain::size::TerminalSize,
}

impl std::fmt::Debug for FrameStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameStream").field("dirty", &self.dirty).finish_non_exhaustive()
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Unique in this supervisor's life.
    pub id: u64,
    socket: UnixStream,
    decoder: Decoder,
    pub outbox: Outbox,
    pub peer: Peer,
    /// A descriptor that came with the first message.
    pub received_fd: Option<OwnedFd>,
    /// To be closed as soon as the outbox is empty.
    pub closing: bool,
    /// Gone or of no use.
    pub dead: bool,
}

impl Connection {
    /// Takes over an accepted socket.
    ///
    /// # Errors
    ///
    /// When it cannot be made non-blocking.
    pub(super) fn new(id: u64, socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            id,
            socket,
            decoder: Decoder::default(),
            outbox: Outbox::default(),
            peer: Peer::Unknown,
            received_fd: None,
            closing: false,
            dead: false,
        })
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The viewer at the other end, if it is one.
    pub(super) fn viewer(&mut self) -> Option<&mut Viewer> {
        match &mut self.peer {
            Peer::Viewer(viewer) => Some(viewer),
            _ => None,
        }
    }

    /// Whether the daemon is at the other end.
    pub(super) fn is_daemon(&self) -> bool {
        matches!(self.peer, Peer::Daemon(_))
    }

    /// Reads what is there and returns the messages in it.
    pub(super) fn receive(&mut self) -> Vec<ToSupervisor> {
        let mut messages = Vec::new();
        match self.read_once() {
            Ok(true) => {}
            Ok(false) | Err(_) => self.dead = true,
        }
        loop {
            match self.decoder.next_message::<ToSupervisor>() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return messages,
                Err(_) => {
                    self.dead = true;
                    return messages;
                }
            }
        }
    }

    /// Reads once; false at the end.
    fn read_once(&mut self) -> io::Result<bool> {
        let mut buffer = [0_u8; READ];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [io::IoSliceMut::new(&mut buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(&self.socket, &mut slices, &mut ancillary, flags) {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                // One descriptor at most, and only for a stranger: the rest is closed by dropping.
                let wanted = matches!(self.peer, Peer::Unknown) && self.received_fd.is_none();
                for fd in fds.take(1).filter(|_| wanted) {
                    self.received_fd = Some(fd);
                }
            }
        }
        let bytes = buffer.get(..received.bytes).unwrap_or_default();
        self.decoder.push(bytes);
        Ok(!bytes.is_empty())
    }

    /// Sends a message: what the receiver does not take now is queued.
    pub(super) fn send(&mut self, message: Message) {
        let message = FromSupervisor { message: Some(message) };
        let mut bytes = Vec::with_capacity(message.encoded_len() + 4);
        encode(&message, &mut bytes);
        self.outbox.push(bytes);
        if self.is_daemon() && self.outbox.len() > MAX_DAEMON_OUTBOX {
            self.dead = true;
            return;
        }
        self.flush();
    }

    /// Drops what waits for a viewer, so that it is shown the present.
    pub(super) fn fall_behind(&mut self) {
        let Some(viewer) = self.viewer() else { return };
        viewer.lagging = true;
        if let Some(tty) = viewer.tty() {
            tty.outbox.drop_unsent();
        } else {
            self.outbox.drop_unsent();
        }
    }

    /// Writes what is queued as far as the receiver takes it.
    pub(super) fn flush(&mut self) {
        if self.outbox.flush(&self.socket).is_err() {
            self.dead = true;
        }
        if self.closing && self.outbox.is_empty() {
            self.dead = true;
        }
    }
}
