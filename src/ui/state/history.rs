//! What the dashboard itself has noticed of runners and nobody else keeps: since when they are in
//! their status, what their CPU did, which question was on the screen, what the user has looked at.
//!
//! Invariant: one entry a known runner, each of a bounded size.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Group, RunnerScreen, State, geometry, rows, shown_panes};
use crate::domain::{
    activity::ActivityState,
    event::Event,
    id::RunnerId,
    runner::{Runner, RunnerStatus},
};

/// Samples of CPU that are kept.
pub(in crate::ui) const SAMPLES: usize = 32;
/// A question must have been on the screen for so long before a key can be an answer to it.
const READ: TimeDelta = TimeDelta::milliseconds(250);
/// A screen that was shown for so long was looked at.
const LOOK: TimeDelta = TimeDelta::seconds(1);

/// What was noticed of a runner.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::ui) struct History {
    /// When the question was asked that was answered last.
    pub(in crate::ui) answered: Option<DateTime<Utc>>,
    /// When it came into its status, if that was seen.
    status_since: Option<(RunnerStatus, DateTime<Utc>)>,
    /// Since when a budget holds it, as far as that was seen.
    pub(super) held_since: Option<DateTime<Utc>>,
    /// CPU in percent of one core, oldest first.
    pub(in crate::ui) cpu: VecDeque<f64>,
    /// The question that is on the screen, by when it was asked, and since when it is there.
    question: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The question that is shown whole, by when it was asked, and since when it is.
    whole: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The ended turn whose screen is shown, by when it ended, and since when.
    looked: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl History {
    /// Takes in what the daemon says of the runner, and what was known before.
    pub(in crate::ui) fn note(
        &mut self,
        runner: &Runner,
        before: Option<&Runner>,
        now: DateTime<Utc>,
    ) {
        match before {
            None => self.status_since = Some((runner.status, runner.updated_at.min(now))),
            Some(before) if before.status != runner.status => {
                self.status_since = Some((runner.status, now));
            }
            Some(_) => {}
        }
        let was_held = before.is_some_and(|before| before.hold.is_some());
        self.held_since = match (&runner.hold, before) {
            (None, _) => None,
            (Some(_), None) => Some(runner.updated_at.min(now)),
            (Some(_), Some(_)) if was_held => self.held_since,
            (Some(_), Some(_)) => Some(now),
        };
        let is_new = before.is_none_or(|before| before.last_heartbeat != runner.last_heartbeat);
        if is_new && runner.last_heartbeat.is_some() {
            self.cpu.push_back(runner.cpu_percent);
            while self.cpu.len() > SAMPLES {
                self.cpu.pop_front();
            }
        }
        if !runner.status.is_live() {
            self.cpu.clear();
        }
    }

    /// When the runner came into its status, as far as that is known.
    pub(in crate::ui) fn since(&self, runner: &Runner) -> DateTime<Utc> {
        let known = self.status_since.filter(|(status, _)| *status == runner.status);
        known.map_or(runner.updated_at, |(_, at)| at)
    }
}

impl State {
    /// What was noticed of a runner.
    pub(in crate::ui) fn history(&self, id: RunnerId) -> Option<&History> {
        self.histories.get(&id)
    }

    /// Takes in events: they tell exactly when a runner was paused or asked to leave.
    pub(in crate::ui) fn note_event(&mut self, event: &Event) {
        let status = match event.event_type.as_str() {
            "runner.paused" => RunnerStatus::Paused,
            "runner.stopping" => RunnerStatus::Stopping,
            _ => return,
        };
        let runner = self.runners.values().find(|r| r.id.to_string() == event.entity_id);
        if let Some(id) = runner.map(|runner| runner.id) {
            self.histories.entry(id).or_default().status_since = Some((status, event.timestamp));
        }
    }

