//! What happened to the dashboard last, so that it can be told and played again.
//!
//! A ring of what was applied, without frames. What falls out of it is remembered as the state it
//! led to, so that what is told begins with everything known then. Invariant: no text that was typed
//! into an agent or pasted is in it, only how much it was.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    event::UiEvent,
    state::{Mode, State},
};
use crate::domain::{
    event::Event,
    id::RunnerId,
    key::{Key, KeyPress},
    project::Project,
    runner::Runner,
};

/// What is kept.
const MAX: usize = 300;

/// Something that happened, as it is written: a line of JSON each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Happening {
    /// A key, or `x` where text was typed.
    Key(String),
    /// So many characters were pasted.
    Paste(usize),
    /// The terminal's size.
    Resized(u16, u16),
    /// The time.
    Tick(DateTime<Utc>),
    /// The daemon is there.
    Connected,
    /// It is gone.
    Disconnected(String),
    /// Runners changed.
    Runners {
        /// As they are now.
        runners: Vec<Runner>,
        /// Those that are gone.
        removed: Vec<RunnerId>,
        /// These are all.
        complete: bool,
    },
    /// Projects as they are now.
    Projects(Vec<Project>),
    /// Events were committed.
    Happened(Vec<Event>),
    /// Something that is not played again.
    Other(String),
}

/// The ring.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    ring: VecDeque<Happening>,
    size: (u16, u16),
    runners: BTreeMap<RunnerId, Runner>,
    projects: Vec<Project>,
    is_connected: bool,
}

impl Recorder {
    /// Takes note of an event that is about to be applied to `state`.
    pub(super) fn note(&mut self, state: &State, event: &UiEvent) {
        let is_text = !matches!(
            state.mode,
            Mode::List | Mode::Confirm(_) | Mode::Help(_) | Mode::Themes(_) | Mode::Pick(_)
        );
        let happening = match event {
            UiEvent::Key(press) => Happening::Key(key(*press, is_text)),
            UiEvent::Paste(text) => Happening::Paste(text.chars().count()),
            UiEvent::Resized(cols, rows) => Happening::Resized(*cols, *rows),
            UiEvent::Tick(at) => Happening::Tick(*at),
            UiEvent::Connected(_) => Happening::Connected,
            UiEvent::Disconnected(why) => Happening::Disconnected(why.clone()),
            UiEvent::Runners(update) => Happening::Runners {
                runners: update.runners.clone(),
                removed: update.removed.clone(),
                complete: update.complete,
            },
            UiEvent::Projects(projects) => Happening::Projects(projects.clone()),
            UiEvent::Happened(events) => Happening::Happened(events.clone()),
            UiEvent::Outcome(outcome) => Happening::Other(format!("{outcome:?}")),
            UiEvent::Mouse(mouse) => Happening::Other(format!("{mouse:?}")),
            // What agents showed and what was read of files is nobody's business.
            _ => return,
        };
        self.push(happening, state.size);
    }

    fn push(&mut self, happening: Happening, size: (u16, u16)) {
        if self.ring.is_empty() {
            self.size = size;
        }
        self.ring.push_back(happening);
        while self.ring.len() > MAX {
            match self.ring.pop_front() {
                Some(Happening::Resized(cols, rows)) => self.size = (cols, rows),
                Some(Happening::Runners { runners, removed, complete }) => {
                    if complete {
                        self.runners.clear();
                    }
                    self.runners.retain(|id, _| !removed.contains(id));
                    self.runners.extend(runners.into_iter().map(|runner| (runner.id, runner)));
                }
                Some(Happening::Projects(projects)) => self.projects = projects,
                Some(Happening::Connected) => self.is_connected = true,
                Some(Happening::Disconnected(_)) => self.is_connected = false,
                _ => {}
            }
        }
    }

    /// Tells it all: first what led to the beginning, then what happened, a line of JSON each.
    pub(super) fn tell(&self) -> String {
        let (cols, rows) = self.size;
        let mut before = vec![Happening::Resized(cols, rows)];
        if self.is_connected {
            before.push(Happening::Connected);
        }
        if !self.projects.is_empty() {
            before.push(Happening::Projects(self.projects.clone()));
        }
        if !self.runners.is_empty() {
            let runners = self.runners.values().cloned().collect();
            before.push(Happening::Runners { runners, removed: Vec::new(), complete: true });
        }
        let all = before.iter().chain(&self.ring);
        let lines = all.map(|happening| serde_json::to_string(happening).unwrap_or_default());
        lines.fold(String::new(), |told, line| told + &line + "\n")
    }
}

/// A key as it is told: of typed text only that it was some.
fn key(press: KeyPress, is_text: bool) -> String {
    match press.key {
        Key::Char(_) if is_text && !press.modifiers.ctrl && !press.modifiers.alt => "x".to_owned(),
        _ => press.to_string(),
    }
}

impl Happening {
    /// Returns the event to be applied again, `None` for what is not.
    #[cfg(test)]
    pub(super) fn again(self) -> Option<UiEvent> {
        Some(match self {
            Self::Key(text) => UiEvent::Key(KeyPress::parse(&text).ok()?),
            Self::Paste(count) => UiEvent::Paste("x".repeat(count)),
            Self::Resized(cols, rows) => UiEvent::Resized(cols, rows),
            Self::Tick(at) => UiEvent::Tick(at),
            Self::Connected => UiEvent::Connected(super::event::DaemonView::default()),
            Self::Disconnected(why) => UiEvent::Disconnected(why),
            Self::Runners { runners, removed, complete } => {
                UiEvent::Runners(crate::client::RunnerUpdate { runners, removed, complete })
            }
            Self::Projects(projects) => UiEvent::Projects(projects),
            Self::Happened(events) => UiEvent::Happened(events),
            Self::Other(_) => return None,
        })
    }
}
