//! Gives runners' terminals the sizes that are wanted, once they have been wanted for a moment.
//!
//! A divider or a window that is dragged wants many sizes, and an agent paints everything anew for
//! each: only the one it ends with counts.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};

use super::event::UiEvent;
use crate::{
    client::Client,
    domain::{id::RunnerId, size::TerminalSize},
};

/// How long a size must have been wanted.
const PAUSE: Duration = Duration::from_millis(80);
/// Sizes that may wait while the daemon is slow. What is beyond them is asked for again with the
/// next key that is typed.
const QUEUE: usize = 64;

type Wanted = (RunnerId, TerminalSize);

/// Returns where to send sizes that are wanted; they are given as long as it is kept.
pub(super) fn start(
    client: watch::Receiver<Option<Client>>,
    events: mpsc::Sender<UiEvent>,
) -> mpsc::Sender<Wanted> {
    let (sizes, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(give(client, events, receiver));
    sizes
}

async fn give(
    client: watch::Receiver<Option<Client>>,
    events: mpsc::Sender<UiEvent>,
    mut sizes: mpsc::Receiver<Wanted>,
) {
    while let Some(first) = sizes.recv().await {
        let (id, size) = settled(&mut sizes, first).await;
        let client = client.borrow().clone();
        let Some(client) = client else { continue };
        if client.resize(&id.to_string(), size).await.is_err()
            && events.send(UiEvent::ResizeRefused(id)).await.is_err()
        {
            return;
        }
    }
}

/// Returns the size that is still wanted after a pause.
async fn settled(sizes: &mut mpsc::Receiver<Wanted>, first: Wanted) -> Wanted {
    let mut wanted = first;
    let mut until = Instant::now() + PAUSE;
    while let Ok(Some(next)) = timeout_at(until, sizes.recv()).await {
        // Each key asks again for the same size, which must not delay it.
        if next != wanted {
            wanted = next;
            until = Instant::now() + PAUSE;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_last_size_of_a_drag_counts() {
        let id = RunnerId::random();
        let (sender, mut sizes) = mpsc::channel(QUEUE);
        for cols in [41, 42, 43, 43] {
            sender.try_send((id, TerminalSize::new(cols, 24))).unwrap();
        }
        let first = sizes.recv().await.unwrap();
        assert_eq!(settled(&mut sizes, first).await, (id, TerminalSize::new(43, 24)));
        assert!(sizes.is_empty());
    }
}
