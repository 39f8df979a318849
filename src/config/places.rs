//! Where everything lives: one root directory, safe or refused.
//!
//! `STRATAVORE_HOME`, else `$XDG_STATE_HOME/stratavore`, else `~/.local/state/stratavore`; never
//! `XDG_RUNTIME_DIR`, which is unset under cron and su and wiped at logout. Invariant: what
//! [`Places::prepare`] accepted belongs to us and is closed to others, so that nobody else can
//! plant or reach a socket in it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{config::environment, domain::id::RunnerId};

/// The longest path a unix socket can have on Linux (`sun_path` less its end mark).
pub const MAX_SOCKET_PATH: usize = 107;

/// The root directory and the names below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    root: PathBuf,
}

/// Why a root directory is refused; each message ends with the fix.
#[derive(Debug, Error)]
pub enum PlacesError {
    /// No variable says where.
    #[error(
        "neither STRATAVORE_HOME, XDG_STATE_HOME nor HOME names a directory; set HOME, or STRATAVORE_HOME to a directory of yours"
    )]
    Unknown,
    /// A relative path would be another one in every directory.
    #[error("{variable} is `{}`, which is not an absolute path; set it to one", path.display())]
    Relative {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// The sockets below it would not fit into an address.
    #[error("`{}` is too long: a socket in it would have a path of {length} bytes, and {MAX_SOCKET_PATH} are allowed; set STRATAVORE_HOME to a shorter directory", root.display())]
    TooLong {
        /// The root.
        root: PathBuf,
        /// The length of the longest socket path.
        length: usize,
    },
    /// Somebody else's.
    #[error("`{}` belongs to user {owner}, not to you ({me}); remove it or set STRATAVORE_HOME to a directory of yours", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Our user id.
        me: u32,
    },
    /// Others may enter it.
    #[error("`{}` is open to other users (mode {mode:03o}); run: chmod 700 '{}'", path.display(), path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file or a symlink stands there.
    #[error("`{}` is not a directory (symlinks are refused); remove it", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("create `{}`: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Places {
    /// Returns the places below the root that the environment names.
    ///
    /// # Errors
    ///
    /// When no variable names one, or a relative one.
    pub fn from_environment() -> Result<Self, PlacesError> {
        let absolute = |variable, path: PathBuf| {
            if path.is_absolute() {
                Ok(path)
            } else {
                Err(PlacesError::Relative { variable, path })
            }
        };
        let root = if let Some(home) = environment::get("STRATAVORE_HOME") {
            absolute("STRATAVORE_HOME", home.into())?
        } else if let Some(state) = environment::get("XDG_STATE_HOME") {
            absolute("XDG_STATE_HOME", state.into())?.join("stratavore")
        } else if let Some(home) = environment::get("HOME") {
            absolute("HOME", home.into())?.join(".local/state/stratavore")
        } else {
            return Err(PlacesError::Unknown);
        };
        Ok(Self { root })
    }

    /// Returns the places below a given root.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("run").join("daemon.sock")
    }

    /// The lock of the one daemon; never unlinked.
    pub fn lock(&self) -> PathBuf {
        self.root.join("run").join("daemon.lock")
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.root.join("stratavore.db")
    }

    /// This node's key of the event log's chain.
    pub fn audit_key(&self) -> PathBuf {
        self.root.join("keys").join("audit.key")
    }

    /// The file that a restore leaves: when it was done.
    pub fn restored(&self) -> PathBuf {
        self.root.join("restored")
    }

    /// The directory of all runners' directories.
    pub fn runners(&self) -> PathBuf {
        self.root.join("runners")
    }

    /// One runner's directory.
    pub fn runner(&self, id: RunnerId) -> PathBuf {
        self.runners().join(id.to_string())
    }

    /// The arrangement of the dashboard's panes.
    pub fn layout(&self) -> PathBuf {
        self.root.join("layout.json")
    }

    /// What the user has looked at in the dashboard.
    pub fn seen(&self) -> PathBuf {
        self.root.join("seen.json")
    }

    /// Worktrees of runners, where no other directory is configured.
    pub fn worktrees(&self) -> PathBuf {
        self.root.join("worktrees")
    }

    /// Packed copies of transcripts.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// What is needed for a moment; emptied when a daemon starts.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The set-up commands of projects that the user has allowed.
    pub fn trusted_setups(&self) -> PathBuf {
        self.root.join("trusted-setups.json")
    }

    /// Log files of the daemon.
    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The most bytes that the path of a socket has.
    pub const MAX_SOCKET: usize = MAX_SOCKET_PATH;

    /// How many bytes the longest path of a socket below the root has.
    pub fn longest_socket(&self) -> usize {
        self.runner(RunnerId::random()).join("link").as_os_str().len()
    }

    /// Returns all that is wrong with the directories that are there; makes none.
    pub fn check(&self) -> Vec<PlacesError> {
        let mut wrong = Vec::new();
        let length = self.longest_socket();
        if length > MAX_SOCKET_PATH {
            wrong.push(PlacesError::TooLong { root: self.root.clone(), length });
        }
        let dirs = self.directories().into_iter().filter(|dir| fs::symlink_metadata(dir).is_ok());
        wrong.extend(dirs.filter_map(|dir| check_private(&dir).err()));
        wrong
    }

    /// The directories that a daemon needs, the root first.
    fn directories(&self) -> [PathBuf; 5] {
        [self.root.clone(), self.root.join("run"), self.runners(), self.logs(), self.scratch()]
    }

    /// Creates what is missing and checks what is there.
    ///
    /// # Errors
    ///
    /// When a directory is not ours, open to others, not a directory, or cannot be made, or when a
    /// socket below the root would have too long a path.
    pub fn prepare(&self) -> Result<(), PlacesError> {
        let longest = self.longest_socket();
        if longest > MAX_SOCKET_PATH {
            return Err(PlacesError::TooLong { root: self.root.clone(), length: longest });
        }
        if let Some(parent) = self.root.parent() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.map_err(|source| PlacesError::Io { path: parent.to_owned(), source })?;
        }
        for dir in self.directories() {
            make_private(&dir)?;
        }
        Ok(())
    }
}

