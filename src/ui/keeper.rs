//! Keeps a small file of the dashboard up to date: what changes is written soon, many changes at
//! once, and a last time when the dashboard is left.
//!
//! What is in the file, and how it is put together with what stands there, is its owner's. Invariant:
//! nobody waits for the disk but the writer; what cannot be written is told once and tried again with
//! the next change.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::event::{Outcome, UiEvent};
use crate::domain::failure::Failure;

/// While it changes again and again, as under a divider that is dragged, it is not written.
const PAUSE: Duration = Duration::from_millis(300);
/// How long leaving the dashboard may wait for the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes what is to be kept; returns what there is to tell about it.
pub(super) type Write<T> = fn(&Path, &T) -> io::Result<Option<UiEvent>>;

/// What is to be kept and whoever writes it.
#[derive(Debug)]
pub(super) struct Keeper<T> {
    latest: watch::Sender<Option<T>>,
    writer: JoinHandle<()>,
}

impl<T: Clone + Send + Sync + 'static> Keeper<T> {
    /// Begins to keep what changes in a file; `what` is said of it when that fails.
    pub(super) fn start(
        path: PathBuf,
        what: &'static str,
        write: Write<T>,
        events: mpsc::Sender<UiEvent>,
    ) -> Self {
        let (latest, changes) = watch::channel(None);
        let writer = tokio::spawn(keep(path, what, write, changes, events));
        Self { latest, writer }
    }

    /// Keeps this instead, soon.
    pub(super) fn keep(&self, latest: T) {
        self.latest.send_replace(Some(latest));
    }

    /// Changes what is to be kept, which begins empty; it is written soon.
    pub(super) fn change(&self, change: impl FnOnce(&mut T))
    where
        T: Default,
    {
        self.latest.send_modify(|latest| change(latest.get_or_insert_default()));
    }

    /// Waits until everything is kept, but not for ever.
    pub(super) async fn close(self) {
        drop(self.latest);
        // A disk that hangs does not hold anybody here.
        timeout(PATIENCE, self.writer).await.ok();
    }
}

async fn keep<T: Clone + Send + Sync + 'static>(
    path: PathBuf,
    what: &'static str,
    write: Write<T>,
    mut changes: watch::Receiver<Option<T>>,
    events: mpsc::Sender<UiEvent>,
) {
    let mut is_told = false;
    while changes.changed().await.is_ok() {
        tokio::select! {
            () = sleep(PAUSE) => {}
            // The dashboard is being left: there will be no more.
            () = closed(changes.clone()) => {}
        }
        let Some(latest) = changes.borrow_and_update().clone() else { continue };
        let file = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &latest)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        let failed = written.is_err();
        let told = match written {
            Ok(told) => told,
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                let failure = Failure::unavailable("NOT_KEPT", why);
                (!is_told).then(|| UiEvent::Outcome(Outcome::Failed(what, failure)))
            }
        };
        // A loop that does not listen is being left.
        told.and_then(|told| events.try_send(told).ok());
        is_told = failed;
    }
}

async fn closed<T>(mut changes: watch::Receiver<T>) {
    while changes.changed().await.is_ok() {}
}
