//! The lock of a root, which whoever writes in it holds, and why a daemon did not start.
//!
//! Invariant: one daemon per root, held by a lock on a file that is never unlinked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use super::store::StoreError;
use crate::{
    config::{Places, places::PlacesError},
    domain::failure::{Failure, FailureKind},
};

/// Why a daemon did not start or failed.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The root directory is unsafe or cannot be made.
    #[error("{0}")]
    Places(#[from] PlacesError),
    /// Another daemon has the root.
    #[error("a daemon already runs for `{}` (pid {pid})", root.display())]
    AlreadyRunning {
        /// The root.
        root: PathBuf,
        /// The other daemon's process.
        pid: String,
    },
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The database was removed or replaced while it was open.
    #[error("`{}` was removed or replaced while it was open; what ran goes on and is adopted by the next daemon", .0.display())]
    DatabaseGone(PathBuf),
    /// The system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The server.
    #[error("serve the API: {0}")]
    Serve(#[from] tonic::transport::Error),
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        let kind = match error {
            DaemonError::Store(error @ StoreError::Newer { .. }) => return error.into(),
            DaemonError::AlreadyRunning { .. } => FailureKind::Conflict,
            DaemonError::Places(_) => FailureKind::Usage,
            _ => FailureKind::Unavailable,
        };
        let failure = Self::new(kind, "DAEMON_FAILED", error.to_string());
        match error {
            DaemonError::AlreadyRunning { .. } => failure.with_hint("stratavore daemon status"),
            _ => failure,
        }
    }
}

/// Returns what makes a failure of the system one of the daemon.
pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> DaemonError {
    move |source| DaemonError::Io { what: what.into(), source }
}

/// Takes the lock of the root, for as long as the file is held.
pub(super) fn take_lock(places: &Places) -> Result<File, DaemonError> {
    let path = places.lock();
    let what = || format!("lock `{}`", path.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io_error(what()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let pid = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
        return Err(DaemonError::AlreadyRunning { root: places.root().to_owned(), pid });
    }
    // Somebody may have replaced the file between open and lock: a lock on a file without a name
    // would keep nobody out.
    let ours = file.metadata().map_err(io_error(what()))?;
    let named = fs::metadata(&path).map_err(io_error(what()))?;
    if ours.ino() != named.ino() {
        let changed = io::Error::other("the file was replaced meanwhile");
        return Err(io_error(what())(changed));
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(io_error(what()))?;
    Ok(file)
}
