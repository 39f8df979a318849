//! Budgets, from the client's side.

use super::{Client, failed};
use crate::{
    domain::{
        budget::{Budget, BudgetChange, BudgetScope, Period},
        failure::Failure,
    },
    proto::v1::{BudgetRequest, ListBudgetsRequest, SetBudgetRequest},
};

impl Client {
    /// Returns the budgets that are in force, the widest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_budgets(&self) -> Result<Vec<Budget>, Failure> {
        let answer = self.budgets().list_budgets(self.request(ListBudgetsRequest {})).await;
        let budgets = answer.map_err(failed)?.into_inner().budgets;
        budgets.into_iter().map(TryInto::try_into).collect()
    }

    /// Sets a budget.
    ///
    /// # Errors
    ///
    /// When what it is for is not found, or its time zone is none.
    pub async fn set_budget(&self, change: BudgetChange) -> Result<(), Failure> {
        let request = SetBudgetRequest::from(change);
        self.budgets().set_budget(self.request(request)).await.map_err(failed)?;
        Ok(())
    }

    /// Removes the budgets of a scope, of one period or of all.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn remove_budget(
        &self,
        scope: &BudgetScope,
        period: Option<Period>,
    ) -> Result<(), Failure> {
        let request = self.request(which(scope, period));
        self.budgets().remove_budget(request).await.map_err(failed)?;
        Ok(())
    }

    /// Lets the budgets of a scope, of one period or of all, begin anew.
    ///
    /// # Errors
    ///
    /// `BUDGET_NOT_FOUND`.
    pub async fn reset_budget(
        &self,
        scope: &BudgetScope,
        period: Option<Period>,
    ) -> Result<(), Failure> {
        let request = self.request(which(scope, period));
        self.budgets().reset_budget(request).await.map_err(failed)?;
        Ok(())
    }
}

fn which(scope: &BudgetScope, period: Option<Period>) -> BudgetRequest {
    let period = period.map(|period| period.as_str().to_owned()).unwrap_or_default();
    BudgetRequest { scope: scope.to_string(), period }
}
