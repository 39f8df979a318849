//! One change at a time for each runner.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::id::RunnerId;

/// Locks by runner; those that nobody holds are forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Locks(Arc<Mutex<HashMap<RunnerId, Arc<AsyncMutex<()>>>>>);

impl Locks {
    /// Waits until nobody else changes this runner.
    pub(super) async fn lock(&self, id: RunnerId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(id).or_default())
        };
        lock.lock_owned().await
    }

    /// Whether somebody changes this runner now, or waits to.
    pub(super) fn is_held(&self, id: RunnerId) -> bool {
        let locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.get(&id).is_some_and(|lock| Arc::strong_count(lock) > 1)
    }
}
