//! The connection itself: a unix socket, and who is behind it.

use std::{io, time::Duration};

use hyper_util::rt::TokioIo;
use rustix::net::{RecvFlags, recv};
use tokio::{
    io::Interest,
    net::UnixStream,
    time::{sleep, timeout},
};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::{config::Places, domain::failure::Failure};

/// How long the socket may take to accept and the daemon to greet, unless the caller has less time.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Before the next try, where too many connect at once.
const QUEUE: Duration = Duration::from_millis(20);

/// A daemon that has been silent for so long while something of it is followed is asked whether it is
/// there, and then has as long to answer: one that hangs is not shown as if it were well.
const SILENCE: Duration = Duration::from_secs(10);

/// Characters of our command line that the daemon is told.
const LONGEST_SAID: usize = 120;

/// Connects.
///
/// # Errors
///
/// What the system says; see [`is_absent`].
pub(super) async fn connect(places: &Places) -> io::Result<Channel> {
    connect_within(places, LIMIT).await
}

/// Connects in so much time, and in no more than anybody waits.
///
/// # Errors
///
/// As [`connect`].
pub(super) async fn connect_within(places: &Places, limit: Duration) -> io::Result<Channel> {
    let (path, limit) = (places.socket(), limit.min(LIMIT));
    let first = timeout(limit, open(&path)).await.map_err(|_elapsed| {
        io::Error::new(io::ErrorKind::TimedOut, "the daemon does not answer")
    })??;
    // The first connection is the one just opened: whether a daemon is there is known at once.
    let mut first = Some(first);
    let connector = service_fn(move |_| {
        let (first, path) = (first.take(), path.clone());
        async move {
            let stream = match first {
                Some(stream) => stream,
                None => open(&path).await?,
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://stratavore")
        .user_agent(said(std::env::args().skip(1)))
        .map_err(io::Error::other)?
        .connect_timeout(limit)
        .http2_keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    endpoint.connect_with_connector(connector).await.map_err(io::Error::other)
}

/// Says what this program was told, in so many characters that a header has: where it is refused, that is
/// what was tried, as it says itself.
fn said(words: impl Iterator<Item = String>) -> String {
    let all = words.fold("stratavore".to_owned(), |all, word| all + " " + &word);
    let is_sound = |letter: char| letter == ' ' || letter.is_ascii_graphic();
    all.chars().filter(|letter| is_sound(*letter)).take(LONGEST_SAID).collect()
}

/// Opens the socket and makes sure that our own user listens.
async fn open(path: &std::path::Path) -> io::Result<UnixStream> {
    let stream = loop {
        match UnixStream::connect(path).await {
            // So many come that the system's queue is full: our turn comes.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE).await,
            connected => break connected?,
        }
    };
    greeted(&stream).await?;
    if stream.peer_cred()?.uid() == rustix::process::getuid().as_raw() {
        return Ok(stream);
    }
    let what = "another user listens on the daemon's socket";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

/// Waits for the daemon's greeting, which it sends at once: a daemon that is just dying, or refuses
/// to start, still has a socket that accepts.
async fn greeted(stream: &UnixStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let peeked = stream.try_io(Interest::READABLE, || {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            Ok(recv(stream, &mut [0_u8; 1][..], flags)?.1)
        });
        return match peeked {
            Ok(0) => Err(io::ErrorKind::ConnectionRefused.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Err(error) => Err(error),
        };
    }
}

/// Whether an error means that no daemon runs.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Whether an error means that the daemon left while we waited for it.
pub(super) fn is_cut_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | BrokenPipe | UnexpectedEof)
}

/// Returns what the caller is told.
pub(super) fn failure(places: &Places, error: &io::Error) -> Failure {
    // What is wrong with the directory says more than what the system says of the socket.
    if let Err(error) = places.prepare() {
        return Failure::usage("UNSAFE_DIRECTORY", error.to_string());
    }
    let socket = places.socket();
    let what = match error.kind() {
        // Shown where there is little room: what is the matter comes first.
        io::ErrorKind::TimedOut => format!("{error}: `{}`", socket.display()),
        _ => format!("connect to `{}`: {error}", socket.display()),
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::denied("SOCKET_NOT_OURS", what),
        // What does not answer cannot be told to leave, which `daemon restart` would do.
        io::ErrorKind::TimedOut => {
            Failure::unavailable("DAEMON_UNREACHABLE", what).with_hint(end_by_hand(places))
        }
        _ => {
            Failure::unavailable("DAEMON_UNREACHABLE", what).with_hint("stratavore daemon restart")
        }
    }
}

/// Returns how a daemon that hears nobody is replaced: by the process that its lock names.
fn end_by_hand(places: &Places) -> String {
    let pid = std::fs::read_to_string(places.lock()).ok();
    match pid.and_then(|pid| pid.trim().parse::<u32>().ok()) {
        Some(pid) => format!("kill {pid}; then stratavore daemon start (runners go on meanwhile)"),
        None => "stratavore daemon logs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn who_has_less_time_waits_no_longer_for_a_daemon_that_hangs() {
        let directory = tempfile::tempdir().unwrap();
        let places = Places::at(directory.path());
        std::fs::create_dir_all(places.socket().parent().unwrap()).unwrap();
        // It accepts, and nobody behind it ever says a word.
        let _hangs = UnixListener::bind(places.socket()).unwrap();
        let begun = Instant::now();
        let error = connect_within(&places, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }
}
