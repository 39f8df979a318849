//! Calls of programs that are made once, over the death of the daemon.

use chrono::TimeDelta;
use uuid::Uuid;

use super::Services;
use crate::domain::{
    failure::Failure,
    repeat::{KeptAnswer, Repeat},
};

/// A call is remembered for so long.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Calls that are remembered; the oldest go first.
const MOST: u32 = 10_000;

impl Services {
    /// Begins a call under a key, unless it was begun already.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn begin_call(&self, key: Uuid, asked: &str) -> Result<Repeat, Failure> {
        Ok(self.store.repeat_begin(key, asked, self.context.clock.now()).await?)
    }

    /// Keeps the answer to a call that was begun; `None` forgets the call.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn finish_call(&self, key: Uuid, answer: Option<KeptAnswer>) -> Result<(), Failure> {
        Ok(self.store.repeat_finish(key, answer).await?)
    }

    /// Forgets calls that need not be remembered.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prune_calls(&self) -> Result<(), Failure> {
        Ok(self.store.repeat_prune(self.context.clock.now() - KEPT, MOST).await?)
    }
}
