//! What keys ask for, each in a word. Which key, where, and what is said of it is the table's matter; what
//! it does is the dashboard's.

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Select the next runner.
    Down,
    /// Select the one before.
    Up,
    /// Select a screenful further.
    PageDown,
    /// Select a screenful back.
    PageUp,
    /// Select the first.
    First,
    /// Select the last.
    Last,
    /// Select the next that needs a person, the longest waiting first.
    NextNeeding,
    /// Open the runner in place.
    Open,
    /// Look at what the runner showed before.
    Scrollback,
    /// Half a screenful up.
    HalfPageUp,
    /// Half a screenful down.
    HalfPageDown,
    /// A column to the left.
    Left,
    /// A column to the right.
    Right,
    /// The first column.
    LineStart,
    /// The last column.
    LineEnd,
    /// The next word.
    NextWord,
    /// The word before.
    PreviousWord,
    /// Begin to select, or stop it.
    Select,
    /// Select whole lines.
    SelectLines,
    /// Search for a text.
    Search,
    /// The next match, older.
    Older,
    /// The next match, newer.
    Newer,
    /// The next line with what was searched for.
    NextMatch,
    /// The line with it before.
    PreviousMatch,
    /// Copy.
    Copy,
    /// Open another pane beside.
    SplitRight,
    /// Open another pane below.
    SplitBelow,
    /// Show the panes.
    ShowPanes,
    /// Show all live runners of a project.
    Grid,
    /// Go to the pane on the left.
    FocusLeft,
    /// Go to the pane on the right.
    FocusRight,
    /// Go to the pane above.
    FocusUp,
    /// Go to the pane below.
    FocusDown,
    /// Go to the next pane.
    NextPane,
    /// Go to the pane before.
    PreviousPane,
    /// Go to a pane by its number.
    PaneByNumber,
    /// Move a divider to the left.
    GrowLeft,
    /// Move a divider to the right.
    GrowRight,
    /// Move a divider up.
    GrowUp,
    /// Move a divider down.
    GrowDown,
    /// Change places with the next pane.
    SwapNext,
    /// Change places with the pane before.
    SwapPrevious,
    /// Show this pane only, or all.
    Zoom,
    /// Close the pane.
    ClosePane,
    /// Stack what lies side by side, and back.
    Turn,
    /// Give all panes the same room.
    Balance,
    /// Bring back what was arranged before.
    Undo,
    /// Type into all panes at once.
    Synchronise,
    /// Hand the terminal to the agent.
    Attach,
    /// Open the launch dialog.
    Launch,
    /// Launch what was found, or the shell, here.
    LaunchFound,
    /// Launch the shell here.
    LaunchShell,
    /// Tell about the demonstration.
    Demo,
    /// End the runner.
    Stop,
    /// End it at once.
    Kill,
    /// Start it again.
    Restart,
    /// Pause it or let it go on.
    Pause,
    /// End all that are listed.
    StopAll,
    /// End them at once.
    KillAll,
    /// Start them again.
    RestartAll,
    /// Start all lost ones again, each in its conversation if it had one.
    ResumeLost,
    /// Start one again in its conversation, if it had one.
    Continue,
    /// Remove a runner that has ended.
    Remove,
    /// Remove all that are listed and have ended.
    RemoveEnded,
    /// Delete a project.
    Forget,
    /// Answer the agent's question with yes.
    Approve,
    /// Answer it with no.
    Deny,
    /// Answer it with a choice by its number.
    Choose,
    /// Send keys to the agent.
    Type,
    /// Write a line for the agent.
    Line,
    /// Go to the runner of the newest note.
    GoToNotice,
    /// Narrow the list.
    Filter,
    /// Narrow it where the key for that searches.
    Narrow,
    /// Arrange by state or by project.
    Arrange,
    /// Give the events more or less room.
    Events,
    /// Fold or unfold what is finished.
    Fold,
    /// Show all events.
    ShowEvents,
    /// Show a runner's log.
    ShowLog,
    /// Show what a runner has changed.
    ShowChanges,
    /// Show why a state is what it is.
    ShowEvidence,
    /// Say what a state really is.
    Correct,
    /// Show what is configured.
    ShowSettings,
    /// Show how everything is.
    ShowHealth,
    /// Show what was used.
    ShowUsage,
    /// Show what may be used.
    ShowBudgets,
    /// Show the agents' conversations.
    ShowSessions,
    /// Tell sums apart by something else.
    NextBy,
    /// By what came before.
    PreviousBy,
    /// A day or a month.
    Range,
    /// Those of one project, or all.
    OneProject,
    /// Set a budget.
    AddBudget,
    /// Go on with a conversation.
    ResumeSession,
    /// Read what was said in one.
    ReadSession,
    /// Search what was said in all.
    SearchAll,
    /// Show what waits for the user.
    ShowInbox,
    /// Put an item off.
    Snooze,
    /// Show and change what a project may use.
    Quotas,
    /// Follow the end.
    Follow,
    /// Show something whole.
    Inspect,
    /// Write what happened last into a file.
    Dump,
    /// Find anything.
    Palette,
    /// Find a runner.
    Runners,
    /// Choose a theme.
    Themes,
    /// Show all keys.
    Help,
    /// Leave.
    Quit,
    /// Stop as a job.
    Suspend,
    /// Paint anew.
    Redraw,
    /// Agree, send, launch.
    Accept,
    /// Go back.
    Cancel,
    /// The next field.
    NextField,
    /// The field before.
    PreviousField,
    /// Keep what is filled in as a preset.
    KeepPreset,
    /// The next suggestion.
    NextChoice,
    /// The suggestion before.
    PreviousChoice,
}
