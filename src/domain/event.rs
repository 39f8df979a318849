//! Events: what changed, to what, when and by whom.
//!
//! Every write to the store takes the events it causes and commits both together, so that the log
//! and the state cannot disagree.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The kinds of events, named `<entity>.<what happened>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// A project was registered.
    ProjectCreated,
    /// A project was removed.
    ProjectDeleted,
    /// A launch or restart was accepted.
    RunnerStarting,
    /// The agent runs.
    RunnerStarted,
    /// The agent was stopped where it stood.
    RunnerPaused,
    /// It goes on.
    RunnerResumed,
    /// A stop was asked for.
    RunnerStopping,
    /// It ended: stopped, or by itself with exit code 0.
    RunnerStopped,
    /// It ended badly, or never began.
    RunnerFailed,
    /// It was found alive by a daemon that did not know it.
    RunnerAdopted,
    /// Its record was removed after its end, and with it its directory.
    RunnerRemoved,
    /// What the agent is doing changed.
    RunnerActivity,
    /// Its agent used tokens.
    TokensUsed,
    /// A budget was set, removed or reset, or its next period began.
    BudgetChanged,
    /// A share of a budget is used.
    BudgetWarning,
    /// A budget is used up.
    BudgetExhausted,
    /// Something was done to a runner whose budget is used up, or undone.
    RunnerHeld,
    /// A person should see to something.
    InboxOpened,
    /// The same is told better.
    InboxUpdated,
    /// It is put off.
    InboxSnoozed,
    /// It was answered or put away, or its cause is gone.
    InboxClosed,
    /// The policy of approvals has decided what an agent wanted to do.
    ApprovalDecided,
    /// A prompt was typed; tells whether it was submitted and a turn started.
    PromptDelivered,
    /// A prompt waits for its agent.
    PromptQueued,
    /// A prompt that waited was taken back.
    PromptCancelled,
    /// A prompt that waited was not typed, or whether it was is not known.
    PromptFailed,
    /// A person said that its state was wrong, and what it really was.
    RunnerCorrected,
    /// A conversation began.
    SessionCreated,
    /// A conversation went on.
    SessionResumed,
    /// A conversation is over.
    SessionEnded,
    /// A worktree was made for a runner.
    WorktreeCreated,
    /// A worktree was removed; tells the ref that keeps what was in it.
    WorktreeRemoved,
    /// A removed worktree was made again.
    WorktreeRestored,
    /// The user has allowed a project's set-up command.
    SetupTrusted,
    /// A daemon started.
    DaemonStarted,
    /// A daemon stopped in good order.
    DaemonStopped,
    /// Something needs an operator.
    SystemAlert,
    /// Parked events were given their tries back.
    OutboxRetried,
    /// A parked event was taken out of the queue to the broker.
    OutboxDiscarded,
    /// A project's quota was set or removed.
    QuotaChanged,
    /// Where the log stood, for whoever keeps it apart from the database.
    AuditCheckpoint,
    /// Old events were removed; tells up to which position, and the seal there.
    EventsPruned,
    /// A node that is gone was forgotten, its runners with it.
    NodeForgotten,
    /// Somebody has words of their own for people outside.
    NotificationRequested,
    /// Parked notifications were given their tries back.
    NotificationRetried,
    /// Notifications were given up.
    NotificationDiscarded,
    /// What ran and what it cost, on schedule.
    MetricsSummary,
    /// A token of the HTTP API was made.
    TokenCreated,
    /// A token of the HTTP API was revoked.
    TokenRevoked,
    /// Something inside a runner was refused a call.
    CallDenied,
    /// The first key of the log was shown.
    AuditKeyShown,
    /// A backup was taken away over the HTTP API.
    BackupMade,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 52] = [
        Self::ProjectCreated,
        Self::ProjectDeleted,
        Self::RunnerStarting,
        Self::RunnerStarted,
        Self::RunnerPaused,
        Self::RunnerResumed,
        Self::RunnerStopping,
        Self::RunnerStopped,
        Self::RunnerFailed,
        Self::RunnerAdopted,
        Self::RunnerRemoved,
        Self::RunnerActivity,
        Self::TokensUsed,
        Self::BudgetChanged,
        Self::BudgetWarning,
        Self::BudgetExhausted,
        Self::RunnerHeld,
        Self::InboxOpened,
        Self::InboxUpdated,
        Self::InboxSnoozed,
        Self::InboxClosed,
        Self::ApprovalDecided,
        Self::PromptDelivered,
        Self::PromptQueued,
        Self::PromptCancelled,
        Self::PromptFailed,
        Self::RunnerCorrected,
        Self::SessionCreated,
        Self::SessionResumed,
        Self::SessionEnded,
        Self::WorktreeCreated,
        Self::WorktreeRemoved,
        Self::WorktreeRestored,
        Self::SetupTrusted,
        Self::DaemonStarted,
        Self::DaemonStopped,
        Self::SystemAlert,
        Self::OutboxRetried,
        Self::OutboxDiscarded,
        Self::QuotaChanged,
        Self::AuditCheckpoint,
        Self::AuditKeyShown,
        Self::EventsPruned,
        Self::NodeForgotten,
        Self::NotificationRequested,
        Self::NotificationRetried,
        Self::NotificationDiscarded,
        Self::MetricsSummary,
        Self::TokenCreated,
        Self::TokenRevoked,
        Self::CallDenied,
        Self::BackupMade,
    ];

    /// The names of all of them, and what several begin with, with its dot.
    pub fn names() -> Vec<String> {
        let whole = Self::ALL.map(|one| one.as_str().to_owned());
        let begun = whole.iter().filter_map(|name| Some(name.split_once('.')?.0.to_owned() + "."));
        let mut all: Vec<String> = begun.chain(whole.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether there are events of this type or, where it ends with a dot, of types that begin so.
    pub fn is_there(word: &str) -> bool {
        let fits = |name: &str| name == word || (word.ends_with('.') && name.starts_with(word));
        Self::ALL.into_iter().any(|one| fits(one.as_str()))
    }

    /// The name in tables, on the wire and in routing keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProjectCreated => "project.created",
            Self::ProjectDeleted => "project.deleted",
            Self::RunnerStarting => "runner.starting",
            Self::RunnerStarted => "runner.started",
            Self::RunnerPaused => "runner.paused",
            Self::RunnerResumed => "runner.resumed",
            Self::RunnerStopping => "runner.stopping",
            Self::RunnerStopped => "runner.stopped",
            Self::RunnerFailed => "runner.failed",
            Self::RunnerAdopted => "runner.adopted",
            Self::RunnerRemoved => "runner.removed",
            Self::RunnerActivity => "runner.activity",
            Self::TokensUsed => "tokens.used",
            Self::BudgetChanged => "budget.changed",
            Self::BudgetWarning => "budget.warning",
            Self::BudgetExhausted => "budget.exhausted",
            Self::RunnerHeld => "runner.held",
            Self::InboxOpened => "inbox.opened",
            Self::InboxUpdated => "inbox.updated",
            Self::InboxSnoozed => "inbox.snoozed",
            Self::InboxClosed => "inbox.closed",
            Self::ApprovalDecided => "approval.decided",
            Self::PromptDelivered => "prompt.delivered",
            Self::PromptQueued => "prompt.queued",
            Self::PromptCancelled => "prompt.cancelled",
            Self::PromptFailed => "prompt.failed",
            Self::RunnerCorrected => "runner.corrected",
            Self::SessionCreated => "session.created",
            Self::SessionResumed => "session.resumed",
            Self::SessionEnded => "session.ended",
            Self::WorktreeCreated => "worktree.created",
            Self::WorktreeRemoved => "worktree.removed",
            Self::WorktreeRestored => "worktree.restored",
            Self::SetupTrusted => "worktree.setup_trusted",
            Self::DaemonStarted => "daemon.started",
            Self::DaemonStopped => "daemon.stopped",
            Self::SystemAlert => "system.alert",
            Self::OutboxRetried => "outbox.retried",
            Self::OutboxDiscarded => "outbox.discarded",
            Self::QuotaChanged => "quota.changed",
            Self::AuditCheckpoint => "audit.checkpoint",
            Self::EventsPruned => "events.pruned",
            Self::NodeForgotten => "node.forgotten",
            Self::NotificationRequested => "notification.requested",
            Self::NotificationRetried => "notification.retried",
            Self::NotificationDiscarded => "notification.discarded",
            Self::MetricsSummary => "metrics.summary",
            Self::TokenCreated => "token.created",
            Self::TokenRevoked => "token.revoked",
            Self::CallDenied => "call.denied",
            Self::AuditKeyShown => "audit.key_shown",
            Self::BackupMade => "backup.made",
        }
    }
}

