//! Keeps the arrangement of the panes in a file, so that the next start finds it.
//!
//! The file appears whole or not at all. One that cannot be read is told of, kept aside and not
//! used; only an arrangement with panes ever replaces another.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::state::SavedLayout;
use crate::config::Places;

/// While it changes again and again, as under a divider that is dragged, it is not written.
const PAUSE: Duration = Duration::from_millis(300);
/// How long leaving the dashboard may wait for the disk.
const PATIENCE: Duration = Duration::from_secs(1);
/// A larger file is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// The file of the arrangement and whoever writes it.
#[derive(Debug)]
pub(super) struct Layouts {
    latest: watch::Sender<Option<SavedLayout>>,
    writer: JoinHandle<()>,
}

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
    /// Reads what was kept and begins to keep what is changed.
    pub(super) fn open(places: &Places) -> (Self, Found) {
        let path = places.layout();
        let found = read(&path);
        let (latest, changes) = watch::channel(None);
        let writer = tokio::spawn(keep(path, changes));
        (Self { latest, writer }, found)
    }

    /// Keeps an arrangement, soon.
    pub(super) fn save(&self, layout: SavedLayout) {
        self.latest.send_replace(Some(layout));
    }

    /// Waits until the last one is kept, but not for ever.
    pub(super) async fn close(self) {
        drop(self.latest);
        // A disk that hangs does not hold anybody here.
        timeout(PATIENCE, self.writer).await.ok();
    }
}

async fn keep(path: PathBuf, mut changes: watch::Receiver<Option<SavedLayout>>) {
    while changes.changed().await.is_ok() {
        tokio::select! {
            () = sleep(PAUSE) => {}
            // The dashboard is being left: there will be no more.
            () = closed(changes.clone()) => {}
        }
        let Some(layout) = changes.borrow_and_update().clone() else { continue };
        let path = path.clone();
        // What could not be kept is asked for anew with the next change.
        tokio::task::spawn_blocking(move || write(&path, &layout).ok()).await.ok();
    }
}

async fn closed(mut changes: watch::Receiver<Option<SavedLayout>>) {
    while changes.changed().await.is_ok() {}
}

fn read(path: &Path) -> Found {
    let text = match text_of(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return damaged(path, &error.to_string()),
    };
    SavedLayout::parse(&text).map_or_else(|why| damaged(path, &why), Found::Layout)
}

fn text_of(path: &Path) -> io::Result<String> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(io::Error::other("it is no file of a few kilobytes"));
    }
    fs::read_to_string(path)
}

/// Puts a file aside that cannot be used: somebody may want to repair it.
fn damaged(path: &Path, why: &str) -> Found {
    let aside = path.with_extension("json.damaged");
    let kept = match fs::rename(path, &aside) {
        Ok(()) => format!("it is kept as {}", aside.display()),
        Err(error) => format!("and it cannot be put aside: {error}"),
    };
    Found::Damaged(format!("the saved panes cannot be used: {why}; {kept}"))
}

fn write(path: &Path, layout: &SavedLayout) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, layout.text().as_bytes())?;
    drop(file);
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::id::RunnerId,
        ui::state::{Axis, Panes},
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
        let (layouts, found) = Layouts::open(&places);
        assert_eq!(found, Found::Nothing);
        layouts.save(layout(1).unwrap());
        let last = layout(3).unwrap();
        layouts.save(last.clone());
        layouts.close().await;
        let (_layouts, found) = Layouts::open(&places);
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
            let (_layouts, found) = Layouts::open(&places);
            let Found::Damaged(told) = found else { panic!("{text} was used") };
            assert!(told.contains("layout.json.damaged"), "{told}");
            let aside = dir.path().join("layout.json.damaged");
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
            assert!(!places.layout().exists());
        }
    }
}
