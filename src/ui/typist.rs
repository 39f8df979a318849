//! Types keys into agents: those of one agent in the order they were pressed, those of another
//! without waiting for it.
//!
//! An agent, or its supervisor, that does not read holds up nobody else. Invariant: keys that are
//! refused are told of; no key is typed out of its order.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::event::{Outcome, TYPE, UiEvent};
use crate::{
    client::Client,
    domain::{failure::Failure, id::RunnerId},
};

/// Keys and pastes that may wait for one agent.
const QUEUE: usize = 1024;

/// Types into any number of agents.
#[derive(Debug)]
pub(super) struct Typist {
    client: watch::Receiver<Option<Client>>,
    events: mpsc::Sender<UiEvent>,
    lines: HashMap<RunnerId, mpsc::Sender<Vec<u8>>>,
}

impl Typist {
    /// Returns one that tells through `events` what was refused.
    pub(super) fn new(
        client: watch::Receiver<Option<Client>>,
        events: mpsc::Sender<UiEvent>,
    ) -> Self {
        Self { client, events, lines: HashMap::new() }
    }

    /// Types bytes after those that were typed before.
    pub(super) fn type_bytes(&mut self, id: RunnerId, bytes: Vec<u8>) {
        let mut bytes = bytes;
        if let Some(line) = self.lines.get(&id) {
            bytes = match line.try_send(bytes) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => return self.refuse(),
                // Whoever typed there has left: the loop did not listen.
                Err(mpsc::error::TrySendError::Closed(bytes)) => bytes,
            };
        }
        let (line, keys) = mpsc::channel(QUEUE);
        // The channel is new and has room.
        line.try_send(bytes).ok();
        self.lines.insert(id, line);
        tokio::spawn(type_keys(self.client.clone(), self.events.clone(), id, keys));
    }

    fn refuse(&self) {
        let failure = Failure::unavailable("INPUT_BLOCKED", "the agent does not read its input");
        // A loop that does not listen has worse to tell.
        self.events.try_send(UiEvent::Outcome(Outcome::Failed(TYPE, failure))).ok();
    }
}

/// Types what comes for one agent; what waited together goes at once.
async fn type_keys(
    client: watch::Receiver<Option<Client>>,
    events: mpsc::Sender<UiEvent>,
    id: RunnerId,
    mut keys: mpsc::Receiver<Vec<u8>>,
) {
    let word = id.to_string();
    while let Some(mut bytes) = keys.recv().await {
        while let Ok(more) = keys.try_recv() {
            bytes.extend(more);
        }
        let current = client.borrow().clone();
        let typed = match current {
            Some(client) => client.send_keys(&word, Bytes::from(bytes)).await.map(drop),
            None => Err(Failure::unavailable("NO_DAEMON", "the daemon is away")),
        };
        if let Err(failure) = typed
            && events.send(UiEvent::Outcome(Outcome::Failed(TYPE, failure))).await.is_err()
        {
            return;
        }
    }
}
