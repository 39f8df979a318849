//! Runners: launched, looked at, ended.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path, object},
    guard::Actor,
    lists::{Page, Paging, newest},
    problem::Problem,
};
use crate::{
    config::{environment, wishes},
    domain::{
        agent_command::{Permission, Wishes},
        checkout::{SetupChoice, WorktreeWish},
        evidence::Explanation,
        failure::Failure,
        launch::{Environment, LaunchRequest, Launched, RestartPolicy},
        runner::{Runner, RunnerStatus},
        size::TerminalSize,
    },
};

/// The file mode creation mask of agents that no terminal launches.
pub(super) const UMASK: u32 = 0o022;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_runners))
        .routes(routes!(list_runners_alias))
        .routes(routes!(get_runner))
        .routes(routes!(get_runner_alias))
        .routes(routes!(explain_runner));
    routes.operator = routes
        .operator
        .routes(routes!(launch_runner))
        .routes(routes!(launch_runner_alias))
        .routes(routes!(stop_runner))
        .routes(routes!(stop_runner_alias))
        .routes(routes!(kill_runner))
        .routes(routes!(pause_runner))
        .routes(routes!(resume_runner))
        .routes(routes!(restart_runner))
        .routes(routes!(remove_runner))
        .routes(routes!(send_heartbeat))
        .routes(routes!(send_heartbeat_alias));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// Only of this project.
    project: String,
    /// Only of this status: starting, running, paused, stopping, terminated, failed; or live.
    #[param(pattern = "^(starting|running|paused|stopping|terminated|failed|live)?$")]
    status: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Its name, its id or a unique beginning of it.
    id: String,
}

/// An agent to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LaunchBody {
    /// The project.
    project: String,
    /// The runner's name; if nothing is said, the project's and a number, which counts its launches.
    #[schema(pattern = "^([A-Za-z0-9][A-Za-z0-9._-]*)?$", max_length = 64)]
    #[serde(default)]
    name: String,
    /// Program and arguments; without them, and without an agent, the default agent.
    #[serde(default)]
    command: Vec<String>,
    /// An agent by its name, in place of a command.
    #[serde(default)]
    agent: Option<String>,
    /// What the agent is asked first.
    #[serde(default)]
    prompt: String,
    /// The model that it uses.
    #[serde(default)]
    model: String,
    /// What it may do without asking: own, ask, edits, plan, auto or god.
    #[schema(pattern = "^(own|ask|edits|plan|auto|god)?$")]
    #[serde(default)]
    permissions: String,
    /// The working directory; the project's, if nothing is said.
    #[serde(default)]
    cwd: Option<String>,
    /// A worktree of its own.
    #[serde(default, deserialize_with = "object")]
    worktree: Option<WorktreeBody>,
    /// Variables, beside those of the daemon.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Columns of its terminal.
    #[schema(maximum = 65_535)]
    #[serde(default)]
    cols: Option<u16>,
    /// Rows of its terminal.
    #[schema(maximum = 65_535)]
    #[serde(default)]
    rows: Option<u16>,
    /// What becomes of it when it fails: never or on-failure.
    #[schema(pattern = "^(never|on-failure)?$")]
    #[serde(default)]
    restart: String,
    /// So many tokens it may use at most.
    #[serde(default)]
    max_tokens: Option<u64>,
}

/// A worktree to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WorktreeBody {
    /// The branch; a new one, named after the runner, if nothing is said.
    #[serde(default)]
    branch: String,
    /// Where a new branch begins.
    #[serde(default)]
    base: String,
    /// The project's set-up command is not run.
    #[serde(default)]
    skip_setup: bool,
}

/// A runner that was launched.
#[derive(Debug, Serialize, ToSchema)]
struct LaunchedBody {
    /// The runner.
    runner: Runner,
    /// An earlier call with the same key had launched it.
    repeated: bool,
    /// What should be known of it.
    warnings: Vec<String>,
}

/// How a runner is ended.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct StopBody {
    /// So long it may take to end by itself.
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_i64)]
    grace_ms: Option<u32>,
    /// It is not asked first.
    force: bool,
}

/// The same, with the runner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StopAliasBody {
    /// Its name, its id or a unique beginning of it.
    runner_id: String,
    /// It is not asked first.
    #[serde(default)]
    force: bool,
}

/// A runner that was ended.
#[derive(Debug, Serialize, ToSchema)]
struct Stopped {
    /// The runner.
    runner: Runner,
    /// It had ended before.
    already_stopped: bool,
}

/// How a runner is started again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RestartBody {
    /// So long it may take to end by itself.
    #[schema(value_type = Option<u64>, maximum = 4_294_967_295_i64)]
    grace_ms: Option<u32>,
    /// Its agent goes on with its conversation.
    preserve_session: bool,
}

