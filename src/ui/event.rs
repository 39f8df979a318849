//! What can happen to the dashboard, in terms that need no terminal and no daemon.

use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::effect::LaunchOrder;
use super::state::{Checkout, Looked, Present, SavedLayout, SearchAsk, Spent, Work};
use crate::{
    client::{ComponentView, HistoryView, RunnerUpdate},
    domain::{
        checkout::Changes,
        correction::{Correction, Screenshot},
        digest::Digest,
        event::Event,
        evidence::Explanation,
        failure::Failure,
        id::RunnerId,
        inbox::Item,
        launch::Launched,
        project::NewProject,
        project::Project,
        quota::ProjectQuota,
        runner::Runner,
        session::{Hit, Utterance},
        size::TerminalSize,
    },
    terminal::keys::{KeyPress, MouseEvent},
};

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) enum UiEvent {
    /// A key went down.
    Key(KeyPress),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something, on a row and column of our own terminal.
    Mouse(MouseEvent),
    /// The terminal has got the focus or lost it.
    Focus(bool),
    /// The terminal has so many columns and rows.
    Resized(u16, u16),
    /// The process is asked from outside to stop, as a job of a shell.
    Stopped,
    /// The process was stopped from outside and goes on; the terminal may have been used meanwhile.
    Continued,
    /// Time has passed.
    Tick(DateTime<Utc>),
    /// The daemon is there.
    Connected(DaemonView),
    /// The connection is gone; the next attempt is under way after a pause.
    Disconnected(String),
    /// Runners changed.
    Runners(RunnerUpdate),
    /// Projects as they are now.
    Projects(Vec<Project>),
    /// The projects' limits as they are now.
    Quotas(Vec<ProjectQuota>),
    /// What happened while nobody looked.
    Away(Box<Digest>),
    /// What waits for the user, the most urgent first.
    Inbox(Vec<Item>),
    /// What is used and may be used, as far as it was wanted.
    Spent(Box<Spent>),
    /// Events were committed, oldest first.
    Happened(Vec<Event>),
    /// A watched screen changed.
    Frame(RunnerId, Box<Frame>),
    /// A watched screen is not to be had for now.
    FrameLost(RunnerId),
    /// What a runner's screen shows, and how many lines of history are before it.
    ScrollbackOpened(RunnerId, Box<Present>),
    /// Lines of a runner's history from this one, counted from the first ever written.
    ScrollbackRead(RunnerId, u64, HistoryView),
    /// Lines of a runner's history and screen that have a text, counted from the first ever written.
    ScrollbackFound(RunnerId, String, Vec<u64>),
    /// What the last start had arranged, or why it cannot be used.
    LayoutFound(Result<Box<SavedLayout>, String>),
    /// What was looked at, by what is kept of it, or why that cannot be used.
    SeenFound(Result<Looked, String>),
    /// A runner's terminal cannot be given another size.
    ResizeRefused(RunnerId),
    /// What an ended runner showed last.
    LastScreen(RunnerId, Vec<String>),
    /// More of a runner's log.
    Log(RunnerId, String),
    /// A runner's log ends here, and why.
    LogEnded(RunnerId, String),
    /// What was found in all conversations, or why nobody knows.
    Found(Box<SearchAsk>, Result<Vec<Hit>, Failure>),
    /// More of what was said in a conversation, by the number of its reading.
    Said(u64, Vec<Utterance>),
    /// Nothing more of it comes, and why if that is before its end.
    SaidAll(u64, Result<(), Failure>),
    /// What a runner has changed, or why nobody knows.
    Changes(RunnerId, Result<Box<Changes>, String>),
    /// Why a runner's state is what it is, or why nobody knows.
    Explained(RunnerId, Result<Box<Explanation>, String>),
    /// What a runner's terminal shows.
    LookedAt(RunnerId, Box<Screenshot>),
    /// An agent that was found told its version.
    Version(String, String),
    /// The branch that is checked out in a directory, `None` if there is none.
    Branch(PathBuf, Option<Checkout>),
    /// An action ended.
    Outcome(Outcome),
}

/// A change of a watched screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The screen's size.
    pub(super) size: TerminalSize,
    /// It repaints everything.
    pub(super) full: bool,
    /// What to feed to the pane.
    pub(super) bytes: Bytes,
}

/// What the daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DaemonView {
    /// The node's host name.
    pub(super) hostname: String,
    /// Its version.
    pub(super) version: String,
    /// What kind of database it uses.
    pub(super) database: String,
    /// Its process.
    pub(super) pid: u32,
    /// Since when it runs.
    pub(super) started_at: Option<DateTime<Utc>>,
    /// Its resident memory.
    pub(super) memory_kb: u64,
    /// The root directory.
    pub(super) root: String,
    /// Its parts and how they are.
    pub(super) parts: Vec<ComponentView>,
    /// Parts that are not well, as `name: detail`.
    pub(super) unwell: Vec<String>,
}

/// What was tried when keys were refused, and when an answer was: both change what keys mean.
pub(super) const TYPE: &str = "type";
pub(super) const ANSWER: &str = "answer";
/// What was tried when a state was said to be wrong.
pub(super) const CORRECT: &str = "correct the state";

/// How an action ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// An agent was started.
    Launched(Box<Launched>),
    /// None was: the set-up command of its project is not allowed yet.
    Untrusted(Box<LaunchOrder>, Failure),
    /// A runner was stopped; whether it had ended before.
    Stopped(Box<Runner>, bool),
    /// A runner goes on with a conversation.
    Resumed(Box<Runner>),
    /// A runner that had ended goes on with its conversation, in itself or in another.
    Continued(RunnerId, Box<Runner>),
    /// A state was said to be wrong: what was learnt, or would be.
    Corrected(Box<Correction>),
    /// A runner was started again.
    Restarted(Box<Runner>),
    /// A runner was removed; how it was.
    Removed(Box<Runner>),
    /// That failed with a runner, and why.
    Refused(Work, RunnerId, Failure),
    /// No agent was started: what was tried, and why.
    NotLaunched(&'static str, Failure),
    /// A project was deleted.
    Forgotten(Box<NewProject>),
    /// Something was done; say so.
    Done(String),
    /// It failed: what was tried, and why.
    Failed(&'static str, Failure),
}