/// An event about to be written; the store adds position, sequence and the runner's name.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Ordered by time, a version 7 UUID.
    pub id: Uuid,
    /// What happened.
    pub event_type: EventType,
    /// `project`, `runner` or `daemon`.
    pub entity_type: &'static str,
    /// A project's name, a runner's or a node's id.
    pub entity_id: String,
    /// The project it belongs to; empty for a daemon's.
    pub project: String,
    /// The runner's name; empty for others, and for a launch, whose write gives it one.
    pub runner: String,
    /// Details as a JSON object.
    pub data: Value,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The trace it belongs to, 32 hexadecimal digits, or empty.
    pub trace_id: String,
    /// Its entity begins with it, under an id that was made for it: nobody else can have counted an event
    /// of it, so that its sequence is 1 without a question to the database.
    pub is_first: bool,
    /// Who caused it; empty for the user whom the daemon runs as.
    pub by: String,
}

impl NewEvent {
    /// Where a broker routes it: the type, then the project or, for what has none, the entity; alerts
    /// by their severity, tokens as `metrics.tokens.<project>`, a resumed session by its id.
    pub fn routing_key(&self) -> String {
        match self.event_type {
            EventType::TokensUsed => return format!("metrics.tokens.{}", self.project),
            EventType::SessionResumed => return format!("session.resumed.{}", self.entity_id),
            _ => {}
        }
        if self.event_type == EventType::SystemAlert {
            let severity = self.data.get("severity").and_then(Value::as_str).unwrap_or("warning");
            return format!("system.alert.{severity}");
        }
        let scope = if self.project.is_empty() { &self.entity_id } else { &self.project };
        format!("{}.{scope}", self.event_type.as_str())
    }
}

