//! Everything that can be gone to or done, found by a few letters.
//!
//! Invariant: what is found is found anew whenever the letters or the runners change, never while
//! drawing, and the cursor stands on something found if there is anything.

use std::cmp::Reverse;

use chrono::TimeDelta;

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

use super::{
    Area, Geometry, Group, State, TextLine, View, age_text, natural, reason,
    rows::matches as is_match, sessions::name as session_name, word,
};
use crate::{
    config::keys::COMMANDS,
    domain::{id::RunnerId, runner::Runner},
    ui::keymap::{Action, Command, Context},
};

/// Entries that are kept of what is found.
const MAX_FOUND: usize = 200;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Scope {
    /// Actions, runners, projects and conversations.
    All,
    /// Runners alone, to go to one.
    Runners,
    /// Live runners alone; choosing one, or none, ends the program.
    Standalone,
}

/// The palette while it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Palette {
    /// What is searched.
    pub(in crate::ui) scope: Scope,
    /// What was typed.
    pub(in crate::ui) line: TextLine,
    /// What was found, best first.
    pub(in crate::ui) found: Vec<Entry>,
    /// The one under the cursor.
    pub(in crate::ui) at: usize,
    /// The runner that was selected before.
    pub(in crate::ui) before: Option<RunnerId>,
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Entry {
    /// What it is.
    pub(in crate::ui) what: What,
    /// What it is called.
    pub(in crate::ui) text: String,
    /// What is said beside it: the keys of an action, what a runner is at.
    pub(in crate::ui) detail: String,
    /// Other words that it is found by.
    also: String,
}

/// What an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum What {
    /// An action in its context.
    Action(Context, Action),
    /// A runner.
    Runner(RunnerId),
    /// A project.
    Project(String),
    /// A project, to be deleted.
    Forget(String),
    /// A conversation, by its id.
    Session(String),
}

impl Palette {
    /// Returns a palette that nothing was typed into.
    pub(in crate::ui) fn new(scope: Scope, before: Option<RunnerId>) -> Self {
        Self { scope, line: TextLine::default(), found: Vec::new(), at: 0, before }
    }

    /// The first entry that is shown in so many rows.
    pub(in crate::ui) fn top(&self, rows: usize) -> usize {
        (self.at + 1).saturating_sub(rows)
    }

    /// The entry under the cursor.
    pub(in crate::ui) fn chosen(&self) -> Option<&Entry> {
        self.found.get(self.at)
    }

    /// Searches again; the cursor stays on its entry while only what is known has changed.
    pub(in crate::ui) fn search(&mut self, state: &State) {
        let under = self.chosen().map(|entry| entry.what.clone());
        // Words such as `is:blocked` mean here what they mean in the list's filter.
        let words = self.line.text().split_whitespace();
        let (narrow, letters): (Vec<&str>, Vec<&str>) = words.partition(|word| is_narrowing(word));
        let mut entries = entries(state, self.scope, !self.line.is_blank());
        if !narrow.is_empty() {
            let filter = narrow.join(" ");
            let is_it = |runner: &Runner| is_match(&filter, runner, state.group(runner));
            entries.retain(|entry| match entry.what {
                What::Runner(id) => state.runners.get(&id).is_some_and(is_it),
                _ => false,
            });
        }
        self.found = find(&entries, &letters.join(" "));
        let same = self.found.iter().position(|entry| Some(&entry.what) == under.as_ref());
        self.at = same.unwrap_or(self.at.min(self.found.len().saturating_sub(1)));
    }
}

/// Whether a word narrows by what runners are, not by their names.
fn is_narrowing(word: &str) -> bool {
    ["is:", "project:", "agent:"].iter().any(|kind| word.starts_with(kind))
}

/// Where it stands: over the list, or over everything where there is no list beside a screen.
pub(in crate::ui) fn palette_area(areas: &Geometry) -> Area {
    let is_beside = !areas.list.is_empty() && !areas.preview.is_empty();
    if is_beside { areas.list } else { areas.body }
}

