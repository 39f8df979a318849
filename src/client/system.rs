//! The daemon itself, from the client's side.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Client, failed, request_within};
use crate::{
    domain::failure::Failure,
    proto::{
        from_timestamp,
        v1::{
            GetHealthRequest, GetMetricsRequest, GetStatusRequest, ShutdownRequest,
            TriggerReconciliationRequest, TriggerReconciliationResponse,
        },
    },
};

/// What the daemon is and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// The node's id.
    pub node_id: String,
    /// Its host name.
    pub hostname: String,
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The root directory.
    pub root: String,
    /// Since when it runs.
    pub started_at: DateTime<Utc>,
    /// For so long.
    pub uptime_seconds: u64,
    /// Registered projects.
    pub projects: u64,
    /// Runners by status.
    pub runners: BTreeMap<String, u64>,
    /// Live runners by what their agent is at.
    pub activities: BTreeMap<String, u64>,
    /// The daemon's resident memory.
    pub memory_kb: u64,
    /// What kind of database it uses.
    pub database: String,
}

/// A part of the daemon and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentView {
    /// Its name.
    pub name: String,
    /// ok or degraded.
    pub state: String,
    /// More about it.
    pub detail: String,
}

impl Client {
    /// Returns what the daemon is and has.
    ///
    /// # Errors
    ///
    /// When it cannot answer.
    pub async fn status(&self) -> Result<StatusView, Failure> {
        let answer = self.system().get_status(self.request(GetStatusRequest {})).await;
        let wire = answer.map_err(failed)?.into_inner();
        Ok(StatusView {
            node_id: wire.node_id,
            hostname: wire.hostname,
            version: wire.version,
            pid: wire.pid,
            root: wire.root,
            started_at: wire.started_at.as_ref().and_then(from_timestamp).unwrap_or_default(),
            uptime_seconds: wire.uptime_seconds,
            projects: wire.projects,
            runners: wire.runners.into_iter().collect(),
            activities: wire.activities.into_iter().collect(),
            memory_kb: wire.memory_kb,
            database: wire.database,
        })
    }

    /// Returns how each part of the daemon is.
    ///
    /// # Errors
    ///
    /// When it cannot answer.
    pub async fn health(&self) -> Result<Vec<ComponentView>, Failure> {
        let answer = self.system().get_health(self.request(GetHealthRequest {})).await;
        let components = answer.map_err(failed)?.into_inner().components.into_iter();
        let view = |c: crate::proto::v1::Component| ComponentView {
            name: c.name,
            state: c.state,
            detail: c.detail,
        };
        Ok(components.map(view).collect())
    }

    /// Returns the daemon's metrics by name and labels, and as Prometheus reads them.
    ///
    /// # Errors
    ///
    /// When it cannot answer.
    pub async fn metrics(&self) -> Result<(BTreeMap<String, f64>, String), Failure> {
        let answer = self.system().get_metrics(self.request(GetMetricsRequest {})).await;
        let wire = answer.map_err(failed)?.into_inner();
        Ok((wire.values.into_iter().collect(), wire.text))
    }

    /// Settles every row against what really runs; returns directories looked at, names adopted and
    /// names that had ended.
    ///
    /// # Errors
    ///
    /// When the daemon cannot.
    pub async fn reconcile(&self) -> Result<(u64, Vec<String>, Vec<String>), Failure> {
        let request = request_within(TriggerReconciliationRequest {}, super::runners::STOP_LIMIT);
        let answer = self.system().trigger_reconciliation(request).await;
        let TriggerReconciliationResponse { checked, adopted, failed: ended } =
            answer.map_err(failed)?.into_inner();
        Ok((checked, adopted, ended))
    }

    /// Tells the daemon to leave; runners go on.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub async fn shut_down(&self) -> Result<(), Failure> {
        self.system().shutdown(self.request(ShutdownRequest {})).await.map_err(failed)?;
        Ok(())
    }
}
