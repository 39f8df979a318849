//! Worktrees and changes on the wire.

use super::{
    activity::some,
    time::{or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    checkout::{
        ChangeState, Changes, CommitLine, FileChange, RunnerCheckout, SetupChoice, TrashedWorktree,
        Worktree, WorktreeWish,
    },
    failure::Failure,
};

impl From<&RunnerCheckout> for v1::RunnerCheckout {
    fn from(checkout: &RunnerCheckout) -> Self {
        let worktree = checkout.worktree.as_ref();
        Self {
            repository: checkout.repository.to_string_lossy().into_owned(),
            worktree: worktree.map(|w| w.to_string_lossy().into_owned()).unwrap_or_default(),
            branch: checkout.branch.clone(),
            base_branch: checkout.base_branch.clone(),
            base_commit: checkout.base_commit.clone(),
            launch_commit: checkout.launch_commit.clone(),
            launch_snapshot: checkout.launch_snapshot.clone(),
        }
    }
}

impl From<v1::RunnerCheckout> for RunnerCheckout {
    fn from(wire: v1::RunnerCheckout) -> Self {
        Self {
            repository: wire.repository.into(),
            worktree: some(wire.worktree).map(Into::into),
            branch: wire.branch,
            base_branch: wire.base_branch,
            base_commit: wire.base_commit,
            launch_commit: wire.launch_commit,
            launch_snapshot: wire.launch_snapshot,
        }
    }
}

impl From<&WorktreeWish> for v1::WorktreeWish {
    fn from(wish: &WorktreeWish) -> Self {
        let setup = wish.setup.as_str().to_owned();
        Self { branch: wish.branch.clone(), base: wish.base.clone(), setup }
    }
}

impl TryFrom<v1::WorktreeWish> for WorktreeWish {
    type Error = Failure;

    fn try_from(wire: v1::WorktreeWish) -> Result<Self, Failure> {
        let setup = SetupChoice::parse(&wire.setup).ok_or_else(|| {
            let what = format!("set-up `{}`: trust or skip", wire.setup.escape_debug());
            Failure::usage("BAD_SETUP_CHOICE", what)
        })?;
        Ok(Self { branch: wire.branch, base: wire.base, setup })
    }
}

impl From<Changes> for v1::Changes {
    fn from(changes: Changes) -> Self {
        let file = |file: FileChange| v1::FileChange {
            path: file.path,
            from: file.from.unwrap_or_default(),
            status: file.status,
            added: file.added,
            removed: file.removed,
            state: file.state.as_str().to_owned(),
        };
        let commit = |commit: CommitLine| v1::CommitLine {
            id: commit.id,
            author: commit.author,
            at: Some(to_timestamp(commit.at)),
            subject: commit.subject,
        };
        Self {
            runner: changes.runner,
            directory: changes.directory,
            branch: changes.branch,
            since: changes.since,
            files: changes.files.into_iter().map(file).collect(),
            more_files: changes.more_files,
            commits: changes.commits.into_iter().map(commit).collect(),
            more_commits: changes.more_commits,
            notes: changes.notes,
            patch: changes.patch.into(),
            is_patch_cut: changes.is_patch_cut,
        }
    }
}

impl From<v1::Changes> for Changes {
    fn from(wire: v1::Changes) -> Self {
        let file = |file: v1::FileChange| FileChange {
            path: file.path,
            from: some(file.from),
            status: file.status,
            added: file.added,
            removed: file.removed,
            state: ChangeState::parse(&file.state).unwrap_or(ChangeState::Uncommitted),
        };
        let commit = |commit: v1::CommitLine| CommitLine {
            id: commit.id,
            author: commit.author,
            at: or_epoch(commit.at.as_ref()),
            subject: commit.subject,
        };
        Self {
            runner: wire.runner,
            directory: wire.directory,
            branch: wire.branch,
            since: wire.since,
            files: wire.files.into_iter().map(file).collect(),
            more_files: wire.more_files,
            commits: wire.commits.into_iter().map(commit).collect(),
            more_commits: wire.more_commits,
            notes: wire.notes,
            patch: wire.patch.to_vec(),
            is_patch_cut: wire.is_patch_cut,
        }
    }
}

impl From<Worktree> for v1::Worktree {
    fn from(worktree: Worktree) -> Self {
        Self {
            name: worktree.name,
            project: worktree.project,
            path: worktree.path,
            branch: worktree.branch,
            runners: worktree.runners,
            live: worktree.live,
            dirty_files: worktree.dirty_files,
            unpushed_commits: worktree.unpushed_commits,
            kept: worktree.kept,
            broken: worktree.broken,
        }
    }
}

impl From<v1::Worktree> for Worktree {
    fn from(wire: v1::Worktree) -> Self {
        Self {
            name: wire.name,
            project: wire.project,
            path: wire.path,
            branch: wire.branch,
            runners: wire.runners,
            live: wire.live,
            dirty_files: wire.dirty_files,
            unpushed_commits: wire.unpushed_commits,
            kept: wire.kept,
            broken: wire.broken,
        }
    }
}

impl From<TrashedWorktree> for v1::TrashedWorktree {
    fn from(trashed: TrashedWorktree) -> Self {
        Self {
            name: trashed.name,
            removed_at: Some(to_timestamp(trashed.removed_at)),
            branch: trashed.branch,
            path: trashed.path,
            reference: trashed.reference,
            repository: trashed.repository,
        }
    }
}

impl From<v1::TrashedWorktree> for TrashedWorktree {
    fn from(wire: v1::TrashedWorktree) -> Self {
        Self {
            name: wire.name,
            removed_at: or_epoch(wire.removed_at.as_ref()),
            branch: wire.branch,
            path: wire.path,
            reference: wire.reference,
            repository: wire.repository,
        }
    }
}
