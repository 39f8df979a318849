//! Which view fills the screen between header and hints.

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ui) enum View {
    /// The list of runners with the selected one's screen.
    #[default]
    Dashboard,
    /// Runners' screens side by side and one below the other.
    Panes,
}
