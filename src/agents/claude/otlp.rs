//! Claude Code's telemetry: one log record `claude_code.api_request` for each response.
//!
//! A request that failed (`api_error`) or was given up is not billed there and gives nothing; of one
//! that was interrupted the transcript knows a floor. Seen with 2.1.20 (numbers as texts, no
//! `request_id`) to 2.1.329.

use crate::{
    agents::{
        otlp::{Record, key},
        tokens,
    },
    domain::{
        agent::Agent,
        usage::{Cost, UsageRecord},
    },
};

/// Returns what a log record says that a request used.
pub(in crate::agents) fn usage(record: &Record<'_>) -> Option<UsageRecord> {
    if !matches!(record.name(), "api_request" | "claude_code.api_request") {
        return None;
    }
    let count = |name| record.count(name).unwrap_or_default();
    let written = record
        .count("cache_creation_tokens")
        .unwrap_or_else(|| count("cache_creation_5m_tokens") + count("cache_creation_1h_tokens"));
    Some(UsageRecord {
        key: key(Agent::Claude, record.text("request_id")),
        conversation: record.text("session.id").unwrap_or_default().to_owned(),
        model: record.text("model").unwrap_or_default().to_owned(),
        purpose: purpose(record.text("query_source")).to_owned(),
        tokens: tokens::exclusive(
            record.count("input_tokens")?,
            count("cache_read_tokens"),
            written,
            count("cache_creation_1h_tokens"),
            record.count("output_tokens")?,
            count("thinking_tokens"),
        ),
        cost: record.number("cost_usd").and_then(Cost::from_dollars),
        ..UsageRecord::default()
    })
}

/// What a request was for, in our words; Claude's own where we have none.
pub(in crate::agents) fn purpose(source: Option<&str>) -> &str {
    match source {
        None | Some("repl_main_thread" | "sdk") => "main",
        Some("generate_session_title") => "title",
        Some("compact") => "compact",
        Some(source) if source.starts_with("agent:") => "subagent",
        Some(source) if source.starts_with("repl_main_thread:") => "main",
        Some(other) => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        agents::otlp::usage,
        domain::{
            agent::Agent,
            usage::{Cost, Quality, Tokens, UsageSource},
        },
    };

    const BODY: &str =
        include_str!("../../../tests/fixtures/agents/claude-2.1.328-otlp-logs.jsonl");

    #[test]
    fn a_request_is_read_and_a_decision_is_not() {
        let [record] = &*usage(Agent::Claude, BODY.as_bytes()) else { panic!("one record") };
        assert_eq!(record.key, "claude:req_mock000058");
        assert_eq!(record.conversation, "627dad7f-49f3-4f83-8f34-280a3ed27a42");
        assert_eq!((&*record.model, &*record.purpose), ("claude-sonnet-5-5", "main"));
        let tokens = Tokens {
            input: 1058,
            cache_read: 5058,
            cache_write_5m: 258,
            output: 158,
            ..Tokens::default()
        };
        assert_eq!(record.tokens, tokens);
        assert_eq!(record.cost, Some(Cost(4_846_800)));
        assert_eq!(record.at.timestamp_millis(), 1_795_159_691_820);
        assert_eq!((record.source, record.quality), (UsageSource::Otlp, Quality::Exact));
    }

    #[test]
    fn an_old_version_writes_numbers_as_texts_and_names_no_request() {
        let old = BODY
            .replace("{\"intValue\": 1058}", "{\"stringValue\": \"1058\"}")
            .replace("cache_creation_5m_tokens", "x")
            .replace("cache_creation_1h_tokens", "y")
            .replace("request_id", "z");
        let [record] = &*usage(Agent::Claude, old.as_bytes()) else { panic!("one record") };
        assert_eq!(record.key, "");
        assert_eq!((record.tokens.input, record.tokens.cache_write_5m), (1058, 258));
    }

    #[test]
    fn side_requests_say_what_they_are_for() {
        for (source, purpose) in [
            ("generate_session_title", "title"),
            ("compact", "compact"),
            ("agent:builtin:general-purpose", "subagent"),
            ("away_summary", "away_summary"),
        ] {
            let body = BODY.replace("\"sdk\"", &format!("\"{source}\""));
            assert_eq!(usage(Agent::Claude, body.as_bytes())[0].purpose, purpose);
        }
    }

    #[test]
    fn what_failed_bills_nothing() {
        let body = BODY.replace("api_request", "api_error");
        assert_eq!(usage(Agent::Claude, body.as_bytes()), []);
    }
}
