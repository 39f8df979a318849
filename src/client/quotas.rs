//! Quotas, from the client's side.

use super::{Client, failed};
use crate::{
    domain::{
        failure::Failure,
        quota::{ProjectQuota, QuotaChange, QuotaName},
    },
    proto::{
        quota_limits,
        v1::{ClearQuotaRequest, ListQuotasRequest, SetQuotaRequest},
    },
};

impl Client {
    /// Returns limits and use of all projects, or of one unless it is empty.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn list_quotas(&self, project: &str) -> Result<Vec<ProjectQuota>, Failure> {
        let request = ListQuotasRequest { project: project.to_owned() };
        let answer = self.quotas().list_quotas(self.request(request)).await;
        let quotas = answer.map_err(failed)?.into_inner().quotas;
        Ok(quotas.into_iter().map(Into::into).collect())
    }

    /// Changes limits of a project; those that are not named stay. Returns what is in force.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn set_quota(
        &self,
        project: &str,
        change: &QuotaChange,
    ) -> Result<ProjectQuota, Failure> {
        let limits = quota_limits(change);
        let request = SetQuotaRequest { project: project.to_owned(), limits };
        let answer = self.quotas().set_quota(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
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
        let name = name.map_or("", QuotaName::as_str).to_owned();
        let request = ClearQuotaRequest { project: project.to_owned(), name };
        let answer = self.quotas().clear_quota(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
    }
}
