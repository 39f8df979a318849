//! d2: serves the metrics to Prometheus. Only `GET /metrics` and `/healthz` exist; figures are
//! `services`' to gather.
//!
//! Invariant: whatever its clients do, the daemon goes on: a connection is for one request, small, and
//! over after [`PATIENCE`]; beyond [`CONNECTIONS`] further ones are closed at once. A port that is taken
//! makes this feature wait, nothing else.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    daemon::services::Services,
    domain::{failure::Failure, metric::CONTENT_TYPE},
};

/// A request may take so long, from the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of it in which the request has to come.
const ASKING: Duration = Duration::from_secs(3);

/// Connections at a time.
const CONNECTIONS: usize = 16;

/// Bytes that a request's head may have; a body is not read at all.
const HEAD: usize = 16 << 10;

/// A port that is taken is tried again so often.
const AGAIN: Duration = Duration::from_secs(30);

/// After a connection that could not be accepted: out of descriptors, for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, if that is configured.
pub(super) async fn serve(services: Services, stop: CancellationToken) {
    let Some(address) = services.context().config.docker.prometheus.address() else { return };
    let serving = async {
        let listener = listen(&services, address).await;
        let app = app(services, address);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let app = app.clone();
            let stop = stop.clone();
            tokio::spawn(async move {
                stop.run_until_cancelled(timeout(PATIENCE, answer(stream, app))).await;
                drop(place);
            });
        }
    };
    stop.run_until_cancelled(serving).await;
}

/// Listens as soon as the port is free, and says where or why not yet.
async fn listen(services: &Services, address: SocketAddr) -> TcpListener {
    let mut is_told = false;
    loop {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                services.note_metrics_served(Ok(address.to_string()));
                return listener;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%address, %error, "metrics are not served yet");
                }
                services.note_metrics_served(Err(refusal(address, &error)));
            }
        }
        sleep(AGAIN).await;
    }
}

fn refusal(address: SocketAddr, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        format!("{address} is taken by another program")
    } else {
        format!("{address}: {error}")
    }
}

/// Answers one request.
async fn answer(stream: TcpStream, app: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(HEAD)
        .keep_alive(false);
    // Whatever was wrong with it is its client's matter.
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await.ok();
}

/// What is served where.
fn app(services: Services, address: SocketAddr) -> Router {
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(services);
    if address.ip().is_loopback() { app.layer(middleware::from_fn(only_here)) } else { app }
}

async fn metrics(State(services): State<Services>) -> impl IntoResponse {
    let page = services.metrics().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], page.text())
}

/// Says whether the daemon does what it is there for.
async fn healthz(State(services): State<Services>) -> Result<&'static str, (StatusCode, String)> {
    let unwell = |failure: Failure| (StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n"));
    services.probe().await.map_err(unwell)?;
    Ok("ok\n")
}

/// Refuses a request that means another host: a page in somebody's browser whose name was made to lead
/// here could read the answer.
async fn only_here(uri: Uri, headers: HeaderMap, request: Request, next: Next) -> Response {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = uri.authority().map(Authority::as_str).or(named);
    if named.is_some_and(is_here) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "this is another host\n").into_response()
}

/// Whether an authority names this machine's loopback interface.
fn is_here(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_loopback_interface_are_ours() {
        for here in ["localhost", "LOCALHOST:9091", "127.0.0.1:9091", "127.1.2.3", "[::1]:9091"] {
            assert!(is_here(here), "{here}");
        }
        for other in
            ["", "evil.example", "evil.example:9091", "localhost.evil", "10.0.0.1", "[::2]"]
        {
            assert!(!is_here(other), "{other}");
        }
    }
}
