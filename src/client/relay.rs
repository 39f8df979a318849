//! A terminal relayed through the daemon, byte by byte.
//!
//! It outlives the daemon: when the connection is lost it is opened again, by offset, so that no
//! byte of the screen is missing or repeated. What is typed meanwhile is refused by a bell.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    Client,
    attach::{AttachEnd, AttachOptions, quit_signals},
    failed,
    tty::{RawTerminal, size_of_terminal},
};
use crate::{
    config::Places,
    domain::{failure::Failure, size::TerminalSize},
    proto::v1::{
        AttachOpen, AttachRunnerRequest, AttachRunnerResponse,
        attach_runner_request::Message as Out, attach_runner_response::Message as In,
    },
    terminal::{LeaveKey, Typed},
};

/// How long a lost daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks for the next one.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// What was typed did not arrive.
const BELL: &[u8] = b"\x07";

/// Relays the terminal until the user detaches or the agent ends.
pub(super) async fn attach(
    client: &Client,
    id: String,
    options: &AttachOptions,
    size: TerminalSize,
) -> Result<AttachEnd, Failure> {
    let local = |error: io::Error| {
        Failure::usage("NO_TERMINAL", format!("attach: {error}"))
            .with_hint("stratavore logs RUNNER --follow shows the output without a terminal")
    };
    let mut terminal = RawTerminal::take(false).map_err(local)?;
    let tty = open_tty().map_err(local)?;
    let mut relay = Relay {
        id,
        read_only: options.read_only,
        leave_key: LeaveKey::new(options.keys.detach_sequences()),
        offset: None,
        size,
    };
    let mut client = client.clone();
    loop {
        let streams = relay.open(&client).await?;
        if let Some(end) = relay.carry(streams, &tty, &mut terminal).await? {
            return Ok(end);
        }
        // The daemon is gone; the runner is not. The next daemon goes on where this one ended.
        let id = relay.id.clone();
        let next = timeout(PATIENCE, next_daemon(client.places(), &id));
        tokio::select! {
            next = next => match next {
                Ok(next) => client = next,
                Err(_elapsed) => return Ok(AttachEnd::Lost),
            },
            left = relay.wait_for_leave(&tty, &mut terminal) => {
                return left.map(|()| AttachEnd::Detached).map_err(local);
            }
        }
    }
}

/// Waits for a daemon that knows the runner.
async fn next_daemon(places: &Places, runner: &str) -> Client {
    loop {
        if let Ok(Some(client)) = Client::reconnect(places).await
            && client.get_runner(runner).await.is_ok()
        {
            return client;
        }
        sleep(RECONNECT_PAUSE).await;
    }
}

/// Opens the terminal anew: non-blocking, without making the user's shell so.
fn open_tty() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open("/dev/tty", flags, Mode::empty())?;
    #[expect(unsafe_code, reason = "the runtime cannot see that the descriptor stays open")]
    // SAFETY: an `OwnedFd` is open and the same until it is dropped, which `AsyncFd` does last.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(Into::into)
}

type Streams = (mpsc::Sender<AttachRunnerRequest>, Streaming<AttachRunnerResponse>);

/// What must be known to go on after a lost connection.
struct Relay {
    id: String,
    read_only: bool,
    leave_key: LeaveKey,
    offset: Option<u64>,
    size: TerminalSize,
}

impl Relay {
    async fn open(&self, client: &Client) -> Result<Streams, Failure> {
        let (sender, receiver) = mpsc::channel(64);
        let open = AttachOpen {
            runner: self.id.clone(),
            read_only: self.read_only,
            size: Some(self.size.into()),
            resume_offset: self.offset,
        };
        // The channel is new and has room.
        sender.send(message(Out::Open(open))).await.ok();
        let answer = client.runners().attach_runner(ReceiverStream::new(receiver)).await;
        Ok((sender, answer.map_err(failed)?.into_inner()))
    }

    /// Carries bytes; `None` when the connection was lost.
    async fn carry(
        &mut self,
        (sender, mut incoming): Streams,
        tty: &AsyncFd<OwnedFd>,
        terminal: &mut RawTerminal,
    ) -> Result<Option<AttachEnd>, Failure> {
        let local = |error: io::Error| Failure::internal(format!("use the terminal: {error}"));
        let mut resized = signal(SignalKind::window_change()).map_err(local)?;
        let mut quit = quit_signals().map_err(local)?;
        loop {
            tokio::select! {
                answer = incoming.message() => match answer {
                    Ok(Some(AttachRunnerResponse { message: Some(message) })) => {
                        if let Some(end) = self.show(message, terminal).map_err(local)? {
                            return Ok(Some(end));
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return Ok(None),
                },
                keys = read_keys(tty) => {
                    let keys = keys.map_err(local)?;
                    let Typed { bytes: typed, leaves } = self.leave_key.look(&keys);
                    if !typed.is_empty() && !self.read_only {
                        let typed = Bytes::from(typed);
                        if sender.send(message(Out::Input(typed))).await.is_err() {
                            terminal.write(BELL).map_err(local)?;
                        }
                    }
                    if leaves {
                        return Ok(Some(AttachEnd::Detached));
                    }
                }
                _ = resized.recv() => {
                    self.size = size_of_terminal().unwrap_or(self.size);
                    // A closed channel is noticed by the other branch.
                    sender.send(message(Out::Resize(self.size.into()))).await.ok();
                }
                () = quit.recv() => return Ok(Some(AttachEnd::Detached)),
            }
        }
    }

    /// Waits until the user leaves; what else is typed is refused by a bell.
    async fn wait_for_leave(
        &mut self,
        tty: &AsyncFd<OwnedFd>,
        terminal: &mut RawTerminal,
    ) -> io::Result<()> {
        while !self.leave_key.look(&read_keys(tty).await?).leaves {
            terminal.write(BELL)?;
        }
        Ok(())
    }

    /// Shows what came; returns the end if it was one.
    fn show(&mut self, message: In, terminal: &mut RawTerminal) -> io::Result<Option<AttachEnd>> {
        match message {
            In::Snapshot(picture) => {
                self.offset = Some(picture.offset);
                terminal.write(&picture.bytes)?;
            }
            In::Data(data) => {
                self.offset = Some(data.offset + data.bytes.len() as u64);
                terminal.write(&data.bytes)?;
            }
            In::Exit(exit) => {
                let signal = (!exit.signal.is_empty()).then_some(exit.signal);
                return Ok(Some(AttachEnd::Exited { code: exit.code, signal }));
            }
            In::InputRefused(_) => terminal.write(BELL)?,
        }
        Ok(None)
    }
}

fn message(message: Out) -> AttachRunnerRequest {
    AttachRunnerRequest { message: Some(message) }
}

/// Reads what was typed, waiting for it.
async fn read_keys(tty: &AsyncFd<OwnedFd>) -> io::Result<Vec<u8>> {
    loop {
        let mut ready = tty.readable().await?;
        let mut buffer = [0; 4096];
        match ready.try_io(|tty| Ok(rustix::io::read(tty.as_fd(), &mut buffer[..])?)) {
            Ok(Ok(0)) => return Err(io::Error::other("it is gone")),
            Ok(Ok(count)) => return Ok(buffer.get(..count).unwrap_or_default().to_vec()),
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}
