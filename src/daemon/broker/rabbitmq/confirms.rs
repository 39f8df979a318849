//! Waits for confirmations, and hands them over in batches that are complete.
//!
//! Complete means: when a confirmation is in a batch, everything that the client had resolved before
//! it is in this or an earlier batch. The client resolves confirmations one after another, waking
//! each; so after the first, we poll until nothing is left and nobody was woken meanwhile. The set
//! may also stop early to be fair, and then wakes us itself, which is seen the same way.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered, task::AtomicWaker};

/// A publish and its confirmation.
pub(super) type Confirm<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Confirmations that are waited for.
pub(super) struct Confirms<T> {
    waiting: FuturesUnordered<Confirm<T>>,
    bell: Arc<Bell>,
}

impl<T> Default for Confirms<T> {
    fn default() -> Self {
        Self { waiting: FuturesUnordered::new(), bell: Arc::default() }
    }
}

/// Remembers that somebody was woken, and wakes us.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

impl<T: Send + 'static> Confirms<T> {
    /// Starts a publish at once, so that messages leave in the order of these calls, and waits for
    /// its confirmation from now on.
    pub(super) async fn push(&mut self, mut confirm: Confirm<T>) {
        let first = std::future::poll_fn(|cx| Poll::Ready(confirm.as_mut().poll(cx))).await;
        match first {
            Poll::Ready(done) => self.waiting.push(Box::pin(std::future::ready(done))),
            Poll::Pending => self.waiting.push(confirm),
        }
    }

    /// Waits until there is a confirmation and returns all that there are; for ever while nothing is
    /// waited for. Cancelling it loses nothing.
    pub(super) async fn settled(&mut self) -> Vec<T> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Vec<T>> {
        self.bell.task.register(cx.waker());
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut inner = Context::from_waker(&waker);
        let mut batch = Vec::new();
        loop {
            self.bell.rung.store(false, Ordering::SeqCst);
            match self.waiting.poll_next_unpin(&mut inner) {
                Poll::Ready(Some(done)) => batch.push(done),
                Poll::Pending if self.bell.rung.load(Ordering::SeqCst) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if batch.is_empty() { Poll::Pending } else { Poll::Ready(batch) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn confirm(number: u64) -> (oneshot::Sender<()>, Confirm<u64>) {
        let (resolve, resolved) = oneshot::channel();
        let confirm = async move {
            resolved.await.ok();
            number
        };
        // The client's own promises know no budget either.
        (resolve, Box::pin(tokio::task::unconstrained(confirm)))
    }

    #[tokio::test]
    async fn a_batch_holds_all_that_was_resolved_before_any_of_it() {
        for round in 0..200_u64 {
            let mut confirms = Confirms::default();
            let mut resolves = Vec::new();
            for number in 0..256 {
                let (resolve, confirm) = confirm(number);
                confirms.push(confirm).await;
                resolves.push(resolve);
            }
            // Resolved in an order of its own by another thread, while we look.
            let thread = std::thread::spawn(move || {
                for _ in 0..round % 7 {
                    std::thread::yield_now();
                }
                while let Some(resolve) = resolves.pop() {
                    resolve.send(()).ok();
                }
            });
            let mut lowest = 256;
            let mut seen = 0;
            while seen < 256 {
                let batch = confirms.settled().await;
                seen += batch.len() as u64;
                lowest = lowest.min(batch.into_iter().min().unwrap());
                // 255 was resolved first, 0 last: nothing above the lowest may be missing.
                assert!(seen >= 256 - lowest, "round {round}: {seen} seen, lowest {lowest}");
            }
            thread.join().unwrap();
        }
    }

    #[tokio::test]
    async fn a_publish_begins_when_it_is_pushed() {
        let (begun, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut confirms = Confirms::<()>::default();
        for number in 0..10 {
            let begun = begun.clone();
            confirms
                .push(Box::pin(async move {
                    begun.send(number).ok();
                    std::future::pending::<()>().await;
                }))
                .await;
            assert_eq!(order.try_recv(), Ok(number));
        }
    }
}
