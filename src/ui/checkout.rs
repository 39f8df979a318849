//! Reads what is checked out in a directory and how much of it is changed.
//!
//! The branch is read from git's own files; for the changes git is asked, with nothing of the
//! repository's that could run a program (file monitors, hooks, external diffs), without taking its
//! locks, and not for long.

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::{state::Checkout, surroundings};
use crate::config::environment;

/// How long git may take; a giant repository then shows no changes.
const PATIENCE: Duration = Duration::from_secs(3);

/// Directories that are asked about at once, so that thirty agents do not start thirty gits.
pub(super) const TOGETHER: usize = 4;

/// What keeps git from running anything that a repository names.
const HARMLESS: [&str; 7] = [
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "diff.external=",
];

/// Returns what is checked out, or that nothing is.
pub(super) async fn read(directory: &Path) -> Option<Checkout> {
    let at = directory.to_owned();
    // In a thread of its own: a directory may be on a disk that hangs.
    let branch = tokio::task::spawn_blocking(move || surroundings::branch(&at)).await.ok()??;
    let (added, removed) = changes(directory).await.unwrap_or_default();
    Some(Checkout { branch, added, removed })
}

/// Returns lines added and removed since the last commit, in files that git knows.
async fn changes(directory: &Path) -> Option<(u64, u64)> {
    let mut command = Command::new("git");
    command.args(HARMLESS).arg("-C").arg(directory);
    command.args(["diff", "--no-ext-diff", "--no-textconv", "--numstat", "HEAD"]);
    for (name, _) in environment::all().into_iter().filter(|(name, _)| is_of_git(name)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    Some(sum(&String::from_utf8_lossy(&output.stdout)))
}

/// Variables that point git to another repository.
fn is_of_git(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"GIT_")
}

/// Adds up git's lines `added<TAB>removed<TAB>file`; a binary file has `-`.
fn sum(numstat: &str) -> (u64, u64) {
    numstat.lines().fold((0, 0), |(added, removed), line| {
        let mut words = line.split('\t').map(|word| word.parse::<u64>().unwrap_or(0));
        (added + words.next().unwrap_or(0), removed + words.next().unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_added_up() {
        assert_eq!(sum(""), (0, 0));
        assert_eq!(sum("1\t2\ta.rs\n-\t-\tlogo.png\n30\t0\ta b.md\n"), (31, 2));
    }

    #[tokio::test]
    async fn a_directory_without_git_has_nothing_checked_out() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).await, None);
    }
}
