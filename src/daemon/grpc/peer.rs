//! A client's connection, and who is behind it.
//!
//! Whether the client descends from a supervisor is looked up once, while the client still waits for
//! the greeting: later, its pid could be another process's. So is whose place it takes: who is inside a
//! runner holds few, and who says nothing holds none for long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    task::spawn_blocking,
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

use crate::{
    daemon::crowd::{Crowd, Owner, Place},
    process::{UnknownProcess, supervisor_above},
};

/// Who connects must have greeted within so long. One that only holds a place gives it back.
const GREETING: Duration = Duration::from_secs(5);

/// Bytes of an HTTP/2 client's greeting.
const GREETING_BYTES: usize = 24;

/// The supervisor above a client, `Ok(None)` for the user's own processes.
type Above = Result<Option<i32>, UnknownProcess>;

/// Who is behind a connection; found in every request of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerInfo {
    above: Above,
}

/// A connection of our own user.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    info: PeerInfo,
    /// Until the greeting is there.
    greeting: Option<Greeting>,
    /// Given back with the connection.
    _place: Place,
}

/// A greeting that is waited for.
#[derive(Debug)]
struct Greeting {
    missing: usize,
    until: Pin<Box<Sleep>>,
}

impl Peer {
    /// Returns the connection if our own user is behind it and there is a place for it; otherwise it is
    /// closed.
    pub(super) async fn of(stream: UnixStream, crowd: Crowd) -> Option<Self> {
        let peer = stream.peer_cred().ok()?;
        if peer.uid() != rustix::process::getuid().as_raw() {
            return None;
        }
        let pid = peer.pid();
        let look = move || supervisor_above(pid.ok_or(UnknownProcess)?);
        let above = spawn_blocking(look).await.unwrap_or(Err(UnknownProcess));
        let owner = owner(above, pid);
        let Some(place) = crowd.enter(owner) else {
            tracing::debug!(?owner, "a connection too many was closed");
            return None;
        };
        let greeting = Greeting { missing: GREETING_BYTES, until: Box::pin(sleep(GREETING)) };
        let info = PeerInfo { above };
        Some(Self { stream, info, greeting: Some(greeting), _place: place })
    }
}

/// Returns whose place a connection takes.
fn owner(above: Above, pid: Option<i32>) -> Owner {
    match (above, pid) {
        (Ok(Some(supervisor)), _) => Owner::Supervisor(supervisor),
        (Ok(None), Some(pid)) => Owner::Process(pid),
        (Ok(None), None) | (Err(UnknownProcess), _) => Owner::Unknown,
    }
}

impl PeerInfo {
    /// Returns the supervisor that the client is below of.
    ///
    /// # Errors
    ///
    /// When nothing is known of the client, who then must not be trusted.
    pub(super) fn above(self) -> Above {
        self.above
    }
}

impl Connected for Peer {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.info
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(greeting) = &mut self.greeting else { return read };
        let came = buffer.filled().len() - before;
        greeting.missing = greeting.missing.saturating_sub(came);
        if greeting.missing == 0 {
            self.greeting = None;
        } else if greeting.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::daemon::crowd::Bounds;

    #[test]
    fn a_runner_has_one_place_for_all_its_processes() {
        for pid in [1, 2] {
            assert_eq!(owner(Ok(Some(7)), Some(pid)), Owner::Supervisor(7));
            assert_eq!(owner(Err(UnknownProcess), Some(pid)), Owner::Unknown);
            assert_eq!(owner(Ok(None), Some(pid)), Owner::Process(pid));
        }
        assert_eq!(owner(Ok(None), None), Owner::Unknown);
    }

    #[tokio::test]
    async fn who_does_not_greet_holds_no_place() {
        let bounds = Bounds { total: 1, inside: 1, each_runner: 1, each_process: 1 };
        let crowd = Crowd::new(bounds);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut slow = Peer::of(ours, crowd.clone()).await.unwrap();
        let (further, mut closed) = UnixStream::pair().unwrap();
        assert!(Peer::of(further, crowd.clone()).await.is_none(), "there is one place only");
        assert_eq!(closed.read(&mut [0]).await.unwrap(), 0, "it is closed at once");
        // A byte now and then does not help.
        let writing = tokio::spawn(async move {
            while theirs.write_all(b"P").await.is_ok() {
                sleep(GREETING / 4).await;
            }
        });
        let mut bytes = Vec::new();
        let error = slow.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(bytes.len() < GREETING_BYTES, "{bytes:?}");
        drop(slow);
        writing.await.unwrap();
        // Who has greeted may be silent for as long as it likes.
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut patient = Peer::of(ours, crowd).await.unwrap();
        theirs.write_all(&[b'P'; GREETING_BYTES]).await.unwrap();
        patient.read_exact(&mut [0; GREETING_BYTES]).await.unwrap();
        sleep(GREETING + Duration::from_millis(100)).await;
        theirs.write_all(b"x").await.unwrap();
        assert_eq!(patient.read(&mut [0]).await.unwrap(), 1);
    }
}
