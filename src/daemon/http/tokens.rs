//! Tokens of this API.

use std::time::Duration;

use axum::{Extension, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    guard::Actor,
    lists::{Page, Paging, newest},
    problem::Problem,
    repeats::Secret,
};
use crate::domain::api_token::{ApiToken, Scope};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.admin = routes
        .admin
        .routes(routes!(list_tokens))
        .routes(routes!(create_token))
        .routes(routes!(revoke_token));
    routes
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// What it is for: a word.
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$", min_length = 1, max_length = 100)]
    name: String,
    /// What it may do.
    scope: Scope,
    /// It is accepted for so many seconds; if nothing is said, until it is revoked.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3_153_600_000_i64)]
    lifetime_seconds: Option<u64>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
struct TokenMade {
    /// What is kept of it.
    token: ApiToken,
    /// What callers send. It is not told again.
    text: String,
}

/// Lists the tokens, the newest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(Paging),
    responses((status = 200, description = "A page of tokens", body = Page<ApiToken>)))]
async fn list_tokens(
    State(http): State<Http>,
    Params(paging): Params<Paging>,
) -> Answer<Page<ApiToken>> {
    let tokens = http.services.list_tokens().await?;
    paging.cut(tokens, |token| newest(token.created_at, token.id))
}

/// Makes a token.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, description = "It is made", body = TokenMade)))]
async fn create_token(
    State(http): State<Http>,
    actor: Actor,
    Json(body): Json<TokenBody>,
) -> Result<(StatusCode, Extension<Secret>, Json<TokenMade>), Problem> {
    let lifetime = body.lifetime_seconds.map(Duration::from_secs);
    let made = http.services.create_token(&body.name, body.scope, lifetime, &actor.name).await?;
    let (token, text) = made;
    Ok((StatusCode::CREATED, Extension(Secret), Json(TokenMade { token, text })))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "tokens",
    params(("token" = String, Path, description = "Its name, or its id or the beginning of it")),
    responses((status = 200, description = "It is refused from now on", body = ApiToken)))]
async fn revoke_token(
    State(http): State<Http>,
    actor: Actor,
    Path(token): Path<String>,
) -> Answer<ApiToken> {
    Ok(Json(http.services.revoke_token(&token, &actor.name).await?))
}
