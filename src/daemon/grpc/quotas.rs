//! Calls about quotas. None of them is an agent's to make.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::proto::{
    failure_to_status, quota_change, quota_name,
    v1::{
        ClearQuotaRequest, ListQuotasRequest, ListQuotasResponse, ProjectQuota, SetQuotaRequest,
        quotas_server::Quotas,
    },
};

#[tonic::async_trait]
impl Quotas for Shared {
    async fn list_quotas(
        &self,
        request: Request<ListQuotasRequest>,
    ) -> Result<Response<ListQuotasResponse>, Status> {
        let quotas = self.services.list_quotas(&request.into_inner().project).await;
        let quotas = quotas.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new(ListQuotasResponse { quotas: quotas.iter().map(Into::into).collect() }))
    }

    async fn set_quota(
        &self,
        request: Request<SetQuotaRequest>,
    ) -> Result<Response<ProjectQuota>, Status> {
        let wire = request.into_inner();
        let change = quota_change(&wire.limits).map_err(|failure| failure_to_status(&failure))?;
        let quota = self.services.set_quota(&wire.project, change).await;
        quota.map(|quota| Response::new((&quota).into())).map_err(|e| failure_to_status(&e))
    }

    async fn clear_quota(
        &self,
        request: Request<ClearQuotaRequest>,
    ) -> Result<Response<ProjectQuota>, Status> {
        let wire = request.into_inner();
        let name = if wire.name.is_empty() { Ok(None) } else { quota_name(&wire.name).map(Some) };
        let name = name.map_err(|failure| failure_to_status(&failure))?;
        let quota = self.services.clear_quota(&wire.project, name).await;
        quota.map(|quota| Response::new((&quota).into())).map_err(|e| failure_to_status(&e))
    }
}
