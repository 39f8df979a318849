//! Worktrees, and what runners have changed.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    lists::{Page, Paging, within},
};
use crate::domain::checkout::{Changes, TrashedWorktree, Worktree};

/// Bytes of a difference, if nothing is said, and at most.
const USUAL_PATCH: u32 = 256 << 10;
const LONGEST_PATCH: u32 = 8 << 20;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(get_changes))
        .routes(routes!(list_worktrees))
        .routes(routes!(list_trash));
    routes.operator = routes
        .operator
        .routes(routes!(remove_worktree))
        .routes(routes!(prune_worktrees))
        .routes(routes!(restore_worktree));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Patch {
    /// So many bytes of the difference at most, 0 for none.
    #[param(maximum = 8_388_608)]
    patch_bytes: Option<u32>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct OfProject {
    /// Only of this project.
    project: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Removal {
    /// Also when there is something in it that is nowhere else.
    force: bool,
}

/// Which project's are removed; all, if nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct PruneBody {
    /// The project.
    project: String,
}

/// A worktree that was removed.
#[derive(Debug, Serialize, ToSchema)]
struct Removed {
    /// What is kept of it.
    trashed: TrashedWorktree,
    /// Its branch was removed, too.
    branch_deleted: bool,
}

/// Worktrees that were looked at.
#[derive(Debug, Serialize, ToSchema)]
struct Pruned {
    /// Those that were removed.
    removed: Vec<TrashedWorktree>,
    /// Those that were not.
    kept: Vec<Worktree>,
}

/// Shows what has changed since a runner was launched.
#[utoipa::path(get, path = "/runners/{runner}/changes", tag = "worktrees", params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), Patch),
    responses((status = 200, description = "The changes", body = Changes)))]
async fn get_changes(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Params(patch): Params<Patch>,
) -> Answer<Changes> {
    let bytes = patch.patch_bytes.unwrap_or(USUAL_PATCH);
    let bytes = within("patch_bytes", bytes, 0..=LONGEST_PATCH)?;
    Ok(Json(http.services.changes(&runner, bytes).await?))
}

/// Lists the worktrees of runners.
#[utoipa::path(get, path = "/worktrees", tag = "worktrees", params(OfProject, Paging),
    responses((status = 200, description = "A page of worktrees", body = Page<Worktree>)))]
async fn list_worktrees(
    State(http): State<Http>,
    Params(of): Params<OfProject>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Worktree>> {
    let found = http.services.list_worktrees(&of.project).await?;
    paging.cut(found, |worktree| worktree.path.clone())
}

/// Removes a worktree; what was in it is kept for a while.
#[utoipa::path(delete, path = "/worktrees/{worktree}", tag = "worktrees",
    params(("worktree" = String, Path, description = "Its name, or its runner's"), Removal),
    responses((status = 200, description = "It is removed", body = Removed)))]
async fn remove_worktree(
    State(http): State<Http>,
    Path(worktree): Path<String>,
    Params(removal): Params<Removal>,
) -> Answer<Removed> {
    let (trashed, branch_deleted) = http.services.remove_worktree(&worktree, removal.force).await?;
    Ok(Json(Removed { trashed, branch_deleted }))
}

/// Removes the worktrees that nobody needs any more.
#[utoipa::path(post, path = "/worktrees/prune", tag = "worktrees", request_body = PruneBody,
    responses((status = 200, description = "They are removed", body = Pruned)))]
async fn prune_worktrees(State(http): State<Http>, Json(body): Json<PruneBody>) -> Answer<Pruned> {
    let (removed, kept) = http.services.prune_worktrees(&body.project).await?;
    Ok(Json(Pruned { removed, kept }))
}

/// Lists the worktrees that were removed and can be made again.
#[utoipa::path(get, path = "/worktrees/trash", tag = "worktrees", params(Paging),
    responses((status = 200, description = "A page of them", body = Page<TrashedWorktree>)))]
async fn list_trash(
    State(http): State<Http>,
    Params(paging): Params<Paging>,
) -> Answer<Page<TrashedWorktree>> {
    let trashed = http.services.list_trash().await?;
    paging.cut(trashed, |one| serde_json::to_string(one).unwrap_or_default())
}

/// Makes a worktree again that was removed.
#[utoipa::path(post, path = "/worktrees/{worktree}/restore", tag = "worktrees",
    params(("worktree" = String, Path, description = "Its name")),
    responses((status = 200, description = "It is there again", body = Worktree)))]
async fn restore_worktree(
    State(http): State<Http>,
    Path(worktree): Path<String>,
) -> Answer<Worktree> {
    Ok(Json(http.services.restore_worktree(&worktree).await?))
}