    /// Notes what is on the screen now; called after a frame was drawn.
    pub(in crate::ui) fn drawn(&mut self) {
        let areas = geometry(self);
        let rows = rows(self);
        let visible = rows.iter().skip(self.scroll).take(usize::from(areas.list.height));
        let mut visible: Vec<RunnerId> = visible.filter_map(super::Row::runner).collect();
        visible.extend(shown_panes(self).places.panes.iter().map(|place| place.id));
        let (now, whole) = (self.now, self.unread);
        for runner in self.runners.values() {
            let Some(history) = self.histories.get_mut(&runner.id) else { continue };
            let whole = whole.filter(|whole| whole.id == runner.id).map(|whole| whole.asked);
            let is_visible = whole.is_some() || visible.contains(&runner.id);
            let asked = question(runner).filter(|_| is_visible);
            history.question = match (asked, history.question) {
                (Some(asked), Some((same, at))) if asked == same => Some((asked, at)),
                (asked, _) => asked.map(|asked| (asked, now)),
            };
            history.whole = match (whole, history.whole) {
                (Some(asked), Some((same, at))) if asked == same => Some((asked, at)),
                (asked, _) => asked.map(|asked| (asked, now)),
            };
        }
        self.note_look(!areas.preview.is_empty());
    }

    /// Whether the runner's question can have been read by now.
    pub(in crate::ui) fn is_question_read(&self, runner: &Runner) -> bool {
        let shown = self.history(runner.id).and_then(|history| history.question);
        let asked = question(runner);
        shown.is_some_and(|(at, since)| Some(at) == asked && self.now - since >= READ)
    }

    /// Whether it can have been read whole: where it stands, or above the hints.
    pub(in crate::ui) fn is_question_read_whole(&self, runner: &Runner) -> bool {
        let shown = self.history(runner.id).and_then(|history| history.whole);
        let asked = question(runner);
        self.is_question_in_sight(runner)
            || shown.is_some_and(|(at, since)| Some(at) == asked && self.now - since >= READ)
    }

    /// Whether the user has looked at the turn that has ended.
    pub(in crate::ui) fn is_seen(&self, runner: &Runner) -> bool {
        let ended = runner.activity.since;
        ended.is_some() && self.seen.of(runner.id) >= ended
    }

    /// The user is inside the runner: whatever ended there is seen.
    pub(in crate::ui) fn mark_seen(&mut self, id: RunnerId) {
        if let Some(runner) = self.runners.get(&id)
            && runner.activity.state == ActivityState::Done
            && let Some(ended) = runner.activity.since
        {
            self.seen.note(id, ended);
        }
    }

    /// The selection has left a runner: if its screen was looked at, what ended there is seen. Not
    /// earlier, or the row would move away under the eye.
    pub(in crate::ui) fn leave(&mut self, id: RunnerId) {
        let now = self.now;
        if let Some(history) = self.histories.get_mut(&id)
            && let Some((ended, since)) = history.looked.take()
            && now - since >= LOOK
        {
            self.seen.note(id, ended);
        }
    }

    fn note_look(&mut self, is_screen_shown: bool) {
        let Some(runner) = self.selected_runner() else { return };
        let id = runner.id;
        let has_screen = |screen: &RunnerScreen| screen.is_live && screen.pane.is_some();
        let is_shown = is_screen_shown && self.screens.get(&id).is_some_and(has_screen);
        let is_done = self.group(runner) == Group::Done && self.has_chosen;
        let ended = runner.activity.since.filter(|_| is_shown && is_done);
        let now = self.now;
        let history = self.histories.entry(id).or_default();
        history.looked = match (ended, history.looked) {
            (Some(ended), Some((same, at))) if ended == same => Some((ended, at)),
            (ended, _) => ended.map(|ended| (ended, now)),
        };
    }
}

/// When the question was asked that a runner waits with, if it does.
pub(in crate::ui) fn question(runner: &Runner) -> Option<DateTime<Utc>> {
    let is_asking =
        runner.status == RunnerStatus::Running && runner.activity.state == ActivityState::Blocked;
    is_asking.then_some(runner.activity.since).flatten()
}
