//! Agents that can be launched, and what they may do without asking.

use std::path::PathBuf;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    problem::Problem,
};
use crate::{
    config::{approvals, environment::find_program},
    domain::{
        agent::Agent,
        approval::{Policy, Verdict, Wish},
        failure::Failure,
    },
};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_agents))
        .routes(routes!(get_approvals))
        .routes(routes!(test_approvals));
    routes
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
struct AgentBody {
    /// Its name, for launches.
    name: String,
    /// Program and arguments.
    command: Vec<String>,
    /// Where its program is, as the daemon's `PATH` has it; missing when it is nowhere there.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// It is one of the user's own.
    is_configured: bool,
}

/// The agents.
#[derive(Debug, Serialize, ToSchema)]
struct Agents {
    /// Those that are known, then the user's own.
    items: Vec<AgentBody>,
}

/// Lists the agents that can be launched by name.
#[utoipa::path(get, path = "/agents", tag = "agents",
    responses((status = 200, description = "The agents", body = Agents)))]
async fn list_agents(State(http): State<Http>) -> Answer<Agents> {
    let known = Agent::ALL.into_iter().map(|agent| {
        let name = agent.as_str().to_owned();
        (name.clone(), vec![name], false)
    });
    let config = &http.services.context().config.agents;
    let own = config.own().map(|(name, own)| (name.to_owned(), own.command, true));
    let items = known.chain(own).map(|(name, command, is_configured)| {
        let path = command.first().and_then(|program| find_program(program));
        let path = path.map(|path| path.display().to_string());
        AgentBody { name, command, path, is_configured }
    });
    Ok(Json(Agents { items: items.collect() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The agent: claude, codex, …
    agent: String,
    /// The tool: Bash, Edit, …
    tool: String,
    /// What the tool is given: a command, a path, an address.
    #[serde(default)]
    #[param(required = false)]
    argument: String,
}

/// Shows the rules for what agents may do in a project without asking: the user's, and the project's.
#[utoipa::path(get, path = "/projects/{project}/approvals", tag = "agents",
    params(("project" = String, Path, description = "Its name")),
    responses((status = 200, description = "The rules", body = Policy)))]
async fn get_approvals(State(http): State<Http>, Path(project): Path<String>) -> Answer<Policy> {
    Ok(Json(policy(&http, &project).await?.0))
}

/// Says what would be decided if an agent wanted this in a project.
#[utoipa::path(get, path = "/projects/{project}/approvals/verdict", tag = "agents",
    params(("project" = String, Path, description = "Its name"), Asked),
    responses((status = 200, description = "The decision", body = Verdict)))]
async fn test_approvals(
    State(http): State<Http>,
    Path(project): Path<String>,
    Params(asked): Params<Asked>,
) -> Answer<Verdict> {
    let (policy, path) = policy(&http, &project).await?;
    let cwd = path.to_string_lossy();
    let Asked { agent, tool, argument } = &asked;
    Ok(Json(policy.decide(&Wish { agent, tool, argument, is_cut: false, cwd: &cwd })))
}

/// Returns the rules of a project, and where it is.
async fn policy(http: &Http, project: &str) -> Result<(Policy, PathBuf), Problem> {
    let path = http.services.get_project(project).await?.path;
    let place = path.clone();
    let read = spawn_blocking(move || approvals::load(&approvals::project_of(&place))).await;
    let read = read.map_err(|error| Failure::internal(format!("read the rules: {error}")))?;
    let policy = read.map_err(|error| {
        Failure::conflict("BAD_APPROVALS", error.to_string())
            .with_hint("nothing is allowed until this is mended")
    })?;
    Ok((policy, path))
}
