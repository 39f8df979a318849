//! What a directory is to git: which repository it is in, and what is checked out there.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::{GitError, command::Ask};

/// A directory on a disk that hangs is not waited for.
const LOOK: Duration = Duration::from_secs(3);

/// The repository around a directory, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The directory that was asked about.
    pub directory: PathBuf,
    /// What all worktrees share, for most `…/.git`.
    pub common: PathBuf,
    /// The root of the checked-out files, `None` in a bare repository.
    pub top: Option<PathBuf>,
    /// Where the directory is below that; empty at the root.
    pub prefix: PathBuf,
    /// The commit that is checked out, `None` before the first one.
    pub head: Option<String>,
    /// The branch that is checked out, `None` when none is.
    pub branch: Option<String>,
}

impl Repository {
    /// Looks at the repository around a directory.
    ///
    /// # Errors
    ///
    /// `NoRepository`, and whatever else keeps git from answering: that it belongs to somebody else,
    /// for example.
    pub async fn around(directory: &Path) -> Result<Self, GitError> {
        let at = directory.to_owned();
        let look = tokio::task::spawn_blocking(move || is_maybe_inside(&at));
        // Most directories of agents are repositories; in the others no program is started.
        if !matches!(timeout(LOOK, look).await, Ok(Ok(true))) {
            return Err(GitError::NoRepository);
        }
        let ask = |what: &str| Ask::new(directory).args(["rev-parse", what]);
        let is_bare = ask("--is-inside-work-tree").word().await? != "true";
        let common = Ask::new(directory)
            .args(["rev-parse", "--path-format=absolute", "--git-common-dir"])
            .line();
        let top = async {
            if is_bare { Ok(None) } else { ask("--show-toplevel").line().await.map(Some) }
        };
        let prefix =
            async { if is_bare { Ok(Vec::new()) } else { ask("--show-prefix").line().await } };
        let (common, top, prefix, head, branch) =
            tokio::try_join!(common, top, prefix, head(directory), branch(directory))?;
        Ok(Self {
            directory: directory.to_owned(),
            common: path(common),
            top: top.map(path),
            prefix: path(prefix),
            head,
            branch,
        })
    }

    /// Where git is asked about all of it: the root of the files, or the bare repository.
    pub fn root(&self) -> &Path {
        self.top.as_deref().unwrap_or(&self.common)
    }
}

/// Returns the commit that is checked out, `None` before the first one.
async fn head(directory: &Path) -> Result<Option<String>, GitError> {
    super::resolve(directory, "HEAD").await
}

/// Returns the branch that is checked out.
async fn branch(directory: &Path) -> Result<Option<String>, GitError> {
    let answer = Ask::new(directory).args(["symbolic-ref", "-q", "HEAD"]).answer().await?;
    if !answer.is_success() {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(&answer.bytes()?).trim_end_matches('\n').to_owned();
    Ok(name.strip_prefix("refs/heads/").map(str::to_owned))
}

/// Whether git can find a repository from here at all.
fn is_maybe_inside(directory: &Path) -> bool {
    let is_bare = |dir: &Path| dir.join("HEAD").is_file() && dir.join("objects").is_dir();
    directory.ancestors().any(|dir| dir.join(".git").exists() || is_bare(dir))
}

/// Returns a path from git's own bytes.
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}
