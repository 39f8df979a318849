//! The section `prices`: the user's own prices of models, in place of the bundled list's.
//!
//! A list and not a map: names of models have dots in them, which keys of the configuration cannot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::price::Rates;

/// What a model costs, in dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// The model, as its agent names it.
    pub model: String,
    /// Input that was not read from a cache.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from a cache; without it as input.
    #[serde(default)]
    pub cache_read: Option<f64>,
    /// Written to a cache that lives for minutes; without it as input.
    #[serde(default)]
    pub cache_write_5m: Option<f64>,
    /// Written to a cache that lives for an hour; without it as for minutes.
    #[serde(default)]
    pub cache_write_1h: Option<f64>,
}

/// Returns the prices by model; of several for one model, the last.
pub fn by_model(prices: &[ModelPrice]) -> BTreeMap<String, Rates> {
    let rates = |price: &ModelPrice| Rates {
        input: price.input,
        output: price.output,
        cache_read: price.cache_read,
        cache_write_5m: price.cache_write_5m,
        cache_write_1h: price.cache_write_1h,
    };
    prices.iter().map(|price| (price.model.clone(), rates(price))).collect()
}
