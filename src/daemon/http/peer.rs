//! Who is behind a connection: looked up once, while the client still waits for its first answer.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OnceCell;
use tower::Service;

use super::{
    looker::Looker,
    open::{Busy, Member},
};
use crate::{
    daemon::crowd::{Crowd, Owner, Place},
    process::{Ends, Neighbour, UnknownProcess},
};

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
    looker: Looker,
    member: Arc<Member>,
    crowd: Crowd,
    /// Its place among those that are inside runners, `None` when there was none.
    place: Arc<OnceLock<Option<Place>>>,
}

impl Peer {
    /// Returns what is known of a connection.
    pub(super) fn new(
        (address, own): Ends,
        is_tls: bool,
        member: Arc<Member>,
        (crowd, looker): (Crowd, Looker),
    ) -> Self {
        let (process, place) = (Arc::default(), Arc::default());
        Self { address, own, is_tls, process, looker, member, crowd, place }
    }

    /// Our own end.
    pub(super) fn own(&self) -> SocketAddr {
        self.own
    }

    /// Returns whose process it is.
    pub(super) async fn process(&self) -> Neighbour {
        *self.process.get_or_init(|| self.looker.look((self.address, self.own))).await
    }

    /// Returns who it is that is inside a runner, or may be, once that was looked up.
    fn inside(&self) -> Option<Owner> {
        match self.process.get()? {
            Neighbour::Here(Ok(Some(supervisor))) => Some(Owner::Supervisor(*supervisor)),
            Neighbour::Here(Err(UnknownProcess)) => Some(Owner::Unknown),
            Neighbour::Here(Ok(None)) | Neighbour::Elsewhere => None,
        }
    }

    /// Whether it is known to be inside a runner.
    pub(super) fn is_inside(&self) -> bool {
        self.inside().is_some()
    }

    /// Whether there is a place for it: what is inside runners holds few.
    pub(super) fn has_place(&self) -> bool {
        let enter = |owner| self.place.get_or_init(|| self.crowd.enter(owner)).is_some();
        self.inside().is_none_or(enter)
    }

    /// Keeps the connection from giving way to others, until what is returned is dropped.
    pub(super) fn hold(&self) -> Busy {
        self.member.hold()
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
    <Router as Service<http::Request<B>>>::Future: Send + 'static,
{
    type Response = Response<Held>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let busy = self.peer.hold();
        request.extensions_mut().insert(self.peer.clone());
        let answer = self.router.call(request);
        answer
            .map(|answer| answer.map(|answer| answer.map(|body| Held { body, _busy: busy })))
            .boxed()
    }
}

/// An answer's body: until it is over, its connection is at work.
#[derive(Debug)]
pub(super) struct Held {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
