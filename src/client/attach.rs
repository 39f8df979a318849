//! Hands the user's terminal to a runner, full screen and raw.
//!
//! On the same node the terminal itself goes to the supervisor, with a grant of the daemon: from
//! then on the daemon may die without a keystroke being lost, and this process only waits, passes
//! on changes of size, and puts the terminal back. Where that is not possible, bytes are relayed
//! over gRPC.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::AsFd as _,
    path::PathBuf,
    time::Duration,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

use super::{
    Client, failed,
    presence::Presence,
    relay,
    tty::{RawTerminal, size_of_terminal},
};
use crate::{
    config::AttachConfig,
    domain::{failure::Failure, runner::Runner, size::TerminalSize},
    proto::{
        framing::{Decoder, encode},
        link::{
            VERSIONS,
            v1::{
                FromSupervisor, Hello, Role, ToSupervisor, from_supervisor::Message, to_supervisor,
            },
        },
        v1::GrantAttachRequest,
    },
};

/// How long a supervisor may take to greet.
const LIMIT: Duration = Duration::from_secs(5);

/// A window that is dragged changes its size many times; the agent repaints at each.
const RESIZE_PAUSE: Duration = Duration::from_millis(40);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Path {
    /// Straight to the supervisor if that is possible.
    #[default]
    Direct,
    /// Through the daemon.
    Daemon,
}

/// How to attach.
#[derive(Debug, Clone, Default)]
pub struct AttachOptions {
    /// Look, do not type.
    pub read_only: bool,
    /// Which way.
    pub path: Path,
    /// Draw on the terminal's main screen, with the history, instead of the alternate one: the
    /// output stays in the terminal's own scrollback.
    pub inline: bool,
    /// The key that detaches.
    pub keys: AttachConfig,
}

/// How an attach ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachEnd {
    /// The user detached.
    Detached,
    /// The agent ended.
    Exited {
        /// With this code.
        code: Option<i32>,
        /// By this signal.
        signal: Option<String>,
    },
    /// The supervisor is gone.
    Lost,
}

/// Hands this process's terminal to a runner until the user detaches or the agent ends; returns the
/// runner's name, and which of the two it was.
///
/// # Errors
///
/// When there is no terminal, no such live runner, or no way to it.
pub async fn attach(
    client: &Client,
    runner: &str,
    options: &AttachOptions,
) -> Result<(String, AttachEnd), Failure> {
    let size = size_of_terminal().unwrap_or_default();
    if options.path == Path::Daemon {
        let Runner { id, name, .. } = client.get_runner(runner).await?;
        let _presence = Presence::start(client, id);
        let end = relay::attach(client, id.to_string(), options, size).await?;
        return Ok((name, end));
    }
    let request = GrantAttachRequest { runner: runner.to_owned(), read_only: options.read_only };
    let granted = client.runners().grant_attach(client.request(request)).await.map_err(failed)?;
    let grant = granted.into_inner();
    let _presence = grant.id.parse().ok().map(|id| Presence::start(client, id));
    let socket = PathBuf::from(grant.socket_path);
    let Ok(stream) = UnixStream::connect(&socket).await else {
        // Another mount namespace, for example: the daemon can reach it all the same.
        let end = relay::attach(client, grant.id, options, size).await?;
        return Ok((grant.name, end));
    };
    let role = if options.read_only { Role::Viewer } else { Role::Driver };
    let hello = Hello {
        min_version: *VERSIONS.start(),
        max_version: *VERSIONS.end(),
        role: role.into(),
        token: grant.token,
        size: Some(size.into()),
        tty: true,
        inline: options.inline,
        history_lines: if options.inline { u32::MAX } else { 0 },
        detach_keys: options.keys.detach_sequences().into_iter().map(Into::into).collect(),
        ..Hello::default()
    };
    let end = match hand_over(stream, hello).await? {
        Some(end) => end,
        // It could not open our terminal by its name.
        None => relay::attach(client, grant.id, options, size).await?,
    };
    Ok((grant.name, end))
}

