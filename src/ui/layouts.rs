//! Keeps the arrangement of the panes in a file, so that the next start finds it.
//!
//! The file appears whole or not at all. One that cannot be read is told of, kept aside and not
//! used; only an arrangement with panes ever replaces another.

use std::{io, path::Path};

use tokio::sync::mpsc;

use super::{event::UiEvent, files, keeper::Keeper, state::SavedLayout};
use crate::config::Places;

/// The file of the arrangement and whoever writes it.
#[derive(Debug)]
pub(super) struct Layouts(Keeper<SavedLayout>);

/// What the last start left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// An arrangement.
    Layout(SavedLayout),
    /// Something that cannot be used, as a sentence to be shown.
    Damaged(String),
}

impl Layouts {
    /// Reads what was kept and begins to keep what is changed; what cannot be kept is told.
    pub(super) fn open(places: &Places, events: mpsc::Sender<UiEvent>) -> (Self, Found) {
        let path = places.layout();
        let found = read(&path);
        (Self(Keeper::start(path, "keep the arrangement of the panes", write, events)), found)
    }

    /// Keeps an arrangement, soon.
    pub(super) fn save(&self, layout: SavedLayout) {
        self.0.keep(layout);
    }

    /// Waits until the last one is kept, but not for ever.
    pub(super) async fn close(self) {
        self.0.close().await;
    }
}

fn write(path: &Path, layout: &SavedLayout) -> io::Result<Option<UiEvent>> {
    files::replace(path, layout.text().as_bytes())?;
    Ok(None)
}

fn read(path: &Path) -> Found {
    let text = match files::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return damaged(path, &error.to_string()),
    };
    SavedLayout::parse(&text).map_or_else(|why| damaged(path, &why), Found::Layout)
}

fn damaged(path: &Path, why: &str) -> Found {
    let kept = files::put_aside(path);
    Found::Damaged(format!("the saved panes cannot be used: {why}; {kept}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        domain::id::RunnerId,
        ui::{
            event::Outcome,
            state::{Axis, MOST_PANES, Panes},
        },
    };

    fn layout(panes: usize) -> Option<SavedLayout> {
        let mut state = Panes::default();
        for _ in 0..panes {
            state.open(Axis::Stacked, RunnerId::random());
        }
        SavedLayout::of(&state)
    }

    #[tokio::test]
    async fn what_was_arranged_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        let (layouts, found) = Layouts::open(&places, mpsc::channel(1).0);
        assert_eq!(found, Found::Nothing);
        layouts.save(layout(1).unwrap());
        let last = layout(3).unwrap();
        layouts.save(last.clone());
        layouts.close().await;
        let (_layouts, found) = Layouts::open(&places, mpsc::channel(1).0);
        assert_eq!(found, Found::Layout(last));
        assert_eq!(layout(0), None, "an empty one is never kept");
    }

    #[tokio::test]
    async fn what_is_damaged_is_told_and_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        let one = layout(2).unwrap().text();
        let newer = one.replace("\"version\": 1", "\"version\": 2");
        let ratio = one.replace("\"ratio\": 500", "\"ratio\": 1000");
        for text in ["", "{", "[1]", &newer, &ratio, &"[".repeat(100_000)] {
            fs::write(places.layout(), text).unwrap();
            let (_layouts, found) = Layouts::open(&places, mpsc::channel(1).0);
            let Found::Damaged(told) = found else { panic!("{text} was used") };
            assert!(told.contains("layout.json.damaged"), "{told}");
            let aside = dir.path().join("layout.json.damaged");
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
            assert!(!places.layout().exists());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        fs::create_dir(places.layout()).unwrap();
        fs::write(places.layout().join("x"), "").unwrap();
        let (events, mut told) = mpsc::channel(8);
        let (layouts, _found) = Layouts::open(&places, events);
        fs::create_dir_all(places.layout().join("y")).unwrap();
        layouts.save(layout(1).unwrap());
        let Some(UiEvent::Outcome(Outcome::Failed(what, _))) = told.recv().await else { panic!() };
        assert!(what.contains("panes"));
        layouts.save(layout(2).unwrap());
        layouts.close().await;
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn the_deepest_arrangement_is_read_back() {
        let deepest = layout(MOST_PANES).unwrap();
        assert_eq!(SavedLayout::parse(&deepest.text()), Ok(deepest));
    }
}
