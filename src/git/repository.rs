//! What a directory is to git: which repository it is in, and what is checked out there.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::{GitError, command::Ask, refs::is_object};

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
    /// Where git keeps what it knows of the files, where that was told.
    pub(super) index: Option<PathBuf>,
    /// The files of the commit, where that was told.
    pub(super) head_tree: Option<String>,
}

/// What one question tells of a repository with files and at least one commit.
const ALL: [&str; 10] = [
    "--path-format=absolute",
    "--is-inside-work-tree",
    "--git-common-dir",
    "--show-toplevel",
    "--show-prefix",
    "--git-path",
    "index",
    "HEAD^{commit}",
    "HEAD^{tree}",
    "--symbolic-full-name",
];

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
        // Each process of git costs a launch as much as all the rest of it.
        let all = Ask::new(directory).args(["rev-parse"]).args(ALL).args(["HEAD"]);
        let all = all.answer().await?;
        if all.is_success()
            && let Some(told) = Self::told(directory, &all.bytes()?)
        {
            return Ok(told);
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
            index: None,
            head_tree: None,
        })
    }

    /// Returns what the one question was answered, unless a name with a line break is in it.
    fn told(directory: &Path, answer: &[u8]) -> Option<Self> {
        let answer = answer.strip_suffix(b"\n")?;
        let lines: Vec<_> = answer.split(|byte| *byte == b'\n').collect();
        let [b"true", common, top, prefix, index, head, tree, name] = lines[..] else {
            return None;
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let (head, tree) = (text(head)?, text(tree)?);
        if !is_object(&head) || !is_object(&tree) {
            return None;
        }
        let branch = text(name)?.strip_prefix("refs/heads/").map(str::to_owned);
        Some(Self {
            directory: directory.to_owned(),
            common: path(common.to_vec()),
            top: Some(path(top.to_vec())),
            prefix: path(prefix.to_vec()),
            head: Some(head),
            branch,
            index: Some(path(index.to_vec())),
            head_tree: Some(tree),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn git(dir: &Path, args: &[&str]) {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=trunk"]);
        let ran = git.arg("-C").arg(dir).args(args).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    #[tokio::test]
    async fn one_question_tells_what_several_do() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        git(&top, &["init", "-q"]);
        let empty = Repository::around(&top).await.unwrap();
        assert_eq!((empty.head, empty.index), (None, None));
        assert_eq!(empty.branch.as_deref(), Some("trunk"));
        git(&top, &["commit", "-q", "--allow-empty", "-m", "first"]);
        let below = top.join("a");
        std::fs::create_dir(&below).unwrap();
        let told = Repository::around(&below).await.unwrap();
        assert_eq!(told.top.as_deref(), Some(&*top));
        assert_eq!((&*told.prefix, &*told.common), (Path::new("a/"), &*top.join(".git")));
        assert_eq!(told.branch.as_deref(), Some("trunk"));
        assert_eq!(told.head, head(&top).await.unwrap());
        assert_eq!(told.index, Some(top.join(".git/index")));
        // A line break in a name: asked piece by piece.
        let odd = top.join("b\nc");
        std::fs::create_dir(&odd).unwrap();
        let asked = Repository::around(&odd).await.unwrap();
        assert_eq!((asked.head, asked.index), (told.head, None));
        assert_eq!(&*asked.prefix, Path::new("b\nc/"));
        git(&top, &["checkout", "-q", "--detach"]);
        assert_eq!(Repository::around(&below).await.unwrap().branch, None);
    }
}
