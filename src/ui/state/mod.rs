//! What the dashboard knows and where the user is in it; no type of the terminal library.
//!
//! Invariant: what the daemon said is kept as it was said; what is shown is derived from it when it
//! is shown. The selection names a runner, never a line.

mod branches;
mod budgets;
mod changes;
mod choice;
mod columns;
mod conversation;
mod correct;
mod evidence;
mod found;
mod geometry;
mod help;
mod history;
mod inbox;
mod launch;
mod log_view;
mod lost;
mod mode;
mod notices;
mod page;
mod palette;
mod panes;
mod plain;
mod progress;
mod quotas;
mod rows;
mod screens;
mod scrollback;
mod seen;
mod sessions;
mod settings;
mod spending;
mod status;
mod table;
mod text_line;
mod themes;
mod unread;
mod usage;
mod view;
mod wrap;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
};

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use self::{
    branches::{Branches, Checkout},
    budgets::{BudgetDialog, BudgetField, consequence, tone_of},
    changes::{ChangesView, counted},
    choice::{project_for, unique_name},
    columns::{Columns, TREND, columns, ending},
    conversation::{ConversationView, Target},
    correct::{CorrectDialog, correct_area},
    evidence::EvidenceView,
    found::{FoundView, SearchAsk},
    geometry::{Area, FIGURES_FROM, Geometry, MOST_BUDGETS, geometry},
    help::{ABOUT as HELP_ABOUT, HelpLine, KEYS as HELP_KEYS, help},
    history::{History, question},
    launch::{LaunchDialog, LaunchField, NEW_WORKTREE, first_field, is_low, shown_fields},
    log_view::LogView,
    mode::{Confirm, Deed, Held, Mode, Pick, Reply, Undo},
    notices::Notice,
    page::{Line, Page, Tone, Whole, event_line},
    palette::{Entry, Palette, Scope, What, palette_area},
    panes::{
        Axis, Click, Drag, MOST_PANES, Panes, Place, SavedLayout, Shown, Side, Tree, all_places,
        for_grid, shown_panes, without_pane,
    },
    progress::{Progress, Step, Task, Work},
    quotas::QuotaDialog,
    rows::{Row, matching, natural, position_of, rows, shown},
    screens::{RunnerScreen, Screens, Watched},
    scrollback::{CHUNK, MOST_MATCHES, Present, Scrollback, Search, Selection, Spot, Unit},
    seen::{Looked, Seen, merge as merge_looked, parse as parse_looked, text as text_of_looked},
    settings::Settings,
    spending::{Basics, Bin, DAYS, HOURS, Spending, Spent, UsageAsk, Wants, sum},
    status::{Group, age_text, command, glyph, is_held, reason, told, word},
    text_line::TextLine,
    themes::{ThemePicker, Themes, themes_area},
    unread::Unread,
    view::View,
    wrap::wrap,
};
use crate::{
    config::presets::Presets,
    domain::{
        agent_template::Template, event::Event, failure::Failure, id::RunnerId, inbox::Item,
        key::KeyPress, project::Project, quota::ProjectQuota, runner::Runner, size::TerminalSize,
    },
    terminal::MouseMode,
    ui::{event::DaemonView, keymap::Keymap},
};

/// Events kept to be shown.
pub(super) const MAX_EVENTS: usize = 200;

/// How it stands with the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Connection {
    /// Not yet.
    Connecting,
    /// Everything shown is current.
    Live,
    /// What is shown is what was known last.
    Lost(String),
}

/// How the list is arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// Under what they are at, who needs a person first.
    ByState,
    /// Under their projects.
    ByProject,
}

/// How much room the events get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventsRoom {
    /// A few lines.
    Some,
    /// Half of the height.
    Half,
    /// None.
    Hidden,
}

/// What was found where the dashboard was started; read once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Surroundings {
    /// The directory.
    pub(super) cwd: PathBuf,
    /// The user's home, to shorten paths.
    pub(super) home: Option<PathBuf>,
    /// The branch, or `detached`, of the git repository around it.
    pub(super) git: Option<String>,
    /// Known agents found on PATH.
    pub(super) found: Vec<String>,
    /// Their versions, as far as they told them.
    pub(super) versions: BTreeMap<String, String>,
    /// Agents of the user's own, by their names.
    pub(super) own: BTreeMap<String, Template>,
    /// We are root, and root is confined by the user's word.
    pub(super) is_root: bool,
    pub(super) is_confined: bool,
    /// Known agents that were not.
    pub(super) missing: Vec<String>,
    /// The user's shell.
    pub(super) shell: String,
    /// This is the demonstration.
    pub(super) demo: bool,
    /// The key that leaves a pane.
    pub(super) leave: Option<KeyPress>,
    /// How that key is written.
    pub(super) leave_label: String,
}

