//! Quotas: show and change them; hold or tell what goes beyond memory and CPU.
//!
//! How many may run and what they may spend is decided by the store, in the transaction of a launch.
//! Memory and CPU are known only while they are used: here they are compared at each heartbeat, by
//! the node of the project's first live runner, which speaks for all nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::{task::spawn_blocking, time::timeout};

use super::Services;
use crate::{
    daemon::{fleet::Waiting, store::QuotaRow},
    domain::{
        event::{EventType, NewEvent},
        failure::Failure,
        quota::{ProjectQuota, Quota, QuotaChange, QuotaName},
        runner::Exit,
    },
};

/// A launch waits so long for the kernel to move its supervisor, and goes on without.
const CONFINING: Duration = Duration::from_secs(1);

/// So many heartbeats in a row an excess of CPU lasts before it is told, and any must be over before
/// that is: what goes up and down must not be told each time.
const STEADY: u8 = 3;

/// What is used beyond a limit, as far as this node has seen it.
#[derive(Debug, Clone, Default)]
pub(super) struct Excesses(Arc<Mutex<BTreeMap<(String, QuotaName), Excess>>>);

/// How one excess develops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Excess {
    /// It was told.
    is_told: bool,
    /// So many heartbeats in a row say otherwise than what was told.
    against: u8,
}

impl Excess {
    /// Takes in a heartbeat; returns what there is to tell: true that it began, false that it is over.
    fn note(&mut self, name: QuotaName, is_over: bool) -> Option<bool> {
        if is_over == self.is_told {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = if self.is_told || name == QuotaName::Cpu { STEADY } else { 1 };
        if self.against < needed {
            return None;
        }
        *self = Self { is_told: is_over, against: 0 };
        Some(is_over)
    }
}

impl Services {
    /// Returns limits and use of all projects, or of one unless it is empty.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn list_quotas(&self, project: &str) -> Result<Vec<ProjectQuota>, Failure> {
        let rows = self.store.quota_list(project, self.context.clock.now()).await?;
        if rows.is_empty() && !project.is_empty() {
            // Says what is wrong with the name.
            self.get_project(project).await?;
        }
        let is_enforced = self.limits.is_enforcing();
        let quotas = rows.into_iter().map(|row| ProjectQuota { is_enforced, ..row.quota });
        Ok(quotas.collect())
    }

    /// Changes limits of a project; those that are not named stay. Returns what is in force.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `BAD_QUOTA` when nothing is to be changed.
    pub async fn set_quota(
        &self,
        project: &str,
        change: QuotaChange,
    ) -> Result<ProjectQuota, Failure> {
        if change.is_empty() {
            return Err(Failure::usage("BAD_QUOTA", "no limit is named"));
        }
        let (services, name) = (self.clone(), project.to_owned());
        self.detached(async move {
            let event = services.quota_event(&name, &change);
            let quota = services.store.quota_set(&name, &change, event).await?;
            services.hold(&name, quota).await;
            Ok(())
        })
        .await?;
        self.quota_of(project).await
    }

    /// Removes one limit of a project, or all. Returns what is in force.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `QUOTA_NOT_FOUND` when it has none.
    pub async fn clear_quota(
        &self,
        project: &str,
        name: Option<QuotaName>,
    ) -> Result<ProjectQuota, Failure> {
        if let Some(name) = name {
            if self.quota_of(project).await?.quota.limit(name).is_none() {
                let what = format!("project {project} has no {}", name.as_str());
                return Err(Failure::not_found("QUOTA_NOT_FOUND", what)
                    .with_hint("stratavore quotas shows what is limited"));
            }
            return self.set_quota(project, QuotaChange::from([(name, None)])).await;
        }
        let (services, owned) = (self.clone(), project.to_owned());
        self.detached(async move {
            let event = services.quota_event(&owned, &all_cleared());
            services.store.quota_clear(&owned, event).await?;
            services.hold(&owned, Quota::default()).await;
            Ok(())
        })
        .await?;
        self.quota_of(project).await
    }

    async fn quota_of(&self, project: &str) -> Result<ProjectQuota, Failure> {
        let missing = || Failure::not_found("PROJECT_NOT_FOUND", "the project is gone");
        self.list_quotas(project).await?.pop().ok_or_else(missing)
    }

    /// Returns the event of a change: the new limits by name, `null` for none.
    pub(super) fn quota_event(&self, project: &str, change: &QuotaChange) -> NewEvent {
        let limits = change.iter().map(|(name, limit)| (name.as_str().to_owned(), json!(limit)));
        let data = serde_json::Value::Object(limits.collect());
        self.context.project_event(EventType::QuotaChanged, project, data)
    }

