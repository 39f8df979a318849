//! The trace that a call belongs to: what one request caused can be found again by it, in events,
//! messages, logs and, where a collector is configured, in spans.
//!
//! It follows the task, not the arguments; a task that a call starts for its work has to be given it.
//! Without a collector a span is nothing but a look at [`TRACER`]. With one, spans that have ended wait in
//! a bounded queue and are sent by a thread of its own: a collector that is away costs spans, never time.
//! What users wrote, names of projects and runners apart, is in no span.

use std::{
    borrow::Cow,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use opentelemetry::{
    Context, KeyValue, TraceId,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
        TraceState, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, SdkTracer,
        SdkTracerProvider,
    },
};
use tonic::{
    metadata::{Ascii, MetadataMap, MetadataValue},
    transport::ClientTlsConfig,
};
use uuid::Uuid;

use crate::{config::OtlpConfig, domain::failure::Failure};

/// Spans that wait for the collector; more are dropped.
const QUEUE: usize = 2048;

/// How long they wait for others at most.
const TOGETHER: Duration = Duration::from_secs(2);

/// The collector may take so long to take them.
const SENDING: Duration = Duration::from_secs(3);

/// And those that are left when the daemon leaves, so long.
const LEAVING: Duration = Duration::from_millis(500);

/// Makes spans, when there is a collector.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    static TRACE: Trace;
}

/// A trace, and the span in it that what follows belongs to.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// 32 hexadecimal digits; empty outside of any.
    id: String,
    /// Known where a caller named it or a collector is configured.
    span: Option<SpanContext>,
}

impl Trace {
    /// Returns the trace of this id, such as an event has it.
    pub(super) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), span: None }
    }

    /// Returns the trace that a caller names by the W3C header `traceparent`, or a new one.
    pub(super) fn of_header(traceparent: Option<&str>) -> Self {
        let named = traceparent.and_then(|header| {
            let mut parts = header.split('-').skip(1);
            let id = TraceId::from_hex(parts.next().filter(|id| id.len() == 32)?).ok()?;
            let span = parts.next().filter(|id| id.len() == 16);
            let span = span.and_then(|id| SpanId::from_hex(id).ok()).unwrap_or(SpanId::INVALID);
            let flags = parts.next().and_then(|flags| u8::from_str_radix(flags, 16).ok());
            let flags = TraceFlags::new(flags.unwrap_or(1));
            Some(SpanContext::new(id, span, flags, true, TraceState::NONE))
        });
        match named.filter(|context| context.trace_id() != TraceId::INVALID) {
            Some(context) => Self {
                id: context.trace_id().to_string(),
                span: Some(context).filter(SpanContext::is_valid),
            },
            None => Self::of(&Uuid::new_v4().simple().to_string()),
        }
    }
}

/// Returns the id of the present task's trace; empty outside of any.
pub(super) fn current() -> String {
    TRACE.try_with(|trace| trace.id.clone()).unwrap_or_default()
}

