//! Keeps in a file what the user has looked at, so that the next start, and other dashboards, know.
//!
//! What is written is put together with what stands there: no dashboard takes away what another one
//! has noted. A file that cannot be read is told of and kept aside.

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

use super::{
    event::{Outcome, UiEvent},
    files,
    state::{Looked, merge_looked, parse_looked, text_of_looked},
};
use crate::{config::Places, domain::failure::Failure};

/// Whoever goes through a list looks at one after the other.
const PAUSE: Duration = Duration::from_millis(300);
/// How long leaving the dashboard may wait for the disk.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file and whoever writes it.
#[derive(Debug)]
pub(super) struct SeenFile {
    /// Everything that was looked at since the start.
    looked: watch::Sender<Looked>,
    writer: JoinHandle<()>,
}

impl SeenFile {
    /// Returns what was kept, or why it cannot be used, and begins to keep what is looked at.
    pub(super) fn open(
        places: &Places,
        events: mpsc::Sender<UiEvent>,
    ) -> (Self, Result<Looked, String>) {
        let path = places.seen();
        let found = match read(files::read(&path)) {
            Err(why) => Err(damaged(&path, &why)),
            found => found,
        };
        let (looked, changes) = watch::channel(Looked::new());
        let writer = tokio::spawn(keep(path, changes, events));
        (Self { looked, writer }, found)
    }

    /// Keeps what was looked at, soon.
    pub(super) fn keep(&self, more: &Looked) {
        self.looked.send_modify(|looked| merge_looked(looked, more));
    }

    /// Waits until everything is kept, but not for ever.
    pub(super) async fn close(self) {
        drop(self.looked);
        // A disk that hangs does not hold anybody here.
        timeout(PATIENCE, self.writer).await.ok();
    }
}

async fn keep(path: PathBuf, mut changes: watch::Receiver<Looked>, events: mpsc::Sender<UiEvent>) {
    let mut is_told = false;
    while changes.changed().await.is_ok() {
        tokio::select! {
            () = sleep(PAUSE) => {}
            // The dashboard is being left: there will be no more.
            () = closed(changes.clone()) => {}
        }
        let (file, looked) = (path.clone(), changes.borrow_and_update().clone());
        let written = tokio::task::spawn_blocking(move || write(&file, &looked)).await;
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((all, why)) => {
                is_told = false;
                // A loop that does not listen is being left.
                events.try_send(UiEvent::SeenFound(why.map_or(Ok(all), Err))).ok();
            }
            // All of it is tried again with the next one.
            Err(error) if !is_told => {
                is_told = true;
                let what = format!("{}: {error}", path.display());
                let failure = Failure::unavailable("SEEN_NOT_KEPT", what);
                let told = Outcome::Failed("keep what was looked at", failure);
                events.try_send(UiEvent::Outcome(told)).ok();
            }
            Err(_) => {}
        }
    }
}

async fn closed(mut changes: watch::Receiver<Looked>) {
    while changes.changed().await.is_ok() {}
}

/// Adds to what is kept; returns all of it, and what was wrong with what stood there.
fn write(path: &Path, more: &Looked) -> io::Result<(Looked, Option<String>)> {
    files::change(path, |found| {
        let (mut all, why) = match read(found) {
            Ok(all) => (all, None),
            Err(why) => (Looked::new(), Some(damaged(path, &why))),
        };
        merge_looked(&mut all, more);
        (text_of_looked(&all), (all, why))
    })
}

fn read(found: io::Result<String>) -> Result<Looked, String> {
    match found {
        Ok(text) => parse_looked(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Looked::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn damaged(path: &Path, why: &str) -> String {
    format!("what was looked at is not known: {why}; {}", files::put_aside(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::id::RunnerId;

    fn one() -> (RunnerId, DateTime<Utc>) {
        (RunnerId::random(), DateTime::from_timestamp(1_800_000_000, 0).unwrap())
    }

    #[tokio::test]
    async fn two_dashboards_take_nothing_from_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        let (a, b) = (one(), one());
        let (first, found) = SeenFile::open(&places, mpsc::channel(8).0);
        let (second, _) = SeenFile::open(&places, mpsc::channel(8).0);
        assert_eq!(found, Ok(Looked::new()));
        first.keep(&Looked::from([a]));
        second.keep(&Looked::from([b]));
        first.close().await;
        second.close().await;
        let (_file, found) = SeenFile::open(&places, mpsc::channel(8).0);
        assert_eq!(found, Ok(Looked::from([a, b])));
    }

    #[tokio::test]
    async fn what_is_damaged_is_told_and_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        for text in ["", "{", r#"{"version": 9, "seen": {}}"#] {
            fs::write(places.seen(), text).unwrap();
            let (_file, found) = SeenFile::open(&places, mpsc::channel(8).0);
            assert!(found.unwrap_err().contains("seen.json.damaged"));
            assert_eq!(fs::read_to_string(dir.path().join("seen.json.damaged")).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_told_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path().join("gone"));
        let (events, mut told) = mpsc::channel(8);
        let (file, _found) = SeenFile::open(&places, events);
        let (a, b) = (one(), one());
        file.keep(&Looked::from([a]));
        let Some(UiEvent::Outcome(Outcome::Failed(..))) = told.recv().await else { panic!() };
        fs::create_dir(places.root()).unwrap();
        file.keep(&Looked::from([b]));
        file.close().await;
        let (_file, found) = SeenFile::open(&places, mpsc::channel(8).0);
        assert_eq!(found, Ok(Looked::from([a, b])));
    }
}
