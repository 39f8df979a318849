//! A TCP proxy on 127.0.0.1 that behaves like a bad network between a client and a server.
//!
//! It runs on a thread and a runtime of its own, so that a test that blocks does not stop it, and
//! holds at most [`HELD`] chunks of [`CHUNK`] bytes for each direction of a connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks that may be under way in one direction while there is latency.
const HELD: usize = 256;

/// A running proxy; dropping it resets its connections.
pub(crate) struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// How the network behaves.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    kind: Kind,
    latency: Duration,
    /// Counts the resets; a connection that sees it change is reset.
    resets: u64,
    closed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Forward,
    /// Nothing passes, nothing is closed.
    BlackHole,
    /// The server's side is gone, the client's does not know.
    HalfOpen,
    /// As half open, until the client sends something: that is lost and answered by a reset.
    CutShort,
}

impl Kind {
    /// Whether the server's side is gone.
    fn swallows(self) -> bool {
        matches!(self, Self::HalfOpen | Self::CutShort)
    }
}

impl Proxy {
    /// Starts one before a port of 127.0.0.1.
    pub(crate) fn start(server: u16) -> Self {
        let (weather, seen) = watch::channel(Weather::default());
        let (port_tx, port) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(listen(server, port_tx, seen));
        });
        // A plain wait would be refused within a test's runtime.
        let port = super::wait_for(Duration::from_secs(10), {
            let mut port = port;
            move || port.try_recv().ok()
        });
        Self { port: port.expect("the proxy listens"), weather, thread: Some(thread) }
    }

    /// The port of 127.0.0.1 it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing passes, in no direction and on no connection, old or new; connections
    /// are accepted and stay. What was sent meanwhile arrives after [`Proxy::heal`].
    pub(crate) fn black_hole(&self) {
        self.weather.send_modify(|weather| weather.kind = Kind::BlackHole);
    }

    /// From now on the server's side of all connections is closed while the client's stays open and
    /// swallows whatever is sent; new connections are the same. They are reset by [`Proxy::heal`].
    pub(crate) fn half_open(&self) {
        self.weather.send_modify(|weather| weather.kind = Kind::HalfOpen);
    }

    /// From now on the next bytes of each client are lost and its connection is reset (RST), so that
    /// something is under way for certain; new connections are the same until [`Proxy::heal`].
    pub(crate) fn cut_short(&self) {
        self.weather.send_modify(|weather| weather.kind = Kind::CutShort);
    }

    /// Delays every byte in each direction.
    pub(crate) fn latency(&self, latency: Duration) {
        self.weather.send_modify(|weather| weather.latency = latency);
    }

    /// Resets (RST) the clients' sides of the connections that there are; new ones pass.
    pub(crate) fn reset(&self) {
        self.weather.send_modify(|weather| weather.resets += 1);
    }

    /// Lets everything pass again, at once.
    pub(crate) fn heal(&self) {
        self.weather.send_modify(|weather| {
            (weather.kind, weather.latency) = (Kind::Forward, Duration::ZERO);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.weather.send_modify(|weather| weather.closed = true);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn listen(server: u16, port: oneshot::Sender<u16>, weather: watch::Receiver<Weather>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    port.send(listener.local_addr().expect("its address").port()).ok();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(connection(client, server, weather.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = until(&weather, |weather| weather.closed) => return,
        }
    }
}

/// Serves one client until either side ends or the weather ends it.
async fn connection(mut client: TcpStream, server: SocketAddr, weather: watch::Receiver<Weather>) {
    let born = weather.borrow().resets;
    let reset = until(&weather, |weather| weather.resets != born || weather.closed);
    let swallowing = async {
        tokio::select! {
            () = until(&weather, |weather| weather.kind.swallows()) => {}
            () = forward(&mut client, server, &weather) => return,
        }
        // The server's side is closed by now; the client's is reset when the network heals.
        let mut scratch = vec![0; CHUNK];
        let healed = until(&weather, |weather| !weather.kind.swallows());
        tokio::pin!(healed);
        loop {
            tokio::select! {
                () = &mut healed => break,
                read = client.read(&mut scratch) => {
                    if !matches!(read, Ok(1..)) || weather.borrow().kind == Kind::CutShort {
                        break;
                    }
                }
            }
        }
        client.set_zero_linger().ok();
    };
    let ended = tokio::select! {
        () = reset => true,
        () = swallowing => false,
    };
    if ended {
        client.set_zero_linger().ok();
    }
}

/// Passes bytes both ways until both sides have ended.
async fn forward(client: &mut TcpStream, server: SocketAddr, weather: &watch::Receiver<Weather>) {
    until(weather, |weather| weather.kind != Kind::BlackHole).await;
    let Ok(mut server) = TcpStream::connect(server).await else {
        client.set_zero_linger().ok();
        return;
    };
    server.set_nodelay(true).ok();
    client.set_nodelay(true).ok();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::join!(
        pump(from_client, to_server, weather.clone()),
        pump(from_server, to_client, weather.clone()),
    );
}

/// Passes bytes one way, each not before it is due, none while nothing passes.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: watch::Receiver<Weather>,
) {
    let (held, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(HELD);
    let gate = weather.clone();
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            until(&gate, |weather| weather.kind != Kind::BlackHole).await;
            let Ok(length @ 1..) = from.read(&mut chunk).await else { return };
            chunk.truncate(length);
            let at = Instant::now() + gate.borrow().latency;
            if held.send((at, chunk)).await.is_err() {
                return;
            }
        }
    };
    let gate = weather;
    let write = async move {
        while let Some((at, chunk)) = due.recv().await {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = until(&gate, |weather| weather.latency.is_zero()) => {}
            }
            until(&gate, |weather| weather.kind != Kind::BlackHole).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        to.shutdown().await.ok();
    };
    tokio::join!(read, write);
}

/// Waits for a weather; for ever when the proxy is gone, whose runtime then ends us.
async fn until(weather: &watch::Receiver<Weather>, test: impl FnMut(&Weather) -> bool) {
    drop(weather.clone().wait_for(test).await);
}
