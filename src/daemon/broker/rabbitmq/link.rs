//! One connection to the broker, which can be ended at any time.
//!
//! The client reads and writes on a thread of its own, which waits for the peer's farewell: for ever
//! when the peer is stopped or unreachable. So we keep a second handle of the socket and shut that
//! down; dropping a [`Link`], or giving up while it is being made, ends thread and socket for sure.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_rs::{Tokio, TokioRuntime, traits::Reactor};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, Error,
    options::ConfirmSelectOptions, tcp::TLSConfig, types::LongString, uri::AMQPScheme,
};
use tokio::time::timeout;

use super::{
    address::Address,
    fault::{Fault, reply_code},
    hello,
};

/// For reaching a broker, and again for its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// For its farewell.
const CLOSE: Duration = Duration::from_millis(500);

/// What the client reads from and writes to.
type Wire = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// An open connection.
pub(super) struct Link {
    pub(super) connection: Connection,
    /// What the broker calls itself.
    pub(super) server: String,
    _socket: Socket,
}

impl Link {
    /// Connects. What the broker calls itself is read once and remembered: the connection for that
    /// leaves a line in the broker's log.
    ///
    /// # Errors
    ///
    /// A sentence that names the broker, what it said, and where to look.
    pub(super) async fn open(address: &Address, name: &mut Option<String>) -> Result<Self, String> {
        let failed = |why: String| format!("RabbitMQ at {}: {why}", address.shown());
        let silent = || failed(format!("no answer within {} s", CONNECT.as_secs()));
        let server = if let Some(name) = name {
            name.clone()
        } else {
            let greeted = timeout(CONNECT, greet(address)).await.map_err(|_late| silent())?;
            name.insert(greeted.map_err(|error| failed(error.to_string()))?).clone()
        };
        let socket = Socket::default();
        let opened = timeout(CONNECT, connect(address, &socket)).await.map_err(|_late| silent())?;
        let connection = opened.map_err(|error| failed(refusal(address, &error)))?;
        Ok(Self { connection, server, _socket: socket })
    }

    /// Opens a channel on which the broker confirms what it takes.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or does not confirm.
    pub(super) async fn confirming_channel(&self) -> Result<Channel, Fault> {
        let channel = self.channel().await?;
        let selected = channel.confirm_select(ConfirmSelectOptions::default());
        within(CONNECT, selected).await?;
        // Without confirms every publish would look like a success at once.
        if !channel.status().confirm() {
            return Err(Fault::of_nobody("it does not confirm what is published"));
        }
        Ok(channel)
    }

    /// Opens a channel.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(super) async fn channel(&self) -> Result<Channel, Fault> {
        within(CONNECT, self.connection.create_channel()).await
    }

    /// Takes leave of the broker if it answers soon, and ends the connection in any case.
    pub(super) async fn close(self) {
        let farewell = self.connection.close(200, "goodbye".into());
        match timeout(CLOSE, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the broker had gone"),
            Err(_late) => tracing::debug!("the broker did not say goodbye"),
        }
    }
}

/// Waits for an answer of the broker, for so long.
pub(super) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Fault> {
    match timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::from(&error)),
        Err(_late) => Err(Fault::of_nobody(format!("no answer within {} s", limit.as_secs()))),
    }
}

/// Reads how the broker introduces itself, which the client keeps to itself, on a connection that
/// goes no further.
async fn greet(address: &Address) -> io::Result<String> {
    let runtime = TokioRuntime::tokio_current();
    hello::read(dial(address, &runtime, None).await?).await
}

async fn connect(address: &Address, socket: &Socket) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default()
        .with_connection_name(LongString::from("stratavore events"))
        .with_client_property("product".into(), LongString::from("stratavore"))
        .with_client_property("version".into(), LongString::from(env!("CARGO_PKG_VERSION")));
    let (target, socket) = (address.clone(), socket.share());
    let dialling = async move |_uri, runtime: TokioRuntime| {
        let wire = timeout(CONNECT, dial(&target, &runtime, Some(&socket))).await;
        wire.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())).map_err(Error::from)
    };
    let runtime = TokioRuntime::tokio_current();
    Connection::connector(address.uri.clone(), runtime, dialling, properties).await
}

/// Opens the byte stream, with TLS when configured.
async fn dial(
    address: &Address,
    runtime: &TokioRuntime,
    socket: Option<&Socket>,
) -> io::Result<Wire> {
    let authority = &address.uri.authority;
    let host = authority.host.as_str();
    let found = tokio::net::lookup_host((host, authority.port)).await?;
    let wire = AsyncTcpStream::connect(runtime, found.collect::<Vec<_>>()).await?;
    if let (Some(socket), AsyncTcpStream::Plain(plain)) = (socket, &wire) {
        socket.hold(plain.get_ref().as_fd().try_clone_to_owned()?)?;
    }
    match address.uri.scheme {
        AMQPScheme::AMQP => Ok(wire),
        AMQPScheme::AMQPS => wire.into_tls(host, TLSConfig::default()).await,
    }
}

/// Says why a handshake failed, and where to look.
fn refusal(address: &Address, error: &Error) -> String {
    let why = Fault::from(error).why;
    match reply_code(error) {
        Some(403) => format!(
            "{why} (user `{}`; check docker.rabbitmq.user and docker.rabbitmq.password)",
            address.user().escape_debug()
        ),
        Some(530) => format!("{why} (check docker.rabbitmq.vhost)"),
        _ => why,
    }
}

/// A second handle of a connection's socket; dropping it shuts the connection down.
#[derive(Default)]
struct Socket(Arc<Mutex<Held>>, Shared);

/// Whether a handle is one of the client's thread, which does not end the connection.
#[derive(Default)]
struct Shared(bool);

#[derive(Default)]
enum Held {
    /// Not yet open.
    #[default]
    Nothing,
    Open(OwnedFd),
    /// Nobody wants it any more.
    Ended,
}

impl Socket {
    fn share(&self) -> Self {
        Self(Arc::clone(&self.0), Shared(true))
    }

    fn hold(&self, socket: OwnedFd) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*held, Held::Ended) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *held = Held::Open(socket);
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.1.0 {
            return;
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Held::Open(socket) = std::mem::replace(&mut *held, Held::Ended) {
            // An error means that the peer was first.
            rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).ok();
        }
    }
}