/// What an agent reports of itself. The daemon measures life and load; a report adds nothing to believe.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct HeartbeatBody {
    /// Its name, its id or a unique beginning of it; in the path for the other form.
    runner_id: String,
    /// What it says of its status.
    status: Option<String>,
    /// What it says of its load.
    cpu_percent: Option<f64>,
    /// What it says of its memory.
    memory_mb: Option<u64>,
    /// Its version.
    agent_version: Option<String>,
    /// What it says it used.
    tokens_used: Option<u64>,
    /// Its conversation.
    session_id: Option<String>,
    /// Its machine.
    hostname: Option<String>,
}

/// What an agent is told in return.
#[derive(Debug, Serialize, ToSchema)]
struct HeartbeatAnswer {
    /// pause, resume or terminate; empty for nothing.
    command: String,
}

/// Lists the runners, the newest first.
#[utoipa::path(get, path = "/runners", tag = "runners", params(Wanted, Paging),
    responses((status = 200, description = "A page of runners", body = Page<Runner>)))]
async fn list_runners(
    State(http): State<Http>,
    Params(wanted): Params<Wanted>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Runner>> {
    let runners = http.services.list_runners(&wanted.project, &wanted.status, 0).await?;
    paging.cut(runners, |runner| newest(runner.created_at, runner.id))
}

/// Lists the runners, under the path of the first version.
#[utoipa::path(get, path = "/runners/list", tag = "aliases", params(Wanted, Paging),
    responses((status = 200, description = "A page of runners", body = Page<Runner>)))]
async fn list_runners_alias(
    state: State<Http>,
    wanted: Params<Wanted>,
    paging: Params<Paging>,
) -> Answer<Page<Runner>> {
    list_runners(state, wanted, paging).await
}

/// Shows a runner.
#[utoipa::path(get, path = "/runners/{runner}", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "The runner", body = Runner)))]
async fn get_runner(State(http): State<Http>, Path(runner): Path<String>) -> Answer<Runner> {
    Ok(Json(http.services.resolve(&runner).await?))
}

/// Shows a runner, under the path of the first version.
#[utoipa::path(get, path = "/runners/get", tag = "aliases", params(Which),
    responses((status = 200, description = "The runner", body = Runner)))]
async fn get_runner_alias(state: State<Http>, Params(which): Params<Which>) -> Answer<Runner> {
    get_runner(state, Path(which.id)).await
}

/// Tells why a runner's state is what it is.
#[utoipa::path(get, path = "/runners/{runner}/explanation", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "What each source says", body = Explanation)))]
async fn explain_runner(
    State(http): State<Http>,
    Path(runner): Path<String>,
) -> Answer<Explanation> {
    Ok(Json(http.services.explain(&runner).await?))
}

/// Launches an agent, or any command.
#[utoipa::path(post, path = "/runners", tag = "runners", request_body = LaunchBody,
    responses((status = 201, description = "It is launched", body = LaunchedBody)))]
async fn launch_runner(
    State(http): State<Http>,
    actor: Actor,
    Json(body): Json<LaunchBody>,
) -> Result<(StatusCode, Json<LaunchedBody>), Problem> {
    let request = wished(&http, body, actor.repeat)?;
    let Launched { runner, repeated, warnings } = http.services.launch(request).await?;
    Ok((StatusCode::CREATED, Json(LaunchedBody { runner, repeated, warnings })))
}

/// Launches an agent, under the path of the first version.
#[utoipa::path(post, path = "/runners/launch", tag = "aliases", request_body = LaunchBody,
    responses((status = 201, description = "It is launched", body = LaunchedBody)))]
async fn launch_runner_alias(
    state: State<Http>,
    actor: Actor,
    body: Json<LaunchBody>,
) -> Result<(StatusCode, Json<LaunchedBody>), Problem> {
    launch_runner(state, actor, body).await
}

/// Ends a runner; it is asked first.
#[utoipa::path(post, path = "/runners/{runner}/stop", tag = "runners", request_body = StopBody,
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It has ended", body = Stopped)))]
async fn stop_runner(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<StopBody>,
) -> Answer<Stopped> {
    let stopped = http.services.stop_runner(&runner, body.grace_ms, body.force).await?;
    let (runner, already_stopped) = stopped;
    Ok(Json(Stopped { runner, already_stopped }))
}

/// Ends a runner, under the path of the first version.
#[utoipa::path(post, path = "/runners/stop", tag = "aliases", request_body = StopAliasBody,
    responses((status = 200, description = "It has ended", body = Stopped)))]
async fn stop_runner_alias(state: State<Http>, Json(body): Json<StopAliasBody>) -> Answer<Stopped> {
    let how = StopBody { grace_ms: None, force: body.force };
    stop_runner(state, Path(body.runner_id), Json(how)).await
}

/// Ends a runner at once.
#[utoipa::path(post, path = "/runners/{runner}/kill", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It has ended", body = Stopped)))]
async fn kill_runner(state: State<Http>, runner: Path<String>) -> Answer<Stopped> {
    stop_runner(state, runner, Json(StopBody { grace_ms: None, force: true })).await
}

