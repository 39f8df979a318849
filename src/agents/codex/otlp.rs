//! Codex's telemetry: of its many log records, `codex.sse_event` with `response.completed` and counts.
//!
//! Two such records come for each response, of which one has no counts and is skipped. None names the
//! response, so no record has a key. Input contains the cached part, output the reasoning. An
//! interrupted turn is not reported at all.

use crate::{
    agents::{otlp::Record, tokens},
    domain::usage::UsageRecord,
};

/// Returns what a log record says that a response used.
pub(in crate::agents) fn usage(record: &Record<'_>) -> Option<UsageRecord> {
    if record.name() != "codex.sse_event" || record.text("event.kind") != Some("response.completed")
    {
        return None;
    }
    let count = |name| record.count(name).unwrap_or_default();
    Some(UsageRecord {
        conversation: record.text("conversation.id").unwrap_or_default().to_owned(),
        model: record.text("model").or(record.text("slug")).unwrap_or_default().to_owned(),
        purpose: "main".to_owned(),
        tokens: tokens::inclusive(
            record.count("input_token_count")?,
            count("cached_token_count"),
            count("cache_write_token_count"),
            record.count("output_token_count")?,
            count("reasoning_token_count"),
        ),
        ..UsageRecord::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        agents::otlp::usage,
        domain::{agent::Agent, usage::Tokens},
    };

    const BODY: &str = include_str!("../../../tests/fixtures/agents/codex-0.169-otlp-logs.jsonl");

    #[test]
    fn the_cached_part_is_taken_out_of_the_input() {
        let records = usage(Agent::Codex, BODY.as_bytes());
        assert_eq!(records.len(), 2);
        let tokens = Tokens {
            input: 1060,
            cache_read: 5060,
            output: 160,
            reasoning: 70,
            ..Tokens::default()
        };
        assert_eq!(records[0].tokens, tokens);
        assert_eq!(records[0].key, "");
        assert_eq!(records[0].conversation, "01a1f7db-1706-7270-88ed-a59cfb6b8f57");
        assert_eq!(records[1].at.timestamp_millis(), 1_795_159_693_487);
    }

    #[test]
    fn the_record_without_counts_is_no_response() {
        let twin = BODY.replace("input_token_count", "nothing");
        assert_eq!(usage(Agent::Codex, twin.as_bytes()), []);
    }
}
