//! One connection to a supervisor: framing, and the task that owns the daemon's link.

use std::{
    collections::HashMap,
    io,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{FleetError, LIMIT, frames::FrameHub, registry::Notice};
use crate::{
    domain::id::RunnerId,
    proto::{
        framing::{Decoder, encode},
        link::{
            VERSIONS,
            v1::{
                FromSupervisor, Hello, Reply, Request, Role, Status, ToSupervisor, Welcome,
                from_supervisor::Message, request::Command, to_supervisor::Message as Outgoing,
            },
        },
    },
};

/// Requests that may wait for the link's task.
const QUEUE: usize = 64;

/// So long a daemon that itself stood still takes to read what was said meanwhile: its time for an answer ran
/// out first.
const BELATED: Duration = Duration::from_millis(500);

/// Read at once.
const READ: usize = 64 << 10;

/// The reading half of a connection.
pub(super) struct Reader {
    half: OwnedReadHalf,
    decoder: Decoder,
    buffer: Vec<u8>,
}

/// The writing half of a connection.
pub(super) struct Writer {
    half: OwnedWriteHalf,
}

impl Reader {
    /// Returns the next message, `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, FleetError> {
        loop {
            if let Some(message) = self.decoder.next_message::<FromSupervisor>()? {
                if let Some(message) = message.message {
                    return Ok(Some(message));
                }
                continue;
            }
            let count = self.half.read(&mut self.buffer).await?;
            if count == 0 {
                return Ok(None);
            }
            self.decoder.push(self.buffer.get(..count).unwrap_or_default());
        }
    }
}

impl Writer {
    /// Sends a message; a supervisor that does not read is given [`LIMIT`].
    pub(super) async fn send(&mut self, message: Outgoing) -> Result<(), FleetError> {
        let mut bytes = Vec::new();
        encode(&ToSupervisor { message: Some(message) }, &mut bytes);
        timeout(LIMIT, self.half.write_all(&bytes))
            .await
            .map_err(|_elapsed| FleetError::Silent)??;
        Ok(())
    }
}

/// Connects to a supervisor's socket and introduces ourselves.
///
/// # Errors
///
/// `Io` with `ConnectionRefused` or `NotFound` proves that no supervisor lives there; `Silent`
/// proves that one does but does not answer.
pub(super) async fn connect(
    socket: &Path,
    hello: Hello,
) -> Result<(Reader, Writer, Welcome), FleetError> {
    let stream = UnixStream::connect(socket).await?;
    let peer = stream.peer_cred()?;
    if peer.uid() != rustix::process::getuid().as_raw() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
    }
    let (read, write) = stream.into_split();
    let mut reader = Reader { half: read, decoder: Decoder::default(), buffer: vec![0; READ] };
    let mut writer = Writer { half: write };
    writer.send(Outgoing::Hello(hello)).await?;
    match within(LIMIT, reader.next()).await?? {
        Some(Message::Welcome(welcome)) => Ok((reader, writer, welcome)),
        Some(Message::Refused(refused)) => Err(FleetError::Refused(refused.message)),
        Some(_) => Err(FleetError::Refused("the supervisor did not welcome us".to_owned())),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// Waits for what a supervisor says, so long at most, and a moment longer.
async fn within<F: Future>(limit: Duration, saying: F) -> Result<F::Output, FleetError> {
    let mut saying = pin!(saying);
    match timeout(limit, saying.as_mut()).await {
        Ok(said) => Ok(said),
        Err(_elapsed) => timeout(BELATED, saying).await.map_err(|_elapsed| FleetError::Silent),
    }
}

/// Returns a greeting in this role.
pub(super) fn hello(role: Role) -> Hello {
    Hello {
        min_version: *VERSIONS.start(),
        max_version: *VERSIONS.end(),
        role: role.into(),
        ..Hello::default()
    }
}

/// A request and where its answer goes.
type Asked = (Command, oneshot::Sender<Reply>);

/// The way to a link's task.
#[derive(Debug, Clone)]
pub(super) struct LinkHandle {
    requests: mpsc::Sender<Asked>,
}

impl LinkHandle {
    /// Asks the supervisor and waits for its answer, so long at most.
    pub(super) async fn ask(&self, command: Command, limit: Duration) -> Result<Reply, FleetError> {
        let (answer, reply) = oneshot::channel();
        let asking = async {
            self.requests.send((command, answer)).await.map_err(|_closed| FleetError::NoLink)?;
            reply.await.map_err(|_closed| FleetError::NoLink)
        };
        match within(limit, asking).await?? {
            Reply { not_asked: true, .. } => Err(FleetError::NotAsked),
            reply if reply.error.is_empty() => Ok(reply),
            reply => Err(FleetError::Refused(reply.error)),
        }
    }
}

/// What a supervisor said last of its runner.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWord(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    status: Option<Status>,
    has_exited: bool,
}

