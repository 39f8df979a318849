//! Where in a git repository a runner works, what it changed there, and the worktrees it works in.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was checked out where a runner was launched, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunnerCheckout {
    /// What all worktrees of the repository share, for most `…/.git`.
    #[schema(value_type = String)]
    pub repository: PathBuf,
    /// The worktree that was made for it, `None` when it works in the user's own files.
    #[schema(value_type = Option<String>)]
    pub worktree: Option<PathBuf>,
    /// The branch; empty when none was checked out.
    pub branch: String,
    /// The branch that this one began from and is to go back to; empty when that is not known.
    pub base_branch: String,
    /// The commit it began from; empty before the first one.
    pub base_commit: String,
    /// The commit that was checked out at the launch; empty before the first one.
    pub launch_commit: String,
    /// A commit of all files as they were at the launch; empty when none could be made.
    pub launch_snapshot: String,
}

/// A wish for a worktree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorktreeWish {
    /// The branch; empty for a new one, named after the runner.
    pub branch: String,
    /// Where a new branch begins; empty for the project's base, else what is checked out.
    pub base: String,
    /// What becomes of the project's set-up command.
    pub setup: SetupChoice,
}

/// What becomes of a set-up command that comes with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetupChoice {
    /// It is run if the user has allowed this command in this project before.
    #[default]
    IfTrusted,
    /// It is allowed, now and from now on.
    Trust,
    /// It is not run.
    Skip,
}

impl SetupChoice {
    /// The word for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfTrusted => "",
            Self::Trust => "trust",
            Self::Skip => "skip",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::IfTrusted, Self::Trust, Self::Skip]
            .into_iter()
            .find(|choice| choice.as_str() == word)
    }
}

/// The reason of the failure that means: the set-up command is not allowed yet.
pub const SETUP_NOT_TRUSTED: &str = "SETUP_NOT_TRUSTED";

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// It is in a commit.
    Committed,
    /// It is not, or not whole.
    Uncommitted,
    /// Git does not know the file.
    Untracked,
}

impl ChangeState {
    /// The word for people and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Uncommitted => "uncommitted",
            Self::Untracked => "untracked",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Committed, Self::Uncommitted, Self::Untracked];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// A file that a runner changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FileChange {
    /// Relative to the root of the files, with what is not UTF-8 replaced; may hold any character.
    pub path: String,
    /// Where it was before, if it was moved.
    pub from: Option<String>,
    /// added, modified, deleted, renamed or retyped.
    pub status: String,
    /// Lines added, `None` when it is not text.
    pub added: Option<u64>,
    /// Lines removed, `None` when it is not text.
    pub removed: Option<u64>,
    /// How far it has come.
    pub state: ChangeState,
}

/// A commit since a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommitLine {
    /// Its name.
    pub id: String,
    /// Who wrote it; may hold any character.
    pub author: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The first line of its message; may hold any character.
    pub subject: String,
}

/// What has changed since a runner was launched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Changes {
    /// The runner's name.
    pub runner: String,
    /// The root of the files that were looked at; empty when they are gone.
    pub directory: String,
    /// The branch that is checked out now; empty when none is.
    pub branch: String,
    /// The commit at the launch; empty before the first one.
    pub since: String,
    /// The files, by path.
    pub files: Vec<FileChange>,
    /// Further files.
    pub more_files: u64,
    /// The commits, newest first.
    pub commits: Vec<CommitLine>,
    /// There are more.
    pub more_commits: bool,
    /// What this does not show, and why.
    pub notes: Vec<String>,
    /// The difference as text, as git writes it; may hold any bytes.
    #[serde(with = "lossy")]
    #[schema(value_type = String)]
    pub patch: Vec<u8>,
    /// It was cut off.
    pub is_patch_cut: bool,
}

impl Changes {
    /// Lines added and removed, all together.
    pub fn lines(&self) -> (u64, u64) {
        self.files.iter().fold((0, 0), |(added, removed), file| {
            (added + file.added.unwrap_or(0), removed + file.removed.unwrap_or(0))
        })
    }
}

/// Bytes as text, with what is not UTF-8 replaced.
mod lossy {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(from).map(String::into_bytes)
    }
}

/// A worktree that was made for runners.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Worktree {
    /// `project/branch`, with what a directory's name cannot have replaced.
    pub name: String,
    /// Its project.
    pub project: String,
    /// Its root.
    pub path: String,
    /// The branch; empty when none is checked out.
    pub branch: String,
    /// Runners that were launched in it, newest first.
    pub runners: Vec<String>,
    /// Those of them that have not ended.
    pub live: Vec<String>,
    /// Files that are changed and not committed.
    pub dirty_files: u64,
    /// Commits that are neither on a remote nor on the base.
    pub unpushed_commits: u64,
    /// Why it is not simply removed; empty when it can be.
    pub kept: Vec<String>,
    /// Why nothing is known of it; empty when that is not so.
    pub broken: String,
}

/// A worktree that was removed, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrashedWorktree {
    /// As [`Worktree::name`].
    pub name: String,
    /// When it was removed.
    pub removed_at: DateTime<Utc>,
    /// Its branch; empty when none was checked out.
    pub branch: String,
    /// Where it was.
    pub path: String,
    /// The ref that keeps it.
    pub reference: String,
    /// The repository the ref is in.
    pub repository: String,
}
