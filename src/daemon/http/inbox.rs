//! The attention inbox.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    guard::Actor,
    lists::{Page, Paging, newest},
};
use crate::{
    daemon::services::ItemFilter,
    domain::{answer, digest::Digest, inbox::Item},
};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_items))
        .routes(routes!(get_item))
        .routes(routes!(get_digest));
    routes.operator = routes
        .operator
        .routes(routes!(answer_item))
        .routes(routes!(approve_item))
        .routes(routes!(deny_item))
        .routes(routes!(snooze_item))
        .routes(routes!(dismiss_item))
        .routes(routes!(dismiss_items));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// Only of this project.
    project: String,
    /// Those too that are put off.
    snoozed: bool,
    /// Those too that are over.
    closed: bool,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Since {
    /// Not before; since somebody last looked, if nothing is said.
    since: Option<DateTime<Utc>>,
}

/// An answer to an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ItemAnswerBody {
    /// yes, no, the number of a choice, or a text of one's own.
    answer: String,
    /// The item's `asked_at` as it was shown: when it asks something else by now, nothing is answered.
    #[serde(default)]
    asked_at: Option<DateTime<Utc>>,
}

/// Which question is meant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ShownBody {
    /// The item's `asked_at` as it was shown: when it asks something else by now, nothing is answered.
    asked_at: Option<DateTime<Utc>>,
}

/// For how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SnoozeBody {
    /// For so many seconds.
    seconds: u64,
}

/// What is put away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct DismissBody {
    /// Only of this project.
    project: String,
}

/// What was put away.
#[derive(Debug, Serialize, ToSchema)]
struct Dismissed {
    /// The items.
    items: Vec<Item>,
}

/// Lists what waits for a person, the newest first.
#[utoipa::path(get, path = "/inbox", tag = "inbox", params(Wanted, Paging),
    responses((status = 200, description = "A page of items", body = Page<Item>)))]
async fn list_items(
    State(http): State<Http>,
    Params(wanted): Params<Wanted>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Item>> {
    let (with_snoozed, with_closed) = (wanted.snoozed, wanted.closed);
    let filter = ItemFilter { project: wanted.project, with_snoozed, with_closed, limit: 10_000 };
    let items = http.services.inbox(&filter).await?;
    paging.cut(items, |item| newest(item.opened_at, item.id))
}

/// Shows an item.
#[utoipa::path(get, path = "/inbox/{item}", tag = "inbox",
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "The item", body = Item)))]
async fn get_item(State(http): State<Http>, Path(item): Path<String>) -> Answer<Item> {
    Ok(Json(http.services.inbox_item(&item).await?))
}

/// Tells what happened while nobody looked.
#[utoipa::path(get, path = "/digest", tag = "inbox", params(Since),
    responses((status = 200, description = "What happened", body = Digest)))]
async fn get_digest(State(http): State<Http>, Params(since): Params<Since>) -> Answer<Digest> {
    Ok(Json(http.services.digest(since.since).await?))
}

/// Answers an item.
#[utoipa::path(post, path = "/inbox/{item}/answer", tag = "inbox", request_body = ItemAnswerBody,
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "It is answered", body = Item)))]
async fn answer_item(
    State(http): State<Http>,
    actor: Actor,
    Path(item): Path<String>,
    Json(body): Json<ItemAnswerBody>,
) -> Answer<Item> {
    let answer = answer::Answer::parse(&body.answer);
    Ok(Json(http.services.inbox_answer(&item, answer, body.asked_at, &actor.name).await?))
}

/// Allows what an item asks for, this once.
#[utoipa::path(post, path = "/inbox/{item}/approve", tag = "inbox", request_body = ShownBody,
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "It is allowed", body = Item)))]
async fn approve_item(
    State(http): State<Http>,
    actor: Actor,
    Path(item): Path<String>,
    Json(body): Json<ShownBody>,
) -> Answer<Item> {
    let yes = answer::Answer::Approve;
    Ok(Json(http.services.inbox_answer(&item, yes, body.asked_at, &actor.name).await?))
}

/// Refuses what an item asks for.
#[utoipa::path(post, path = "/inbox/{item}/deny", tag = "inbox", request_body = ShownBody,
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "It is refused", body = Item)))]
async fn deny_item(
    State(http): State<Http>,
    actor: Actor,
    Path(item): Path<String>,
    Json(body): Json<ShownBody>,
) -> Answer<Item> {
    let no = answer::Answer::Deny;
    Ok(Json(http.services.inbox_answer(&item, no, body.asked_at, &actor.name).await?))
}

/// Puts an item off.
#[utoipa::path(post, path = "/inbox/{item}/snooze", tag = "inbox", request_body = SnoozeBody,
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "It is put off", body = Item)))]
async fn snooze_item(
    State(http): State<Http>,
    actor: Actor,
    Path(item): Path<String>,
    Json(body): Json<SnoozeBody>,
) -> Answer<Item> {
    let time = Duration::from_secs(body.seconds);
    Ok(Json(http.services.inbox_snooze(&item, time, &actor.name).await?))
}

/// Puts an item away.
#[utoipa::path(post, path = "/inbox/{item}/dismiss", tag = "inbox",
    params(("item" = String, Path, description = "Its id or a beginning of it")),
    responses((status = 200, description = "It is put away", body = Dismissed)))]
async fn dismiss_item(
    State(http): State<Http>,
    actor: Actor,
    Path(item): Path<String>,
) -> Answer<Dismissed> {
    let items = http.services.inbox_dismiss(&[item], &actor.name).await?;
    Ok(Json(Dismissed { items }))
}

/// Puts away all that may be, of one project or of all.
#[utoipa::path(post, path = "/inbox/dismiss", tag = "inbox", request_body = DismissBody,
    responses((status = 200, description = "They are put away", body = Dismissed)))]
async fn dismiss_items(
    State(http): State<Http>,
    actor: Actor,
    Json(body): Json<DismissBody>,
) -> Answer<Dismissed> {
    let items = http.services.inbox_dismiss_all(&body.project, &actor.name).await?;
    Ok(Json(Dismissed { items }))
}
