//! The daemon itself.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Http, Routes,
    extract::{Answer, Json},
};
use crate::daemon::services::{Component, Reconciled, SystemStatus};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(get_status))
        .routes(routes!(get_health))
        .routes(routes!(get_metrics))
        .routes(routes!(get_document));
    routes.admin = routes.admin.routes(routes!(reconcile));
    routes
}

/// Those that anybody may call.
pub(super) fn open_routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(is_alive)).routes(routes!(is_ready))
}

/// How the daemon is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Whether all of it is well.
    healthy: bool,
    /// Its parts.
    components: Vec<Component>,
}

/// Whether a part works.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// Whether calls can be answered.
    ready: bool,
    /// Whether each part works, by its name.
    components: BTreeMap<String, bool>,
}

/// Shows what the daemon is and has.
#[utoipa::path(get, path = "/status", tag = "system",
    responses((status = 200, description = "The status", body = SystemStatus)))]
async fn get_status(State(http): State<Http>) -> Answer<SystemStatus> {
    Ok(Json(http.services.status().await?))
}

/// Shows how each part of the daemon is.
#[utoipa::path(get, path = "/health", tag = "system",
    responses((status = 200, description = "The parts", body = Health)))]
async fn get_health(State(http): State<Http>) -> Answer<Health> {
    let components = http.services.health().await;
    let healthy = components.iter().all(|component| component.healthy);
    Ok(Json(Health { healthy, components }))
}

/// Shows figures by name.
#[utoipa::path(get, path = "/metrics", tag = "system",
    responses((status = 200, description = "The figures", body = BTreeMap<String, f64>)))]
async fn get_metrics(State(http): State<Http>) -> Answer<BTreeMap<String, f64>> {
    let page = http.services.metrics().await;
    Ok(Json(page.values().into_iter().collect()))
}

/// Describes this API, as `OpenAPI` 3.1.
#[utoipa::path(get, path = "/openapi.json", tag = "system",
    responses((status = 200, description = "The description", body = serde_json::Value)))]
async fn get_document(State(http): State<Http>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], http.document.to_string()).into_response()
}

/// Settles every row against what really runs.
#[utoipa::path(post, path = "/reconcile", tag = "system",
    responses((status = 200, description = "It is settled", body = Reconciled)))]
async fn reconcile(State(http): State<Http>) -> Answer<Reconciled> {
    Ok(Json(http.services.reconcile().await?))
}

/// Tells that the daemon lives.
#[utoipa::path(get, path = "/healthz", tag = "system",
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain")))]
async fn is_alive() -> &'static str {
    "ok\n"
}

/// Tells whether calls can be answered: whether the database is there. Other parts are named too, and
/// nothing else is told of them without a token.
#[utoipa::path(get, path = "/readyz", tag = "system",
    responses((status = 200, description = "It is ready", body = Ready),
        (status = 503, description = "It is not ready", body = Ready)))]
async fn is_ready(State(http): State<Http>) -> (StatusCode, Json<Ready>) {
    let health = http.services.health().await;
    let ready = health.iter().any(|part| part.name == "database" && part.healthy);
    let components = health.into_iter().map(|part| (part.name, part.healthy)).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, components }))
}