/// Takes the terminal, hands it over and waits; `None` when it could not be handed over.
async fn hand_over(stream: UnixStream, hello: Hello) -> Result<Option<AttachEnd>, Failure> {
    let no_terminal = |error: io::Error| {
        Failure::usage("NO_TERMINAL", format!("attach: {error}"))
            .with_hint("stratavore logs RUNNER --follow shows the output without a terminal")
    };
    let lost = |error: io::Error| {
        Failure::unavailable("SUPERVISOR_UNAVAILABLE", format!("talk to the supervisor: {error}"))
    };
    let mut resized = signal(SignalKind::window_change()).map_err(lost)?;
    let mut quit = quit_signals().map_err(lost)?;
    let mut link = Link { stream, decoder: Decoder::default() };
    let mut terminal = RawTerminal::take(hello.inline).map_err(no_terminal)?;
    link.greet(hello).await.map_err(lost)?;
    match timeout(LIMIT, link.next()).await {
        Ok(Ok(Some(Message::Welcome(welcome)))) if welcome.tty => {}
        Ok(Ok(Some(Message::Welcome(_)))) => return Ok(None),
        Ok(Ok(Some(Message::Refused(refused)))) => {
            drop(terminal);
            return Err(Failure::denied("ATTACH_REFUSED", refused.message));
        }
        _ => {
            drop(terminal);
            return Err(lost(io::Error::other("it does not answer")));
        }
    }
    loop {
        tokio::select! {
            message = link.next() => match message {
                Ok(Some(Message::Detached(_))) => return Ok(Some(AttachEnd::Detached)),
                Ok(Some(Message::Exit(exit))) => {
                    let signal = (!exit.signal.is_empty()).then_some(exit.signal);
                    return Ok(Some(AttachEnd::Exited { code: exit.code, signal }));
                }
                Ok(Some(Message::InputRefused(_))) => {
                    // The terminal is the supervisor's now; a bell disturbs nothing on it.
                    terminal.write(b"\x07").ok();
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Ok(Some(AttachEnd::Lost)),
            },
            _ = resized.recv() => {
                sleep(RESIZE_PAUSE).await;
                if let Some(size) = size_of_terminal() {
                    // A supervisor that is just letting go tells so, on the way in.
                    link.resize(size).await.ok();
                }
            }
            () = quit.recv() => return Ok(Some(AttachEnd::Detached)),
        }
    }
}

/// The signals that ask this process to leave; the agent is not concerned.
pub(super) struct QuitSignals([Signal; 3]);

/// Returns the signals that ask to leave.
pub(super) fn quit_signals() -> io::Result<QuitSignals> {
    let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    let [terminate, hang_up, quit] = kinds.map(signal);
    Ok(QuitSignals([terminate?, hang_up?, quit?]))
}

impl QuitSignals {
    /// Waits for one.
    pub(super) async fn recv(&mut self) {
        let [terminate, hang_up, quit] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// The connection to a supervisor.
struct Link {
    stream: UnixStream,
    decoder: Decoder,
}

impl Link {
    /// Sends the greeting with the terminal's descriptor beside it.
    async fn greet(&mut self, hello: Hello) -> io::Result<()> {
        let mut bytes = Vec::new();
        let message = Some(to_supervisor::Message::Hello(hello));
        encode(&ToSupervisor { message }, &mut bytes);
        self.stream.writable().await?;
        let stdin = io::stdin();
        let fds = [stdin.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let parts = [IoSlice::new(&bytes)];
        let sent = sendmsg(&self.stream, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
        self.stream.write_all(bytes.get(sent..).unwrap_or_default()).await
    }

    async fn resize(&mut self, size: TerminalSize) -> io::Result<()> {
        let mut bytes = Vec::new();
        let message = Some(to_supervisor::Message::Resize(size.into()));
        encode(&ToSupervisor { message }, &mut bytes);
        self.stream.write_all(&bytes).await
    }

    /// Returns the next message, `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Message>> {
        let mut buffer = [0; 4096];
        loop {
            let next = self.decoder.next_message::<FromSupervisor>().map_err(io::Error::other)?;
            if let Some(message) = next.and_then(|message| message.message) {
                return Ok(Some(message));
            }
            let count = self.stream.read(&mut buffer).await?;
            if count == 0 {
                return Ok(None);
            }
            self.decoder.push(buffer.get(..count).unwrap_or_default());
        }
    }
}