    /// Puts a supervisor into its project's control group before it starts anything. Whatever becomes
    /// of that, the launch goes on.
    pub(super) async fn confine(&self, project: &str, waiting: &Waiting) {
        let Some(pid) = waiting.pid().filter(|_| self.limits.is_enforcing()) else { return };
        let quota = self.store.quota_get(project).await.ok().flatten().unwrap_or_default();
        let (limits, name) = (self.limits.clone(), project.to_owned());
        let confining = spawn_blocking(move || {
            limits.apply(&name, &quota).and_then(|()| limits.place(&name, pid))
        });
        match timeout(CONFINING, confining).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(project, %error, "failed to hold a runner to its project's limits");
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(project, "the kernel took too long to hold a runner to its limits");
            }
        }
    }

    /// Returns why an agent was killed, if the kernel has killed processes of its project for their memory
    /// since the last one that was.
    pub(super) async fn killed_for_memory(&self, project: &str, exit: &Exit) -> Option<String> {
        let is_meant = !exit.stopped && exit.signal.as_deref() == Some("SIGKILL");
        if !is_meant || !self.limits.holds(QuotaName::Memory) {
            return None;
        }
        let (limits, name) = (self.limits.clone(), project.to_owned());
        let asked = timeout(CONFINING, spawn_blocking(move || limits.has_killed(&name))).await;
        matches!(asked, Ok(Ok(true)))
            .then(|| format!("killed by the kernel: project {project} was at its limit of memory"))
    }

    /// Brings a project's control group up to date.
    async fn hold(&self, project: &str, quota: Quota) {
        if !self.limits.is_enforcing() {
            return;
        }
        let (limits, name) = (self.limits.clone(), project.to_owned());
        let written = spawn_blocking(move || limits.apply(&name, &quota));
        match timeout(CONFINING, written).await {
            Ok(Ok(Ok(()))) => {}
            outcome => tracing::warn!(project, ?outcome, "failed to write a project's limits"),
        }
    }

    /// Compares what projects use with what they may, after the heartbeats were stored; also limits
    /// that somebody wrote into the table by hand come into force here.
    pub(super) async fn watch_quotas(&self) -> Result<(), Failure> {
        let here: BTreeSet<String> =
            self.fleet.linked().into_iter().map(|known| known.spec.project).collect();
        let is_quiet = self.excesses.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if here.is_empty() && is_quiet && !self.limits.is_enforcing() {
            return Ok(());
        }
        let rows = self.store.quota_list("", self.context.clock.now()).await?;
        if self.limits.is_enforcing() {
            for row in rows.iter().filter(|row| here.contains(&row.quota.project)) {
                self.hold(&row.quota.project, row.quota.quota).await;
            }
            let limits = self.limits.clone();
            spawn_blocking(move || limits.retire(&here));
        }
        for (severity, message) in self.news(&rows) {
            tracing::warn!("{message}");
            self.alert(severity, "quotas", &message).await;
        }
        Ok(())
    }

    /// Returns what there is to tell of excesses, each once when it begins and once when it is over.
    fn news(&self, rows: &[QuotaRow]) -> Vec<(&'static str, String)> {
        let own = &self.context.origin.node_id;
        let mut excesses = self.excesses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = BTreeMap::new();
        for row in rows.iter().filter(|row| row.speaker == *own) {
            for name in [QuotaName::Memory, QuotaName::Cpu] {
                if row.quota.is_exceeded(name) {
                    over.insert((row.quota.project.clone(), name), told(&row.quota, name));
                }
            }
        }
        for key in over.keys() {
            excesses.entry(key.clone()).or_default();
        }
        let mut news = Vec::new();
        excesses.retain(|key, excess| {
            match excess.note(key.1, over.contains_key(key)) {
                Some(true) => news.push(("warning", over.remove(key).unwrap_or_default())),
                Some(false) => {
                    let what = format!("project {} keeps its {} quota again", key.0, key.1.short());
                    news.push(("info", what));
                }
                None => {}
            }
            excess.is_told || excess.against > 0
        });
        news
    }
}

fn all_cleared() -> QuotaChange {
    QuotaName::ALL.into_iter().map(|name| (name, None)).collect()
}

/// What is said of an excess.
fn told(quota: &ProjectQuota, name: QuotaName) -> String {
    let (used, limit) = quota.measure(name).unwrap_or_default();
    let (used, limit) = (name.amount(used), name.amount(limit));
    format!("project {} uses {used} of {limit} {}", quota.project, name.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excess_is_told_once_and_its_end_once() {
        let mut excess = Excess::default();
        let mut told = |over: &[bool]| -> Vec<_> {
            over.iter().filter_map(|over| excess.note(QuotaName::Memory, *over)).collect()
        };
        assert_eq!(told(&[true, true, true]), [true]);
        assert!(told(&[false, true, false, false, true]).is_empty());
        assert_eq!(told(&[false, false, false, false]), [false]);
        let mut excess = Excess::default();
        let steps = [true, true, false, true, true, true, true];
        let told: Vec<_> = steps.map(|over| excess.note(QuotaName::Cpu, over)).to_vec();
        assert_eq!(told, [None, None, None, None, None, Some(true), None]);
    }
}