/// How long it is said that an action went well.
const SAID_FOR: TimeDelta = TimeDelta::seconds(8);

/// A line that says how an action went; the next key clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toast {
    /// What it says.
    pub(super) text: String,
    /// Whether it is a failure.
    pub(super) is_failure: bool,
    /// When it goes by itself; a failure or a warning stays until somebody is there.
    ends: Option<DateTime<Utc>>,
}

/// Everything.
pub(super) struct State {
    /// The time of what is shown; the loop sets it.
    pub(super) now: DateTime<Utc>,
    /// Columns and rows of the terminal.
    pub(super) size: (u16, u16),
    /// How it stands with the daemon.
    pub(super) connection: Connection,
    /// What the daemon said of itself last.
    pub(super) daemon: DaemonView,
    /// What is configured.
    pub(super) settings: Settings,
    /// Where the user is in the view that is shown, if that is lines to read.
    pub(super) page: Page,
    /// A runner's log, while it is shown.
    pub(super) log: Option<LogView>,
    /// What a runner has changed, while it is shown.
    pub(super) changes: Option<ChangesView>,
    /// What was found in all conversations, while that or one of them is shown.
    pub(super) found: Option<Box<FoundView>>,
    /// What was said in a conversation, while it is shown.
    pub(super) conversation: Option<Box<ConversationView>>,
    /// Conversations that were read so far: what is told of one before is left aside.
    pub(super) readings: u64,
    /// Why a runner's state is what it is, while that is shown.
    pub(super) evidence: Option<EvidenceView>,
    /// What is configured: key, value, where from.
    pub(super) config: Vec<(String, String, String)>,
    /// Launches by a name.
    pub(super) presets: Presets,
    /// The versions of the agents were asked for.
    pub(super) are_versions_asked: bool,
    /// The themes.
    pub(super) themes: Themes,
    /// The keys in force.
    pub(super) keys: Keymap,
    /// Where we are.
    pub(super) here: Surroundings,
    /// All runners.
    pub(super) runners: BTreeMap<RunnerId, Runner>,
    /// What was noticed of each of them.
    pub(super) histories: BTreeMap<RunnerId, History>,
    /// What the user has looked at.
    pub(super) seen: Seen,
    /// Whether the list of runners has ever been complete.
    pub(super) is_complete: bool,
    /// The branches of their directories.
    pub(super) branches: Branches,
    /// All projects.
    pub(super) projects: Vec<Project>,
    /// The projects' limits, by name.
    pub(super) quotas: BTreeMap<String, ProjectQuota>,
    /// What is used and may be used.
    pub(super) spending: Spending,
    /// What waits for the user, the most urgent first.
    pub(super) inbox: Vec<Item>,
    /// The newest events, oldest first.
    pub(super) events: VecDeque<Event>,
    /// The runner the keys speak of.
    pub(super) selected: Option<RunnerId>,
    /// The runner that was selected before the current event.
    pub(super) selected_before: Option<RunnerId>,
    /// The user has had a hand in it; before that, whoever stands first is selected.
    pub(super) has_chosen: bool,
    /// Where the selected runner stood, to find its neighbour when it is gone.
    pub(super) selected_at: usize,
    /// How the list is arranged.
    pub(super) arrangement: Arrangement,
    /// How much room the events get.
    pub(super) events_room: EventsRoom,
    /// Only runners that match are listed; empty for all.
    pub(super) filter: TextLine,
    /// Whether finished runners are listed one by one; `None` decides by their number.
    pub(super) finished_open: Option<bool>,
    /// The first row of the list that is shown.
    pub(super) scroll: usize,
    /// Which view is shown.
    pub(super) view: View,
    /// The panes, shown or not.
    pub(super) panes: Panes,
    /// What the keys do now.
    pub(super) mode: Mode,
    /// The question that is shown whole, above the hints.
    pub(super) unread: Option<Unread>,
    /// How the last action went.
    pub(super) toast: Option<Toast>,
    /// What takes long.
    pub(super) progress: Progress,
    /// What was stopped or deleted last.
    pub(super) undo: Option<Undo>,
    /// Notes about runners that nobody looks at, the most urgent first.
    pub(super) notices: Vec<Notice>,
    /// The runners' own screens, as far as they are known.
    pub(super) screens: Screens,
    /// The screens that were asked for last.
    pub(super) watched: BTreeSet<Watched>,
    /// How much our own terminal tells of the mouse.
    pub(super) mouse: MouseMode,
    /// Whether our own terminal has the focus, as far as it tells.
    pub(super) has_focus: bool,
    /// The agent that was told that it has the focus.
    pub(super) focus_told: Option<RunnerId>,
    /// Something visible has changed since the last frame.
    pub(super) is_dirty: bool,
}

