//! The service manager above the daemon, where there is one (systemd): what it hands over and what it
//! is told.
//!
//! Invariant: it is told that the daemon lives only after the database and the daemon's own socket have
//! answered a probe. A timer that goes on in a daemon that serves nobody proves nothing.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::services::Services;

/// Of the manager's patience, the part after which the next probe begins.
const PART: u32 = 3;

/// Returns the socket that the manager listens on for us, if it does.
///
/// # Errors
///
/// When what it hands over is no listening socket at this path: clients would wait at another one.
pub(super) fn socket(path: &Path) -> io::Result<Option<UnixListener>> {
    let mut handed = sd_notify::listen_fds()?;
    match handed.next() {
        None => Ok(None),
        Some(descriptor) => listener(descriptor, path).map(Some),
    }
}

#[expect(unsafe_code, reason = "a descriptor that was inherited is only a number")]
fn listener(descriptor: RawFd, path: &Path) -> io::Result<UnixListener> {
    // SAFETY: the manager opened it for this process, which LISTEN_PID names, and nothing else here
    // knows or closes it; it is asked for once.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    if !socket_acceptconn(&socket)? {
        return Err(io::Error::other("the service manager's socket does not listen"));
    }
    let listener = std::os::unix::net::UnixListener::from(socket);
    let address = listener.local_addr()?;
    if address.as_pathname() != Some(path) {
        let at = address.as_pathname().map(Path::display);
        let at = at.map_or_else(|| "no path".to_owned(), |path| format!("`{path}`"));
        let what = format!(
            "the service manager's socket is at {at}, clients look for it at `{}`; \
             change ListenStream= of the socket unit",
            path.display()
        );
        return Err(io::Error::other(what));
    }
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Says that clients are served, and from now on that they still are, as long as that is true; returns
/// the task that does.
pub(super) fn ready(
    services: &Services,
    socket: PathBuf,
    stop: &CancellationToken,
) -> JoinHandle<Option<()>> {
    tell(&[NotifyState::Ready, NotifyState::Status("serves")]);
    tokio::spawn(stop.clone().run_until_cancelled_owned(watch(services.clone(), socket)))
}

/// Says that the daemon leaves.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("leaves; runners go on")]);
}

/// Gives signs of life for as long as there are some, if the manager wants any.
async fn watch(services: Services, socket: PathBuf) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
    else {
        return;
    };
    let pause = patience / PART;
    let mut next = Instant::now();
    loop {
        match timeout(pause, probe(&services, &socket)).await {
            Ok(Ok(())) => tell(&[NotifyState::Watchdog]),
            Ok(Err(why)) => tracing::error!(why, "no sign of life: a probe failed"),
            Err(_elapsed) => tracing::error!(?pause, "no sign of life: a probe took too long"),
        }
        next = Instant::now().max(next + pause);
        sleep_until(next).await;
    }
}

/// Asks the database and connects to our own socket as a client does.
async fn probe(services: &Services, socket: &Path) -> Result<(), String> {
    services.probe().await.map_err(|error| format!("the database: {error}"))?;
    let greeted = async {
        let stream = UnixStream::connect(socket).await?;
        // A server greets at once; a closed connection is readable too, and reads as nothing.
        stream.readable().await?;
        match stream.try_read(&mut [0]) {
            Ok(0) => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    };
    greeted.await.map_err(|error: io::Error| format!("the socket: {error}"))
}

/// Tells the manager something; one that cannot be told is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "failed to tell the service manager");
    }
}
