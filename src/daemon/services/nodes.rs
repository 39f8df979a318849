//! This node among others: its signs of life, its leases, and whose runner a runner is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use super::{Change, Services};
use crate::{
    daemon::store::RunnerChange,
    domain::{
        activity::{Activity, ActivitySource, ActivityState},
        event::{EventType, PARTITIONS},
        failure::Failure,
        node::{Node, short},
        runner::{Runner, RunnerStatus},
    },
};

/// A lease ends so long after its last renewal: a daemon that died is replaced within it.
const LEASE_SECONDS: u32 = 8;

/// Leaving must not wait for a database that is away.
const LEAVING: Duration = Duration::from_millis(300);

/// The lease of the one that seals the event log.
const SEALER: &str = "sealer";

/// The lease of the one that tells people outside, and hears them.
const NOTIFIER: &str = "notifier";

/// Runners of which watchers are told one by one; of more they are told that much has changed.
const MOST_TOLD: u32 = 200;

/// This daemon's part in what several share.
#[derive(Debug, Clone, Default)]
pub(super) struct Membership {
    /// Counts the starts of this node, 0 until it is registered.
    epoch: Arc<AtomicU64>,
    /// The partitions that this daemon publishes, as bits.
    partitions: Arc<AtomicU64>,
    /// Whether this daemon tells people outside.
    notifies: Arc<AtomicBool>,
    /// What the others are called, as far as they were asked for.
    names: Arc<Mutex<Vec<Node>>>,
}

