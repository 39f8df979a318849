//! Who calls, from where, how often, and whether they may: asked of every request, before anything of
//! it is read.
//!
//! A page in a browser is kept out by `Host` (another name for this machine) and `Origin`; an agent by
//! its process, whatever token it shows; everybody else needs a token with the scope that the document
//! names for the route.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::LengthLimitError;
use opentelemetry::trace::SpanKind;
use tokio::time::{Instant, timeout};
use utoipa::openapi::OpenApi;

use super::{
    document::operations,
    params::Known,
    peer::Peer,
    problem::Problem,
    rate::Rate,
    repeats::{Named, Repeats},
};
use crate::{
    daemon::{
        actor,
        fleet::Caller,
        services::Services,
        trace::{self, Span, Trace},
    },
    domain::{
        api_token::{self, ApiToken, Scope},
        id::RunnerId,
    },
    process::Neighbour,
};

/// Bytes that a body may have; it must be there within so long.
const BODY: usize = 1 << 20;
const READING: Duration = Duration::from_secs(10);

/// What is answered to who is not let in.
const TURNED_AWAY: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::MISDIRECTED_REQUEST];

/// What an agent may call; the handlers see to it that it is about its own runner.
const AGENT_MAY: &[&str] = &["/api/v1/heartbeat", "/api/v1/runners/{runner}/heartbeat"];

/// Launches: their keys are remembered with the runners.
const REMEMBERED: &[&str] = &["/api/v1/runners", "/api/v1/runners/launch"];

/// Names a call, so that it is done once.
const REPEAT_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 255;

/// Who a browser says is behind a request.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// For records of what was done: `http:` and the token's name.
    pub(super) name: String,
    /// What they may do.
    pub(super) scope: Scope,
    /// The runner that they are inside of.
    pub(super) runner: Option<RunnerId>,
    /// What they have shown.
    token: Option<Arc<ApiToken>>,
    /// Names the call, for ever the same when it is made again.
    pub(super) repeat: Option<uuid::Uuid>,
}

impl Actor {
    /// Returns when they may no longer do what they have begun: their token has ended or was revoked.
    pub(super) async fn over(&self, services: &Services) {
        match &self.token {
            Some(token) => services.token_over(token).await,
            None => std::future::pending().await,
        }
    }
}

/// What is asked of every request.
#[derive(Debug, Clone)]
pub(super) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    services: Services,
    /// By `METHOD path`: the scope that it needs, or `None` for what anybody may call.
    needs: HashMap<String, Option<Scope>>,
    known: Known,
    rate: Rate,
    repeats: Arc<Repeats>,
}

impl Guard {
    /// Returns a guard over the routes of a document.
    pub(super) fn new(services: &Services, document: &OpenApi) -> Self {
        let mut needs = HashMap::new();
        for (path, mut item) in document.paths.paths.clone() {
            for (method, operation) in operations(&mut item) {
                let scope = operation.extensions.as_ref().and_then(|all| all.get("x-scope"));
                let scope = scope.map(|scope| {
                    // What cannot be read is for nobody but who may do everything.
                    scope.as_str().and_then(Scope::parse).unwrap_or(Scope::Admin)
                });
                needs.insert(format!("{method} {path}"), scope);
            }
        }
        let rate = Rate::new(services.context().config.api.requests_per_second);
        let repeats = Arc::default();
        let (services, known) = (services.clone(), Known::new(document));
        Self(Arc::new(Rules { services, needs, known, rate, repeats }))
    }
}