/// Stops a runner's processes where they stand.
#[utoipa::path(post, path = "/runners/{runner}/pause", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It stands still", body = Runner)))]
async fn pause_runner(State(http): State<Http>, Path(runner): Path<String>) -> Answer<Runner> {
    Ok(Json(http.services.set_paused(&runner, true).await?))
}

/// Lets a paused runner go on.
#[utoipa::path(post, path = "/runners/{runner}/resume", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It goes on", body = Runner)))]
async fn resume_runner(State(http): State<Http>, Path(runner): Path<String>) -> Answer<Runner> {
    Ok(Json(http.services.set_paused(&runner, false).await?))
}

/// Ends a runner and starts it again.
#[utoipa::path(post, path = "/runners/{runner}/restart", tag = "runners",
    request_body = RestartBody,
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It is started", body = Runner)))]
async fn restart_runner(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<RestartBody>,
) -> Answer<Runner> {
    let restarted = http.services.restart(&runner, body.grace_ms, body.preserve_session).await;
    Ok(Json(restarted?))
}

/// Removes an ended runner with what it printed.
#[utoipa::path(delete, path = "/runners/{runner}", tag = "runners",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "As it was", body = Runner)))]
async fn remove_runner(State(http): State<Http>, Path(runner): Path<String>) -> Answer<Runner> {
    Ok(Json(http.services.remove_runner(&runner).await?))
}

/// Takes a sign of life of an agent; one inside a runner needs no token, and speaks for itself alone.
#[utoipa::path(post, path = "/runners/{runner}/heartbeat", tag = "runners",
    request_body = HeartbeatBody,
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "What it is to do", body = HeartbeatAnswer)))]
async fn send_heartbeat(
    State(http): State<Http>,
    actor: Actor,
    Path(runner): Path<String>,
    Json(body): Json<HeartbeatBody>,
) -> Answer<HeartbeatAnswer> {
    drop(body);
    let runner = http.services.resolve(&runner).await?;
    if actor.runner.is_some_and(|id| id != runner.id) {
        let what = "an agent may only report for its own runner";
        return Err(Failure::denied("AGENT_DENIED", what).into());
    }
    let command = if runner.status == RunnerStatus::Stopping { "terminate" } else { "" };
    Ok(Json(HeartbeatAnswer { command: command.to_owned() }))
}

/// Takes a sign of life of an agent, under the path of the first version.
#[utoipa::path(post, path = "/heartbeat", tag = "aliases", request_body = HeartbeatBody,
    responses((status = 200, description = "What it is to do", body = HeartbeatAnswer)))]
async fn send_heartbeat_alias(
    state: State<Http>,
    actor: Actor,
    Json(body): Json<HeartbeatBody>,
) -> Answer<HeartbeatAnswer> {
    send_heartbeat(state, actor, Path(body.runner_id.clone()), Json(body)).await
}

/// Returns the environment of an agent that no terminal launches: the daemon's, and these variables.
pub(super) fn own_environment(more: BTreeMap<String, String>) -> Environment {
    let more = more.into_iter().map(|(name, value)| (name.into(), value.into()));
    environment::all().into_iter().chain(more).collect()
}

/// Returns what a body asks for. Nobody's terminal launches it: it gets the daemon's environment.
fn wished(http: &Http, body: LaunchBody, repeat: Option<Uuid>) -> Result<LaunchRequest, Failure> {
    let restart = RestartPolicy::parse(&body.restart).ok_or_else(|| {
        let what = format!("restart `{}`: never or on-failure", body.restart.escape_debug());
        Failure::usage("BAD_RESTART_POLICY", what)
    })?;
    let permission = match body.permissions.as_str() {
        "" => Permission::default(),
        word => Permission::parse(word).ok_or_else(|| {
            let all = Permission::ALL.map(Permission::as_str).join(", ");
            let what = format!("permissions `{}`: one of {all}", word.escape_debug());
            Failure::usage("BAD_PERMISSIONS", what)
        })?,
    };
    let wishes = Wishes { model: body.model, permission, prompt: body.prompt };
    let given = body.command.into_iter().map(OsString::from).collect();
    let config = &http.services.context().config;
    let command = wishes::command(config, body.agent.as_deref(), given, &wishes)?;
    let usual = TerminalSize::default();
    let size =
        TerminalSize::new(body.cols.unwrap_or(usual.cols()), body.rows.unwrap_or(usual.rows()));
    let worktree = body.worktree.map(|wish| WorktreeWish {
        branch: wish.branch,
        base: wish.base,
        setup: if wish.skip_setup { SetupChoice::Skip } else { SetupChoice::IfTrusted },
    });
    Ok(LaunchRequest {
        request_id: repeat,
        project: body.project,
        name: body.name,
        command,
        cwd: body.cwd.map(PathBuf::from),
        worktree,
        environment: own_environment(body.environment),
        size,
        restart,
        umask: UMASK,
        max_tokens: body.max_tokens,
    })
}
