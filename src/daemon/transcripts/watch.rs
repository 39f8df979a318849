//! Tells that files changed, by the kernel's notices.
//!
//! A doorbell: what it misses, a look now and then finds. The directories that are watched are bounded;
//! those beyond wait for the look.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Directories that are watched, at most.
const MOST: usize = 1024;

/// Changed files that are remembered, at most: when there are more, everything is to be looked at.
const MOST_CHANGED: usize = 4096;

/// What has changed.
#[derive(Debug, Default)]
struct Changed {
    files: Mutex<BTreeSet<PathBuf>>,
    bell: Notify,
}

/// Watches directories.
#[derive(Clone, Default)]
pub struct Watch {
    watcher: Arc<Mutex<Option<RecommendedWatcher>>>,
    watched: Arc<Mutex<BTreeSet<PathBuf>>>,
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
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.contains(path) || watched.len() >= MOST {
            return;
        }
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.is_none() {
            let changed = Arc::clone(&self.changed);
            *watcher = notify::recommended_watcher(move |event| ring(&changed, event))
                .inspect_err(|error| tracing::debug!(%error, "files are not watched"))
                .ok();
        }
        let Some(watcher) = watcher.as_mut() else { return };
        // A directory that is not there yet is tried again with the next look.
        if watcher.watch(path, RecursiveMode::NonRecursive).is_ok() {
            watched.insert(path.to_owned());
        }
    }

    /// Stops watching directories that nobody names any more.
    pub fn keep(&self, wanted: &BTreeSet<PathBuf>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|path| {
            let is_wanted = wanted.contains(path);
            if !is_wanted && let Some(watcher) = watcher.as_mut() {
                // One that was removed is not watched any more as it is.
                watcher.unwatch(path).ok();
            }
            is_wanted
        });
    }

    /// Waits for files to change.
    pub async fn changed(&self) {
        loop {
            let bell = self.changed.bell.notified();
            if !self.files().is_empty() {
                return;
            }
            bell.await;
        }
    }

    /// Takes the files that have changed.
    pub fn take(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *self.files())
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.changed.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring(changed: &Changed, event: notify::Result<notify::Event>) {
    let Ok(event) = event else { return };
    // Our own reading is an access.
    if !matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_)) {
        return;
    }
    let mut files = changed.files.lock().unwrap_or_else(PoisonError::into_inner);
    if files.len() < MOST_CHANGED {
        files.extend(event.paths);
    }
    drop(files);
    changed.bell.notify_one();
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
        assert!(watch.watched.lock().unwrap().is_empty());
    }
}
