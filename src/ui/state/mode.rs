//! What the keys do now: move in the list, answer a question, fill in a line, go to an agent.

use chrono::{DateTime, Utc};

use super::{
    Axis, BudgetDialog, CorrectDialog, LaunchDialog, Palette, QuotaDialog, TextLine, ThemePicker,
    Work,
};
use crate::{
    domain::{
        budget::{BudgetScope, Period},
        id::RunnerId,
        project::NewProject,
    },
    ui::effect::LaunchOrder,
};

/// Where the keys go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Mode {
    /// To the view that is shown: the list, the first screen when there is none, the panes.
    List,
    /// Into the filter.
    Filter,
    /// Into a text to search a log for.
    Find,
    /// To a question.
    Confirm(Confirm),
    /// Into the launch dialog.
    Launch(LaunchDialog),
    /// Into the dialog of quotas.
    Quotas(QuotaDialog),
    /// Into the dialog of a budget.
    Budget(BudgetDialog),
    /// Into the dialog of a state that is wrong.
    Correct(CorrectDialog),
    /// To this runner's agent.
    Typing(RunnerId),
    /// Into a line for an agent.
    Line(Reply),
    /// Nowhere: what they were typed into is gone, and its user may not have noticed yet.
    Held(Held),
    /// To the runners for a new pane.
    Pick(Pick),
    /// Into the palette.
    Palette(Palette),
    /// To the list of themes.
    Themes(ThemePicker),
    /// To what this runner showed before.
    Scrollback(RunnerId),
    /// Into a text to search for there.
    Search(RunnerId, TextLine),
    /// Into words to search all conversations for.
    Words(TextLine),
    /// To the list of all keys; scrolled by so many lines.
    Help(usize),
}

/// A line for an agent, and what it replies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Reply {
    /// Whose agent.
    pub(in crate::ui) id: RunnerId,
    /// When the question was asked that it replies to; `None` when nothing was asked.
    pub(in crate::ui) asked: Option<DateTime<Utc>>,
    /// The line.
    pub(in crate::ui) line: TextLine,
}

/// Keys that are held back, because as commands they would do something that nobody meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Held {
    /// What happened.
    pub(in crate::ui) why: String,
    /// When the last key was pressed: after a pause they mean something again.
    pub(in crate::ui) last: DateTime<Utc>,
}

/// A runner being chosen for a new pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Pick {
    /// Where the pane will be, seen from the one in focus.
    pub(in crate::ui) axis: Axis,
    /// Which of the runners without a pane.
    pub(in crate::ui) chosen: usize,
}

/// Something that destroys, and what it destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Confirm {
    /// What is to be done.
    pub(in crate::ui) deed: Deed,
    /// What is asked, with what will be lost.
    pub(in crate::ui) question: String,
}

/// What needs a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Deed {
    /// End a runner, with time to save.
    Stop(RunnerId),
    /// End it at once.
    Kill(RunnerId),
    /// End it and start it again.
    Restart(RunnerId),
    /// Remove a runner that has ended.
    Remove(RunnerId),
    /// Do this to all of these.
    All(Work, Vec<RunnerId>),
    /// Delete a project.
    Forget(String),
    /// Run a set-up command in new worktrees of a project, and launch; since when that is asked.
    TrustSetup(Box<LaunchOrder>, DateTime<Utc>),
    /// Remove a budget.
    RemoveBudget(BudgetScope, Period),
    /// Let it begin anew.
    ResetBudget(BudgetScope, Period),
}

/// What can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Undo {
    /// Runners were stopped: they are started again.
    Stopped(Vec<RunnerId>),
    /// A project was deleted: it is registered again.
    Forgotten(Box<NewProject>),
}
