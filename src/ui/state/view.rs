//! Which view fills the screen between header and hints.

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ui) enum View {
    /// The list of runners with the selected one's screen.
    #[default]
    Dashboard,
    /// Runners' screens side by side and one below the other.
    Panes,
    /// What has happened.
    Events,
    /// What a runner has written.
    Log,
    /// What a runner has changed since its launch.
    Changes,
    /// Why its state is what it is.
    Evidence,
    /// What is configured, and where.
    Settings,
    /// The daemon, its parts, the supervisors.
    Health,
    /// What agents used.
    Usage,
    /// How much they may use.
    Budgets,
    /// Their conversations.
    Sessions,
    /// What was found in all of them.
    Found,
    /// What was said in one.
    Conversation,
    /// What waits for the user.
    Inbox,
}
