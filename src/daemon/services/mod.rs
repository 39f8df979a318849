//! d1: the use cases: validate, decide, write state and events in one transaction.
//!
//! Nothing else changes state. A change runs in a task of its own, so that a caller that goes away
//! leaves nothing half done.

mod adopt;
mod answer;
mod approvals;
mod arrange;
mod away;
mod budgets;
mod changes;
mod chat;
mod control;
mod correct;
mod drafts;
mod events;
mod evidence;
mod inbox;
mod intake;
mod launch;
mod locks;
mod metrics;
mod nodes;
mod notifications;
mod outbox;
mod projects;
mod prompt_refusals;
mod prompts;
mod quotas;
mod refusals;
mod removal;
mod repeats;
mod retention;
mod room;
mod runners;
mod sessions;
mod settle;
mod surfaces;
mod system;
mod terminal;
mod tokens;
mod transcripts;
mod turn_start;
mod unrecorded;
mod upkeep;
mod usage;
mod worktrees;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use self::{
    approvals::{Misread, Wishes},
    budgets::Enforcing,
    changes::Changes,
    evidence::Told,
    inbox::Bell,
    intake::Intake,
    locks::Locks,
    metrics::Figures,
    nodes::Membership,
    notifications::Outside,
    prompts::Prompts,
    quotas::Excesses,
    refusals::Refusals,
    surfaces::Surfaces,
    transcripts::Transcripts,
    unrecorded::Unrecorded,
    upkeep::Upkeep,
    worktrees::Worktrees,
};
pub use self::{
    changes::Change,
    chat::Conversation,
    events::EventFeed,
    inbox::InboxFeed,
    notifications::{NotifyPlace, Step},
    sessions::Resume,
    system::{Component, PartState, Reconciled, SystemStatus},
    terminal::{AttachGrant, History, Screen},
};
use crate::{
    daemon::{
        actor,
        broker::BrokerStatus,
        context::Context,
        fleet::{Caller, Fleet},
        limits::Limits,
        notify::Channels,
        programs::Programs,
        sources::Sources,
        store::{DatabaseStatus, Store},
        trace,
    },
    domain::{failure::Failure, runner::Runner},
    process::{UnknownProcess, heap},
};

pub use crate::daemon::{database::DatabaseReport, store::ItemFilter};

/// The first look at what runs is waited for so long at most after the start.
const LOOKING: Duration = Duration::from_secs(1);

/// Every use case of the daemon.
#[derive(Debug, Clone)]
pub struct Services {
    context: Context,
    store: Store,
    fleet: Fleet,
    /// How it stands with the broker, when one is configured.
    broker: Option<watch::Receiver<BrokerStatus>>,
    changes: Changes,
    locks: Locks,
    membership: Membership,
    limits: Limits,
    excesses: Excesses,
    worktrees: Worktrees,
    /// Becomes true when the first comparison with what really runs is done.
    looked: Arc<watch::Sender<bool>>,
    /// Ends that were told and could not be written down yet.
    unrecorded: Unrecorded,
    /// What sources said of what agents are doing.
    told: Told,
    /// What is done to runners whose budgets are used up.
    enforcing: Enforcing,
    /// What agents want to do and wait with.
    wishes: Wishes,
    /// What is wrong with policies of approval.
    misread: Misread,
    /// Rings for changes of the inbox that have no event.
    bell: Bell,
    /// What agents report.
    intake: Intake,
    /// Prompts that wait.
    prompts: Prompts,
    /// Connections to agents' own interfaces.
    sources: Sources,
    /// What agents write down.
    transcripts: Transcripts,
    /// What is known of agents' programs.
    programs: Programs,
    /// People outside.
    outside: Outside,
    /// What is counted for the metrics.
    figures: Figures,
    /// What listens beside the socket.
    surfaces: Surfaces,
    /// What callers inside runners were refused.
    refusals: Refusals,
    /// Rings when a token is revoked.
    revoked: Arc<watch::Sender<()>>,
    /// What takes long, one piece at a time.
    upkeep: Upkeep,
    /// Whether the numbers of lost runners are remembered.
    numbered: Arc<AtomicBool>,
    /// But nobody waits for it longer than until then.
    looking_until: Instant,
}

