//! What `update` wants done, as data: nothing here happens until the loop does it.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::{Looked, SavedLayout, SearchAsk, Wants, Watched};
use crate::{
    config::presets::Preset,
    domain::{
        answer::Answer,
        budget::{BudgetChange, BudgetScope, Period},
        checkout::WorktreeWish,
        correction::CorrectionRequest,
        id::RunnerId,
        project::NewProject,
        quota::QuotaChange,
        size::TerminalSize,
    },
    terminal::MouseMode,
};

/// Something to be done outside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Leave the dashboard.
    Quit,
    /// Stop as the shell's job control would: with the whole job, or this process alone.
    Suspend(bool),
    /// Paint everything anew.
    Redraw,
    /// Leave the dashboard with this runner as the choice.
    Picked(RunnerId),
    /// Find this preset next time.
    KeepPreset(String, Preset),
    /// Ask the agents that were found for their versions.
    AskVersions,
    /// Write what happened last into a file.
    Dump,
    /// Find this theme again next time.
    KeepTheme(String),
    /// Ring the terminal's bell, or have it notify the desktop with a text.
    Alert {
        /// Whether the bell rings.
        bell: bool,
        /// What the desktop shows.
        desktop: Option<String>,
    },
    /// Hand the whole terminal to a runner.
    Attach(RunnerId),
    /// Ask the user's terminal to tell so much of the mouse.
    ReportMouse(MouseMode),
    /// Follow these screens and no others.
    Watch(BTreeSet<Watched>),
    /// Fetch what an ended runner showed last.
    LastScreen(RunnerId),
    /// Read which branch is checked out in a directory.
    ReadBranch(PathBuf),
    /// Read and follow this runner's log and no other.
    ReadLog(Option<RunnerId>),
    /// Search what was said in all conversations.
    Search(Box<SearchAsk>),
    /// Read what was said in this conversation, telling of it by this number, and no other.
    ReadConversation(Option<(String, u64)>),
    /// Read what this runner has changed, again and again, and no other's.
    ReadChanges(Option<RunnerId>),
    /// Read the projects again.
    ListProjects,
    /// Read the projects' limits again.
    ListQuotas,
    /// Change limits of a project.
    SetQuota(String, QuotaChange),
    /// Read what is used and may be used, after a pause.
    ReadSpending(Box<Wants>, Duration),
    /// Set a budget.
    SetBudget(Box<BudgetChange>),
    /// Remove a budget.
    RemoveBudget(BudgetScope, Period),
    /// Let a budget begin anew.
    ResetBudget(BudgetScope, Period),
    /// Go on with a conversation, in a terminal of this size.
    ResumeSession(String, TerminalSize),
    /// Go on with the conversation of a runner that has ended, in a terminal of this size.
    ResumeRunner(RunnerId, String, TerminalSize),
    /// Ask why a runner's state is what it is.
    Explain(RunnerId),
    /// Ask what a runner's terminal shows.
    LookAt(RunnerId),
    /// Say what a runner is really at.
    Correct(Box<CorrectionRequest>),
    /// Start an agent.
    Launch(Box<LaunchOrder>),
    /// End a runner, without grace if forced.
    Stop(RunnerId, bool),
    /// Delete a project that has no live runner.
    DeleteProject(Box<NewProject>),
    /// Register a project.
    CreateProject(Box<NewProject>),
    /// Start a runner again, ending it first if it lives.
    Restart(RunnerId),
    /// Remove an ended runner with what it wrote.
    Remove(RunnerId),
    /// Stop a runner's processes where they stand, or let them go on.
    SetPaused(RunnerId, bool),
    /// Ask what a runner's screen shows and how long its history is.
    OpenScrollback(RunnerId),
    /// Load lines of history from this one, counted from the first ever written.
    ReadScrollback(RunnerId, u64),
    /// Search history and screen for a text.
    SearchScrollback(RunnerId, String),
    /// Put a text where it can be pasted from.
    Copy(String),
    /// Keep this arrangement of panes for the next start.
    SaveLayout(Box<SavedLayout>),
    /// Keep what was looked at for the next start.
    KeepSeen(Looked),
    /// Give a runner's terminal this size, once it has been wanted for a moment.
    Resize(RunnerId, TerminalSize),
    /// Type bytes into a runner.
    SendKeys(RunnerId, Vec<u8>),
    /// Answer a runner's question, if it still asks that.
    Answer(Box<AnswerOrder>),
    /// Do something about an item of the inbox.
    ActOnItem(Box<ItemOrder>),
    /// Tell the daemon what was looked at.
    MarkSeen(Looked),
    /// Type a line for a runner's prompt and submit it.
    SendText(RunnerId, String),
}

/// A question to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerOrder {
    /// Whose.
    pub(super) id: RunnerId,
    /// When it was asked: another question has another time.
    pub(super) asked: DateTime<Utc>,
    /// The answer.
    pub(super) answer: Answer,
    /// What to say when it is done.
    pub(super) said: String,
}

/// What is done about an item of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ItemDeed {
    /// It is answered.
    Answer(Answer),
    /// It is put off for so long.
    Snooze(Duration),
    /// It is put away.
    Dismiss,
}

/// An item of the inbox that something is done about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemOrder {
    /// Which.
    pub(super) id: Uuid,
    /// When its question was asked, as it was shown.
    pub(super) asked: DateTime<Utc>,
    /// What is done.
    pub(super) deed: ItemDeed,
    /// What to say when it is done.
    pub(super) said: String,
}

/// An agent to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaunchOrder {
    /// The project's name.
    pub(super) project: String,
    /// The project to be registered first.
    pub(super) register: Option<NewProject>,
    /// The runner's name; empty for the next number.
    pub(super) name: String,
    /// Program and arguments.
    pub(super) command: Vec<OsString>,
    /// Working directory.
    pub(super) cwd: PathBuf,
    /// A worktree to be made for it.
    pub(super) worktree: Option<WorktreeWish>,
    /// The terminal's first size.
    pub(super) size: TerminalSize,
    /// So many tokens each may use at most.
    pub(super) max_tokens: Option<u64>,
    /// So many of them, one after the other; more than one have no name of their own.
    pub(super) count: u32,
}
