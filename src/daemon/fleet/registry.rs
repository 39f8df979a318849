//! Which supervisors there are, and how to reach each.

use std::{
    collections::HashMap,
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use tokio::{net::UnixStream, sync::mpsc};

use super::{
    FleetError, LIMIT,
    frames::FrameHub,
    launch::Waiting,
    link::{self, LastWord, LinkHandle, LinkTask},
    lost,
};
use crate::{
    config::Places,
    domain::{
        hook::Hold,
        id::RunnerId,
        runner::{Exit, Heartbeat},
        size::TerminalSize,
    },
    process::{ProcessId, Table, UnknownProcess, supervisor_above},
    proto::link::v1::{
        self, Exit as WireExit, Grant, Identity, LaunchSpec, Pause, Reply, Resume, Role,
        ScreenQuery, ScrollbackQuery, SearchQuery, Status, Stop, request::Command,
    },
    runner_dir::RunnerDir,
};

/// A supervisor that cuts connections off is looked at again so often, after such a pause.
const DYING_TRIES: u32 = 20;
const DYING_PAUSE: Duration = Duration::from_millis(50);

/// A supervisor that is not stuck answers a question within so long; it is one loop that never waits.
const LISTENING: Duration = Duration::from_secs(3);

/// Clock ticks a second, as `/proc` counts CPU time; fixed in the kernel's interface.
const TICKS: f64 = 100.0;

/// What a supervisor said.
#[derive(Debug, Clone)]
pub enum Notice {
    /// How its agent is.
    Status {
        /// The runner.
        id: RunnerId,
        /// Its run.
        run: u32,
        /// What it said.
        status: Status,
    },
    /// What its agent reported reaches this offset of its spool.
    Spooled {
        /// The runner.
        id: RunnerId,
        /// Where the spool ends, or is about to.
        end: u64,
    },
    /// How its agent ended.
    Exited {
        /// The runner.
        id: RunnerId,
        /// Its run.
        run: u32,
        /// How.
        exit: Exit,
    },
    /// The link is gone.
    Unlinked {
        /// The runner.
        id: RunnerId,
        /// Its run.
        run: u32,
        /// After it had told how its agent ended.
        exited: bool,
    },
}

/// A supervisor that is linked.
#[derive(Debug, Clone)]
pub struct Known {
    /// The runner's id.
    pub id: RunnerId,
    /// Who it is.
    pub identity: Identity,
    /// What it was started with, without the environment.
    pub spec: LaunchSpec,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A process outside of every runner.
    User,
    /// A process inside this runner.
    Runner(RunnerId),
    /// A process inside a runner that is not linked, or one that is already gone.
    Unknown,
}

/// What a look for a runner's supervisor found.
#[derive(Debug)]
pub enum Found {
    /// It lives and is now linked.
    Linked(Box<Known>),
    /// It lives but does not answer.
    Silent,
    /// There is none.
    Nobody,
}

/// One runner's part of a scan of all processes.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The heartbeat to store.
    pub heartbeat: Heartbeat,
    /// The run it belongs to.
    pub run: u32,
}

struct Entry {
    known: Known,
    link: LinkHandle,
    frames: FrameHub,
    last_word: LastWord,
    /// The tree at the last scan, for when the supervisor is gone.
    tree: Vec<ProcessId>,
    cpu_ticks: u64,
    sampled_at: Option<tokio::time::Instant>,
}

