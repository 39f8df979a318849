//! Something that is done beside a loop, one at a time.
//!
//! Its owner starts it and waits for its end among other things; with its owner it is ended. What it
//! hands to others, a write to the store, is theirs by then and goes on.

use tokio_util::task::AbortOnDropHandle;

use crate::daemon::store::StoreError;

/// A place for one of them.
#[derive(Debug)]
pub(super) struct Job<T>(Option<AbortOnDropHandle<Result<T, StoreError>>>);

impl<T> Default for Job<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Job<T> {
    /// Whether another one can be started.
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Starts one; what was there is ended.
    pub(super) fn start(
        &mut self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) {
        self.0 = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    /// Waits for its end, for ever while there is none.
    ///
    /// # Errors
    ///
    /// Its own, or that it has broken off.
    ///
    /// # Cancel safety
    ///
    /// Cancelling the wait loses nothing.
    pub(super) async fn done(&mut self) -> Result<T, StoreError> {
        let Some(handle) = &mut self.0 else { return std::future::pending().await };
        let ended = handle.await;
        self.0 = None;
        ended.unwrap_or_else(|error| Err(StoreError::Garbled(format!("end of a task: {error}"))))
    }
}
