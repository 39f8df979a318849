//! Gemini CLI's telemetry: one log record `gemini_cli.api_response` for each response.
//!
//! Routing and other side requests are in it with their role. Input contains the cached part; thoughts
//! stand beside the output. No record names its response, so none has a key.

use crate::{
    agents::{otlp::Record, tokens},
    domain::usage::UsageRecord,
};

/// Returns what a log record says that a response used.
pub(in crate::agents) fn usage(record: &Record<'_>) -> Option<UsageRecord> {
    if record.name() != "gemini_cli.api_response" {
        return None;
    }
    let purpose = purpose(record.text("role")).to_owned();
    Some(UsageRecord { purpose, ..response(record, false)? })
}

/// Reads a response in the words that Gemini CLI and Qwen Code share; `inside` says whether thoughts
/// are part of the output where the total does not tell.
pub(in crate::agents) fn response(record: &Record<'_>, inside: bool) -> Option<UsageRecord> {
    let count = |name| record.count(name).unwrap_or_default();
    let reported = tokens::Gemini {
        input: record.count("input_token_count")?,
        cached: count("cached_content_token_count"),
        output: record.count("output_token_count")?,
        thoughts: count("thoughts_token_count"),
        tool: count("tool_token_count"),
        total: count("total_token_count"),
    };
    Some(UsageRecord {
        conversation: record.text("session.id").unwrap_or_default().to_owned(),
        model: record.text("model").unwrap_or_default().to_owned(),
        tokens: reported.tokens(inside),
        ..UsageRecord::default()
    })
}

/// What a request was for, in our words; Gemini's own, without its `utility_`, where we have none.
fn purpose(role: Option<&str>) -> &str {
    match role {
        None | Some("main") => "main",
        Some("utility_router") => "router",
        Some("utility_compressor") => "compact",
        Some(role) => role.strip_prefix("utility_").unwrap_or(role),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        agents::otlp::usage,
        domain::{agent::Agent, usage::Tokens},
    };

    const BODY: &str = include_str!("../../../tests/fixtures/agents/gemini-0.61-otlp-logs.jsonl");

    #[test]
    fn the_routers_request_is_counted_and_named() {
        let records = usage(Agent::Gemini, BODY.as_bytes());
        let said: Vec<_> = records.iter().map(|it| (&*it.model, &*it.purpose)).collect();
        assert_eq!(said, [("gemini-3.5-flash-lite", "router"), ("gemini-3.8-flash", "main")]);
        let tokens = Tokens {
            input: 6124 - 5062,
            cache_read: 5062,
            output: 162 + 72,
            reasoning: 72,
            ..Tokens::default()
        };
        assert_eq!(records[0].tokens, tokens);
        assert_eq!(records[0].conversation, "57cb2c4d-b2cd-4a25-80fd-7ca2312c52dc");
    }

    #[test]
    fn a_response_that_failed_without_tokens_bills_nothing() {
        let mut body = BODY.to_owned();
        for n in [6124, 162, 5062, 72, 6358, 6126, 163, 5063, 73, 6362] {
            body = body.replace(&format!("{{\"intValue\": {n}}}"), "{\"intValue\": 0}");
        }
        assert_eq!(usage(Agent::Gemini, body.as_bytes()), []);
    }
}
