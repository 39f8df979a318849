//! The section `observability`: traces for a collector.

use serde::{Deserialize, Serialize};

use super::{Secret, secret::address, telegram::check_url};

/// What is told of the daemon's own work, beside its log and its metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservabilityConfig {
    /// Traces.
    pub otlp: OtlpConfig,
}

/// Traces by OpenTelemetry's protocol over gRPC; none unless `endpoint` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// The collector, `http://127.0.0.1:4317` or `https://…`; empty for none.
    #[serde(serialize_with = "address")]
    pub endpoint: String,
    /// What the header `authorization` says, if the collector wants it.
    pub authorization: Secret,
    /// What the spans' service is called.
    pub service_name: String,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            authorization: Secret::default(),
            service_name: "stratavore".into(),
        }
    }
}

impl OtlpConfig {
    /// Says what is wrong, with the key it is wrong at.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.endpoint.is_empty() {
            return Ok(());
        }
        check_url(&self.endpoint).map_err(|why| ("observability.otlp.endpoint", why))
    }
}
