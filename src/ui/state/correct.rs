//! The dialog of a state that is wrong: what it really is, and by which line of the screen that is told.

use crate::domain::{
    correction::{Correction, CorrectionRequest, Screenshot, Truth},
    id::RunnerId,
};

/// What a runner can really be at, as it is offered: the state, and why it is blocked.
pub(in crate::ui) const TRUTHS: [(&str, &str); 8] = [
    ("idle", ""),
    ("working", ""),
    ("blocked", "permission"),
    ("blocked", "question"),
    ("blocked", "trust"),
    ("blocked", "auth"),
    ("blocked", "onboarding"),
    ("error", ""),
];

/// The dialog.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ui) struct CorrectDialog {
    /// Whose state is wrong.
    pub(in crate::ui) id: RunnerId,
    /// Its name.
    pub(in crate::ui) name: String,
    /// What is said of it, and by whom.
    pub(in crate::ui) was: String,
    /// Which of [`TRUTHS`] it really is.
    pub(in crate::ui) chosen: usize,
    /// What its terminal showed when the dialog was opened, once that is known.
    pub(in crate::ui) looked: Option<Screenshot>,
    /// A draft is waited for.
    pub(in crate::ui) is_asking: bool,
    /// What would be learnt, once that is known.
    pub(in crate::ui) draft: Option<Box<Correction>>,
    /// Which of its lines tells it.
    pub(in crate::ui) line: usize,
}

// All of it can be compared: what is a number is finite.
impl Eq for CorrectDialog {}

impl CorrectDialog {
    /// What it really is.
    pub(in crate::ui) fn truth(&self) -> Option<Truth> {
        let (state, kind) = TRUTHS.get(self.chosen)?;
        Truth::parse(state, kind).ok()
    }

    /// How many rows there are to choose from now.
    pub(in crate::ui) fn choices(&self) -> usize {
        self.draft.as_ref().map_or(TRUTHS.len(), |draft| draft.lines.len())
    }

    /// Returns what is asked of the daemon: a draft first, then that it be kept.
    pub(in crate::ui) fn request(&self) -> Option<CorrectionRequest> {
        let draft = self.draft.as_deref();
        Some(CorrectionRequest {
            runner: self.id.to_string(),
            truth: self.truth()?,
            // What was drafted from is what is kept.
            looked: draft.map(|draft| draft.looked.clone()).or_else(|| self.looked.clone()),
            line: draft.and_then(|draft| draft.lines.get(self.line).cloned()),
            is_draft: draft.is_none(),
        })
    }
}
