//! The dialog of a state that is wrong: what it really is, and by which line of the screen that is told.

use super::{Area, Geometry};
use crate::domain::{
    activity::Activity,
    correction::{Correction, CorrectionRequest, Screenshot, Truth},
    id::RunnerId,
};

/// What a runner can really be at, as it is offered: the state, and why it is blocked.
const TRUTHS: [(&str, &str); 8] = [
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
    /// Which of [`TRUTHS`] is said of it already: that is not offered.
    pub(in crate::ui) said: Option<usize>,
    /// Which of them it really is.
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

    /// Which of [`TRUTHS`] is said of an agent.
    pub(in crate::ui) fn said_of(activity: &Activity) -> Option<usize> {
        let is_said = |(state, kind): &(&str, &str)| {
            Truth::parse(state, kind).is_ok_and(|truth| truth.is_said(activity))
        };
        TRUTHS.iter().position(is_said)
    }

    /// What is offered, with its place among all: its number stays the same whatever is left out.
    pub(in crate::ui) fn offered(&self) -> Vec<(usize, (&'static str, &'static str))> {
        let all = TRUTHS.into_iter().enumerate();
        all.filter(|(at, _)| Some(*at) != self.said).collect()
    }

    /// Goes to the first state that is offered.
    pub(in crate::ui) fn begin(&mut self) {
        self.chosen = self.offered().first().map_or(0, |(at, _)| *at);
    }

    /// Goes to the next or the one before of what there is to choose from now.
    pub(in crate::ui) fn step(&mut self, forward: bool) {
        let places: Vec<usize> = match &self.draft {
            Some(draft) => (0..draft.lines.len()).collect(),
            None => self.offered().into_iter().map(|(at, _)| at).collect(),
        };
        let at = if self.draft.is_some() { &mut self.line } else { &mut self.chosen };
        let next = if forward {
            places.iter().find(|place| **place > *at)
        } else {
            places.iter().rev().find(|place| **place < *at)
        };
        *at = next.copied().unwrap_or(*at);
    }

    /// Goes to what a number stands for; false where it stands for nothing.
    pub(in crate::ui) fn go_to(&mut self, number: usize) -> bool {
        let is_there = match &self.draft {
            Some(draft) => number < draft.lines.len(),
            None => number < TRUTHS.len() && Some(number) != self.said,
        };
        if is_there {
            let at = if self.draft.is_some() { &mut self.line } else { &mut self.chosen };
            *at = number;
        }
        is_there
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

/// Where the dialog stands: beside the screen where there is room, else over everything, so that nothing
/// that can be chosen is hidden.
pub(in crate::ui) fn correct_area(areas: &Geometry) -> Area {
    if areas.is_side_by_side() { areas.list } else { areas.body }
}
