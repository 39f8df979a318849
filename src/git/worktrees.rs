//! Worktrees: further checkouts of a repository, each on a branch of its own.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{GitError, command::Ask};

/// Making one writes all files, and in a partial clone loads them.
const MAKING: Duration = Duration::from_mins(5);

/// A checkout, as git lists it; the first is the repository's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Its root.
    pub path: PathBuf,
    /// The branch, `None` when none is checked out.
    pub branch: Option<String>,
    /// It is bare: there are no files.
    pub is_bare: bool,
    /// Somebody asked that it be kept; with the reason, which may be empty.
    pub locked: Option<String>,
}

/// A worktree to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewWorktree<'a> {
    /// Where; nothing may be there.
    pub path: &'a Path,
    /// The branch; empty to check out a commit without one.
    pub branch: &'a str,
    /// Where the branch begins, or the commit; `None` for a branch that exists.
    pub start: Option<&'a str>,
    /// File mode creation mask of what is written.
    pub umask: u32,
}

/// Returns all checkouts of a repository.
///
/// # Errors
///
/// When git does not answer.
pub async fn list(directory: &Path) -> Result<Vec<Listed>, GitError> {
    let bytes = Ask::new(directory).args(["worktree", "list", "--porcelain", "-z"]).bytes().await?;
    Ok(parse(&bytes))
}

/// Makes a worktree.
///
/// # Errors
///
/// When git does not do it.
pub async fn add(directory: &Path, new: &NewWorktree<'_>) -> Result<(), GitError> {
    let mut ask = Ask::new(directory).args(["worktree", "add", "--quiet"]);
    ask = match new.start {
        Some(_) if new.branch.is_empty() => ask.args(["--detach"]),
        // Without tracking: a push must name where it goes.
        Some(_) => ask.args(["--no-track", "-b", new.branch]),
        None => ask,
    };
    ask = ask.args([new.path]).args([new.start.unwrap_or(new.branch)]);
    ask.making(new.umask).may_fetch().within(MAKING).bytes().await.map(drop)
}

/// Removes a worktree with everything in it.
///
/// # Errors
///
/// When git does not do it.
pub async fn remove(common: &Path, path: &Path) -> Result<(), GitError> {
    // Twice: also when it is locked. Whether it may go was decided before.
    let ask = Ask::new(common).args(["worktree", "remove", "--force", "--force"]);
    ask.args([path]).within(MAKING).bytes().await.map(drop)
}

/// Writes all files of a tree into a worktree; to git they are changes of what is checked out there.
///
/// # Errors
///
/// When git does not do it.
pub async fn restore_files(path: &Path, tree: &str, umask: u32) -> Result<(), GitError> {
    let ask = || Ask::new(path).making(umask).within(MAKING).may_fetch();
    ask().args(["read-tree", "--reset", "-u", tree]).bytes().await?;
    ask().args(["read-tree", "--reset", "HEAD"]).bytes().await?;
    // Which files are as they were is learnt now, not at the next look; that it says "needs update"
    // is no failure.
    ask().args(["update-index", "-q", "--refresh"]).answer().await.map(drop)
}

/// Counts files that are changed and in no commit, those that git does not know included.
///
/// # Errors
///
/// When git does not answer.
pub async fn dirty_files(path: &Path) -> Result<u64, GitError> {
    let args = ["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=dirty"];
    let ask = Ask::new(path).args(args).args(["--untracked-files=normal"]).at_most(1 << 20);
    let bytes = ask.answer().await?.bytes()?;
    let count = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).count();
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Returns the roots of the submodules that are checked out below this directory, without theirs.
///
/// # Errors
///
/// When git does not answer.
pub async fn submodules(path: &Path) -> Result<Vec<PathBuf>, GitError> {
    let bytes =
        Ask::new(path).args(["ls-files", "-z", "--stage"]).at_most(64 << 20).answer().await?;
    let bytes = bytes.bytes()?;
    let links = bytes.split(|byte| *byte == 0).filter(|entry| entry.starts_with(b"160000 "));
    let names = links.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1));
    let roots = names.map(|name| path.join(OsStr::from_bytes(name)));
    Ok(roots.filter(|root| root.join(".git").symlink_metadata().is_ok()).collect())
}

fn parse(bytes: &[u8]) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut current: Option<Listed> = None;
    for field in bytes.split(|byte| *byte == 0) {
        let (name, value) = match field.iter().position(|byte| *byte == b' ') {
            Some(at) => (field.get(..at), field.get(at + 1..)),
            None => (Some(field), None),
        };
        let value = value.unwrap_or_default();
        let text = || String::from_utf8_lossy(value).into_owned();
        match (name.unwrap_or_default(), &mut current) {
            (b"", _) => found.extend(current.take()),
            (b"worktree", _) => {
                found.extend(current.take());
                current =
                    Some(Listed { path: OsStr::from_bytes(value).into(), ..Listed::default() });
            }
            (b"branch", Some(listed)) => {
                listed.branch = text().strip_prefix("refs/heads/").map(str::to_owned);
            }
            (b"bare", Some(listed)) => listed.is_bare = true,
            (b"locked", Some(listed)) => listed.locked = Some(text()),
            _ => {}
        }
    }
    found.extend(current);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_are_read_with_names_of_any_bytes() {
        let text = b"worktree /src/api\0HEAD 1\0branch refs/heads/main\0\0\
            worktree /w/a\nb\0HEAD 2\0detached\0locked by me\0\0worktree /bare\0bare\0\0";
        let found = parse(text);
        let [main, odd, bare] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(main.branch.as_deref(), Some("main"));
        assert_eq!((odd.path.as_path(), odd.branch.as_deref()), (Path::new("/w/a\nb"), None));
        assert_eq!(odd.locked.as_deref(), Some("by me"));
        assert!(bare.is_bare);
    }
}
