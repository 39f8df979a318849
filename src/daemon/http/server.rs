//! Listens, and serves each connection within its limits.
//!
//! A client that sends its header slowly, or takes its answer slowly, is dropped. When as many connections
//! are open as are allowed, one that is idle gives way; where none is, the next one waits for its turn.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    looker::Looker,
    open::{Member, Open},
    peer::{OfPeer, Peer},
    router,
    timed::Timed,
};
use crate::{
    config::ApiConfig,
    daemon::{
        crowd::{Bounds, Crowd},
        services::Services,
    },
};

/// A request's header, and a handshake, must be complete within so long; so must the next request of a
/// connection that is kept open have begun.
const HEADER: Duration = Duration::from_secs(10);

/// What is written must be taken within so long.
const WRITING: Duration = Duration::from_secs(30);

/// Bytes that a request's header may have, and lines.
const HEADER_BYTES: usize = 32 << 10;
const HEADERS: usize = 64;

/// Connections that what is inside one runner may hold: each is for one sign of life.
const OF_A_RUNNER: usize = 8;

/// Answers under way may take so long when the daemon leaves.
const LEAVING: Duration = Duration::from_secs(1);

/// When the port is taken, it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// Serves until `stop` is cancelled. What keeps it from serving is told in `health`.
pub(crate) async fn serve(services: Services, stop: CancellationToken) {
    let config = &services.context().config.api;
    if !config.enabled {
        return;
    }
    let tls = match acceptor(config) {
        Ok(tls) => tls,
        Err(why) => return fail(&services, &why),
    };
    let Some(listener) = stop.run_until_cancelled(listen(&services)).await else { return };
    let own = listener.local_addr().map(|own| own.to_string()).unwrap_or_default();
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(address = own, scheme, "the HTTP API listens");
    services.note_surface("api", Ok(format!("{scheme}://{own}")));
    let router = router(&services, &stop);
    let most = usize::try_from(config.connections).unwrap_or(usize::MAX);
    let (open, crowd) = (Open::new(most), Crowd::new(bounds(most)));
    let looker = Looker::default();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let member = open.enter().await;
                    let router = router.clone();
                    let among = (crowd.clone(), looker.clone());
                    let (tls, stop) = (tls.clone(), stop.clone());
                    tokio::spawn(async move {
                        let end = member.end.clone();
                        let who = (peer, member, among);
                        let serving = connection(stream, who, router, tls, stop);
                        // What ends a connection early is the client's affair.
                        if let Some(Err(error)) = end.run_until_cancelled(serving).await {
                            tracing::debug!(%peer, %error, "a connection ended");
                        }
                    });
                }
                // Out of descriptors, for example: the next one may succeed.
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
}

/// Returns how many of so many connections who is inside runners may hold.
fn bounds(most: usize) -> Bounds {
    let inside = most.div_ceil(4);
    Bounds { total: most, inside, each_runner: OF_A_RUNNER.min(inside), each_process: most }
}

/// Takes the port, as soon as it is free.
async fn listen(services: &Services) -> TcpListener {
    let address = &services.context().config.api.listen;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                let why = format!("listen on {address}: {error}; api.listen names another address");
                fail(services, &why);
            }
        }
        sleep(AGAIN).await;
    }
}

fn fail(services: &Services, why: &str) {
    tracing::warn!(why, "the HTTP API is not served");
    services.note_surface("api", Err(format!("not served: {why}")));
}

/// Returns what speaks TLS, if a certificate is configured.
fn acceptor(config: &ApiConfig) -> Result<Option<TlsAcceptor>, String> {
    if !config.is_tls() {
        return Ok(None);
    }
    let told = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        format!("read `{}`: {error}", path.display())
    };
    let path = &config.tls_certificate;
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| told(path, &error))?.collect();
    let chain = chain.map_err(|error| told(path, &error))?;
    let path = &config.tls_key;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| told(path, &error))?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|tls| tls.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| format!("use the certificate: {error}"))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(tls))))
}

/// Serves a connection to its end.
async fn connection(
    stream: TcpStream,
    (address, member, among): (SocketAddr, Arc<Member>, (Crowd, Looker)),
    router: Router,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = Peer::new((address, stream.local_addr()?), tls.is_some(), member, among);
    let service = OfPeer { router, peer };
    let stream = Timed::new(stream, WRITING);
    match tls {
        None => speak(stream, service, &stop).await,
        Some(tls) => {
            let stream = timeout(HEADER, tls.accept(stream)).await??;
            speak(stream, service, &stop).await
        }
    }
}

/// Answers requests until the client, or the daemon, leaves.
async fn speak<S>(stream: S, service: OfPeer, stop: &CancellationToken) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        // Who has said all may stop sending, and is answered.
        .half_close(true)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    let service = TowerToHyperService::new(service);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            timeout(LEAVING, serving).await?
        }
    };
    served.map_err(io::Error::other)
}
