//! What agents used, from the client's side.

use super::{Client, failed};
use crate::{
    domain::{
        failure::Failure,
        usage::{UsageBy, UsageFilter, UsageTotal},
    },
    proto::{to_timestamp, v1::GetUsageRequest},
};

impl Client {
    /// Returns sums of model requests, told apart by something, the largest first; days and hours in
    /// order.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer, or the runner or session is not found.
    pub async fn usage(
        &self,
        by: UsageBy,
        filter: &UsageFilter,
    ) -> Result<Vec<UsageTotal>, Failure> {
        let request = GetUsageRequest {
            by: by.as_str().to_owned(),
            project: filter.project.clone(),
            runner: filter.runner.clone(),
            session: filter.session.clone(),
            since: filter.since.map(to_timestamp),
            until: filter.until.map(to_timestamp),
            imported: filter.imported,
        };
        let answer = self.usage_calls().get_usage(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().totals.into_iter().map(Into::into).collect())
    }
}
