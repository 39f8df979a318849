//! What is known of the runners' own screens: live ones by frames, those of ended runners as text.
//!
//! Invariant: only screens that can be shown are kept; what is hidden is neither asked for nor
//! remembered longer than its place.

use std::collections::BTreeMap;

use crate::{domain::id::RunnerId, terminal::Pane};

/// One runner's screen.
#[derive(Default)]
pub(in crate::ui) struct RunnerScreen {
    /// The screen, once a whole frame has come.
    pub(in crate::ui) pane: Option<Pane>,
    /// Whether it is followed; otherwise it is what was seen last.
    pub(in crate::ui) is_live: bool,
    /// What an ended runner showed last.
    pub(in crate::ui) last: Vec<String>,
    /// That was asked for.
    pub(in crate::ui) is_last_asked: bool,
}

/// The screens that are known, by runner.
pub(in crate::ui) type Screens = BTreeMap<RunnerId, RunnerScreen>;

/// A screen to be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ui) struct Watched {
    /// Whose.
    pub(in crate::ui) id: RunnerId,
    /// Keys go there: each change is shown as soon as it comes. Others are only looked at, and
    /// need fewer frames.
    pub(in crate::ui) is_typed_into: bool,
}