/// Returns what matches, the best first; everything in its order for no letters.
fn find(entries: &[Entry], letters: &str) -> Vec<Entry> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern =
        |kind| Pattern::new(letters.trim(), CaseMatching::Ignore, Normalization::Smart, kind);
    // Letters far apart make sense in a name; in a sentence they would find anything.
    let (apart, together) = (pattern(AtomKind::Fuzzy), pattern(AtomKind::Substring));
    let mut buffer = Vec::new();
    let mut score = |pattern: &Pattern, text: &str| {
        pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher)
    };
    let exact = letters.trim().to_lowercase();
    let mut found: Vec<(Rank, &Entry)> = entries
        .iter()
        .filter_map(|entry| {
            let name = called(entry);
            // The blank at the end is for the matcher, which misses a text there (nucleo-matcher 0.3.1).
            let all = format!("{} {} {name} {} ", entry.text, entry.detail, entry.also);
            // A name counts more than what is said beside it.
            let by_name = match entry.what {
                What::Action(..) | What::Session(_) => score(&together, &name),
                _ => score(&apart, &name),
            };
            let best = by_name.map(|score| score * 2).max(score(&together, &all))?;
            // Of two that match alike the shorter has less that was not asked for.
            let length = if exact.is_empty() { 0 } else { name.chars().count() };
            Some(((name.to_lowercase() != exact, Reverse(best), length), entry))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().take(MAX_FOUND).map(|(_, entry)| entry.clone()).collect()
}

/// How well something matches, the best least: not by its whole name, its score, how long its name is.
type Rank = (bool, Reverse<u32>, usize);

/// The name of an entry, as somebody would type it who knows it: of an action that in the
/// configuration, of a view the view's own.
fn called(entry: &Entry) -> String {
    let What::Action(context, action) = entry.what else { return entry.text.clone() };
    let is_it = |command: &&Command| (command.context, command.action) == (context, action);
    let name = COMMANDS.iter().find(is_it).map_or("", |command| command.name);
    match action {
        // The view has the short name.
        Action::Events => "room for events".to_owned(),
        _ => name.strip_prefix("show_").unwrap_or(name).replace('_', " "),
    }
}

/// Returns everything there is.
fn entries(state: &State, scope: Scope, is_searched: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    if scope == Scope::All {
        entries.extend(actions(state));
    }
    entries.extend(runners(state, scope));
    if scope == Scope::All {
        entries.extend(sessions(state));
        let projects = state.projects.iter().map(|project| Entry {
            what: What::Project(project.name.clone()),
            text: project.name.clone(),
            detail: "project".to_owned(),
            also: String::new(),
        });
        entries.extend(projects);
        let forget = state.projects.iter().map(|project| Entry {
            what: What::Forget(project.name.clone()),
            text: format!("delete {}", project.name),
            detail: "project".to_owned(),
            also: String::new(),
        });
        // Nobody looks for that without a letter.
        entries.extend(forget.filter(|_| is_searched));
    }
    entries
}

fn runners(state: &State, scope: Scope) -> Vec<Entry> {
    let all = state.runners.values();
    let listed = all.filter(|runner| scope != Scope::Standalone || runner.status.is_live());
    let mut listed: Vec<_> = listed.map(|runner| (state.group(runner), runner)).collect();
    listed.sort_by(|(a_group, a), (b_group, b)| {
        a_group.cmp(b_group).then_with(|| natural(&a.name, &b.name)).then(a.id.cmp(&b.id))
    });
    let entry = |(group, runner): (Group, &Runner)| Entry {
        what: What::Runner(runner.id),
        text: runner.name.clone(),
        detail: format!("{} · {}", word(runner, group), reason(runner, group)),
        also: format!("{} {}", group.counted(), runner.activity.state.as_str()),
    };
    listed.into_iter().map(entry).collect()
}

/// The conversations that are known, by what they are about.
fn sessions(state: &State) -> impl Iterator<Item = Entry> {
    state.newest_sessions().iter().map(|session| Entry {
        what: What::Session(session.id.clone()),
        text: session_name(session),
        detail: format!(
            "conversation · {} · {} · {}",
            session.project,
            session.agent,
            age_text((state.now - session.last_at()).max(TimeDelta::zero()))
        ),
        also: session.id.clone(),
    })
}

/// The actions that have something to work on in the view that is shown.
fn actions(state: &State) -> Vec<Entry> {
    let view = match state.view {
        View::Panes => Context::Panes,
        _ if state.is_empty() => Context::Welcome,
        View::Dashboard => Context::List,
        View::Events
        | View::Log
        | View::Changes
        | View::Evidence
        | View::Settings
        | View::Health
        | View::Usage
        | View::Budgets
        | View::Sessions
        | View::Found
        | View::Conversation => Context::Page,
        View::Inbox => Context::Inbox,
    };
    let here =
        [view, Context::Global].into_iter().flat_map(|context| state.keys.in_context(context));
    // The views are within reach from everywhere.
    let is_elsewhere = matches!(view, Context::Panes | Context::Welcome);
    let views = state.keys.in_context(Context::List).filter(move |binding| {
        is_elsewhere
            && match binding.command.action {
                Action::ShowEvents
                | Action::ShowSettings
                | Action::ShowHealth
                | Action::ShowUsage
                | Action::ShowBudgets
                | Action::ShowInbox
                | Action::ShowSessions
                | Action::SearchAll => true,
                Action::ShowLog | Action::ShowChanges | Action::ShowEvidence => {
                    state.selected.is_some()
                }
                _ => false,
            }
    });
    here.filter(|binding| is_offered(binding.command) && state.is_for_view(binding.command))
        .map(|binding| (binding, binding.labels()))
        // Their keys mean something else here.
        .chain(views.map(|binding| (binding, String::new())))
        .map(|(binding, detail)| Entry {
            what: What::Action(binding.command.context, binding.command.action),
            text: binding.command.about.to_owned(),
            detail,
            also: String::new(),
        })
        .collect()
}

impl State {
    /// Whether an action of the pages has something to do in the one that is shown.
    pub(in crate::ui) fn is_for_view(&self, command: &Command) -> bool {
        let is_list = !self.page.is_whole();
        match command.action {
            _ if command.context != Context::Page => true,
            Action::NextBy | Action::PreviousBy | Action::Range => self.view == View::Usage,
            Action::OneProject => {
                matches!(self.view, View::Usage | View::Sessions | View::Found)
                    && is_list
                    && (self.selected.is_some() || !self.spending.ask.project.is_empty())
            }
            Action::ResumeSession => self.meant_session().is_some(),
            Action::ReadSession => self.view == View::Sessions && self.meant_session().is_some(),
            Action::SearchAll => {
                matches!(self.view, View::Sessions | View::Found | View::Conversation)
            }
            Action::AddBudget => self.view == View::Budgets && is_list,
            Action::Correct => self.view == View::Evidence,
            Action::Restart | Action::Remove => {
                self.view == View::Budgets && is_list && !self.budgets().is_empty()
            }
            _ => true,
        }
    }
}

/// Moving about is what keys are for, and a numbered choice needs its number.
fn is_offered(command: &Command) -> bool {
    !matches!(
        command.action,
        Action::Palette
            | Action::Choose
            | Action::PaneByNumber
            | Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::First
            | Action::Last
            | Action::Cancel
    )
}
