//! Conversations.

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    lists::{Page, Paging, newest, within},
    problem::Problem,
    runners::{UMASK, own_environment},
};
use crate::{
    daemon::services::Resume,
    domain::{
        agent::Agent,
        failure::Failure,
        runner::Runner,
        session::{Conversation, Hit, SearchFilter, Session, Utterance},
        size::TerminalSize,
    },
};

/// Sessions that are looked through for a page.
const MOST: u32 = 10_000;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_sessions))
        .routes(routes!(get_session))
        .routes(routes!(search_sessions))
        .routes(routes!(read_transcript));
    routes.operator = routes
        .operator
        .routes(routes!(resume_session))
        .routes(routes!(find_conversations))
        .routes(routes!(import_conversation));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// Only of this project.
    project: String,
    /// Only those that this runner held.
    runner: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Words, all of which were said in one message; "several words" are a phrase.
    words: String,
    /// Only of this project.
    #[serde(default)]
    project: String,
    /// Only of this agent.
    #[serde(default)]
    agent: String,
    /// Not before.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
    /// So many at most.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct OfAgent {
    /// Only of this agent.
    agent: String,
}

/// How a conversation is gone on with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ResumeBody {
    /// In a new runner also where the one that held it last could go on.
    new_runner: bool,
    /// Variables for a new runner, beside those of the daemon.
    environment: BTreeMap<String, String>,
}

/// A conversation to be taken in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    /// The agent.
    agent: String,
    /// Where it is, as the list of conversations tells it: a file, or a place in one.
    #[schema(pattern = "^/[^\\u0000]*[^/\\u0000]$")]
    path: String,
    /// The project that it is to belong to.
    project: String,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
struct Hits {
    /// The messages, the newest first.
    items: Vec<Hit>,
}

/// Conversations on the disk.
#[derive(Debug, Serialize, ToSchema)]
struct Conversations {
    /// Each of them.
    items: Vec<Conversation>,
}

/// Lists the conversations, the newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Wanted, Paging),
    responses((status = 200, description = "A page of sessions", body = Page<Session>)))]
async fn list_sessions(
    State(http): State<Http>,
    Params(wanted): Params<Wanted>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Session>> {
    let sessions = http.services.list_sessions(&wanted.project, &wanted.runner, MOST).await?;
    paging.cut(sessions, |session| newest(session.started_at, &session.id))
}

/// Shows a conversation.
#[utoipa::path(get, path = "/sessions/{session}", tag = "sessions",
    params(("session" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "The session", body = Session)))]
async fn get_session(State(http): State<Http>, Path(session): Path<String>) -> Answer<Session> {
    Ok(Json(http.services.get_session(&session).await?))
}

/// Finds what was said, in all conversations.
#[utoipa::path(get, path = "/sessions/search", tag = "sessions", params(Search),
    responses((status = 200, description = "What was found", body = Hits)))]
async fn search_sessions(State(http): State<Http>, Params(search): Params<Search>) -> Answer<Hits> {
    let wanted = SearchFilter {
        words: SearchFilter::words(&search.words),
        project: search.project,
        agent: search.agent,
        since: search.since,
        limit: within("limit", search.limit.unwrap_or(20), 1..=1000)?,
    };
    if wanted.words.is_empty() {
        return Ok(Json(Hits { items: Vec::new() }));
    }
    Ok(Json(Hits { items: http.services.search_sessions(wanted).await? }))
}

/// Gives what was said in a conversation, without secrets: a line of JSON for each utterance.
#[utoipa::path(get, path = "/sessions/{session}/transcript", tag = "sessions",
    params(("session" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "The utterances", body = Utterance,
        content_type = "application/x-ndjson")))]
async fn read_transcript(
    State(http): State<Http>,
    Path(session): Path<String>,
) -> Result<Response, Problem> {
    let (_, reading) = http.services.read_transcript(&session).await?;
    let lines = unfold(reading, |mut reading| async move {
        let line = reading.recv().await?.and_then(|said| {
            let mut line = serde_json::to_vec(&said)
                .map_err(|error| Failure::internal(format!("write a line: {error}")))?;
            line.push(b'\n');
            Ok(Bytes::from(line))
        });
        Some((line, reading))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Goes on with a conversation.
#[utoipa::path(post, path = "/sessions/{session}/resume", tag = "sessions",
    request_body = ResumeBody,
    params(("session" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "The runner that holds it", body = Runner)))]
async fn resume_session(
    State(http): State<Http>,
    Path(session): Path<String>,
    Json(body): Json<ResumeBody>,
) -> Answer<Runner> {
    let resume = Resume {
        is_new: body.new_runner,
        environment: own_environment(body.environment),
        size: TerminalSize::default(),
        umask: UMASK,
    };
    Ok(Json(http.services.resume_session(&session, resume).await?))
}

/// Lists conversations that agents have on the daemon's disk and that can be taken in.
#[utoipa::path(get, path = "/conversations", tag = "sessions", params(OfAgent),
    responses((status = 200, description = "The conversations", body = Conversations)))]
async fn find_conversations(
    State(http): State<Http>,
    Params(of): Params<OfAgent>,
) -> Answer<Conversations> {
    let agent = if of.agent.is_empty() { None } else { Some(known(&of.agent)?) };
    let environment = own_environment(BTreeMap::new());
    let items = http.services.find_conversations_on_disk(agent, environment).await?;
    Ok(Json(Conversations { items }))
}

/// Takes in a conversation that an agent has on the disk.
#[utoipa::path(post, path = "/sessions/import", tag = "sessions", request_body = ImportBody,
    responses((status = 201, description = "The session", body = Session)))]
async fn import_conversation(
    State(http): State<Http>,
    Json(body): Json<ImportBody>,
) -> Result<(StatusCode, Json<Session>), Problem> {
    let agent = known(&body.agent)?;
    let environment = own_environment(BTreeMap::new());
    let imported =
        http.services.import_conversation(agent, &body.path, &body.project, environment).await?;
    Ok((StatusCode::CREATED, Json(imported)))
}

/// Returns the agent that a word names.
fn known(word: &str) -> Result<Agent, Failure> {
    let agent = Agent::ALL.into_iter().find(|agent| agent.as_str() == word);
    agent.ok_or_else(|| {
        let all = Agent::ALL.map(Agent::as_str).join(", ");
        Failure::not_found("NO_AGENT", format!("`{}` is none of {all}", word.escape_debug()))
    })
}
