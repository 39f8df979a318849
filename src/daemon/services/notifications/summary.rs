//! The summary on schedule: what ran, what failed, what it cost since the one before.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::super::Services;
use crate::domain::{
    activity::ActivityState,
    event::{EventFilter, EventType},
    failure::Failure,
    usage::{UsageBy, UsageFilter},
};

/// Events that are counted at most.
const MOST: u32 = 10_000;

impl Services {
    /// Returns when the next summary is due, if any ever is.
    pub fn summary_due(&self) -> Option<DateTime<Utc>> {
        self.outside.summary.as_ref()?.next(self.context.clock.now())
    }

    /// Records a summary, which is then told like any event.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn summarize(&self) -> Result<(), Failure> {
        let now = self.context.clock.now();
        // The one that is due now is found as the one before, too.
        let before = now - TimeDelta::minutes(1);
        let since = self.outside.summary.as_ref().and_then(|summary| summary.previous(before));
        let since = since.unwrap_or(now - TimeDelta::days(1));
        let live = self.list_runners("", "live", 0).await?;
        let waiting = live.iter().filter(|r| r.activity.state == ActivityState::Blocked).count();
        let mut counts = Vec::new();
        for event_type in [EventType::RunnerStarted, EventType::RunnerFailed] {
            let filter = EventFilter {
                event_type: event_type.as_str().to_owned(),
                since: Some(since),
                ..EventFilter::default()
            };
            counts.push(self.store.event_list(&filter, MOST).await?.len());
        }
        let filter = UsageFilter { since: Some(since), ..UsageFilter::default() };
        let totals = self.usage(UsageBy::Project, filter).await?;
        let tokens: u64 = totals.iter().map(|total| total.tokens.total()).sum();
        let cost: i64 = totals.iter().map(|total| total.cost.0).sum();
        let budgets: Vec<_> = self
            .list_budgets()
            .await?
            .iter()
            .map(|budget| {
                format!("{} ({}): {} %", budget.scope, budget.period.as_str(), budget.percent())
            })
            .collect();
        let data = json!({
            "since": since, "live": live.len(), "waiting": waiting,
            "started": counts.first(), "failed": counts.get(1),
            "tokens": tokens, "cost_nanos": cost, "budgets": budgets,
        });
        self.record(EventType::MetricsSummary, data).await
    }
}
