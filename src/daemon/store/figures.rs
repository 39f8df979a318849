//! Counts for the metrics: each a query that reads an index or a short table, never what is in the rows.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, query::Query};
use crate::domain::metric::Histogram;

/// How many runners have this in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerCount {
    /// Their project.
    pub project: String,
    /// Their status.
    pub status: String,
    /// What their agents are at.
    pub activity: String,
    /// How many.
    pub count: u64,
}

/// How many notifications are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationCount {
    /// The channel.
    pub channel: String,
    /// `waiting` or `parked`.
    pub state: String,
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub oldest: Option<DateTime<Utc>>,
}

impl Store {
    /// Returns how long writes took.
    pub fn write_latency(&self) -> &Histogram {
        &self.write_latency
    }

    /// Returns how many runners a node has had, told apart.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_counts(&self, node: &str) -> Result<Vec<RunnerCount>, StoreError> {
        let query = Query::new(
            // What tells nothing of itself runs, and does not start for as long as it lives.
            "SELECT project_name, status, \
             CASE WHEN status = 'running' AND activity_at IS NULL THEN status ELSE activity END AS activity, \
             count(*) AS many FROM runners WHERE node_id = $1 GROUP BY 1, 2, 3",
        );
        let rows = self.fetch(query.bind(node)).await?;
        rows.iter()
            .map(|row| {
                Ok(RunnerCount {
                    project: row.text("project_name")?,
                    status: row.text("status")?,
                    activity: row.text("activity")?,
                    count: row.count("many")?,
                })
            })
            .collect()
    }

    /// Returns the projects with what was used in each, the largest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn project_tokens(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let query =
            Query::new("SELECT name, total_tokens FROM projects ORDER BY total_tokens DESC, name");
        let rows = self.fetch(query).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.count("total_tokens")?))).collect()
    }

    /// Returns how many conversations there are.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn session_count(&self) -> Result<u64, StoreError> {
        let rows = self.fetch(Query::new("SELECT count(*) AS many FROM sessions")).await?;
        rows.first().map_or(Ok(0), |row| row.count("many"))
    }

    /// Returns how many items are open, by reason.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_counts(&self, now: DateTime<Utc>) -> Result<Vec<(String, u64)>, StoreError> {
        let query = Query::new(
            "SELECT reason, count(*) AS many FROM inbox WHERE state = 'open' \
             OR (state = 'snoozed' AND snoozed_until <= $1) GROUP BY reason",
        );
        let rows = self.fetch(query.bind(now)).await?;
        rows.iter().map(|row| Ok((row.text("reason")?, row.count("many")?))).collect()
    }

    /// Returns how many notifications wait or are parked, by channel.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn notification_figures(&self) -> Result<Vec<NotificationCount>, StoreError> {
        let query = Query::new(
            "SELECT channel, state, count(*) AS many, min(created_at) AS oldest FROM notifications \
             WHERE state IN ('waiting', 'parked') GROUP BY channel, state",
        );
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| {
                Ok(NotificationCount {
                    channel: row.text("channel")?,
                    state: row.text("state")?,
                    count: row.count("many")?,
                    oldest: row.optional_time("oldest")?,
                })
            })
            .collect()
    }
}
