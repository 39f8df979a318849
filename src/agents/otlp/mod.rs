//! Reads the OTLP/HTTP JSON bodies that agents send: log records and spans become usage records.
//!
//! Each agent's own words are in its folder; here is what they share: the envelope, the attributes,
//! the bounds. Invariant: any bytes are taken; what is not OTLP JSON gives no record, what an agent
//! did not bill gives none, and one response gives at most one. Protobuf is not read.

mod body;

pub use body::{LARGEST_BODY, Record};

use super::{claude, codex, copilot, gemini, qwen};
use crate::domain::{
    agent::Agent,
    usage::{UsageRecord, UsageSource},
};

/// Longest name of a model, a purpose or a conversation that is kept, in bytes.
const LONGEST_NAME: usize = 200;

/// Requests of one body that are read; OpenTelemetry's batches hold 512 records.
const MOST_RECORDS: usize = 10_000;

/// Returns the model requests that a body of `/v1/logs` or `/v1/traces` reports, in its order.
///
/// A record without a key has nothing to be told apart by: the place at which the body was read, and
/// the record's index in this answer, is its key. [`UsageRecord::at`] is 1970 when the report does not
/// say when it was.
pub fn usage(agent: Agent, body: &[u8]) -> Vec<UsageRecord> {
    let read = match agent {
        Agent::Claude => claude::otlp::usage,
        Agent::Codex => codex::otlp::usage,
        Agent::Gemini => gemini::otlp::usage,
        Agent::Qwen => qwen::otlp::usage,
        Agent::Copilot => copilot::otlp::usage,
        Agent::Opencode | Agent::Aider => return Vec::new(),
    };
    let mut records = Vec::new();
    body::each(body, |record| {
        let Some(mut usage) = read(record).filter(|_| records.len() < MOST_RECORDS) else { return };
        if usage.tokens.total() == 0 && usage.cost.is_none_or(|cost| cost.0 == 0) {
            return;
        }
        for name in [&mut usage.model, &mut usage.purpose, &mut usage.conversation, &mut usage.key]
        {
            name.truncate(name.floor_char_boundary(LONGEST_NAME));
        }
        usage.at = record.at();
        usage.source = UsageSource::Otlp;
        records.push(usage);
    });
    records
}

/// Returns `agent:id`, the key of a request that its agent names; empty when it does not.
pub(super) fn key(agent: Agent, id: Option<&str>) -> String {
    id.filter(|id| !id.is_empty()).map(|id| format!("{}:{id}", agent.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLAUDE: &str =
        include_str!("../../../tests/fixtures/agents/claude-2.1.328-otlp-logs.jsonl");

    #[test]
    fn any_other_body_is_no_usage() {
        for body in ["", "{}", "[]", "null", "{\"resourceLogs\":7}", "\u{1}\u{2}", "{\"a\":"] {
            for agent in Agent::ALL {
                assert_eq!(usage(agent, body.as_bytes()), []);
            }
        }
    }

    #[test]
    fn an_agents_words_mean_nothing_to_another() {
        assert_eq!(usage(Agent::Claude, CLAUDE.as_bytes()).len(), 1);
        for agent in Agent::ALL.into_iter().filter(|agent| *agent != Agent::Claude) {
            assert_eq!(usage(agent, CLAUDE.as_bytes()), []);
        }
    }

    #[test]
    fn a_body_that_is_too_large_is_not_read() {
        let mut body = CLAUDE.trim_end().to_owned();
        body.push_str(&" ".repeat(LARGEST_BODY));
        assert_eq!(usage(Agent::Claude, body.as_bytes()), []);
    }

    proptest! {
        #[test]
        fn nothing_in_a_body_breaks_the_reader(
            cut in 0..CLAUDE.len(), other in any::<Vec<u8>>(), keep in any::<bool>(),
        ) {
            let mut body = CLAUDE.as_bytes().to_vec();
            let end = if keep { (cut + other.len()).min(body.len()) } else { cut };
            body.splice(cut..end, other);
            for agent in Agent::ALL {
                prop_assert!(usage(agent, &body).len() <= 1);
            }
        }

        #[test]
        fn any_json_in_an_attributes_place_is_survived(
            value in "[\\[\\]{}\":,0-9a-zA-Z\\-\\.]{0,60}",
        ) {
            let body = CLAUDE.replace("{\"intValue\": 1058}", &value);
            prop_assert!(usage(Agent::Claude, body.as_bytes()).len() <= 1);
        }
    }
}
