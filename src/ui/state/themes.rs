//! Which themes there are, by name, and which one is shown; what they look like is not known here.

use super::{Area, State};

/// Columns of the list of themes.
const WIDE: u16 = 62;

/// Returns where the list of themes stands: at the right edge of what is between header and hints.
pub(in crate::ui) fn themes_area(state: &State, body: Area) -> Area {
    let width = WIDE.min(body.width);
    let lines = u16::try_from(state.themes.all.len() + 2).unwrap_or(u16::MAX);
    Area { x: body.x + body.width - width, width, height: lines.min(body.height), ..body }
}

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
