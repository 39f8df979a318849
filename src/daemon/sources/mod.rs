//! d0: connections to agents' own control interfaces and state files. No store, no fleet.
//!
//! ```text
//!  services ──open(Target)──▶ Sources ── a task a runner ──▶ opencode  HTTP + SSE, 127.0.0.1, password
//!     ▲  ▲                       │                           codex     JSON-RPC over its app-server's socket
//!     │  └── answer, interrupt ──┤                           claude    <config>/sessions/<pid>.json
//!     └───── Heard (channel) ◀───┘                           copilot   <config>/session-state/<id>/events.jsonl
//! ```
//!
//! What a source tells becomes a [`Heard`], in order, which services write down as the word of
//! [`ActivitySource::Api`] or [`ActivitySource::File`]. A source that can be spoken to also holds what
//! its agent asks: [`Sources::asks`] lists it, [`Sources::answer`] answers one by its id,
//! [`Sources::interrupt`] ends the turn; all have an end after [`LIMIT`], and say [`SourceError`] where
//! nothing was done, so that a caller may fall back to keys. An ask is answered once: the first answer
//! takes it from the list, whoever sends the second is told that it is gone.
//!
//! A connection that ends is begun again after growing pauses; meanwhile its word is withdrawn and the
//! next best source is believed. An interface that does not come is said once and tried rarely. Adding
//! an agent: a reader in `agents`, an [`Endpoint`], and a `follow` as in `opencode`.

mod claude;
mod codex;
mod copilot;
mod files;
mod opencode;

use std::{
    collections::HashMap,
    future::pending,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    agents::control::{Ask, Told},
    domain::{activity::ActivitySource, answer::Answer, id::RunnerId},
    process::ProcessId,
};

/// How long an agent may take to do what it is asked over its interface.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Orders that wait for one source.
const ORDERS: usize = 16;

/// Between tries to connect: the first ones, while the agent starts, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Within so many of the first tries an interface is only slow to come: some thirty seconds.
const EARLY_TRIES: u32 = 120;

/// After so many what was heard before is withdrawn, at the latest.
const STALE_TRIES: u32 = 8;

/// Why a source could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The runner's agent has no interface that is connected, or none that takes this.
    #[error("it has no control interface that is connected")]
    Absent,
    /// That is not asked any more, or was answered.
    #[error("it no longer asks that, or was answered already")]
    NotAsked,
    /// It is no answer to what is asked; the words follow the runner's name.
    #[error("{0}")]
    NotAnAnswer(&'static str),
    /// It did not take it.
    #[error("its control interface refused: {0}")]
    Refused(String),
    /// It does not answer.
    #[error("its control interface does not answer")]
    Silent,
}

/// Where an agent's interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// opencode's HTTP server on the loopback.
    Opencode {
        /// Its port.
        port: u16,
        /// What it wants to be shown.
        password: String,
    },
    /// Codex's app-server.
    Codex {
        /// Its socket.
        socket: PathBuf,
    },
    /// Claude Code's state file.
    Claude {
        /// The directory of such files.
        dir: PathBuf,
        /// The agent's process; the file may be that of a process below.
        process: ProcessId,
    },
    /// Copilot's events.
    Copilot {
        /// The directory of all conversations.
        dir: PathBuf,
        /// The agent's process; a process below may hold the conversation.
        process: ProcessId,
        /// When it began: what was written before is of another.
        since: DateTime<Utc>,
        /// The conversation that it is known to hold: it may have begun another while nobody followed it.
        held: Option<String>,
    },
}

impl Endpoint {
    /// The source that speaks through it.
    pub fn source(&self) -> ActivitySource {
        match self {
            Self::Opencode { .. } | Self::Codex { .. } => ActivitySource::Api,
            Self::Claude { .. } | Self::Copilot { .. } => ActivitySource::File,
        }
    }
}

/// Something that was heard of a runner.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The runner.
    pub id: RunnerId,
    /// Its run.
    pub run: u32,
    /// Who says it.
    pub source: ActivitySource,
    /// What.
    pub news: News,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a source says.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// What the agent told.
    Told(Told),
    /// The connection is gone: what was said of its activity does not hold any more.
    Lost,
}

/// An order to the task that holds a connection, and where it answers.
enum Order {
    Answer { ask: String, answer: Answer, done: oneshot::Sender<Result<(), SourceError>> },
    Interrupt { done: oneshot::Sender<Result<(), SourceError>> },
}

