//! Usage on the wire.

use super::v1;
use crate::domain::usage::{Cost, Quality, Tokens, UsageTotal};

impl From<UsageTotal> for v1::UsageTotal {
    fn from(total: UsageTotal) -> Self {
        Self {
            key: total.key,
            name: total.name,
            requests: total.requests,
            input_tokens: total.tokens.input,
            cache_read: total.tokens.cache_read,
            cache_write_5m: total.tokens.cache_write_5m,
            cache_write_1h: total.tokens.cache_write_1h,
            output_tokens: total.tokens.output,
            reasoning: total.tokens.reasoning,
            cost_nanos: total.cost.0,
            unpriced: total.unpriced,
            quality: total.quality.as_str().to_owned(),
        }
    }
}

impl From<v1::UsageTotal> for UsageTotal {
    fn from(wire: v1::UsageTotal) -> Self {
        Self {
            key: wire.key,
            name: wire.name,
            requests: wire.requests,
            tokens: Tokens {
                input: wire.input_tokens,
                cache_read: wire.cache_read,
                cache_write_5m: wire.cache_write_5m,
                cache_write_1h: wire.cache_write_1h,
                output: wire.output_tokens,
                reasoning: wire.reasoning,
            },
            cost: Cost(wire.cost_nanos),
            unpriced: wire.unpriced,
            quality: Quality::parse(&wire.quality),
        }
    }
}