impl State {
    /// Returns the state before anything is known.
    pub(super) fn new(here: Surroundings, now: DateTime<Utc>, size: (u16, u16)) -> Self {
        Self {
            now,
            size,
            connection: Connection::Connecting,
            daemon: DaemonView::default(),
            settings: Settings::default(),
            page: Page::default(),
            log: None,
            changes: None,
            found: None,
            conversation: None,
            readings: 0,
            evidence: None,
            config: Vec::new(),
            presets: Presets::new(),
            are_versions_asked: false,
            themes: Themes::default(),
            keys: Keymap::default(),
            here,
            runners: BTreeMap::new(),
            histories: BTreeMap::new(),
            seen: Seen::default(),
            is_complete: false,
            branches: Branches::default(),
            projects: Vec::new(),
            quotas: BTreeMap::new(),
            spending: Spending::default(),
            inbox: Vec::new(),
            events: VecDeque::new(),
            selected: None,
            selected_before: None,
            has_chosen: false,
            selected_at: 0,
            arrangement: Arrangement::ByState,
            events_room: EventsRoom::Some,
            filter: TextLine::default(),
            finished_open: None,
            scroll: 0,
            view: View::default(),
            panes: Panes::default(),
            mode: Mode::List,
            unread: None,
            toast: None,
            progress: Progress::default(),
            undo: None,
            notices: Vec::new(),
            screens: Screens::new(),
            watched: BTreeSet::new(),
            mouse: MouseMode::Click,
            has_focus: true,
            focus_told: None,
            is_dirty: true,
        }
    }

    /// The selected runner.
    pub(super) fn selected_runner(&self) -> Option<&Runner> {
        self.runners.get(&self.selected?)
    }

    /// Whether there is nothing to list, so that the first screen teaches instead.
    pub(super) fn is_empty(&self) -> bool {
        self.is_complete && self.runners.is_empty()
    }

    /// Whether what is shown is current.
    pub(super) fn is_current(&self) -> bool {
        self.connection == Connection::Live
    }

    /// Runners by group, in the order of the groups.
    pub(super) fn counts(&self) -> BTreeMap<Group, usize> {
        let mut counts = BTreeMap::new();
        for runner in self.runners.values() {
            *counts.entry(self.group(runner)).or_default() += 1;
        }
        counts
    }

    /// The size a newly launched agent's terminal gets: that of the room it will be seen in.
    pub(super) fn launch_size(&self) -> TerminalSize {
        let room = geometry(self).preview_after_launch;
        if room.width >= 40 && room.height >= 10 {
            TerminalSize::new(room.width, room.height)
        } else {
            TerminalSize::new(self.size.0, self.size.1)
        }
    }

    /// Takes keys away from an agent and gives them to nobody, until their user has noticed.
    pub(super) fn hold(&mut self, why: impl Into<String>) {
        self.mode = Mode::Held(Held { why: why.into(), last: self.now });
        self.is_dirty = true;
    }

    /// Says how an action went.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.toast =
            Some(Toast { text: text.into(), is_failure: false, ends: Some(self.now + SAID_FOR) });
        self.is_dirty = true;
    }

    /// Says something that stays until somebody is there.
    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), is_failure: false, ends: None });
        self.is_dirty = true;
    }

    /// Says how something went.
    pub(super) fn tell(&mut self, how: Result<String, Failure>) {
        match how {
            Ok(text) => self.say(text),
            Err(failure) => self.complain(format!("failed to {}", failure.message)),
        }
    }

    /// Says that an action failed.
    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), is_failure: true, ends: None });
        self.is_dirty = true;
    }

    /// Returns what is said of how the last action went, over as many lines as it needs, or else how
    /// far what takes long is.
    pub(super) fn toast_lines(&self) -> Vec<String> {
        let room = usize::from(self.size.0).saturating_sub(4);
        match &self.toast {
            Some(toast) => wrap(&toast.text, room),
            None => self.progress_line().into_iter().collect(),
        }
    }

    /// Returns what is asked above the keys, over as many lines as it needs.
    pub(super) fn asked_lines(&self) -> Vec<String> {
        match &self.mode {
            Mode::Confirm(confirm) => {
                wrap(&confirm.question, usize::from(self.size.0).saturating_sub(2))
            }
            _ => self.whole_lines(),
        }
    }

    /// Returns after how long the line that says how an action went is taken away.
    pub(super) fn next_toast_end(&self) -> Option<TimeDelta> {
        let ends = self.toast.as_ref()?.ends?;
        Some((ends - self.now).max(TimeDelta::zero()))
    }

    /// Takes the line away that says how an action went, if its time is up.
    pub(super) fn settle_toast(&mut self) {
        if self.next_toast_end().is_some_and(|left| left.is_zero()) {
            self.toast = None;
            self.is_dirty = true;
        }
    }
}