/// What is kept of a source.
struct Open {
    run: u32,
    orders: mpsc::Sender<Order>,
    asks: Asks,
    _stop: DropGuard,
}

/// What an agent asks, as its source sees it.
type Asks = Arc<Mutex<Vec<Ask>>>;

/// All sources of this daemon.
#[derive(Clone)]
pub struct Sources {
    open: Arc<Mutex<HashMap<RunnerId, Open>>>,
    files: files::Files,
    heard: mpsc::Sender<Heard>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("open", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Sources {
    /// Returns sources that hold nothing yet; what they hear goes to the receiver, in order per runner.
    pub fn new() -> (Self, mpsc::Receiver<Heard>) {
        let (heard, receiver) = mpsc::channel(256);
        let files = files::Files::default();
        (Self { open: Arc::default(), files, heard }, receiver)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunnerId, Open>> {
        // Held for map operations only.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this run of a runner has a source.
    pub fn is_open(&self, id: RunnerId, run: u32) -> bool {
        self.lock().get(&id).is_some_and(|open| open.run == run)
    }

    /// Follows a runner's agent, in place of what was followed for an earlier run.
    pub fn open(&self, id: RunnerId, run: u32, endpoint: Endpoint) {
        let (orders, mut receiver) = mpsc::channel(ORDERS);
        if endpoint.source() == ActivitySource::File {
            // What only writes takes none: who gives one must not wait for an answer.
            receiver.close();
        }
        let asks = Asks::default();
        let stop = CancellationToken::new();
        let line = Line {
            mouth: Mouth { id, run, source: endpoint.source(), heard: self.heard.clone() },
            asks: Arc::clone(&asks),
            orders: receiver,
        };
        let follow = follow(line, endpoint, self.files.clone());
        let token = stop.clone();
        tokio::spawn(async move { token.run_until_cancelled_owned(follow).await });
        let open = Open { run, orders, asks, _stop: stop.drop_guard() };
        self.lock().insert(id, open);
    }

    /// Lets go of a runner that has ended.
    pub fn close(&self, id: RunnerId, run: u32) {
        let mut open = self.lock();
        if open.get(&id).is_some_and(|open| open.run <= run) {
            open.remove(&id);
        }
    }

    /// Returns what a runner's agent asks, the oldest first; nothing where it cannot be spoken to.
    pub fn asks(&self, id: RunnerId) -> Vec<Ask> {
        let asks = self.lock().get(&id).map(|open| Arc::clone(&open.asks));
        asks.map(|asks| asks.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// Answers what a runner's agent asks under this id.
    ///
    /// # Errors
    ///
    /// `NotAsked` when that is gone; nothing was sent then, as after `Absent` and `NotAnAnswer`.
    pub async fn answer(
        &self,
        id: RunnerId,
        ask: &str,
        answer: &Answer,
    ) -> Result<(), SourceError> {
        let (ask, answer) = (ask.to_owned(), answer.clone());
        self.order(id, |done| Order::Answer { ask, answer, done }).await
    }

    /// Ends the turn of a runner's agent without ending the agent.
    ///
    /// # Errors
    ///
    /// `Absent` when it cannot be told so, or nothing runs that its source knows of.
    pub async fn interrupt(&self, id: RunnerId) -> Result<(), SourceError> {
        self.order(id, |done| Order::Interrupt { done }).await
    }

    async fn order(
        &self,
        id: RunnerId,
        order: impl FnOnce(oneshot::Sender<Result<(), SourceError>>) -> Order,
    ) -> Result<(), SourceError> {
        let orders = self.lock().get(&id).map(|open| open.orders.clone());
        let (done, answer) = oneshot::channel();
        // One that is not connected reads no orders, and refuses those that wait when it gives up.
        orders
            .ok_or(SourceError::Absent)?
            .try_send(order(done))
            .map_err(|_full| SourceError::Absent)?;
        match timeout(LIMIT, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(SourceError::Absent),
            Err(_) => Err(SourceError::Silent),
        }
    }
}

/// Where a source says what it hears.
#[derive(Debug, Clone)]
struct Mouth {
    id: RunnerId,
    run: u32,
    source: ActivitySource,
    heard: mpsc::Sender<Heard>,
}

impl Mouth {
    /// Says it; waits while the daemon is behind.
    async fn say(&self, news: News) {
        self.say_at(news, now()).await;
    }

    async fn say_at(&self, news: News, at: DateTime<Utc>) {
        let heard = Heard { id: self.id, run: self.run, source: self.source, news, at };
        // Nobody listens any more only when the daemon leaves.
        self.heard.send(heard).await.ok();
    }

    async fn tell(&self, all: Vec<Told>) {
        for told in all {
            self.say(News::Told(told)).await;
        }
    }
}

/// The two ends that a source has.
struct Line {
    mouth: Mouth,
    asks: Asks,
    orders: mpsc::Receiver<Order>,
}

impl Line {
    fn set_asks(&self, asks: Vec<Ask>) {
        *self.asks.lock().unwrap_or_else(PoisonError::into_inner) = asks;
    }

    /// Takes an ask from the list; nobody else can answer it then.
    fn take_ask(&self, id: &str) -> Option<Ask> {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let index = asks.iter().position(|ask| ask.id == id)?;
        Some(asks.remove(index))
    }

    /// Puts an ask back whose answer did not arrive.
    fn put_back(&self, ask: Ask) {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).insert(0, ask);
    }

    /// Refuses the orders that come while nothing is connected, for so long.
    async fn refuse_orders(&mut self, pause: Duration) {
        let refusing = async {
            while let Some(order) = self.orders.recv().await {
                let (Order::Answer { done, .. } | Order::Interrupt { done }) = order;
                done.send(Err(SourceError::Absent)).ok();
            }
            pending::<()>().await;
        };
        timeout(pause, refusing).await.ok();
    }
}

/// Why a connection ended.
#[derive(Debug)]
struct Ended {
    /// It had begun: what it said is withdrawn.
    had_begun: bool,
    why: String,
}

/// Connects, follows, and begins again, until it is cancelled.
async fn follow(mut line: Line, endpoint: Endpoint, files: files::Files) {
    match &endpoint {
        Endpoint::Claude { dir, process } => {
            return claude::follow(&line.mouth, &files, dir, *process).await;
        }
        Endpoint::Copilot { dir, process, since, held } => {
            let held = held.clone();
            return copilot::follow(&line.mouth, &files, dir, *process, (*since, held)).await;
        }
        Endpoint::Opencode { .. } | Endpoint::Codex { .. } => {}
    }
    let (mut tries, mut pause, mut has_said) = (0_u32, FIRST_PAUSE, false);
    loop {
        let ended = match &endpoint {
            Endpoint::Opencode { port, password } => {
                opencode::follow(&mut line, *port, password).await
            }
            Endpoint::Codex { socket } => codex::follow(&mut line, socket).await,
            Endpoint::Claude { .. } | Endpoint::Copilot { .. } => return,
        };
        line.set_asks(Vec::new());
        if ended.had_begun {
            line.mouth.say(News::Lost).await;
            (tries, pause) = (0, FIRST_PAUSE);
        }
        tries += 1;
        if tries == STALE_TRIES {
            // What an earlier daemon heard may not hold any more.
            line.mouth.say(News::Lost).await;
        }
        if tries > EARLY_TRIES {
            if !has_said {
                has_said = true;
                let id = line.mouth.id;
                tracing::warn!(runner.id = %id, why = ended.why, "an agent's control interface does not come; its other sources are believed");
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        line.refuse_orders(pause).await;
    }
}

fn now() -> DateTime<Utc> {
    crate::domain::clock::to_micros(Utc::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_cannot_be_told_refuses_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let process = ProcessId::own().unwrap();
        let (path, since) = (dir.path().to_owned(), now());
        let endpoints = [
            Endpoint::Claude { dir: path.clone(), process },
            Endpoint::Copilot { dir: path.clone(), process, since, held: None },
            // Nobody listens there: it is tried again after ever longer pauses.
            Endpoint::Codex { socket: path.join("none") },
        ];
        let (sources, _heard) = Sources::new();
        for endpoint in endpoints {
            let id = RunnerId::random();
            let told = format!("{endpoint:?}");
            sources.open(id, 1, endpoint);
            for _ in 0..3 {
                assert_eq!(sources.interrupt(id).await, Err(SourceError::Absent), "{told}");
            }
            sources.close(id, 1);
        }
    }
}
