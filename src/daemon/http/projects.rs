//! Projects.

use std::path::PathBuf;

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path, object},
    lists::{Page, Paging},
    problem::Problem,
};
use crate::domain::{
    failure::Failure,
    project::{NewProject, Project, ProjectStatus},
    quota::{Quota, QuotaChange},
};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_projects))
        .routes(routes!(list_projects_alias))
        .routes(routes!(get_project));
    routes.operator =
        routes.operator.routes(routes!(create_project)).routes(routes!(create_project_alias));
    routes.admin = routes.admin.routes(routes!(delete_project));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// Only of this status: active, idle or archived.
    #[param(pattern = "^(active|idle|archived)?$")]
    status: String,
}

/// A directory to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectBody {
    /// Its name: a word, and none that is one of the command line's own (`all`, `daemon`, `runners`, …).
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length = 64)]
    name: String,
    /// An absolute path on the daemon's machine.
    #[schema(pattern = "^/[^\\u0000]*$")]
    path: String,
    /// What it is; one line.
    #[schema(pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", max_length = 1000)]
    #[serde(default)]
    description: String,
    /// Free labels; one line each.
    #[schema(value_type = Vec<TagText>)]
    #[serde(default)]
    tags: Vec<String>,
    /// Its first limits.
    #[serde(default, deserialize_with = "object")]
    quota: Quota,
}

/// A label.
#[derive(ToSchema)]
#[schema(pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", max_length = 1000)]
struct TagText(#[expect(dead_code, reason = "it stands in the document only")] String);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Deletion {
    /// Its live runners are ended first.
    force: bool,
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// The runners that were ended.
    stopped_runners: Vec<String>,
}

/// Lists the projects, by name.
#[utoipa::path(get, path = "/projects", tag = "projects", params(Wanted, Paging),
    responses((status = 200, description = "A page of projects", body = Page<Project>)))]
async fn list_projects(
    State(http): State<Http>,
    Params(wanted): Params<Wanted>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Project>> {
    let status = ProjectStatus::parse(&wanted.status);
    if status.is_none() && !wanted.status.is_empty() {
        let shown = wanted.status.escape_debug();
        let what = format!("`{shown}` is no status: active, idle, archived");
        return Err(Failure::usage("BAD_STATUS", what).into());
    }
    let projects = http.services.list_projects(status).await?;
    paging.cut(projects, |project| project.name.clone())
}

/// Lists the projects, under the path of the first version.
#[utoipa::path(get, path = "/projects/list", tag = "aliases", params(Wanted, Paging),
    responses((status = 200, description = "A page of projects", body = Page<Project>)))]
async fn list_projects_alias(
    state: State<Http>,
    wanted: Params<Wanted>,
    paging: Params<Paging>,
) -> Answer<Page<Project>> {
    list_projects(state, wanted, paging).await
}

/// Shows a project.
#[utoipa::path(get, path = "/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "Its name")),
    responses((status = 200, description = "The project", body = Project)))]
async fn get_project(State(http): State<Http>, Path(project): Path<String>) -> Answer<Project> {
    Ok(Json(http.services.get_project(&project).await?))
}

/// Registers a directory as a project.
#[utoipa::path(post, path = "/projects", tag = "projects", request_body = ProjectBody,
    responses((status = 201, description = "It is registered", body = Project)))]
async fn create_project(
    State(http): State<Http>,
    Json(body): Json<ProjectBody>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    let quotas: QuotaChange = body.quota.as_change();
    let new = NewProject {
        name: body.name,
        path: PathBuf::from(body.path),
        description: body.description,
        tags: body.tags,
        quotas,
    };
    Ok((StatusCode::CREATED, Json(http.services.create_project(new).await?)))
}

/// Registers a directory as a project, under the path of the first version.
#[utoipa::path(post, path = "/projects/create", tag = "aliases", request_body = ProjectBody,
    responses((status = 201, description = "It is registered", body = Project)))]
async fn create_project_alias(
    state: State<Http>,
    body: Json<ProjectBody>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    create_project(state, body).await
}

/// Removes a project; its directory stays.
#[utoipa::path(delete, path = "/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "Its name"), Deletion),
    responses((status = 200, description = "It is removed", body = Deleted)))]
async fn delete_project(
    State(http): State<Http>,
    Path(project): Path<String>,
    Params(deletion): Params<Deletion>,
) -> Answer<Deleted> {
    let stopped_runners = http.services.delete_project(&project, deletion.force).await?;
    Ok(Json(Deleted { stopped_runners }))
}
