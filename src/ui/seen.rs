//! Keeps in a file what the user has looked at, so that the next start, and other dashboards, know.
//!
//! What is written is put together with what stands there: no dashboard takes away what another one
//! has noted. A file that cannot be read is told of and kept aside.

use std::{io, path::Path};

use tokio::sync::mpsc;

use super::{
    event::UiEvent,
    files,
    keeper::Keeper,
    state::{Looked, merge_looked, parse_looked, text_of_looked},
};
use crate::config::Places;

/// The file and whoever writes it: everything that was looked at since the start.
#[derive(Debug)]
pub(super) struct SeenFile(Keeper<Looked>);

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
        (Self(Keeper::start(path, "keep what was looked at", write, events)), found)
    }

    /// Keeps what was looked at, soon.
    pub(super) fn keep(&self, more: &Looked) {
        self.0.change(|looked| merge_looked(looked, more));
    }

    /// Waits until everything is kept, but not for ever.
    pub(super) async fn close(self) {
        self.0.close().await;
    }
}

/// Adds to what is kept; tells all of it, or what was wrong with what stood there.
fn write(path: &Path, more: &Looked) -> io::Result<Option<UiEvent>> {
    files::change(path, |found| {
        let (mut all, why) = match read(found) {
            Ok(all) => (all, None),
            Err(why) => (Looked::new(), Some(damaged(path, &why))),
        };
        merge_looked(&mut all, more);
        (text_of_looked(&all), Some(UiEvent::SeenFound(why.map_or(Ok(all), Err))))
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
    use crate::{domain::id::RunnerId, ui::event::Outcome};

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
