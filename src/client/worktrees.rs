//! Worktrees and changes, from the client's side.

use std::time::Duration;

use super::{Client, failed, request_within};
use crate::{
    domain::{
        checkout::{Changes, TrashedWorktree, Worktree},
        failure::Failure,
    },
    proto::v1::{
        GetChangesRequest, ListTrashRequest, ListWorktreesRequest, PruneWorktreesRequest,
        RemoveWorktreeRequest, RestoreWorktreeRequest,
    },
};

/// Looking at all files of a large checkout takes its time.
const LOOKING: Duration = Duration::from_mins(1);

/// Making, keeping and removing them more.
const CHANGING: Duration = Duration::from_mins(11);

/// A launch makes a worktree and waits for the longest set-up that can be configured.
pub(super) const MAKING: Duration = Duration::from_mins(70);

impl Client {
    /// Returns what has changed since a runner was launched, with at most so many bytes of the
    /// difference as text.
    ///
    /// # Errors
    ///
    /// `NO_CHECKOUT` when it was not launched in a repository.
    pub async fn changes(&self, runner: &str, patch_bytes: u32) -> Result<Changes, Failure> {
        let request = GetChangesRequest { runner: runner.to_owned(), patch_bytes };
        let request = request_within(request, self.limit.max(LOOKING));
        let answer = self.worktrees().get_changes(request).await.map_err(failed)?;
        Ok(answer.into_inner().into())
    }

    /// Returns the worktrees, of one project unless it is empty.
    ///
    /// # Errors
    ///
    /// When the daemon cannot tell.
    pub async fn list_worktrees(&self, project: &str) -> Result<Vec<Worktree>, Failure> {
        let request = ListWorktreesRequest { project: project.to_owned() };
        let request = request_within(request, self.limit.max(LOOKING));
        let answer = self.worktrees().list_worktrees(request).await.map_err(failed)?;
        Ok(answer.into_inner().worktrees.into_iter().map(Into::into).collect())
    }

    /// Removes a worktree; returns what is kept of it, and whether its branch went with it.
    ///
    /// # Errors
    ///
    /// While a live runner works in it, or it holds something of its own and is not forced.
    pub async fn remove_worktree(
        &self,
        name: &str,
        force: bool,
    ) -> Result<(TrashedWorktree, bool), Failure> {
        let request = RemoveWorktreeRequest { name: name.to_owned(), force };
        let request = request_within(request, self.limit.max(CHANGING));
        let answer = self.worktrees().remove_worktree(request).await.map_err(failed)?.into_inner();
        let trashed = answer.trashed.map(Into::into).unwrap_or_default();
        Ok((trashed, answer.branch_deleted))
    }

    /// Removes the worktrees that hold nothing of their own; returns them, and those that stay.
    ///
    /// # Errors
    ///
    /// When the daemon cannot look at them.
    pub async fn prune_worktrees(
        &self,
        project: &str,
    ) -> Result<(Vec<TrashedWorktree>, Vec<Worktree>), Failure> {
        let request = PruneWorktreesRequest { project: project.to_owned() };
        let request = request_within(request, self.limit.max(CHANGING));
        let answer = self.worktrees().prune_worktrees(request).await.map_err(failed)?.into_inner();
        let removed = answer.removed.into_iter().map(Into::into).collect();
        Ok((removed, answer.kept.into_iter().map(Into::into).collect()))
    }

    /// Returns what was removed and can be restored, newest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot tell.
    pub async fn list_trash(&self) -> Result<Vec<TrashedWorktree>, Failure> {
        let request = request_within(ListTrashRequest {}, self.limit.max(LOOKING));
        let answer = self.worktrees().list_trash(request).await.map_err(failed)?;
        Ok(answer.into_inner().trashed.into_iter().map(Into::into).collect())
    }

    /// Makes a removed worktree again.
    ///
    /// # Errors
    ///
    /// `NOTHING_TO_RESTORE`.
    pub async fn restore_worktree(&self, name: &str) -> Result<Worktree, Failure> {
        let request = RestoreWorktreeRequest { name: name.to_owned() };
        let request = request_within(request, self.limit.max(CHANGING));
        let answer = self.worktrees().restore_worktree(request).await.map_err(failed)?;
        Ok(answer.into_inner().into())
    }
}
