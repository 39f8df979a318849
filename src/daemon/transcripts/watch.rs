//! Tells that files changed, by the kernel's notices.
//!
//! A doorbell: what it misses, a look now and then finds. The directories that are watched are bounded;
//! those beyond wait for the look.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt as _;
use inotify::{EventOwned, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// Directories that are watched, at most.
const MOST: usize = 1024;

/// Changed files that are remembered, at most: when there are more, everything is to be looked at.
const MOST_CHANGED: usize = 4096;

/// Room for the notices that are read at once, in bytes.
const NOTICES: usize = 4096;

/// What is waited for: our own reading is no change.
fn mask() -> WatchMask {
    WatchMask::CREATE | WatchMask::MODIFY | WatchMask::MOVED_TO | WatchMask::ONLYDIR
}

/// What has changed.
#[derive(Debug, Default)]
struct Changed {
    files: Mutex<BTreeSet<PathBuf>>,
    /// What is watched, as the kernel names it.
    directories: Mutex<HashMap<WatchDescriptor, PathBuf>>,
    bell: Notify,
}

impl Changed {
    fn ring(&self, notice: &EventOwned) {
        let Some(name) = &notice.name else { return };
        let Some(path) =
            locked(&self.directories).get(&notice.wd).map(|directory| directory.join(name))
        else {
            return;
        };
        let mut files = locked(&self.files);
        if files.len() < MOST_CHANGED {
            files.insert(path);
        }
        drop(files);
        self.bell.notify_one();
    }
}

/// The kernel's side of it.
struct Watcher {
    watches: Watches,
    watched: BTreeMap<PathBuf, WatchDescriptor>,
    _reader: AbortOnDropHandle<()>,
}

impl Watcher {
    fn start(changed: Arc<Changed>) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let mut notices = inotify.into_event_stream(vec![0; NOTICES])?;
        let reader = tokio::spawn(async move {
            while let Some(Ok(notice)) = notices.next().await {
                changed.ring(&notice);
            }
        });
        Ok(Self { watches, watched: BTreeMap::new(), _reader: AbortOnDropHandle::new(reader) })
    }
}

/// Watches directories.
#[derive(Clone, Default)]
pub struct Watch {
    watcher: Arc<Mutex<Option<Watcher>>>,
    changed: Arc<Changed>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("changed", &self.changed).finish_non_exhaustive()
    }
}

impl Watch {
    /// Watches a directory, but not those in it; does nothing when it is watched already or cannot be.
    pub fn directory(&self, path: &Path) {
        let mut watcher = locked(&self.watcher);
        if watcher.is_none() {
            *watcher = Watcher::start(Arc::clone(&self.changed))
                .inspect_err(|error| tracing::debug!(%error, "files are not watched"))
                .ok();
        }
        let Some(watcher) = watcher.as_mut() else { return };
        if watcher.watched.contains_key(path) || watcher.watched.len() >= MOST {
            return;
        }
        // A directory that is not there yet is tried again with the next look. A notice that comes
        // before its name is known waits for the lock.
        let mut directories = locked(&self.changed.directories);
        if let Ok(descriptor) = watcher.watches.add(path, mask()) {
            directories.insert(descriptor.clone(), path.to_owned());
            watcher.watched.insert(path.to_owned(), descriptor);
        }
    }

    /// Stops watching directories that nobody names any more.
    pub fn keep(&self, wanted: &BTreeSet<PathBuf>) {
        let mut watcher = locked(&self.watcher);
        let Some(Watcher { watches, watched, .. }) = watcher.as_mut() else { return };
        watched.retain(|path, descriptor| {
            let is_wanted = wanted.contains(path);
            if !is_wanted {
                locked(&self.changed.directories).remove(descriptor);
                // One that was removed is not watched any more as it is.
                watches.remove(descriptor.clone()).ok();
            }
            is_wanted
        });
    }

    /// Waits for files to change.
    pub async fn changed(&self) {
        loop {
            let bell = self.changed.bell.notified();
            if !locked(&self.changed.files).is_empty() {
                return;
            }
            bell.await;
        }
    }

    /// Takes the files that have changed.
    pub fn take(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *locked(&self.changed.files))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_written_to_rings() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::default();
        watch.directory(dir.path());
        let path = dir.path().join("a.jsonl");
        fs::write(&path, "x").unwrap();
        tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
        assert!(watch.take().contains(&path));
        fs::read(&path).unwrap();
        watch.keep(&BTreeSet::new());
        watch.directory(&dir.path().join("missing"));
        assert!(locked(&watch.watcher).as_ref().unwrap().watched.is_empty());
    }
}
