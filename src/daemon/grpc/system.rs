//! Calls about the daemon itself.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::proto::{
    failure_to_status, to_timestamp,
    v1::{
        Component, GetHealthRequest, GetHealthResponse, GetMetricsRequest, GetMetricsResponse,
        GetStatusRequest, GetStatusResponse, ShutdownRequest, ShutdownResponse,
        TriggerReconciliationRequest, TriggerReconciliationResponse, system_server::System,
    },
};

#[tonic::async_trait]
impl System for Shared {
    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let status = self.services.status().await.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(GetStatusResponse {
            node_id: status.node_id,
            hostname: status.hostname,
            version: status.version.to_owned(),
            pid: status.pid,
            root: status.root,
            started_at: Some(to_timestamp(status.started_at)),
            uptime_seconds: status.uptime_seconds,
            projects: status.projects,
            runners: status.runners.into_iter().collect(),
            activities: status.activities.into_iter().collect(),
            memory_kb: status.memory_kb,
            database: status.database,
        }))
    }

    async fn get_health(
        &self,
        _request: Request<GetHealthRequest>,
    ) -> Result<Response<GetHealthResponse>, Status> {
        let health = self.services.health().await;
        let components = health.iter().map(|component| Component {
            name: component.name.clone(),
            state: component.state.as_str().to_owned(),
            detail: component.detail.clone(),
        });
        Ok(Response::new(GetHealthResponse {
            healthy: health.iter().all(|component| component.healthy),
            components: components.collect(),
        }))
    }

    async fn get_metrics(
        &self,
        _request: Request<GetMetricsRequest>,
    ) -> Result<Response<GetMetricsResponse>, Status> {
        let page = self.services.metrics().await;
        let values = page.values().into_iter().collect();
        Ok(Response::new(GetMetricsResponse { values, text: page.text() }))
    }

    async fn trigger_reconciliation(
        &self,
        _request: Request<TriggerReconciliationRequest>,
    ) -> Result<Response<TriggerReconciliationResponse>, Status> {
        let result = self.services.reconcile().await.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(TriggerReconciliationResponse {
            checked: result.checked,
            adopted: result.adopted,
            failed: result.failed,
        }))
    }

    async fn shutdown(
        &self,
        _request: Request<ShutdownRequest>,
    ) -> Result<Response<ShutdownResponse>, Status> {
        self.stop.cancel();
        Ok(Response::new(ShutdownResponse {}))
    }
}