/// The supervisors of this node.
#[derive(Clone)]
pub struct Fleet {
    places: Places,
    entries: Arc<Mutex<HashMap<RunnerId, Entry>>>,
    reserve: Arc<Mutex<Option<Waiting>>>,
    notices: mpsc::Sender<Notice>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("linked", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Fleet {
    /// Returns a fleet that knows nobody yet; notices go to the receiver, in order per runner.
    pub fn new(places: Places) -> (Self, mpsc::Receiver<Notice>) {
        let (notices, receiver) = mpsc::channel(1024);
        let (entries, reserve) = (Arc::default(), Arc::default());
        (Self { places, entries, reserve, notices }, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunnerId, Entry>> {
        // Held for map operations only; a panic in one leaves the map whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The supervisor kept in reserve.
    pub(super) fn reserve(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory of a runner.
    pub fn dir(&self, id: RunnerId) -> RunnerDir {
        RunnerDir::new(self.places.runner(id))
    }

    /// The runners that have a directory, whether anything lives there or not.
    pub fn directories(&self) -> Vec<RunnerId> {
        let entries = std::fs::read_dir(self.places.runners()).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// The supervisors that are linked.
    pub fn linked(&self) -> Vec<Known> {
        self.lock().values().map(|entry| entry.known.clone()).collect()
    }

    /// Those of them whose agent has not ended, as far as they have said.
    pub fn at_work(&self) -> Vec<Known> {
        let entries = self.lock();
        let at_work = entries.values().filter(|entry| !entry.last_word.has_exited());
        at_work.map(|entry| entry.known.clone()).collect()
    }

    /// Whether a runner's supervisor is linked.
    pub fn is_linked(&self, id: RunnerId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Who the linked supervisor of a runner is.
    pub fn known(&self, id: RunnerId) -> Option<Known> {
        Some(self.lock().get(&id)?.known.clone())
    }

    /// Returns id and name of the live runner that a word names in full, if its supervisor is linked:
    /// keys and screens need no more, and no database.
    pub fn live(&self, word: &str) -> Option<(RunnerId, String)> {
        let entries = self.lock();
        let entry = match word.parse() {
            Ok(id) => entries.get::<RunnerId>(&id),
            Err(_) => entries.values().find(|entry| entry.known.spec.name == word),
        };
        let entry = entry.filter(|entry| !entry.last_word.has_exited())?;
        Some((entry.known.id, entry.known.spec.name.clone()))
    }

    /// What a linked supervisor said last.
    pub fn last_status(&self, id: RunnerId) -> Option<Status> {
        self.lock().get(&id)?.last_word.status()
    }

    /// Who a process is, by the supervisor above it: the user, or something inside a runner, linked or
    /// not.
    pub fn caller(&self, above: Result<Option<i32>, UnknownProcess>) -> Caller {
        let supervisor = match above {
            Ok(None) => return Caller::User,
            Ok(Some(supervisor)) => supervisor.unsigned_abs(),
            Err(UnknownProcess) => return Caller::Unknown,
        };
        let entries = self.lock();
        let mut known = entries.values().map(|entry| &entry.known);
        known
            .find(|known| known.identity.supervisor_pid == supervisor)
            .map_or(Caller::Unknown, |known| Caller::Runner(known.id))
    }

    /// Looks for a runner's supervisor and links it.
    pub async fn find(&self, id: RunnerId) -> Found {
        if let Some(entry) = self.lock().get(&id) {
            return Found::Linked(Box::new(entry.known.clone()));
        }
        let socket = self.dir(id).link();
        let mut found = link::connect(&socket, link::hello(Role::Daemon)).await;
        // A process that dies closes its connections before its socket: a connection that is cut off
        // says nothing yet, a moment later there is proof.
        for _ in 0..DYING_TRIES {
            match &found {
                Err(FleetError::Io(error)) if !is_absence(error) => {
                    tokio::time::sleep(DYING_PAUSE).await;
                    found = link::connect(&socket, link::hello(Role::Daemon)).await;
                }
                _ => break,
            }
        }
        match found {
            Ok((reader, writer, welcome)) => {
                let identity = welcome.identity.unwrap_or_default();
                if identity.runner_id != id.to_string() {
                    tracing::error!(runner.id = %id, found = identity.runner_id, "another runner's supervisor listens here");
                    return Found::Silent;
                }
                let known = Known { id, identity, spec: welcome.spec.unwrap_or_default() };
                self.register(known.clone(), (reader, writer));
                Found::Linked(Box::new(known))
            }
            Err(FleetError::Io(error)) if is_absence(&error) => Found::Nobody,
            Err(error) => {
                tracing::warn!(runner.id = %id, %error, "a supervisor lives but does not answer");
                Found::Silent
            }
        }
    }

    /// Remembers a linked supervisor.
    fn register(&self, known: Known, halves: (link::Reader, link::Writer)) {
        let frames = FrameHub::default();
        let runner = (known.id, known.identity.run);
        let last_word = LastWord::default();
        let task = LinkTask::new(runner, frames.clone(), last_word.clone(), self.notices.clone());
        let link = task.start(halves);
        let tree = identities(&known.identity);
        let entry = Entry { known, link, frames, last_word, tree, cpu_ticks: 0, sampled_at: None };
        self.lock().insert(entry.known.id, entry);
    }

    /// Forgets a link that is gone, unless a newer run has taken its place.
    pub fn forget(&self, id: RunnerId, run: u32) -> Vec<ProcessId> {
        let mut entries = self.lock();
        match entries.get(&id) {
            Some(entry) if entry.known.identity.run == run => {
                entries.remove(&id).map(|entry| entry.tree).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Ends what a dead supervisor left, and returns the names of what could not be ended.
    pub async fn clear_away(&self, id: RunnerId, known: Vec<ProcessId>) -> Vec<String> {
        lost::end_tree(id, known).await
    }

    fn link(&self, id: RunnerId) -> Result<(LinkHandle, FrameHub), FleetError> {
        let entries = self.lock();
        let entry = entries.get(&id).ok_or(FleetError::NoLink)?;
        Ok((entry.link.clone(), entry.frames.clone()))
    }

    pub(super) fn frame_hub(&self, id: RunnerId) -> Result<(LinkHandle, FrameHub), FleetError> {
        self.link(id)
    }

    pub(super) async fn ask(&self, id: RunnerId, command: Command) -> Result<Reply, FleetError> {
        self.link(id)?.0.ask(command, LIMIT).await
    }

    /// Ends a runner; returns what survived, as `name (pid)`.
    ///
    /// # Errors
    ///
    /// When there is no supervisor or it does not answer.
    pub async fn stop(&self, id: RunnerId, grace: Duration) -> Result<Vec<String>, FleetError> {
        let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        // Killing takes up to 3 s after the grace period, and sweeping what is left then 4 s more; at
        // once killed, all is over after 3 s.
        let limit = if grace.is_zero() { LIMIT } else { grace + Duration::from_secs(10) };
        let link = self.link(id)?.0;
        let mut stopped = pin!(link.ask(Command::Stop(Stop { grace_ms }), limit));
        // Its answer comes at the end; whether it is there to stop anything is known much earlier.
        let listens = link.ask(Command::Screen(ScreenQuery::default()), LISTENING);
        let reply = tokio::select! {
            reply = &mut stopped => reply,
            Err(FleetError::Silent) = listens => Err(FleetError::Silent),
            else => stopped.await,
        };
        Ok(reply?.survivors)
    }

    /// Kills a supervisor that lives but does not answer; true when there was one. What it leaves is
    /// then cleared away like that of any supervisor that died.
    ///
    /// The process is the one that listens on the socket, by the kernel's word, and is a supervisor
    /// by its command line: no remembered pid is trusted.
    pub async fn kill_supervisor(&self, id: RunnerId) -> bool {
        let Ok(stream) = UnixStream::connect(self.dir(id).link()).await else { return false };
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let Some(process) = pid.and_then(ProcessId::of) else { return false };
        if supervisor_above(process.pid) != Ok(Some(process.pid)) {
            return false;
        }
        tracing::warn!(runner.id = %id, pid = process.pid, "killing a supervisor that does not answer");
        process.signal(Signal::KILL);
        for _ in 0..DYING_TRIES {
            if !process.is_alive() {
                break;
            }
            tokio::time::sleep(DYING_PAUSE).await;
        }
        true
    }

    /// Stops all its processes where they stand, or lets them go on.
    ///
    /// # Errors
    ///
    /// When there is no supervisor or it does not answer.
    pub async fn set_paused(&self, id: RunnerId, paused: bool) -> Result<(), FleetError> {
        let command = if paused { Command::Pause(Pause {}) } else { Command::Resume(Resume {}) };
        self.ask(id, command).await.map(drop)
    }

    /// Has an agent's hooks tell it that it must not go on, or that it may.
    ///
    /// # Errors
    ///
    /// When there is no supervisor, it does not answer, or its agent has no hooks.
    pub async fn hold(&self, id: RunnerId, hold: Option<&Hold>) -> Result<(), FleetError> {
        let hold = v1::Hold {
            level: hold.map(|hold| hold.level.as_str().to_owned()).unwrap_or_default(),
            reason: hold.map(|hold| hold.reason.clone()).unwrap_or_default(),
        };
        self.ask(id, Command::Hold(hold)).await.map(drop)
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    ///
    /// When there is no supervisor, it does not answer, or it is too old to do so.
    pub async fn resize(&self, id: RunnerId, size: TerminalSize) -> Result<(), FleetError> {
        self.ask(id, Command::Resize(size.into())).await.map(drop)
    }

    /// Asks about the screen, the history or a search in it.
    ///
    /// # Errors
    ///
    /// When there is no supervisor or it does not answer.
    pub async fn look(&self, id: RunnerId, query: LookFor) -> Result<Reply, FleetError> {
        let command = match query {
            LookFor::Screen => Command::Screen(ScreenQuery::default()),
            LookFor::ScreenAndChanges => Command::Screen(ScreenQuery { watch: true }),
            LookFor::Scrollback(query) => Command::Scrollback(query),
            LookFor::Text(query) => Command::Search(query),
        };
        self.ask(id, command).await
    }

    /// Permits one viewer and returns its token of 32 random bytes.
    ///
    /// # Errors
    ///
    /// When there is no supervisor, it does not answer, or the system has no randomness.
    pub async fn grant(&self, id: RunnerId, read_only: bool) -> Result<Vec<u8>, FleetError> {
        let mut token = [0_u8; 32];
        rustix::rand::getrandom(&mut token, rustix::rand::GetRandomFlags::empty())
            .map_err(std::io::Error::from)?;
        let role = if read_only { Role::Viewer } else { Role::Driver };
        let grant = Grant { token: token.to_vec().into(), role: role.into() };
        self.ask(id, Command::Grant(grant)).await?;
        Ok(token.to_vec())
    }

    /// Links the supervisor at a socket, which has just been started.
    pub(super) async fn adopt_started(&self, socket: &Path) -> Result<(), FleetError> {
        let (reader, writer, welcome) = link::connect(socket, link::hello(Role::Daemon)).await?;
        let identity = welcome.identity.unwrap_or_default();
        let id = identity.runner_id.parse().map_err(|_error| FleetError::Silent)?;
        let known = Known { id, identity, spec: welcome.spec.unwrap_or_default() };
        self.register(known, (reader, writer));
        Ok(())
    }

    /// Samples every linked runner's tree from one scan.
    pub fn sample(&self, table: &Table) -> Vec<Sample> {
        let now = tokio::time::Instant::now();
        let mut entries = self.lock();
        let mut samples = Vec::with_capacity(entries.len());
        for entry in entries.values_mut() {
            let supervisor = i32::try_from(entry.known.identity.supervisor_pid).unwrap_or(0);
            let below = table.below(supervisor);
            let ticks: u64 = below.iter().map(|process| process.cpu_ticks).sum();
            let memory: u64 = below.iter().map(|process| process.resident_bytes).sum();
            let elapsed = entry.sampled_at.map_or(0.0, |at| (now - at).as_secs_f64());
            let used = ticks.saturating_sub(entry.cpu_ticks);
            #[expect(clippy::cast_precision_loss, reason = "ticks of one interval are few")]
            let cpu = if elapsed > 0.0 { used as f64 / TICKS / elapsed * 100.0 } else { 0.0 };
            entry.cpu_ticks = ticks;
            entry.sampled_at = Some(now);
            entry.tree = below.iter().map(|process| process.id).collect();
            let heartbeat = Heartbeat {
                id: entry.known.id,
                cpu_percent: (cpu * 10.0).round() / 10.0,
                memory_mb: memory >> 20,
                processes: below.len().try_into().unwrap_or(u32::MAX),
            };
            samples.push(Sample { heartbeat, run: entry.known.identity.run });
        }
        samples
    }
}

/// What to look for in a runner's terminal.
#[derive(Debug, Clone)]
pub enum LookFor {
    /// The screen; and from now on its changes are told, whatever the agent reports of itself.
    ScreenAndChanges,
    /// The visible screen.
    Screen,
    /// Lines of history.
    Scrollback(ScrollbackQuery),
    /// Lines with a text.
    Text(SearchQuery),
}

/// The processes that an identity names.
fn identities(identity: &Identity) -> Vec<ProcessId> {
    let pid = i32::try_from(identity.pid).unwrap_or(0);
    vec![ProcessId { pid, start_time: identity.start_time }]
}

/// Whether a failed connection proves that nobody listens.
fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused)
}

/// Returns how an agent ended, from the link's form.
pub(super) fn exit_from_wire(wire: &WireExit) -> Exit {
    Exit {
        code: wire.code,
        signal: (!wire.signal.is_empty()).then(|| wire.signal.clone()),
        at: DateTime::<Utc>::from_timestamp_micros(wire.at_us).unwrap_or_default(),
        stopped: wire.stopped,
        cut_off: wire.cut_off,
        survivors: wire.survivors.clone(),
    }
}
