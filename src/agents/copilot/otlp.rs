//! Copilot's telemetry: a span `chat MODEL` for each response, in OpenTelemetry's words for models.
//!
//! It sends no log records. The span `invoke_agent` sums its turns up and is left out. Input contains
//! what was read from and written to the cache. Its cost counts Copilot's credits, not dollars, and is
//! left out too.

use crate::{
    agents::{
        otlp::{Record, key},
        tokens,
    },
    domain::{agent::Agent, usage::UsageRecord},
};

/// Returns what a span says that a response used.
pub(in crate::agents) fn usage(record: &Record<'_>) -> Option<UsageRecord> {
    if record.text("gen_ai.operation.name") != Some("chat") {
        return None;
    }
    let count = |name| record.count(name).unwrap_or_default();
    let model = record.text("gen_ai.response.model").or(record.text("gen_ai.request.model"));
    Some(UsageRecord {
        key: key(Agent::Copilot, record.text("gen_ai.response.id")),
        conversation: record.text("gen_ai.conversation.id").unwrap_or_default().to_owned(),
        model: model.unwrap_or_default().to_owned(),
        purpose: "main".to_owned(),
        tokens: tokens::inclusive(
            record.count("gen_ai.usage.input_tokens")?,
            count("gen_ai.usage.cache_read.input_tokens"),
            count("gen_ai.usage.cache_creation.input_tokens"),
            record.count("gen_ai.usage.output_tokens")?,
            count("gen_ai.usage.reasoning.output_tokens"),
        ),
        ..UsageRecord::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::{agents::otlp::usage, domain::agent::Agent};

    const BODY: &str = include_str!("../../../tests/fixtures/agents/copilot-1.0-otlp-traces.jsonl");

    #[test]
    fn each_response_counts_and_their_sum_does_not() {
        let records = usage(Agent::Copilot, BODY.as_bytes());
        let keys: Vec<_> = records.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["copilot:chatcmpl-mock000001", "copilot:chatcmpl-mock000002"]);
        let tokens = records[0].tokens;
        assert_eq!((tokens.input, tokens.cache_read), (1001, 5001));
        assert_eq!((tokens.output, tokens.reasoning), (101, 11));
        assert_eq!(records[0].conversation, "22222222-2222-4222-8222-222222222222");
        assert_eq!(records[0].at.timestamp_millis(), 1_795_199_248_763);
    }
}
