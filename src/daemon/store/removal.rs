//! Runners that have ended, removed from the database.
//!
//! Invariant: the row goes in one transaction with its event, and never while its status is a live
//! one; its number is not given out again, because the project keeps the count.

use super::{
    Store, StoreError, charges, projects, prompts,
    query::{Query, Write},
};
use crate::domain::{
    event::NewEvent,
    failure::Failure,
    id::RunnerId,
    inbox::{Class, Consequence},
    runner::Runner,
};

impl Store {
    /// Removes the row of an ended runner, and with it the budget that it was launched with.
    ///
    /// # Errors
    ///
    /// `RUNNER_LIVE` when it lives, was started again or is gone, with nothing changed.
    pub async fn runner_remove(&self, runner: &Runner, event: NewEvent) -> Result<(), StoreError> {
        let at = event.at;
        let query = Query::new(
            "DELETE FROM runners WHERE id = $1 AND run = $2 \
             AND status IN ('terminated', 'failed') RETURNING id",
        );
        let items = [Consequence::Resolve(
            &[Class::Ask, Class::Turn, Class::End, Class::Budget],
            "the runner was removed",
        )];
        let write = Write::causing(vec![event.clone()])
            .locking(&runner.project, at)
            .require(query.bind(runner.id.as_uuid()).bind(runner.run), still_live(&runner.name))
            .run(prompts::remove_of(runner.id.as_uuid()))
            .run(projects::recount(&runner.project, at))
            .run(charges::forget(runner))
            .minding(runner, &items, &event);
        self.write(write).await?;
        Ok(())
    }

    /// Returns whether this database ever had an event about a runner, whatever became of its row.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_was_known(&self, id: RunnerId) -> Result<bool, StoreError> {
        let query = Query::new(
            "SELECT sequence FROM aggregates WHERE entity_type = 'runner' AND entity_id = $1",
        );
        Ok(!self.fetch(query.bind(id.to_string())).await?.is_empty())
    }
}

/// What is said of a runner that cannot be removed because it lives.
fn still_live(name: &str) -> Failure {
    Failure::conflict("RUNNER_LIVE", format!("{name} has not ended"))
        .with_hint(format!("stratavore kill {name}"))
}
