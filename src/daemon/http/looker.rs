//! Looks up whose processes are behind connections: one look at all processes for everybody who waits, and
//! never two at a time, so that a crowd of callers costs what one does.

use std::{
    mem::take,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Mutex as Turn, oneshot},
    task::spawn_blocking,
};

use crate::process::{Ends, Neighbour, UnknownProcess, neighbours};

/// What is not looked up is not trusted.
const NOT_FOUND: Neighbour = Neighbour::Here(Err(UnknownProcess));

/// One for all connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Looker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Who waits for the next look; a connection at most once.
    waiting: Mutex<Vec<(Ends, oneshot::Sender<Neighbour>)>>,
    /// Held by who looks.
    turn: Turn<()>,
}

impl Looker {
    /// Returns whose process it is.
    pub(super) async fn look(&self, ends: Ends) -> Neighbour {
        let (sender, receiver) = oneshot::channel();
        self.waiting().push((ends, sender));
        // In a task of its own: who goes away while it looks for all leaves nobody without an answer.
        let looker = self.clone();
        tokio::spawn(async move { looker.look_for_all().await });
        receiver.await.unwrap_or(NOT_FOUND)
    }

    /// Looks for everybody who waits, unless somebody else just did.
    async fn look_for_all(&self) {
        let _turn = self.0.turn.lock().await;
        let mut waiting = take(&mut *self.waiting());
        // Who has gone needs no answer.
        waiting.retain(|(_, one)| !one.is_closed());
        if waiting.is_empty() {
            return;
        }
        let all: Vec<Ends> = waiting.iter().map(|(ends, _)| *ends).collect();
        let found = spawn_blocking(move || neighbours(&all)).await.unwrap_or_default();
        let found = found.into_iter().chain(std::iter::repeat(NOT_FOUND));
        for ((_, one), found) in waiting.into_iter().zip(found) {
            one.send(found).ok();
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<(Ends, oneshot::Sender<Neighbour>)>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_told_of_their_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let looker = Looker::default();
        let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(own).unwrap()).collect();
        let here = clients.iter().map(|client| (client.local_addr().unwrap(), own));
        let far = "192.0.2.1:1".parse().unwrap();
        let all: Vec<Ends> = here.chain([(far, own)]).collect();
        let mut found = join_all(all.iter().map(|ends| looker.look(*ends))).await;
        assert_eq!(found.pop(), Some(Neighbour::Elsewhere));
        // The test runs in no runner.
        assert!(found.iter().all(|one| *one == Neighbour::Here(Ok(None))), "{found:?}");
        // One that goes away takes nobody's answer with it.
        let (gone, stays) = (looker.look(all[0]), looker.look(all[1]));
        drop(tokio::time::timeout(std::time::Duration::ZERO, gone).await);
        assert_eq!(stays.await, Neighbour::Here(Ok(None)));
        assert!(looker.waiting().is_empty());
    }
}