impl Services {
    /// Gives a sign of life and takes or renews leases; registers the node first. Returns whether this
    /// is to be repeated: not where no other daemon can be.
    ///
    /// # Errors
    ///
    /// `NODE_SUPERSEDED` when another daemon runs as this node, which then has to leave; or when the
    /// database fails.
    pub async fn take_part(&self) -> Result<bool, Failure> {
        let (origin, member) = (&self.context.origin, &self.membership);
        if member.epoch.load(Ordering::Relaxed) == 0 {
            let version = env!("CARGO_PKG_VERSION");
            let register = self.store.node_register(
                &origin.node_id,
                &origin.hostname,
                version,
                origin.publishes,
            );
            member.epoch.store(register.await?, Ordering::Relaxed);
        } else if self.store.is_shared() {
            let epoch = member.epoch.load(Ordering::Relaxed);
            self.store.node_beat(&origin.node_id, epoch).await?;
        }
        if !self.store.is_shared() {
            // Alone: everything is ours without asking.
            member.partitions.store(all_partitions(), Ordering::Relaxed);
            member.notifies.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        let holder = self.holder();
        let sealer = self.store.lease_acquire(&[SEALER.to_owned()], &holder, LEASE_SECONDS).await?;
        self.store.seal_with(sealer.get(SEALER).map(|epoch| (holder.clone(), *epoch)));
        if !self.notify_channels().is_empty() {
            let wanted = [NOTIFIER.to_owned()];
            let held = self.store.lease_acquire(&wanted, &holder, LEASE_SECONDS).await?;
            let is_held = held.contains_key(NOTIFIER);
            member.notifies.store(is_held, Ordering::Relaxed);
        }
        let nodes = self.store.node_list().await?;
        if origin.publishes {
            self.share_partitions(&nodes, &holder).await?;
        }
        *member.names.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
        Ok(true)
    }

    /// Takes this daemon's share of the partitions and gives back what is beyond it.
    async fn share_partitions(&self, nodes: &[Node], holder: &str) -> Result<(), Failure> {
        let member = &self.membership;
        let relaying =
            nodes.iter().filter(|node| node.relays && node.is_reachable()).count() as u64;
        let share = PARTITIONS.div_ceil(relaying.max(1));
        let held = member.partitions.load(Ordering::Relaxed);
        let is_held = |part: &u64| held & (1 << part) != 0;
        // Its own first; further ones from a place of its own, so that daemons do not all want the
        // same.
        let start = u64::from(holder.bytes().fold(0_u8, u8::wrapping_add)) % PARTITIONS;
        let all = || (0..PARTITIONS).map(|n| (start + n) % PARTITIONS);
        let own: Vec<_> = all().filter(is_held).collect();
        let (kept, surplus) = own.split_at(own.len().min(share.try_into().unwrap_or(usize::MAX)));
        let wanted = share.saturating_sub(kept.len() as u64);
        if !surplus.is_empty() {
            // No longer published before it is given away.
            let bits = kept.iter().fold(0, |bits, part| bits | 1 << part);
            member.partitions.store(bits, Ordering::Relaxed);
            let names: Vec<_> = surplus.iter().copied().map(relay).collect();
            self.store.lease_release(&names, holder).await?;
        }
        let mut held = self.acquire(kept, holder).await?;
        for part in all().filter(|part| !kept.contains(part) && !surplus.contains(part)) {
            if (held.count_ones() as usize) >= kept.len() + usize::try_from(wanted).unwrap_or(0) {
                break;
            }
            held |= self.acquire(&[part], holder).await?;
        }
        member.partitions.store(held, Ordering::Relaxed);
        Ok(())
    }

    /// Takes or renews the leases of partitions; returns those that are ours now, as bits.
    async fn acquire(&self, partitions: &[u64], holder: &str) -> Result<u64, Failure> {
        if partitions.is_empty() {
            return Ok(0);
        }
        let names: Vec<_> = partitions.iter().copied().map(relay).collect();
        let held = self.store.lease_acquire(&names, holder, LEASE_SECONDS).await?;
        let ours = partitions.iter().filter(|part| held.contains_key(&relay(**part)));
        Ok(ours.fold(0, |bits, part| bits | 1 << part))
    }

    /// Records that this node leaves, and gives its leases back.
    pub async fn leave(&self) {
        let epoch = self.membership.epoch.load(Ordering::Relaxed);
        self.membership.partitions.store(0, Ordering::Relaxed);
        self.membership.notifies.store(false, Ordering::Relaxed);
        if epoch == 0 {
            return;
        }
        let (node, holder) = (&self.context.origin.node_id, self.holder());
        let leave = self.store.node_leave(node, epoch, &holder, self.context.clock.now());
        if !matches!(timeout(LEAVING, leave).await, Ok(Ok(()))) {
            tracing::warn!("failed to record that this node leaves");
        }
    }

    /// The partitions of the outbox that this daemon publishes, as bits.
    pub fn partitions(&self) -> u64 {
        self.membership.partitions.load(Ordering::Relaxed)
    }

    /// Whether this daemon is the one that tells people outside.
    pub fn is_notifier(&self) -> bool {
        self.membership.notifies.load(Ordering::Relaxed)
    }

    /// How leases name this daemon: a later start of the same node is another holder.
    fn holder(&self) -> String {
        let epoch = self.membership.epoch.load(Ordering::Relaxed);
        format!("{}#{epoch}", self.context.origin.node_id)
    }

    /// Returns every node that ever took part; without a database, what was known last. This one lives: alone
    /// with a file it writes no further sign of life down.
    pub async fn nodes(&self) -> Vec<Node> {
        let mut nodes = match self.store.node_list().await {
            Ok(nodes) => nodes,
            Err(_) => self.membership.names.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        let own = |node: &&mut Node| node.id == self.context.origin.node_id;
        if let Some(own) = nodes.iter_mut().find(own) {
            (own.last_heartbeat, own.age_seconds, own.left_at) =
                (self.context.clock.now(), 0.0, None);
        }
        nodes
    }

    /// Ends the rows of a node that is gone for good, and with them the slots they hold; returns the
    /// names of its runners that were still live.
    ///
    /// # Errors
    ///
    /// `NODE_NOT_FOUND`, or `NODE_REACHABLE` for one that gives signs of life.
    pub async fn forget_node(&self, word: &str) -> Result<Vec<String>, Failure> {
        let nodes = self.store.node_list().await?;
        let meant: Vec<_> = nodes.iter().filter(|node| node.is_meant(word)).collect();
        let node = match meant.as_slice() {
            [node] => (*node).clone(),
            [] => {
                let what = format!("no node `{}`", word.escape_debug());
                return Err(Failure::not_found("NODE_NOT_FOUND", what)
                    .with_hint("stratavore nodes lists them"));
            }
            several => {
                let names: Vec<_> = several.iter().map(|node| node.name()).collect();
                let what = format!("`{}` could be {}", word.escape_debug(), names.join(", "));
                return Err(
                    Failure::not_found("NODE_AMBIGUOUS", what).with_hint("use more of its id")
                );
            }
        };
        if node.is_reachable() || node.id == self.context.origin.node_id {
            let what = format!("{} gives signs of life", node.name());
            return Err(Failure::conflict("NODE_REACHABLE", what)
                .with_hint("stop its runners and its daemon there"));
        }
        let services = self.clone();
        self.detached(async move { services.forget(&node).await }).await
    }

    async fn forget(&self, node: &Node) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for runner in self.store.runner_list("", "live", 0).await? {
            if runner.node_id != node.id {
                continue;
            }
            let reason = format!("its node {} was forgotten", node.name());
            let data = serde_json::json!({ "reason": reason, "node": node.id });
            let event = self.context.runner_event(EventType::RunnerFailed, &runner, data);
            let change = RunnerChange { reason: Some(reason), ..RunnerChange::default() };
            let ended =
                self.store.runner_move(&runner, RunnerStatus::Failed, change, event).await?;
            self.changes.runner(&ended);
            names.push(runner.name);
        }
        let data = serde_json::json!({ "node": node.id, "hostname": node.hostname });
        let event = self.context.system_event(EventType::NodeForgotten, data);
        self.store.node_forget(&node.id, event).await?;
        Ok(names)
    }

    /// Lets live runners of nodes that cannot be reached say so: what their rows tell may be over.
    pub(super) fn mark_unreachable(&self, runners: &mut [Runner]) {
        let own = &self.context.origin.node_id;
        let nodes = self.membership.names.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |runner: &Runner| {
            let node = nodes.iter().find(|node| node.id == runner.node_id)?;
            (runner.node_id != *own && runner.status.is_live() && !node.is_reachable())
                .then(|| (node.name(), node.last_heartbeat))
        };
        for runner in runners {
            if let Some((name, since)) = gone(runner) {
                let message = format!("{name} unreachable since {}", since.format("%H:%M:%S UTC"));
                runner.activity = Activity {
                    state: ActivityState::Error,
                    kind: None,
                    message: Some(message),
                    source: ActivitySource::Process,
                    since: Some(since),
                };
            }
        }
    }

    /// Tells watchers how the runners are of which other nodes have written since a place of the log, which
    /// moves on to where the log goes. Who begins to watch is told of all, so nothing is read for nobody.
    ///
    /// # Errors
    ///
    /// When the database fails: the place is as it was.
    pub async fn announce_others(&self, place: &mut Option<u64>) -> Result<(), Failure> {
        let newest = match *place {
            Some(_) => *self.store.doorbell().borrow(),
            None => self.store.event_newest().await?,
        };
        let after = place.unwrap_or(newest);
        if self.changes.is_watched() && after < newest {
            let own = &self.context.origin.node_id;
            match self.store.event_runners_of_others((after, newest), own, MOST_TOLD).await? {
                Some(ids) => {
                    for id in ids {
                        match self.store.runner_get(id).await? {
                            Some(runner) => self.changes.runner(&runner),
                            None => self.changes.announce(Change::Removed(vec![id])),
                        }
                    }
                }
                None => self.changes.announce(Change::All),
            }
        }
        *place = Some(newest.max(after));
        Ok(())
    }

    /// Makes sure that a runner is this node's.
    ///
    /// # Errors
    ///
    /// `OTHER_NODE` with the name of the node where it is.
    pub(super) async fn here(&self, runner: &Runner) -> Result<(), Failure> {
        let own = &self.context.origin.node_id;
        // A supervisor that is linked is proof, whatever the row says.
        let is_ours = runner.node_id == *own || runner.node_id.is_empty();
        if is_ours || !self.store.is_shared() || self.fleet.is_linked(runner.id) {
            return Ok(());
        }
        let nodes = self.nodes().await;
        let node = nodes.iter().find(|node| node.id == runner.node_id);
        let short = short(&runner.node_id);
        let name = node.map_or_else(|| short.clone(), Node::name);
        let what = format!("{} runs on the node {name}", runner.name);
        let failure = Failure::conflict("OTHER_NODE", what);
        Err(match node.filter(|node| !node.is_reachable()) {
            Some(node) => failure.with_hint(format!(
                "{name} is unreachable since {}; if it never comes back: stratavore reconcile \
                 --forget {short}",
                node.last_heartbeat.format("%Y-%m-%d %H:%M:%S UTC")
            )),
            None => failure.with_hint(format!("run this on {name}")),
        })
    }
}

/// The bits of all partitions.
fn all_partitions() -> u64 {
    (1 << PARTITIONS) - 1
}

/// The name of a partition's lease.
fn relay(partition: u64) -> String {
    format!("relay/{partition}")
}
