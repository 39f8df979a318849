//! Who is behind a connection: looked up once, while the client still waits for its first answer.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, body::Body, response::Response};
use tokio::{sync::OnceCell, task::spawn_blocking};
use tower::Service;

use crate::process::{Neighbour, UnknownProcess, neighbour};

/// A connection's ends; found in every request of it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The caller's end.
    pub(super) address: SocketAddr,
    /// Ours.
    own: SocketAddr,
    /// Whether it is encrypted.
    pub(super) is_tls: bool,
    process: Arc<OnceCell<Neighbour>>,
}

impl Peer {
    /// Returns what is known of a connection.
    pub(super) fn new(address: SocketAddr, own: SocketAddr, is_tls: bool) -> Self {
        Self { address, own, is_tls, process: Arc::default() }
    }

    /// Our own end.
    pub(super) fn own(&self) -> SocketAddr {
        self.own
    }

    /// Returns whose process it is.
    pub(super) async fn process(&self) -> Neighbour {
        let (address, own) = (self.address, self.own);
        let look = || async move {
            let found = spawn_blocking(move || neighbour(address, own)).await;
            found.unwrap_or(Neighbour::Here(Err(UnknownProcess)))
        };
        *self.process.get_or_init(look).await
    }
}

/// The service of one connection: the router, told who is behind it.
#[derive(Debug, Clone)]
pub(super) struct OfPeer {
    /// Everybody's.
    pub(super) router: Router,
    /// Who it is.
    pub(super) peer: Peer,
}

impl<B> Service<http::Request<B>> for OfPeer
where
    Router: Service<http::Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Router as Service<http::Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        self.router.call(request)
    }
}
