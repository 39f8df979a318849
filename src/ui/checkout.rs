//! Reads what is checked out in a directory and how much of it is changed.
//!
//! The branch is read from git's own files; for the changes git is asked, and not for long.

use std::{path::Path, time::Duration};

use super::{state::Checkout, surroundings};
use crate::git;

/// How long git may take; a giant repository then shows no changes.
const PATIENCE: Duration = Duration::from_secs(3);

/// Directories that are asked about at once, so that thirty agents do not start thirty gits.
pub(super) const TOGETHER: usize = 4;

/// Returns what is checked out, or that nothing is.
pub(super) async fn read(directory: &Path) -> Option<Checkout> {
    let at = directory.to_owned();
    // In a thread of its own: a directory may be on a disk that hangs.
    let branch = tokio::task::spawn_blocking(move || surroundings::branch(&at)).await.ok()??;
    let (added, removed) = git::lines_changed(directory, PATIENCE).await.unwrap_or_default();
    Some(Checkout { branch, added, removed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_without_git_has_nothing_checked_out() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).await, None);
    }
}
