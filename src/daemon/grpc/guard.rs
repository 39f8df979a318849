//! Who may call what: a process inside a runner may only report for itself.
//!
//! Agents run as the user, so the socket's permissions do not keep them out. Whoever descends from
//! a supervisor has the role `agent`; what it may not call, it is refused before anything is read.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::USER_AGENT;
use opentelemetry::trace::SpanKind;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use super::peer::PeerInfo;
use crate::{
    daemon::{
        fleet::Caller,
        services::Services,
        trace::{self, Span, Trace},
    },
    domain::{failure::Failure, id::RunnerId},
    proto::{CALLS, failure_to_status},
};

/// Calls that an agent may make; the handlers check that they concern its own runner.
const AGENT_MAY: &[&str] = &["/stratavore.v1.Runners/SendHeartbeat"];

/// The runner a request comes from, in its extensions, when it comes from inside one.
#[derive(Debug, Clone, Copy)]
pub(super) struct FromRunner(pub RunnerId);

/// Puts a guard before the services.
#[derive(Debug, Clone)]
pub(super) struct GuardLayer {
    services: Services,
}

impl GuardLayer {
    /// Returns a layer that asks these services who is who.
    pub(super) fn new(services: Services) -> Self {
        Self { services }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { services: self.services.clone(), inner }
    }
}

/// A guarded service.
#[derive(Debug, Clone)]
pub(super) struct Guard<S> {
    services: Services,
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Guard<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Future: Send + 'static>,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<http::Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let Some(peer) = request.extensions().get::<PeerInfo>() else {
            return Box::pin(std::future::ready(Ok(refusal("the caller is unknown"))));
        };
        let path = request.uri().path().to_owned();
        match self.services.caller(peer.above()) {
            Caller::User => {}
            Caller::Runner(id) if AGENT_MAY.contains(&&*path) => {
                request.extensions_mut().insert(FromRunner(id));
            }
            caller => {
                let call = CALLS.iter().copied().find(|call| *call == path);
                let said = request.headers().get(USER_AGENT).and_then(|it| it.to_str().ok());
                // The library writes its own name behind it.
                let said = said.and_then(|said| said.rsplit_once(" tonic/")).map(|(said, _)| said);
                self.services.note_refusal(caller, call, said.unwrap_or_default());
                let why = "a process inside a runner may only report for itself";
                return Box::pin(std::future::ready(Ok(refusal(why))));
            }
        }
        let header = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        let trace = Trace::of_header(header);
        let (mut span, trace) =
            Span::begin(trace, path.clone(), SpanKind::Server, &[("rpc.system", "grpc")]);
        let answer = self.inner.call(request);
        Box::pin(trace::within(trace, async move {
            let answer = answer.await;
            // A failure that is known before the answer begins stands in its head.
            let status = answer.as_ref().ok().and_then(|a| Status::from_header_map(a.headers()));
            let code = status.map_or(Code::Ok, |status| status.code());
            if code != Code::Ok {
                span.fail(code.description());
            }
            tracing::debug!(call = path, ?code, "answered");
            answer
        }))
    }
}

fn refusal(why: &str) -> http::Response<Body> {
    let failure = Failure::denied("AGENT_DENIED", why)
        .with_hint("run this from a terminal outside of the runner");
    failure_to_status(&failure).into_http()
}
