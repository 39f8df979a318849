//! What was asked for from here and takes a while: how many of how many are done, and how long the
//! rest may take at most.
//!
//! Invariant: what is shown is derived from calls that were made and have answered, and from the time
//! that the supervisors give; it changes when one of these does, and goes by itself. What is over
//! within [`QUIET`] is not shown at all.

use chrono::{DateTime, TimeDelta, Utc};
use unicode_width::UnicodeWidthStr as _;

use super::{Mode, State, View};
use crate::{
    domain::id::RunnerId,
    ui::{
        keymap::{Action, Context},
        widgets::bar,
    },
};

/// Nobody needs to be told how far something is that is over so soon.
const QUIET: TimeDelta = TimeDelta::milliseconds(400);
/// Columns of the bar.
const BAR: u8 = 6;
/// Reasons of failures that are told, and names for each; the others are counted.
const NAMED: usize = 3;

/// What is done to runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Work {
    /// Ended, with time to save.
    Stop,
    /// Ended at once.
    Kill,
    /// Ended, if it lives, and started again.
    Restart,
    /// Launched.
    Launch,
    /// Removed with what it wrote.
    Remove,
    /// Started again in its conversation.
    Resume,
}

impl Work {
    /// What is going on, in a word.
    fn doing(self) -> &'static str {
        match self {
            Self::Stop => "stopping",
            Self::Kill => "killing",
            Self::Restart => "restarting",
            Self::Launch => "launching",
            Self::Remove => "removing",
            Self::Resume => "resuming",
        }
    }

    /// What it is called that was tried.
    pub(in crate::ui) fn verb(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Launch => "launch",
            Self::Remove => "remove",
            Self::Resume => "resume",
        }
    }

    /// What they are once it is done.
    pub(in crate::ui) fn done(self) -> &'static str {
        match self {
            Self::Stop => "stopped",
            Self::Kill => "killed",
            Self::Restart => "started again",
            Self::Launch => "launched",
            Self::Remove => "removed",
            Self::Resume => "resumed",
        }
    }
}

/// One of those that something is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    /// Whom; `None` for one that is only being launched.
    id: Option<RunnerId>,
    name: String,
}

/// Something that is done to one runner or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Task {
    /// What.
    pub(in crate::ui) work: Work,
    /// To how many.
    pub(in crate::ui) total: usize,
    /// Whom it was done to.
    pub(in crate::ui) done: Vec<RunnerId>,
    /// With whom it failed, and why.
    pub(in crate::ui) failed: Vec<(String, String)>,
    /// What the user should know of the last one of which there was something to know.
    pub(in crate::ui) warnings: Vec<String>,
    pending: Vec<Member>,
    since: DateTime<Utc>,
}

/// All that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Progress {
    tasks: Vec<Task>,
    is_hidden: bool,
}

/// What became of a task with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ui) enum Step {
    /// It was about one alone, or is not known here.
    Alone,
    /// Others are still at it.
    Going,
    /// That was the last of several.
    Over(Box<Task>),
}

impl Progress {
    /// Takes note of something that is asked for now; the same for more runners becomes one task.
    pub(in crate::ui) fn begin(
        &mut self,
        work: Work,
        id: Option<RunnerId>,
        name: &str,
        now: DateTime<Utc>,
    ) {
        let member = Member { id, name: name.to_owned() };
        if self.tasks.iter().all(|task| task.work != work) {
            self.is_hidden = false;
            let (done, failed, warnings, pending) = Default::default();
            self.tasks.push(Task { work, total: 0, done, failed, warnings, pending, since: now });
        }
        let task = self.tasks.iter_mut().find(|task| task.work == work);
        if let Some(task) = task.filter(|task| id.is_none() || !task.pending.contains(&member)) {
            task.total += 1;
            task.pending.push(member);
        }
    }

    /// Takes note of how it ended with one of them, `None` for a launch; `why` if it failed.
    pub(in crate::ui) fn end(&mut self, id: Option<RunnerId>, why: Option<&str>) -> Step {
        let is_it = |task: &Task| {
            task.pending.iter().any(|member| member.id == id)
                && (task.work == Work::Launch) == id.is_none()
        };
        let Some(at) = self.tasks.iter().position(is_it) else { return Step::Alone };
        let Some(task) = self.tasks.get_mut(at) else { return Step::Alone };
        let member = task.pending.iter().position(|member| member.id == id);
        if let Some(member) = member.map(|member| task.pending.remove(member)) {
            match why {
                Some(why) => task.failed.push((member.name, why.to_owned())),
                None => task.done.extend(id),
            }
        }
        if !task.pending.is_empty() {
            return Step::Going;
        }
        let task = self.tasks.remove(at);
        if task.total > 1 { Step::Over(Box::new(task)) } else { Step::Alone }
    }

    /// Keeps what the user should know of a launch until all have answered.
    pub(in crate::ui) fn warn(&mut self, warnings: &[String]) {
        let task = self.tasks.iter_mut().find(|task| task.work == Work::Launch);
        if let Some(task) = task.filter(|_| !warnings.is_empty()) {
            task.warnings = warnings.to_vec();
        }
    }

