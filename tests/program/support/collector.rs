//! A collector of traces, as far as the daemon speaks to one: OTLP over gRPC.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
};

use prost::Message;
use tonic::{Request, Response, Status, body::Body, server::NamedService};
use tower::Service;

/// What of a span is looked at; the numbers are those of `opentelemetry/proto/trace/v1/trace.proto`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Span {
    #[prost(bytes, tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes, tag = "2")]
    pub id: Vec<u8>,
    #[prost(bytes, tag = "4")]
    pub parent: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
}

impl Span {
    /// The trace's id in hexadecimal digits.
    pub(crate) fn trace(&self) -> String {
        uuid::Uuid::from_slice(&self.trace).expect("16 bytes").simple().to_string()
    }
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

/// The collector, on a port of its own until the end of the process.
#[derive(Clone)]
pub(crate) struct Collector {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set it up");
        let port = listener.local_addr().expect("an address").port();
        let collector = Self { port, spans: Arc::default() };
        let service = collector.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
                let server = tonic::transport::Server::builder().add_service(service);
                server.serve_with_incoming(incoming).await.expect("serve");
            });
        });
        collector
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("nobody panics with it").clone()
    }
}

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<http::Request<Body>> for Collector {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let taker = Taker(Arc::clone(&self.spans));
        Box::pin(async {
            let codec = tonic_prost::ProstCodec::<(), Export>::default();
            Ok(tonic::server::Grpc::new(codec).unary(taker, request).await)
        })
    }
}

/// Takes one message.
struct Taker(Arc<Mutex<Vec<Span>>>);

impl Service<Request<Export>> for Taker {
    type Response = Response<()>;
    type Error = Status;
    type Future = Ready<Result<Response<()>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Export>) -> Self::Future {
        let scopes = request.into_inner().resources.into_iter().flat_map(|all| all.scopes);
        let mut spans = self.0.lock().expect("nobody panics with it");
        spans.extend(scopes.flat_map(|scope| scope.spans));
        ready(Ok(Response::new(())))
    }
}
