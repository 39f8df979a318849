//! The list prices that come with the program: `assets/prices.json`.
//!
//! Taken from LiteLLM's list (MIT; its notice lies beside the file) by `./tests/run prices`, and dated.
//! Read when first asked for and kept.

use std::sync::LazyLock;

use crate::domain::{
    price::Table,
    usage::{Cost, Tokens},
};

/// The list as it was built in.
static BUNDLED: LazyLock<Table> =
    LazyLock::new(|| Table::parse(include_str!("../../assets/prices.json")));

/// Returns the bundled list; [`Table::with`] puts the user's own prices over a copy.
pub fn bundled() -> &'static Table {
    &BUNDLED
}

/// Returns what one request's tokens cost by the bundled list; `None` when it does not know the model.
pub fn cost(tokens: &Tokens, model: &str) -> Option<Cost> {
    BUNDLED.cost(tokens, model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agents::otlp, domain::agent::Agent};

    #[test]
    fn every_line_of_the_list_is_a_price() {
        let lines = include_str!("../../assets/prices.json").lines();
        let models = lines.filter(|line| line.contains("\":[[")).count();
        assert_eq!(bundled().len(), models);
        assert!(models > 200 && bundled().dated() >= "2026-11-20");
    }

    #[test]
    fn what_claude_says_it_cost_is_what_the_list_says() {
        let body = include_str!("../../tests/fixtures/agents/claude-2.1.328-otlp-logs.jsonl");
        let [record] = &*otlp::usage(Agent::Claude, body.as_bytes()) else { panic!("one record") };
        assert_eq!(record.model, "claude-sonnet-5-5");
        assert_eq!(cost(&record.tokens, &record.model), record.cost);
    }

    #[test]
    fn a_cost_state_is_the_sum_of_its_requests() {
        // claude 2.1.328: 0.0156396 for four requests of claude-sonnet-5-5.
        let tokens = Tokens {
            input: 4026,
            cache_read: 20_026,
            cache_write_5m: 826,
            output: 352,
            ..Tokens::default()
        };
        assert_eq!(cost(&tokens, "claude-sonnet-5-5"), Cost::from_dollars(0.015_639_6));
    }

    #[test]
    fn models_of_every_agent_are_known() {
        for model in [
            "claude-opus-5-5",
            "claude-haiku-4-5-20251001",
            "gpt-5.5",
            "gemini-3.8-flash",
            "gemini-3.5-flash-lite",
            "anthropic/claude-sonnet-4.5",
        ] {
            assert!(bundled().knows(model), "{model}");
        }
        assert_eq!(cost(&Tokens::default(), "claude-mock"), None);
    }
}
