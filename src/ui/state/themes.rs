//! Which themes there are, by name, and which one is shown; what they look like is not known here.

/// The themes and the choice among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Themes {
    /// Names with what they are.
    pub(in crate::ui) all: Vec<(String, String)>,
    /// The name of the one that is shown.
    pub(in crate::ui) shown: String,
    /// Where the configuration sets it, if it does: what is chosen here lasts as long as this
    /// dashboard.
    pub(in crate::ui) set_in: Option<String>,
    /// What is shown was chosen in a dashboard.
    pub(in crate::ui) is_chosen: bool,
}

/// The list of themes while one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct ThemePicker {
    /// The one under the cursor.
    pub(in crate::ui) at: usize,
    /// The one that comes back when nothing is chosen.
    pub(in crate::ui) before: String,
}