/// Returns the trace of the present task, to be given to another one.
pub(super) fn here() -> Trace {
    TRACE.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a future as part of a trace.
pub(super) fn within<F: Future>(
    trace: Trace,
    future: F,
) -> tokio::task::futures::TaskLocalFuture<Trace, F> {
    TRACE.scope(trace, future)
}

/// A piece of work, from its beginning until it is dropped.
pub(super) struct Span(Option<opentelemetry_sdk::trace::Span>);

impl Span {
    /// Begins a span in a trace; returns the trace for what belongs to it, too.
    pub(super) fn begin(
        trace: Trace,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        attributes: &[(&'static str, &str)],
    ) -> (Self, Trace) {
        let Some(span) = start(&trace, name, kind, None, attributes) else {
            return (Self(None), trace);
        };
        let context = span.span_context().clone();
        let trace = Trace { id: context.trace_id().to_string(), span: Some(context) };
        (Self(Some(span)), trace)
    }

    /// The work failed, for a reason without anything that a user wrote.
    pub(super) fn fail(&mut self, reason: &str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(reason.to_owned()));
        }
    }
}

/// Does work that is a span of the present trace.
pub(super) async fn span<T>(
    name: &'static str,
    attributes: &[(&'static str, &str)],
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let (mut span, trace) = Span::begin(here(), name, SpanKind::Internal, attributes);
    let outcome = within(trace, work).await;
    if let Err(failure) = &outcome {
        span.fail(&failure.reason);
    }
    outcome
}

/// Tells of work that is over.
pub(super) fn record(
    trace: &Trace,
    name: &'static str,
    since: DateTime<Utc>,
    attributes: &[(&'static str, &str)],
) {
    drop(start(trace, name, SpanKind::Producer, Some(since.into()), attributes));
}

fn start(
    trace: &Trace,
    name: impl Into<Cow<'static, str>>,
    kind: SpanKind,
    since: Option<SystemTime>,
    attributes: &[(&'static str, &str)],
) -> Option<opentelemetry_sdk::trace::Span> {
    let tracer = TRACER.get()?;
    let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, (*value).to_owned()));
    let mut builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
    if let Some(since) = since {
        builder = builder.with_start_time(since);
    }
    let parent = match &trace.span {
        Some(span) => Context::new().with_remote_span_context(span.clone()),
        None => Context::new(),
    };
    // Where it is the first of its trace, the id is asked for.
    Some(TRACE.sync_scope(trace.clone(), || tracer.build_with_context(builder, &parent)))
}

/// Gives spans the id of the trace that they are in.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from_hex(&current())
            .ok()
            .filter(|id| *id != TraceId::INVALID)
            .unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// The way to the collector, if there is one.
#[derive(Debug)]
pub(super) struct Collector(Option<SdkTracerProvider>);

impl Collector {
    /// Begins to send spans to the configured collector, which need not answer.
    pub(super) fn start(config: &OtlpConfig) -> Self {
        if config.endpoint.is_empty() {
            return Self(None);
        }
        match provider(config) {
            Ok(provider) => {
                TRACER.set(provider.tracer("stratavore")).ok();
                Self(Some(provider))
            }
            Err(error) => {
                tracing::warn!(%error, "no traces are sent");
                Self(None)
            }
        }
    }

    /// Sends what is left, if that goes quickly.
    pub(super) async fn close(self) {
        if let Some(provider) = self.0 {
            let close = move || provider.shutdown_with_timeout(LEAVING);
            tokio::task::spawn_blocking(close).await.ok();
        }
    }
}

fn provider(config: &OtlpConfig) -> Result<SdkTracerProvider, ExporterBuildError> {
    let mut headers = MetadataMap::new();
    if !config.authorization.is_empty() {
        match config.authorization.reveal().parse::<MetadataValue<Ascii>>() {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert("authorization", value);
            }
            Err(error) => tracing::warn!(%error, "observability.otlp.authorization is not sent"),
        }
    }
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.endpoint)
        .with_timeout(SENDING)
        .with_metadata(headers);
    if config.endpoint.starts_with("https://") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_native_roots());
    }
    let batch = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(TOGETHER)
        .build();
    let processor = BatchSpanProcessor::builder(exporter.build()?).with_batch_config(batch).build();
    let resource = Resource::builder_empty()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_id_generator(Ids::default())
        .with_resource(resource)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trace_is_taken_over_or_begun_and_follows_the_task() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let named = Trace::of_header(Some(&format!("00-{id}-b7ad6b7169203331-01")));
        assert_eq!(named.id, id);
        assert_eq!(named.span.unwrap().span_id().to_string(), "b7ad6b7169203331");
        // The rest may be missing.
        assert_eq!(Trace::of_header(Some(&format!("00-{id}"))).id, id);
        for bad in
            [None, Some(""), Some("00-xyz-1-1"), Some("00-00000000000000000000000000000000-1-1")]
        {
            assert_eq!(Trace::of_header(bad).id.len(), 32);
            assert_ne!(Trace::of_header(bad).id, Trace::of_header(bad).id);
        }
        assert_eq!(current(), "");
        assert_eq!(within(Trace::of("t"), async { current() }).await, "t");
        let first = within(Trace::of(id), async { Ids::default().new_trace_id() }).await;
        assert_eq!(first.to_string(), id);
        assert_ne!(Ids::default().new_trace_id(), TraceId::INVALID);
    }
}