/// Lets a request through, or answers it.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return Problem::unguarded().into_response();
    };
    let rules = &guard.0;
    let config = &rules.services.context().config.api;
    let foreign = match rules.origin(&request, &peer) {
        Ok(foreign) => foreign,
        Err(problem) => return closing(problem.into_response()),
    };
    let mut answer = match &foreign {
        Some(_) if request.method() == Method::OPTIONS => preflight(),
        _ => match rules.let_in(request, &peer, next).await {
            Ok(answer) => answer,
            Err(problem) => problem.into_response(),
        },
    };
    let status = answer.status();
    let headers = answer.headers_mut();
    if let Some(origin) = foreign {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if !config.origins.is_empty() {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    // Nothing here is a page.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // Who may not call keeps no connection, nor does who is inside a runner and has nothing more to tell.
    if peer.is_inside() || TURNED_AWAY.contains(&status) {
        return closing(answer);
    }
    answer
}

/// Has the connection closed after this answer.
fn closing(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Tells a browser what a page of a configured origin may send.
fn preflight() -> Response {
    let methods = HeaderValue::from_static("GET, POST, PUT, DELETE");
    let headers = HeaderValue::from_static(
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, traceparent",
    );
    let told = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, told).into_response()
}

impl Rules {
    /// Refuses other names of this machine, and pages of other origins; returns the origin of a page
    /// that is allowed by configuration.
    fn origin(&self, request: &Request, peer: &Peer) -> Result<Option<HeaderValue>, Problem> {
        let config = &self.services.context().config.api;
        let headers = request.headers();
        let named = only(headers, &header::HOST).and_then(|host| host.to_str().ok());
        let named = named.filter(|host| is_own_name(host, peer.own(), &config.hosts));
        let target = request.uri().authority().map(Authority::as_str);
        let is_ours = target.is_none_or(|host| is_own_name(host, peer.own(), &config.hosts));
        let (Some(host), true) = (named, is_ours) else {
            let what = "the Host header names no host that is served here";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "WRONG_HOST", what)
                .with_hint("call it as localhost, or add the name to api.hosts"));
        };
        let refused = || {
            let what = "pages of other origins may not call this";
            Problem::new(StatusCode::FORBIDDEN, "FOREIGN_ORIGIN", what)
                .with_hint("api.origins in the configuration allows an origin")
        };
        if headers.contains_key(header::ORIGIN) {
            let origin = only(headers, &header::ORIGIN).ok_or_else(refused)?;
            let text = origin.to_str().map_err(|_not_text| refused())?;
            if config.origins.iter().any(|allowed| allowed == text) {
                return Ok(Some(origin.clone()));
            }
            let scheme = if peer.is_tls { "https" } else { "http" };
            return if text == format!("{scheme}://{host}") { Ok(None) } else { Err(refused()) };
        }
        // A picture or a link sends no origin.
        match only(headers, &FETCH_SITE).map(HeaderValue::as_bytes) {
            None if headers.contains_key(FETCH_SITE) => Err(refused()),
            None | Some(b"same-origin" | b"none") => Ok(None),
            Some(_) => Err(refused()),
        }
    }

    /// Asks for process, token, pace, scope and query, reads the body, and lets the request through.
    async fn let_in(&self, request: Request, peer: &Peer, next: Next) -> Result<Response, Problem> {
        let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let path = path.unwrap_or_default();
        let verb = request.method().clone();
        // What answers GET answers HEAD.
        let method = if verb == Method::HEAD { "GET" } else { verb.as_str() };
        let inside = self.runner_of(method, &path, peer).await?;
        let call = format!("{method} {path}");
        let need = self.needs.get(&call).copied();
        let stranger = format!("address {}", peer.address.ip());
        let token = match (inside, need) {
            (Some(_), _) | (None, Some(None)) => {
                self.pace(&stranger)?;
                None
            }
            (None, _) => Some(self.token(request.headers(), &stranger).await?),
        };
        if let (Some(token), Some(Some(need))) = (&token, need)
            && token.scope < need
        {
            let what = format!(
                "the token `{}` has the scope {}, and this needs {}",
                token.name,
                token.scope.as_str(),
                need.as_str()
            );
            let hint = format!("stratavore tokens create NAME --scope {}", need.as_str());
            let problem = Problem::new(StatusCode::FORBIDDEN, "SCOPE_TOO_NARROW", what);
            return Err(problem.with_hint(hint));
        }
        self.known.check(&call, request.uri())?;
        self.pass(request, token, inside, next).await
    }

    /// Returns the runner that the caller is inside of; refuses it all but its own reports.
    async fn runner_of(
        &self,
        method: &str,
        path: &str,
        peer: &Peer,
    ) -> Result<Option<RunnerId>, Problem> {
        let above = match peer.process().await {
            Neighbour::Elsewhere => Ok(None),
            Neighbour::Here(above) => above,
        };
        match self.services.caller(above) {
            Caller::User => Ok(None),
            Caller::Runner(id) if AGENT_MAY.contains(&path) => {
                if peer.has_place() {
                    return Ok(Some(id));
                }
                let what = "this runner holds too many connections";
                let problem =
                    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_CONNECTIONS", what);
                Err(problem.after(1))
            }
            caller => {
                // Only what exists has a name: an agent chooses none for the log.
                let call = format!("{method} {path}");
                let call = self.needs.contains_key(&call).then_some(call);
                self.services.note_refusal(caller, call.as_deref(), "");
                let what = "a process inside a runner may only report for itself";
                Err(Problem::new(StatusCode::FORBIDDEN, "AGENT_DENIED", what)
                    .with_hint("call from outside of the runner"))
            }
        }
    }

    /// Returns the token that is shown.
    async fn token(&self, headers: &HeaderMap, stranger: &str) -> Result<ApiToken, Problem> {
        let text = only(headers, &header::AUTHORIZATION).and_then(|text| text.to_str().ok());
        let text = text.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let refused = |what: &str| {
            // Whoever guesses is slowed down.
            self.pace(stranger)?;
            Err(Problem::new(StatusCode::UNAUTHORIZED, "NO_TOKEN", what)
                .with_hint("stratavore tokens create NAME makes one; send it as a bearer token"))
        };
        let Some(text) = text else {
            return refused("show a token: `Authorization: Bearer …`");
        };
        match self.services.recognise_token(text).await? {
            Some(token) => {
                self.pace(&token.id.to_string())?;
                Ok(token)
            }
            None => refused("the token is none, has ended, or was revoked"),
        }
    }

    fn pace(&self, caller: &str) -> Result<(), Problem> {
        self.rate.take(caller, Instant::now()).map_err(|seconds| {
            let what = "that is too many calls in a short time";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_FAST", what).after(seconds)
        })
    }

    /// Reads the body and hands the request on, once if it is named.
    async fn pass(
        &self,
        request: Request,
        token: Option<ApiToken>,
        runner: Option<RunnerId>,
        next: Next,
    ) -> Result<Response, Problem> {
        let (mut parts, body) = request.into_parts();
        let has_body = !matches!(parts.method, Method::GET | Method::HEAD);
        let body = if has_body { read(&parts.headers, body).await? } else { body };
        let repeat = match &token {
            Some(token) if parts.method == Method::POST => key(&parts.headers, token)?,
            _ => None,
        };
        let token = token.map(Arc::new);
        let (name, scope) = token
            .as_ref()
            .map_or((String::new(), Scope::Viewer), |token| (token.name.clone(), token.scope));
        let name = runner.map_or_else(|| format!("http:{name}"), |id| format!("runner:{id}"));
        let behalf = actor::Actor::of(name.as_str());
        parts.extensions.insert(Actor { name, scope, runner, token, repeat });
        let header = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
        let trace = Trace::of_header(header);
        let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let call = format!("{} {}", parts.method, route.as_deref().unwrap_or("nothing"));
        let Some(repeat) = repeat else {
            let answer = next.run(Request::from_parts(parts, body));
            return Ok(actor::within(behalf, traced(trace, call, answer)).await);
        };
        let bytes = to_bytes(body, BODY).await.map_err(|_read_before| Problem::unguarded())?;
        let asked = format!("{} {}", parts.method, parts.uri).into_bytes();
        let asked = api_token::hash(&[asked.as_slice(), &[0], &bytes].concat());
        let answer = next.run(Request::from_parts(parts, Body::from(bytes)));
        let answer = actor::within(behalf, traced(trace, call, answer));
        let is_remembered = route.as_deref().is_some_and(|route| REMEMBERED.contains(&route));
        let named = Named { key: repeat, asked, is_remembered };
        Ok(Arc::clone(&self.repeats).once(self.services.clone(), named, answer).await)
    }
}

