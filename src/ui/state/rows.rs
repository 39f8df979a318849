//! The lines of the list: who needs a person first, of those who has waited longest, the others by
//! name, and never in another order.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use super::{Arrangement, Group, State, reason, word};
use crate::domain::{id::RunnerId, runner::Runner};

/// More finished runners than these are folded to a count.
const FINISHED_SHOWN: usize = 4;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Row {
    /// The heading of a group and how many are in it.
    Group {
        /// Which.
        group: Group,
        /// How many.
        count: usize,
        /// Whether they are left out.
        is_folded: bool,
    },
    /// The heading of a project.
    Project {
        /// Its name.
        name: String,
        /// Runners by group.
        counts: BTreeMap<Group, usize>,
    },
    /// A runner.
    Runner(RunnerId),
}

impl Row {
    /// The runner of this line.
    pub(in crate::ui) fn runner(&self) -> Option<RunnerId> {
        match self {
            Self::Runner(id) => Some(*id),
            _ => None,
        }
    }
}

/// Returns the lines of the list.
pub(in crate::ui) fn rows(state: &State) -> Vec<Row> {
    let mut listed = found(state);
    listed.sort_by(|(a_group, a), (b_group, b)| {
        let is_waiting = *a_group == Group::NeedsYou;
        let by_wait =
            if is_waiting { state.since(a).cmp(&state.since(b)) } else { Ordering::Equal };
        let by_name = natural(&a.name, &b.name).then(a.id.cmp(&b.id));
        a_group.cmp(b_group).then(by_wait).then(by_name)
    });
    let finished = listed.iter().filter(|(group, _)| *group == Group::Finished).count();
    let is_open = state.finished_open.unwrap_or(finished <= FINISHED_SHOWN)
        || !state.filter.is_blank()
        || finished == listed.len();
    match state.arrangement {
        Arrangement::ByState => by_state(&listed, is_open),
        Arrangement::ByProject => by_project(state, &listed, is_open),
    }
}

/// Returns the runners that the filter leaves, in no order.
fn found(state: &State) -> Vec<(Group, &Runner)> {
    let all = state.runners.values().map(|runner| (state.group(runner), runner));
    all.filter(|(group, runner)| matches(state.filter.text(), runner, *group)).collect()
}

/// Returns the runners that the filter leaves, by name, those included that are folded.
pub(in crate::ui) fn matching(state: &State) -> Vec<RunnerId> {
    let mut found = found(state);
    found.sort_by(|(_, a), (_, b)| natural(&a.name, &b.name).then(a.id.cmp(&b.id)));
    found.into_iter().map(|(_, runner)| runner.id).collect()
}

/// Returns the runners that are listed, in order.
pub(in crate::ui) fn shown(state: &State) -> Vec<RunnerId> {
    rows(state).iter().filter_map(Row::runner).collect()
}

/// Returns the line that shows a runner.
pub(in crate::ui) fn position_of(rows: &[Row], id: RunnerId) -> Option<usize> {
    rows.iter().position(|row| row.runner() == Some(id))
}

fn by_state(listed: &[(Group, &Runner)], is_open: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for members in listed.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((group, _)) = members.first() else { continue };
        let is_folded = *group == Group::Finished && !is_open;
        rows.push(Row::Group { group: *group, count: members.len(), is_folded });
        if !is_folded {
            rows.extend(members.iter().map(|(_, runner)| Row::Runner(runner.id)));
        }
    }
    rows
}

fn by_project(state: &State, listed: &[(Group, &Runner)], is_open: bool) -> Vec<Row> {
    let mut names: BTreeSet<&str> = listed.iter().map(|(_, r)| r.project.as_str()).collect();
    if state.filter.is_blank() {
        names.extend(state.projects.iter().map(|project| project.name.as_str()));
    }
    let mut rows = Vec::new();
    for name in names {
        let members = listed.iter().filter(|(_, runner)| runner.project == name);
        let mut counts = BTreeMap::new();
        for (group, _) in members.clone() {
            *counts.entry(*group).or_default() += 1;
        }
        rows.push(Row::Project { name: name.to_owned(), counts });
        let open = members.filter(|(group, _)| is_open || *group != Group::Finished);
        rows.extend(open.map(|(_, runner)| Row::Runner(runner.id)));
    }
    rows
}

/// Whether every word of the filter is found somewhere in what is shown of the runner.
pub(super) fn matches(filter: &str, runner: &Runner, group: Group) -> bool {
    if filter.trim().is_empty() {
        return true;
    }
    let reason = reason(runner, group);
    let all = [&runner.name, group.counted(), word(runner, group), &runner.agent, &reason];
    let all = all.join("\n").to_lowercase();
    let is = |wanted: &str, what: &str| what.to_lowercase() == wanted;
    filter.to_lowercase().split_whitespace().all(|wanted| match wanted.split_once(':') {
        Some(("is", state)) => is_at(state, runner, group),
        Some(("project", name)) => is(name, &runner.project),
        Some(("agent", name)) => is(name, &runner.agent),
        _ => all.contains(wanted),
    })
}

/// Whether a runner is at what a filter such as `is:blocked` names: a group, or a word for it.
fn is_at(state: &str, runner: &Runner, group: Group) -> bool {
    let names = [
        group.counted(),
        word(runner, group),
        runner.activity.state.as_str(),
        runner.status.as_str(),
    ];
    let is_named = names.contains(&state);
    match state {
        "needs" | "waiting" => group == Group::NeedsYou,
        "live" => runner.status.is_live(),
        // What the agent reported last says nothing once it has ended or was looked at.
        "done" | "working" | "blocked" | "error" => {
            is_named && (group == Group::NeedsYou || group.counted() == state)
        }
        _ => is_named,
    }
}

/// Compares names so that `api-2` comes before `api-10`.
pub(in crate::ui) fn natural(a: &str, b: &str) -> Ordering {
    numbered(a).cmp(&numbered(b)).then_with(|| a.cmp(b))
}

/// Splits a name from the number at its end.
fn numbered(name: &str) -> (&str, Option<u64>) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (text, name.get(text.len()..).and_then(|digits| digits.parse().ok()))
}