impl LastWord {
    /// Returns how the agent was, `None` before the supervisor has said anything.
    pub(super) fn status(&self) -> Option<Status> {
        self.lock().status.clone()
    }

    /// Whether it has said that the agent ended.
    pub(super) fn has_exited(&self) -> bool {
        self.lock().has_exited
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of one link.
pub(super) struct LinkTask {
    runner: (RunnerId, u32),
    frames: FrameHub,
    last_word: LastWord,
    notices: mpsc::Sender<Notice>,
    pending: HashMap<u64, oneshot::Sender<Reply>>,
    number: u64,
}

impl LinkTask {
    /// Returns the task for a runner's run.
    pub(super) fn new(
        runner: (RunnerId, u32),
        frames: FrameHub,
        last_word: LastWord,
        notices: mpsc::Sender<Notice>,
    ) -> Self {
        Self { runner, frames, last_word, notices, pending: HashMap::new(), number: 0 }
    }

    /// Starts it.
    pub(super) fn start(self, (reader, writer): (Reader, Writer)) -> LinkHandle {
        let (requests, asked) = mpsc::channel(QUEUE);
        tokio::spawn(self.run(reader, writer, asked));
        LinkHandle { requests }
    }

    /// Carries requests and messages until the supervisor is gone.
    async fn run(
        mut self,
        mut reader: Reader,
        mut writer: Writer,
        mut asked: mpsc::Receiver<Asked>,
    ) {
        let mut exited = false;
        loop {
            tokio::select! {
                message = reader.next() => match message {
                    Ok(Some(message)) => exited |= self.on_message(message).await,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(runner.id = %self.runner.0, %error, "lost a supervisor's link");
                        break;
                    }
                },
                request = asked.recv() => {
                    let Some((command, answer)) = request else { break };
                    self.number += 1;
                    self.pending.retain(|_, answer| !answer.is_closed());
                    self.pending.insert(self.number, answer);
                    let request = Request { number: self.number, command: Some(command) };
                    if writer.send(Outgoing::Request(request)).await.is_err() {
                        break;
                    }
                }
            }
        }
        let (id, run) = self.runner;
        self.frames.close();
        // Only a daemon that is leaving does not listen.
        self.notices.send(Notice::Unlinked { id, run, exited }).await.ok();
    }

    /// Handles a message; true when it tells the end of the runner.
    async fn on_message(&mut self, message: Message) -> bool {
        let (id, run) = self.runner;
        let (notice, ended) = match message {
            Message::Reply(reply) => {
                if let Some(answer) = self.pending.remove(&reply.number) {
                    // Whoever asked may have gone.
                    answer.send(reply).ok();
                }
                return false;
            }
            Message::Frame(frame) => {
                self.frames.feed(&frame);
                return false;
            }
            Message::Status(status) => {
                self.last_word.lock().status = Some(status.clone());
                (Notice::Status { id, run, status }, false)
            }
            Message::Spooled(end) => (Notice::Spooled { id, end }, false),
            Message::Exit(exit) => {
                self.last_word.lock().has_exited = true;
                (Notice::Exited { id, run, exit: super::registry::exit_from_wire(&exit) }, true)
            }
            _ => return false,
        };
        self.notices.send(notice).await.ok();
        ended
    }
}