/// Creates a directory for us alone, or checks that the existing one is.
///
/// # Errors
///
/// See [`PlacesError`].
pub fn make_private(dir: &Path) -> Result<(), PlacesError> {
    let path = || dir.to_owned();
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(PlacesError::Io { path: path(), source }),
    }
    check_private(dir)
}

/// Checks that a directory is ours and closed to others.
fn check_private(dir: &Path) -> Result<(), PlacesError> {
    let path = || dir.to_owned();
    let meta =
        fs::symlink_metadata(dir).map_err(|source| PlacesError::Io { path: path(), source })?;
    let me = rustix::process::getuid().as_raw();
    if !meta.is_dir() {
        return Err(PlacesError::NotADirectory { path: path() });
    }
    if meta.uid() != me {
        return Err(PlacesError::NotOurs { path: path(), owner: meta.uid(), me });
    }
    if meta.mode() & 0o077 != 0 {
        return Err(PlacesError::Open { path: path(), mode: meta.mode() & 0o777 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_fresh_root_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path().join("a/b"));
        places.prepare().unwrap();
        for path in [places.root().to_owned(), places.runners(), places.root().join("run")] {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn unsafe_directories_are_refused_with_the_fix() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Places::at(&open).prepare().unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");

        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        assert!(matches!(Places::at(&link).prepare(), Err(PlacesError::NotADirectory { .. })));

        let long = dir.path().join("x".repeat(120));
        let error = Places::at(long).prepare().unwrap_err().to_string();
        assert!(error.contains("107"), "{error}");
    }
}
