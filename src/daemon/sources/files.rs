//! Watches the directories in which agents keep files of their state, each once for all who follow one
//! in it.
//!
//! All go through one instance of inotify: a user has few of those.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures_util::StreamExt as _;
use inotify::{Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Room for the notices that are read at once, in bytes.
const NOTICES: usize = 4096;

/// Directories that are watched, each for all who follow a file in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(Arc<Mutex<Option<Watcher>>>);

/// A directory that is watched; every change of a file in it changes the number.
#[derive(Debug)]
pub(super) struct Watched {
    /// Where that is told.
    pub(super) changes: watch::Sender<u64>,
}

/// The kernel's side of it.
#[derive(Debug)]
struct Watcher {
    watches: Watches,
    /// What is watched, as the kernel names it. One that nobody follows any more goes with the next that
    /// is added: the kernel gives the same name to a directory that is added twice.
    watched: Directories,
    _reader: AbortOnDropHandle<()>,
}

type Directories = Arc<Mutex<HashMap<WatchDescriptor, (PathBuf, Weak<Watched>)>>>;

impl Files {
    /// Returns the watch of a directory.
    ///
    /// # Errors
    ///
    /// When it is not there, or the kernel has no room for it.
    pub(super) fn watch(&self, dir: &Path) -> io::Result<Arc<Watched>> {
        let mut watcher = locked(&self.0);
        let watcher = match &mut *watcher {
            Some(watcher) => watcher,
            none => none.insert(Watcher::start()?),
        };
        let mut all = locked(&watcher.watched);
        let watches = &mut watcher.watches;
        all.retain(|descriptor, (path, watched)| {
            let is_followed = watched.strong_count() > 0 || path == dir;
            if !is_followed {
                // One that was removed is not watched any more as it is.
                watches.remove(descriptor.clone()).ok();
            }
            is_followed
        });
        let mask = WatchMask::CREATE
            | WatchMask::MODIFY
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::ONLYDIR;
        // Also one that is watched already: another may have taken its place under its name.
        let descriptor = watches.add(dir, mask)?;
        if let Some(watched) = all.get(&descriptor).and_then(|(_, watched)| watched.upgrade()) {
            return Ok(watched);
        }
        let watched = Arc::new(Watched { changes: watch::Sender::new(0) });
        all.insert(descriptor, (dir.to_owned(), Arc::downgrade(&watched)));
        Ok(watched)
    }
}

impl Watcher {
    fn start() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let mut notices = inotify.into_event_stream(vec![0; NOTICES])?;
        let watched = Directories::default();
        let all = Arc::clone(&watched);
        let reader = tokio::spawn(async move {
            while let Some(Ok(notice)) = notices.next().await {
                let followed = locked(&all).get(&notice.wd).and_then(|(_, it)| it.upgrade());
                if let Some(followed) = followed {
                    followed.changes.send_modify(|number| *number += 1);
                }
            }
        });
        Ok(Self { watches, watched, _reader: AbortOnDropHandle::new(reader) })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Held for calls of the kernel that do not wait.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
