//! Quotas: how much of its limits a project uses, and the dialog that changes them.
//!
//! Limits are the daemon's word; what is used is counted from the runners that are shown, so that a
//! line never disagrees with those under it.

use super::{State, TextLine};
use crate::domain::quota::{ProjectQuota, Quota, QuotaChange, QuotaName, QuotaUse};

/// The limits of one project, being changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct QuotaDialog {
    /// The project's name.
    pub(in crate::ui) project: String,
    /// Where the cursor is.
    pub(in crate::ui) field: usize,
    /// What is typed for each of [`QuotaName::ALL`]; blank for no limit.
    pub(in crate::ui) lines: [TextLine; 4],
    /// What is wrong with it, if it was tried.
    pub(in crate::ui) wrong: Option<String>,
}

impl QuotaDialog {
    /// Returns the dialog with what is in force.
    pub(in crate::ui) fn new(project: &str, quota: Quota) -> Self {
        let line =
            |name| TextLine::new(&quota.limit(name).map_or(String::new(), |n| text(name, n)));
        Self { project: project.to_owned(), field: 0, lines: QuotaName::ALL.map(line), wrong: None }
    }

    /// The line the cursor is in.
    pub(in crate::ui) fn line(&mut self) -> &mut TextLine {
        let [runners, memory, cpu, tokens] = &mut self.lines;
        match self.field {
            0 => runners,
            1 => memory,
            2 => cpu,
            _ => tokens,
        }
    }

    /// Goes to the field after or before.
    pub(in crate::ui) fn step(&mut self, forward: bool) {
        let count = self.lines.len();
        self.field = (self.field + if forward { 1 } else { count - 1 }) % count;
    }

    /// Returns what is to be changed of limits that are in force, or what is wrong.
    pub(in crate::ui) fn change(&self, quota: Quota) -> Result<QuotaChange, String> {
        let mut change = QuotaChange::new();
        for (name, line) in QuotaName::ALL.into_iter().zip(&self.lines) {
            let limit = if line.is_blank() { None } else { name.parse_limit(line.text().trim())? };
            if limit != quota.limit(name) {
                change.insert(name, limit);
            }
        }
        Ok(change)
    }
}

/// A limit as it is typed, exactly.
fn text(name: QuotaName, limit: u64) -> String {
    match name {
        QuotaName::Memory if limit.is_multiple_of(1024) => format!("{}G", limit / 1024),
        QuotaName::Memory => format!("{limit}M"),
        _ => limit.to_string(),
    }
}

impl State {
    /// Returns a project's limits with what its live runners use as they are shown.
    pub(in crate::ui) fn quota_of(&self, project: &str) -> ProjectQuota {
        let known = self.quotas.get(project);
        let live = self.runners.values().filter(|r| r.project == project && r.status.is_live());
        let mut used = QuotaUse {
            tokens_today: known.map_or(0, |k| k.used.tokens_today),
            ..QuotaUse::default()
        };
        for runner in live {
            used.runners += 1;
            used.memory_mb += runner.memory_mb;
            used.cpu_percent += runner.cpu_percent;
        }
        ProjectQuota {
            project: project.to_owned(),
            quota: known.map(|known| known.quota).unwrap_or_default(),
            used,
            is_enforced: known.is_some_and(|known| known.is_enforced),
        }
    }

    /// Returns what of a project is limited, `3/5 runners`, and whether it is more than is allowed.
    pub(in crate::ui) fn quota_texts(&self, project: &str) -> Vec<(String, bool)> {
        let quota = self.quota_of(project);
        let texts = QuotaName::ALL.into_iter().filter_map(|name| {
            let (used, limit) = quota.measure(name)?;
            let what = match name {
                QuotaName::Runners | QuotaName::Tokens => format!(" {}", name.short()),
                QuotaName::Cpu => " cpu".to_owned(),
                QuotaName::Memory => String::new(),
            };
            let (used, limit) = (name.amount(used), name.amount(limit));
            // The unit is said once where it is the same.
            let used = match (used.rsplit_once(' '), limit.rsplit_once(' ')) {
                (Some((number, unit)), Some((_, other))) if unit == other => number.to_owned(),
                _ => used,
            };
            Some((format!("{used}/{limit}{what}"), quota.is_exceeded(name)))
        });
        texts.collect()
    }
}
