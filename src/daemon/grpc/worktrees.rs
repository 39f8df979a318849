//! Calls about worktrees and what runners changed. None of them is an agent's to make.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::failure::Failure,
    proto::{
        failure_to_status,
        v1::{
            Changes, GetChangesRequest, ListTrashRequest, ListTrashResponse, ListWorktreesRequest,
            ListWorktreesResponse, PruneWorktreesRequest, PruneWorktreesResponse,
            RemoveWorktreeRequest, RemoveWorktreeResponse, RestoreWorktreeRequest, Worktree,
            worktrees_server::Worktrees,
        },
    },
};

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn refuse(failure: Failure) -> Status {
    failure_to_status(&failure)
}

#[tonic::async_trait]
impl Worktrees for Shared {
    async fn get_changes(
        &self,
        request: Request<GetChangesRequest>,
    ) -> Result<Response<Changes>, Status> {
        let wire = request.into_inner();
        let changes = self.services.changes(&wire.runner, wire.patch_bytes).await;
        Ok(Response::new(changes.map_err(refuse)?.into()))
    }

    async fn list_worktrees(
        &self,
        request: Request<ListWorktreesRequest>,
    ) -> Result<Response<ListWorktreesResponse>, Status> {
        let found = self.services.list_worktrees(&request.into_inner().project).await;
        let worktrees = found.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListWorktreesResponse { worktrees }))
    }

    async fn remove_worktree(
        &self,
        request: Request<RemoveWorktreeRequest>,
    ) -> Result<Response<RemoveWorktreeResponse>, Status> {
        let wire = request.into_inner();
        let removed = self.services.remove_worktree(&wire.name, wire.force).await;
        let (trashed, branch_deleted) = removed.map_err(refuse)?;
        Ok(Response::new(RemoveWorktreeResponse { trashed: Some(trashed.into()), branch_deleted }))
    }

    async fn prune_worktrees(
        &self,
        request: Request<PruneWorktreesRequest>,
    ) -> Result<Response<PruneWorktreesResponse>, Status> {
        let pruned = self.services.prune_worktrees(&request.into_inner().project).await;
        let (removed, kept) = pruned.map_err(refuse)?;
        Ok(Response::new(PruneWorktreesResponse {
            removed: removed.into_iter().map(Into::into).collect(),
            kept: kept.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_trash(
        &self,
        _request: Request<ListTrashRequest>,
    ) -> Result<Response<ListTrashResponse>, Status> {
        let trashed = self.services.list_trash().await.map_err(refuse)?;
        let trashed = trashed.into_iter().map(Into::into).collect();
        Ok(Response::new(ListTrashResponse { trashed }))
    }

    async fn restore_worktree(
        &self,
        request: Request<RestoreWorktreeRequest>,
    ) -> Result<Response<Worktree>, Status> {
        let restored = self.services.restore_worktree(&request.into_inner().name).await;
        Ok(Response::new(restored.map_err(refuse)?.into()))
    }
}