/// Makes a call as a span of a trace.
async fn traced(trace: Trace, call: String, answer: impl Future<Output = Response>) -> Response {
    let (mut span, trace) =
        Span::begin(trace, call.clone(), SpanKind::Server, &[("network.protocol.name", "http")]);
    let answer = trace::within(trace, answer).await;
    let status = answer.status();
    if !status.is_success() {
        span.fail(status.canonical_reason().unwrap_or_default());
    }
    tracing::debug!(call, status = status.as_u16(), "answered");
    answer
}

/// Returns the one value of a header; `None` when there is none, or several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// Whether a host is a name of ours: an address of ours, `localhost`, or configured.
fn is_own_name(host: &str, own: SocketAddr, hosts: &[String]) -> bool {
    // A name before the host is nobody's whom we serve.
    let authority = host.parse::<Authority>().ok().filter(|_| !host.contains('@'));
    let Some(authority) = authority else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address == own.ip().to_canonical()
        }
        Err(_) => {
            name.eq_ignore_ascii_case("localhost")
                || hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
        }
    }
}

/// Reads a body within its bounds.
async fn read(headers: &HeaderMap, body: Body) -> Result<Body, Problem> {
    let too_long = || {
        let what = format!("a body has at most {BODY} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", what)
    };
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if told.and_then(|length| length.parse::<u64>().ok()).is_some_and(|told| told > BODY as u64) {
        return Err(too_long());
    }
    match timeout(READING, to_bytes(body, BODY)).await {
        Ok(Ok(bytes)) => Ok(Body::from(bytes)),
        Ok(Err(error)) if is_limit(&error) => Err(too_long()),
        // It was cut off, or its pieces are none.
        Ok(Err(_)) => {
            let what = "the body ends too early, or its chunks are malformed";
            Err(Problem::new(StatusCode::BAD_REQUEST, "BAD_BODY", what))
        }
        Err(_elapsed) => {
            let what = format!("the body was not there within {} s", READING.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", what))
        }
    }
}

/// Whether a body could not be read because it is longer than it may be.
fn is_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.into_iter().any(<dyn std::error::Error>::is::<LengthLimitError>)
}

