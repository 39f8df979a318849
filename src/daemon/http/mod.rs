//! d2: the HTTP API: decode, call a service, encode. No decisions here.
//!
//! ```text
//!  server (accept, TLS, deadlines) ─▶ guard (who, from where, how often) ─▶ a resource ─▶ services
//! ```
//!
//! Invariants: no route is without the guard; a route that the document does not name does not exist,
//! and what the document says a route needs is what the guard asks for; a body is bounded before it is
//! read. The port being taken, or a certificate that cannot be read, is told in `health` and stops
//! nothing.

#![expect(unused_qualifications, reason = "utoipa's macros qualify what they are given")]

mod agents;
mod attach;
mod document;
mod events;
mod extract;
mod guard;
mod inbox;
mod lists;
mod looker;
mod open;
mod operations;
mod params;
mod peer;
mod problem;
mod projects;
mod prompts;
mod rate;
mod repeats;
mod runners;
mod server;
mod sessions;
mod system;
mod terminal;
mod timed;
mod tokens;
mod upkeep;
mod usage;
mod worktrees;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub(super) use self::server::serve;
use self::{document::scoped, guard::Guard};
use crate::{daemon::services::Services, domain::api_token::Scope};

/// Where every resource is.
const PREFIX: &str = "/api/v1";

/// What every handler needs.
#[derive(Debug, Clone)]
struct Http {
    services: Services,
    /// The document, as it is served.
    document: Arc<str>,
    stop: CancellationToken,
}

/// Resources by what a token needs for them.
#[derive(Default)]
struct Routes {
    viewer: OpenApiRouter<Http>,
    operator: OpenApiRouter<Http>,
    admin: OpenApiRouter<Http>,
}

impl Routes {
    fn scoped(self) -> OpenApiRouter<Http> {
        scoped(self.viewer, Scope::Viewer)
            .merge(scoped(self.operator, Scope::Operator))
            .merge(scoped(self.admin, Scope::Admin))
    }
}

/// Returns every route with what documents it.
fn routes() -> OpenApiRouter<Http> {
    let resources: &[fn() -> Routes] = &[
        projects::routes,
        runners::routes,
        agents::routes,
        terminal::routes,
        attach::routes,
        prompts::routes,
        inbox::routes,
        sessions::routes,
        usage::routes,
        events::routes,
        worktrees::routes,
        operations::routes,
        upkeep::routes,
        system::routes,
        tokens::routes,
    ];
    let api = resources.iter().fold(OpenApiRouter::new(), |api, one| api.merge(one().scoped()));
    OpenApiRouter::with_openapi(document::head()).nest(PREFIX, api).merge(system::open_routes())
}

/// Returns the description of the API.
pub fn api_document() -> OpenApi {
    document::finish(routes().into_openapi())
}

/// Returns the service with its guard.
fn router(services: &Services, stop: &CancellationToken) -> Router {
    let (router, described) = routes().split_for_parts();
    let described = document::finish(described);
    let guard = Guard::new(services, &described);
    let document = described.to_json().unwrap_or_default().into();
    router
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn_with_state(guard, guard::guard))
        .with_state(Http { services: services.clone(), document, stop: stop.clone() })
}