impl Services {
    /// Returns the services over a store, a fleet, sources and, when one is configured, a broker.
    pub fn new(
        context: Context,
        store: Store,
        (fleet, sources): (Fleet, Sources),
        broker: Option<watch::Receiver<BrokerStatus>>,
    ) -> Self {
        Self {
            context,
            store,
            fleet,
            broker,
            changes: Changes::default(),
            locks: Locks::default(),
            membership: Membership::default(),
            limits: Limits::default(),
            excesses: Excesses::default(),
            worktrees: Worktrees::default(),
            looked: Arc::new(watch::Sender::new(false)),
            unrecorded: Unrecorded::default(),
            told: Told::default(),
            enforcing: Enforcing::default(),
            wishes: Wishes::default(),
            misread: Misread::default(),
            bell: Bell::default(),
            intake: Intake::default(),
            prompts: Prompts::default(),
            sources,
            transcripts: Transcripts::default(),
            programs: Programs::default(),
            outside: Outside::default(),
            figures: Figures::default(),
            surfaces: Surfaces::default(),
            refusals: Refusals::default(),
            revoked: Arc::default(),
            upkeep: Upkeep::default(),
            numbered: Arc::default(),
            looking_until: Instant::now() + LOOKING,
        }
    }

    /// Lets the system hold memory and CPU of projects where it does that.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Has people outside told on these channels.
    #[must_use]
    pub fn with_channels(mut self, channels: Channels) -> Self {
        self.outside = Outside::new(channels, &self.context.config.notify);
        self
    }

    /// What everything shares.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Gives back the memory that answers needed, where there were many since the last time.
    pub async fn give_back_memory(&self) {
        if self.store.has_read_much() {
            tokio::task::spawn_blocking(heap::give_back).await.ok();
        }
    }

    /// Who a calling process is, by the supervisor that it is below of.
    pub fn caller(&self, above: Result<Option<i32>, UnknownProcess>) -> Caller {
        self.fleet.caller(above)
    }

    /// Waits until a daemon that has just started knows what runs: a list without what lives would
    /// be a lie. A supervisor that hangs does not hold it up for long.
    async fn looked_around(&self) {
        let mut looked = self.looked.subscribe();
        // The sender lives as long as we do.
        timeout_at(self.looking_until, looked.wait_for(|looked| *looked)).await.ok();
    }

    /// How it stands with the database.
    pub fn database(&self) -> watch::Receiver<DatabaseStatus> {
        self.store.status()
    }

    /// Closes the store after the last write.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Returns the runner that a word names: its name, its id or a unique prefix of its id.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND`, or `RUNNER_AMBIGUOUS` with the names it could mean.
    pub async fn resolve(&self, word: &str) -> Result<Runner, Failure> {
        self.looked_around().await;
        let shown = word.escape_debug();
        let missing = || {
            Failure::not_found("RUNNER_NOT_FOUND", format!("no runner `{shown}`"))
                .with_hint("stratavore runners lists them")
        };
        // Shorter prefixes would make a typing error hit something.
        let plausible = word.len() >= 3 && !word.contains('\0');
        if !plausible {
            return Err(missing());
        }
        let is_meant =
            |runner: &Runner| runner.name == word || runner.id.to_string().starts_with(word);
        let mut found = self.found_or_linked(self.store.runner_find(word), is_meant).await?;
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|runner| runner.name.as_str()).collect();
            let what = format!("`{shown}` could be {}", names.join(", "));
            return Err(Failure::not_found("RUNNER_AMBIGUOUS", what)
                .with_hint("use the runner's name or more of its id"));
        }
        found.pop().ok_or_else(missing)
    }

    /// Returns the runner that a word names, if it is this node's.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`], or `OTHER_NODE`.
    async fn resolve_here(&self, word: &str) -> Result<Runner, Failure> {
        let runner = self.resolve(word).await?;
        self.here(&runner).await?;
        Ok(runner)
    }

    /// Runs a change in a task of its own, to its end whatever becomes of the caller.
    async fn detached<T, F>(&self, change: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let change = actor::within(actor::here(), trace::within(trace::here(), change));
        let joined = tokio::spawn(change).await;
        joined.map_err(|error| Failure::internal(format!("finish a change: {error}")))?
    }
}