    /// Takes back so many launches, which wait for an answer of the user's.
    pub(in crate::ui) fn withdraw(&mut self, count: u32) -> Step {
        let Some(at) = self.tasks.iter().position(|task| task.work == Work::Launch) else {
            return Step::Alone;
        };
        let Some(task) = self.tasks.get_mut(at) else { return Step::Alone };
        let count = task.pending.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        task.pending.truncate(task.pending.len() - count);
        task.total -= count;
        if !task.pending.is_empty() {
            return Step::Going;
        }
        let task = self.tasks.remove(at);
        if task.total > 1 { Step::Over(Box::new(task)) } else { Step::Alone }
    }

    /// Shows it no more; it goes on. Returns whether there was anything to hide.
    pub(in crate::ui) fn hide(&mut self) -> bool {
        let is_news = !self.tasks.is_empty() && !self.is_hidden;
        self.is_hidden = true;
        is_news
    }

    /// The one that goes on for the longest.
    fn first(&self) -> Option<&Task> {
        self.tasks.first().filter(|_| !self.is_hidden)
    }
}

impl Task {
    /// Says how it ended: how many, and the others by name.
    pub(in crate::ui) fn summary(&self) -> String {
        let done = self.total - self.failed.len();
        let are = if done == 1 { "is" } else { "are" };
        let count = match (self.failed.is_empty(), done) {
            (true, _) => format!("{done} runners are"),
            (false, 0) => format!("none of {} runners is", self.total),
            (false, done) => format!("{done} of {} runners {are}", self.total),
        };
        // What failed for one reason is told together.
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, why) in &self.failed {
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, names)) => names.push(name),
                None => reasons.push((why, vec![name])),
            }
        }
        let told = reasons.iter().take(NAMED).map(|(why, names)| {
            let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            match names.len().saturating_sub(NAMED) {
                0 => format!("; {named}: {why}"),
                more => format!("; {named} and {more} more: {why}"),
            }
        });
        let others: usize = reasons.iter().skip(NAMED).map(|(_, names)| names.len()).sum();
        let others = if others > 0 { format!("; and {others} more") } else { String::new() };
        format!("{count} {}{}{others}", self.work.done(), told.collect::<String>())
    }
}

impl State {
    /// Returns how far what takes long is, in a line; `None` while there is nothing to tell.
    pub(in crate::ui) fn progress_line(&self) -> Option<String> {
        let task = self.progress.first().filter(|task| self.now - task.since >= QUIET)?;
        let answered = task.total - task.pending.len();
        let left = self.time_left(task);
        let doing = task.work.doing();
        let (what, short, bar) = match (task.total, task.pending.first(), left) {
            (1, Some(member), Some((part, _))) => {
                (member.name.clone(), String::new(), format!(" {}", bar(part, BAR)))
            }
            // Nobody knows how long that takes; so nothing is drawn that seems to.
            (1, Some(member), None) => (member.name.clone(), String::new(), String::new()),
            (total, ..) => {
                // Whole cells: it is full when all have answered, not a little before.
                let cells = u8::try_from(answered * usize::from(BAR) / total).unwrap_or(BAR);
                let part = f64::from(cells) / f64::from(BAR);
                let count = format!(" {answered}/{total}");
                (format!("{total} runners"), count.clone(), format!(" {}{count}", bar(part, BAR)))
            }
        };
        let time = match left {
            Some((_, 0)) => " · being killed".to_owned(),
            Some((_, seconds)) => format!(" · up to {seconds} s"),
            None => String::new(),
        };
        // In other places the key means something else.
        let is_list = self.view == View::Dashboard && !self.is_empty();
        let has_key = is_list && self.mode == Mode::List;
        let key = self.keys.label(Context::List, Action::Cancel);
        let hides = if has_key { format!(" · {key} hides") } else { String::new() };
        let hide = if has_key { format!("{hides} this, it goes on") } else { String::new() };
        let texts = [
            format!("{doing} {what}{bar}{time}{hide}"),
            format!("{doing} {what}{bar}{time}{hides}"),
            format!("{doing} {what}{bar}{time}"),
            format!("{doing} {what}{bar}"),
            format!("{doing}{short}"),
        ];
        // The keys beside it must not all give way, and to many words even less.
        let columns = usize::from(self.size.0);
        let room = |at: usize| if at == 0 { columns / 2 } else { columns * 2 / 3 };
        let fits = texts.iter().enumerate().find(|(at, text)| text.width() + 4 <= room(*at));
        fits.map(|(_, text)| text).or(texts.last()).cloned()
    }

    /// Returns after how long the line says something else by itself.
    pub(in crate::ui) fn next_progress(&self) -> Option<TimeDelta> {
        let task = self.progress.first()?;
        let quiet = QUIET - (self.now - task.since);
        if quiet > TimeDelta::zero() {
            return Some(quiet);
        }
        self.time_left(task).filter(|(_, seconds)| *seconds > 0).map(|_| TimeDelta::seconds(1))
    }

    /// How much of the time is over that those have who are asked to leave, from 0 to 1, and how many
    /// seconds are left for the last of them; `None` where no time is given.
    fn time_left(&self, task: &Task) -> Option<(f64, i64)> {
        if !matches!(task.work, Work::Stop | Work::Restart) {
            return None;
        }
        let ids = task.pending.iter().filter_map(|member| member.id);
        let leaving = ids.filter_map(|id| self.leaving(self.runners.get(&id)?));
        let (part, left) = leaving.max_by_key(|(_, left)| *left)?;
        // Rounded up: `up to 0 s` is said of nobody who still has time.
        Some((part, (left.num_milliseconds() + 999) / 1000))
    }
}
