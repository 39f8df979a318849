//! Calls about what agents used.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::{
        failure::Failure,
        usage::{UsageBy, UsageFilter},
    },
    proto::{
        failure_to_status, from_timestamp,
        v1::{GetUsageRequest, GetUsageResponse, usage_server::Usage},
    },
};

#[tonic::async_trait]
impl Usage for Shared {
    async fn get_usage(
        &self,
        request: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        let wire = request.into_inner();
        let refuse = |failure: Failure| failure_to_status(&failure);
        let word = if wire.by.is_empty() { "project" } else { &wire.by };
        let by = UsageBy::parse(word).ok_or_else(|| {
            let all = UsageBy::ALL.map(UsageBy::as_str).join(", ");
            let what = format!("`{}` is none of {all}", word.escape_debug());
            refuse(Failure::usage("BAD_USAGE", what))
        })?;
        let filter = UsageFilter {
            project: wire.project,
            runner: wire.runner,
            session: wire.session,
            since: wire.since.as_ref().and_then(from_timestamp),
            until: wire.until.as_ref().and_then(from_timestamp),
            imported: wire.imported,
        };
        let totals = self.services.usage(by, filter).await.map_err(refuse)?;
        let totals = totals.into_iter().map(Into::into).collect();
        Ok(Response::new(GetUsageResponse { totals }))
    }
}