/// Into so many parts the work of publishing is divided among daemons.
pub const PARTITIONS: u64 = 8;

/// Returns the part that an entity's events belong to, 0…[`PARTITIONS`] - 1: always the same one, so
/// that one publisher keeps their order. FNV-1a, because the standard library's hashes may change.
pub fn partition_of(entity_type: &str, entity_id: &str) -> u64 {
    let bytes = entity_type.bytes().chain(entity_id.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) % PARTITIONS
}

/// A committed event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Its place in the log, from 1 without gaps; 0 while it is not sealed.
    pub position: u64,
    /// Its id.
    pub event_id: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// See [`EventType::as_str`].
    pub event_type: String,
    /// `project`, `runner` or `daemon`.
    pub entity_type: String,
    /// A project's name, a runner's or a node's id.
    pub entity_id: String,
    /// Counts the entity's events from 1 without gaps.
    pub sequence: u64,
    /// The project, or empty.
    pub project: String,
    /// The runner's name, or empty.
    pub runner: String,
    /// Who caused it: the daemon's user (`uid:1000`), who called the HTTP API (`http:` and the name of
    /// the token) or wrote to the bot (`telegram:` and the user's number).
    pub user_id: String,
    /// Where.
    pub hostname: String,
    /// On which node.
    pub node_id: String,
    /// The trace it belongs to, or empty.
    pub trace_id: String,
    /// Details as a JSON object.
    pub data: Value,
}

/// Which events are wanted; empty fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// A project's name.
    pub project: String,
    /// A type or, ending with a dot, the beginning of one.
    pub event_type: String,
    /// A runner's name.
    pub runner: String,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

impl EventFilter {
    /// Whether the event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        let type_fits = self.event_type.is_empty()
            || event.event_type == self.event_type
            || (self.event_type.ends_with('.') && event.event_type.starts_with(&self.event_type));
        type_fits
            && (self.project.is_empty() || event.project == self.project)
            && (self.runner.is_empty() || event.runner == self.runner)
            && self.since.is_none_or(|since| event.timestamp >= since)
            && self.until.is_none_or(|until| event.timestamp < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_whole_name_or_a_beginning_with_its_dot() {
        assert!(EventType::is_there("inbox.") && EventType::is_there("inbox.opened"));
        assert!(!EventType::is_there("inbox") && !EventType::is_there("nosuch."));
        let names: std::collections::BTreeSet<_> =
            EventType::ALL.into_iter().map(EventType::as_str).collect();
        assert_eq!(names.len(), EventType::ALL.len());
        let arms = include_str!("event.rs").lines().filter(|line| line.contains(" => \"")).count();
        assert_eq!(arms, EventType::ALL.len(), "one is missing among all");
    }
}
