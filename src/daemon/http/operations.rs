//! What an operator looks after: outbox, nodes, notifications.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    lists::{Page, Paging},
    problem::Problem,
};
use crate::domain::{
    node::Node,
    notification::{Delivery, Severity},
    outbox::{OutboxCounts, OutboxEntry},
};

/// Rows that are looked through for a page.
const MOST: u32 = 10_000;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_outbox))
        .routes(routes!(count_outbox))
        .routes(routes!(list_nodes))
        .routes(routes!(list_notifications));
    routes.operator = routes.operator.routes(routes!(notify)).routes(routes!(test_channels));
    routes.admin = routes
        .admin
        .routes(routes!(retry_outbox))
        .routes(routes!(discard_outbox))
        .routes(routes!(forget_node))
        .routes(routes!(retry_notifications))
        .routes(routes!(discard_notifications));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Parked {
    /// Only those that were given up until somebody decides.
    parked: bool,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct InState {
    /// Only of this state: waiting, sent, parked or suppressed.
    #[param(pattern = "^(waiting|sent|parked|suppressed)?$")]
    state: String,
}

/// Which event; all, if nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct OfEvent {
    /// Its id.
    event_id: Option<Uuid>,
}

/// Which notification; all, if nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct OfNotification {
    /// Its number.
    id: Option<i64>,
}

/// Words for people outside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Words {
    /// What is told.
    #[schema(pattern = "[A-Za-z]", max_length = 16_000)]
    text: String,
    /// How much it weighs.
    #[serde(default)]
    severity: Severity,
    /// Only by this channel: telegram, ntfy, webhook or desktop.
    #[serde(default)]
    channel: String,
}

/// Which channel; all, if nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct OfChannel {
    /// Its name.
    channel: String,
}

/// How many it was done to.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// So many.
    count: u64,
}

/// Runners whose node was forgotten.
#[derive(Debug, Serialize, ToSchema)]
struct Forgotten {
    /// Those that were still called live.
    failed: Vec<String>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
struct Tested {
    /// By channel.
    channels: Vec<TestedChannel>,
}

/// What came of a test of one channel.
#[derive(Debug, Serialize, ToSchema)]
struct TestedChannel {
    /// Its name.
    channel: String,
    /// Why it failed; missing when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Lists the events that wait for the broker, the oldest first.
#[utoipa::path(get, path = "/outbox", tag = "operations", params(Parked, Paging),
    responses((status = 200, description = "A page of events", body = Page<OutboxEntry>)))]
async fn list_outbox(
    State(http): State<Http>,
    Params(parked): Params<Parked>,
    Params(paging): Params<Paging>,
) -> Answer<Page<OutboxEntry>> {
    let entries = http.services.outbox_list(parked.parked, MOST).await?;
    paging.cut(entries, |entry| format!("{:020}", entry.id))
}

/// Counts the events that wait for the broker.
#[utoipa::path(get, path = "/outbox/counts", tag = "operations",
    responses((status = 200, description = "How many", body = OutboxCounts)))]
async fn count_outbox(State(http): State<Http>) -> Answer<OutboxCounts> {
    Ok(Json(http.services.outbox_counts().await?))
}

/// Gives parked events their tries back.
#[utoipa::path(post, path = "/outbox/retry", tag = "operations", request_body = OfEvent,
    responses((status = 200, description = "They are tried again", body = Count)))]
async fn retry_outbox(State(http): State<Http>, Json(of): Json<OfEvent>) -> Answer<Count> {
    Ok(Json(Count { count: http.services.outbox_retry(of.event_id).await? }))
}

/// Gives events up that wait for the broker.
#[utoipa::path(post, path = "/outbox/discard", tag = "operations", request_body = OfEvent,
    responses((status = 200, description = "They are given up", body = Count)))]
async fn discard_outbox(State(http): State<Http>, Json(of): Json<OfEvent>) -> Answer<Count> {
    let count = match of.event_id {
        Some(event) => http.services.outbox_discard(event).await.map(|()| 1)?,
        None => http.services.outbox_discard_all().await?,
    };
    Ok(Json(Count { count }))
}

/// Lists the nodes that share the database.
#[utoipa::path(get, path = "/nodes", tag = "operations", params(Paging),
    responses((status = 200, description = "A page of nodes", body = Page<Node>)))]
async fn list_nodes(
    State(http): State<Http>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Node>> {
    paging.cut(http.services.nodes().await, |node| format!("{} {}", node.hostname, node.id))
}

/// Forgets a node that is gone, and with it its runners.
#[utoipa::path(delete, path = "/nodes/{node}", tag = "operations",
    params(("node" = String, Path, description = "Its host name or id")),
    responses((status = 200, description = "It is forgotten", body = Forgotten)))]
async fn forget_node(State(http): State<Http>, Path(node): Path<String>) -> Answer<Forgotten> {
    Ok(Json(Forgotten { failed: http.services.forget_node(&node).await? }))
}

/// Lists what people outside are told, the newest first.
#[utoipa::path(get, path = "/notifications", tag = "notifications", params(InState, Paging),
    responses((status = 200, description = "A page of notifications", body = Page<Delivery>)))]
async fn list_notifications(
    State(http): State<Http>,
    Params(wanted): Params<InState>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Delivery>> {
    let told = http.services.notify_list(&wanted.state, MOST).await?;
    paging.cut(told, |one| format!("{:020}", i64::MAX - one.id))
}

/// Tells people outside something.
#[utoipa::path(post, path = "/notifications", tag = "notifications", request_body = Words,
    responses((status = 202, description = "It is on its way")))]
async fn notify(State(http): State<Http>, Json(words): Json<Words>) -> Result<StatusCode, Problem> {
    http.services.notify_say(&words.text, words.severity, &words.channel).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Tries the channels to people outside.
#[utoipa::path(post, path = "/notifications/test", tag = "notifications",
    request_body = OfChannel,
    responses((status = 200, description = "What came of it", body = Tested)))]
async fn test_channels(State(http): State<Http>, Json(of): Json<OfChannel>) -> Answer<Tested> {
    let tested = http.services.notify_test(&of.channel).await?;
    let channels = tested
        .into_iter()
        .map(|(channel, outcome)| TestedChannel { channel, error: outcome.err() })
        .collect();
    Ok(Json(Tested { channels }))
}

/// Gives notifications that were not taken their tries back and ends the rest of every channel, or has
/// one that waits tried at once.
#[utoipa::path(post, path = "/notifications/retry", tag = "notifications",
    request_body = OfNotification,
    responses((status = 200, description = "They are tried again", body = Count)))]
async fn retry_notifications(
    State(http): State<Http>,
    Json(of): Json<OfNotification>,
) -> Answer<Count> {
    Ok(Json(Count { count: http.services.notify_retry(of.id).await? }))
}

/// Gives notifications up.
#[utoipa::path(post, path = "/notifications/discard", tag = "notifications",
    request_body = OfNotification,
    responses((status = 200, description = "They are given up", body = Count)))]
async fn discard_notifications(
    State(http): State<Http>,
    Json(of): Json<OfNotification>,
) -> Answer<Count> {
    Ok(Json(Count { count: http.services.notify_discard(of.id).await? }))
}
