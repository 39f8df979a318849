//! Calls about budgets.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::{
        budget::{BudgetScope, Period},
        failure::Failure,
    },
    proto::{
        budget, failure_to_status,
        v1::{
            BudgetRequest, ListBudgetsRequest, ListBudgetsResponse, RemoveBudgetResponse,
            ResetBudgetResponse, SetBudgetRequest, SetBudgetResponse, budgets_server::Budgets,
        },
    },
};

#[tonic::async_trait]
impl Budgets for Shared {
    async fn list_budgets(
        &self,
        _request: Request<ListBudgetsRequest>,
    ) -> Result<Response<ListBudgetsResponse>, Status> {
        let budgets = self.services.list_budgets().await.map_err(refuse)?;
        let budgets = budgets.into_iter().map(Into::into).collect();
        Ok(Response::new(ListBudgetsResponse { budgets }))
    }

    async fn set_budget(
        &self,
        request: Request<SetBudgetRequest>,
    ) -> Result<Response<SetBudgetResponse>, Status> {
        let change = request.into_inner().try_into().map_err(refuse)?;
        self.services.set_budget(change).await.map_err(refuse)?;
        Ok(Response::new(SetBudgetResponse {}))
    }

    async fn remove_budget(
        &self,
        request: Request<BudgetRequest>,
    ) -> Result<Response<RemoveBudgetResponse>, Status> {
        let (scope, period) = which(&request.into_inner()).map_err(refuse)?;
        self.services.remove_budget(scope, period).await.map_err(refuse)?;
        Ok(Response::new(RemoveBudgetResponse {}))
    }

    async fn reset_budget(
        &self,
        request: Request<BudgetRequest>,
    ) -> Result<Response<ResetBudgetResponse>, Status> {
        let (scope, period) = which(&request.into_inner()).map_err(refuse)?;
        self.services.reset_budget(scope, period).await.map_err(refuse)?;
        Ok(Response::new(ResetBudgetResponse {}))
    }
}

fn which(wire: &BudgetRequest) -> Result<(BudgetScope, Option<Period>), Failure> {
    let period = match wire.period.as_str() {
        "" => None,
        word => Some(budget::period(word)?),
    };
    Ok((budget::scope(&wire.scope)?, period))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn refuse(failure: Failure) -> Status {
    failure_to_status(&failure)
}
