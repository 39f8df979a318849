//! Qwen Code's telemetry: Gemini CLI's records under its own names, with the response's id.
//!
//! Seen with 0.24.4 on an OpenAI-compatible service, where thoughts are part of the output.

use crate::{
    agents::{
        gemini,
        otlp::{Record, key},
    },
    domain::{agent::Agent, usage::UsageRecord},
};

/// Returns what a log record says that a response used.
pub(in crate::agents) fn usage(record: &Record<'_>) -> Option<UsageRecord> {
    if record.name() != "qwen-code.api_response" {
        return None;
    }
    let subagent = record.text("subagent_name").is_some();
    Some(UsageRecord {
        key: key(Agent::Qwen, record.text("response_id")),
        purpose: if subagent { "subagent" } else { "main" }.to_owned(),
        ..gemini::otlp::response(record, true)?
    })
}

#[cfg(test)]
mod tests {
    use crate::{agents::otlp::usage, domain::agent::Agent};

    const BODY: &str = include_str!("../../../tests/fixtures/agents/qwen-0.24-otlp-logs.jsonl");

    #[test]
    fn thoughts_are_part_of_the_output_as_the_total_says() {
        let records = usage(Agent::Qwen, BODY.as_bytes());
        let keys: Vec<_> = records.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["qwen:chatcmpl-mock000008", "qwen:chatcmpl-mock000009"]);
        let tokens = records[0].tokens;
        assert_eq!((tokens.input, tokens.cache_read), (1008, 5008));
        assert_eq!((tokens.output, tokens.reasoning), (108, 18));
        assert_eq!((&*records[0].model, &*records[0].purpose), ("gpt-mock", "main"));
    }
}