/// Returns what names the call, of whoever shows this token.
fn key(headers: &HeaderMap, token: &ApiToken) -> Result<Option<uuid::Uuid>, Problem> {
    if !headers.contains_key(REPEAT_KEY) {
        return Ok(None);
    }
    let text = only(headers, &REPEAT_KEY).and_then(|key| key.to_str().ok());
    let text = text.filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    let text = text.ok_or_else(|| {
        let what = format!("an Idempotency-Key has 1 to {LONGEST_KEY} printable characters");
        Problem::new(StatusCode::BAD_REQUEST, "BAD_IDEMPOTENCY_KEY", what)
    })?;
    Ok(Some(uuid::Uuid::new_v5(&token.id, text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known_and_no_others() {
        let own: SocketAddr = "127.0.0.1:8077".parse().unwrap();
        let hosts = ["Board.example".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST:8077",
            "127.0.0.1:8077",
            "127.8.0.1",
            "[::1]:8077",
            "[::ffff:127.0.0.1]",
            "board.example:443",
        ] {
            assert!(is_own_name(host, own, &hosts), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "evil@127.0.0.1",
            "evil@[::1]:8077",
            "evil.example:8077",
            "192.0.2.1",
            "127.0.0.1.evil.example",
            "localhost evil",
            "board.example.",
        ] {
            assert!(!is_own_name(host, own, &hosts), "{host}");
        }
        let open: SocketAddr = "192.0.2.1:8077".parse().unwrap();
        assert!(is_own_name("192.0.2.1:8077", open, &[]));
    }

    #[test]
    fn of_a_header_that_is_there_twice_none_is_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, &header::HOST), None);
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(only(&headers, &header::HOST).is_some());
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(only(&headers, &header::HOST), None);
    }
}
