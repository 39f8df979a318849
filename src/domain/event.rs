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
    /// What the agent is doing changed.
    RunnerActivity,
    /// A daemon started.
    DaemonStarted,
    /// A daemon stopped in good order.
    DaemonStopped,
}

impl EventType {
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
            Self::RunnerActivity => "runner.activity",
            Self::DaemonStarted => "daemon.started",
            Self::DaemonStopped => "daemon.stopped",
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
    /// Details as a JSON object.
    pub data: Value,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// A committed event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the log.
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
    /// Who caused it.
    pub user_id: String,
    /// Where.
    pub hostname: String,
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
    }
}
