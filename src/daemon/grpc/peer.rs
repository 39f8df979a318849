//! A client's connection, and who is behind it.
//!
//! Whether the client descends from a supervisor is looked up once, while the client still waits for
//! the greeting: later, its pid could be another process's.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    task::spawn_blocking,
};
use tonic::transport::server::Connected;

use crate::process::{UnknownProcess, supervisor_above};

/// The supervisor above a client, `Ok(None)` for the user's own processes.
type Above = Result<Option<i32>, UnknownProcess>;

/// Who is behind a connection; found in every request of it.
#[derive(Debug, Clone)]
pub(super) struct PeerInfo {
    pid: Option<i32>,
    above: Arc<OnceLock<Above>>,
}

/// A connection of our own user.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    info: PeerInfo,
}

impl Peer {
    /// Returns the connection if our own user is behind it.
    pub(super) fn of(stream: UnixStream) -> Option<Self> {
        let peer = stream.peer_cred().ok()?;
        if peer.uid() != rustix::process::getuid().as_raw() {
            return None;
        }
        let info = PeerInfo { pid: peer.pid(), above: Arc::default() };
        let looked_up = info.clone();
        // Whoever needs it earlier looks it up itself.
        spawn_blocking(move || looked_up.above());
        Some(Self { stream, info })
    }
}

impl PeerInfo {
    /// Returns the supervisor that the client is below of.
    ///
    /// # Errors
    ///
    /// When nothing is known of the client, who then must not be trusted.
    pub(super) fn above(&self) -> Above {
        *self.above.get_or_init(|| supervisor_above(self.pid.ok_or(UnknownProcess)?))
    }
}

impl Connected for Peer {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.info.clone()
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
