//! What agents used: look at it.

use super::Services;
use crate::domain::{
    failure::Failure,
    usage::{UsageBy, UsageFilter, UsageTotal},
};

impl Services {
    /// Returns sums of model requests, told apart by something, the largest first; days and hours in
    /// order.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND` or `SESSION_NOT_FOUND` for the words of the filter.
    pub async fn usage(
        &self,
        by: UsageBy,
        mut filter: UsageFilter,
    ) -> Result<Vec<UsageTotal>, Failure> {
        // Figures without what came while no daemon lived would be less than was told before.
        self.intake.caught_up(self.looking_until).await;
        if !filter.runner.is_empty() {
            filter.runner = self.resolve(&filter.runner).await?.id.to_string();
        }
        if !filter.session.is_empty() {
            filter.session = self.get_session(&filter.session).await?.id;
        }
        let mut totals = self.store.usage_totals(by, &filter).await?;
        if by == UsageBy::Runner {
            let names = self.store.runner_names().await?;
            for total in &mut totals {
                if let Some(name) = names.get(&total.key) {
                    total.name.clone_from(name);
                }
            }
        }
        Ok(totals)
    }
}
