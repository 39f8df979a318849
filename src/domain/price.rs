//! What a model's tokens cost: list prices by model, found by any of a model's names.
//!
//! A price is what the provider's list says, in dollars per million tokens; on a subscription it is a
//! notion. Amounts are whole numbers inside, so that the same tokens always cost the same. A model that
//! the list does not know has no price, never a guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::usage::{Cost, Tokens};

/// Millionths of a millionth of a dollar for one token, which is a millionth of a dollar for a million.
type Pico = u64;

/// Providers whose models run on one's own machine or have no list price.
const UNPRICED: [&str; 7] =
    ["ollama", "lmstudio", "lm_studio", "llamacpp", "llama.cpp", "vllm", "local"];

/// Prices of one model, in dollars per million tokens. What is missing costs as input does.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Input that was not read from a cache.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Written to a cache that lives for minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<f64>,
    /// Written to a cache that lives for an hour; without it as for minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<f64>,
}

/// The same as whole numbers, in the order input, cache read, writes for minutes and for an hour,
/// output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exact([Pico; 5]);

impl Exact {
    /// Returns the prices; `None` when one is no sensible price (below nothing, or above a million).
    fn of(dollars: [f64; 5]) -> Option<Self> {
        let mut exact = [0; 5];
        for (to, price) in exact.iter_mut().zip(dollars) {
            if !(0.0..=1e6).contains(&price) {
                return None;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be within the range"
            )]
            let pico = (price * 1e6).round() as Pico;
            *to = pico;
        }
        Some(Self(exact))
    }

    fn cost(self, tokens: &Tokens) -> Cost {
        let counts = [
            tokens.input,
            tokens.cache_read,
            tokens.cache_write_5m,
            tokens.cache_write_1h,
            tokens.output,
        ];
        let pico: u128 = counts
            .iter()
            .zip(self.0)
            .map(|(count, price)| u128::from(*count) * u128::from(price))
            .sum();
        Cost(i64::try_from((pico + 500) / 1000).unwrap_or(i64::MAX))
    }
}

/// Prices of one model, with those of its longer prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    /// Prices.
    base: Exact,
    /// Prices of a request whose prompt is longer than so many tokens, shortest first.
    tiers: Box<[(u64, Exact)]>,
}

/// A list of prices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// By name, in small letters.
    models: BTreeMap<Box<str>, Model>,
    /// The day of the list, `2026-11-20`; empty when it does not say.
    dated: Box<str>,
}

/// The list as it is stored: of each model the five prices (input, cache read, writes for minutes and
/// for an hour, output), and the same again behind the length from which they hold.
#[derive(Deserialize)]
struct Stored {
    /// The day.
    #[serde(default)]
    dated: String,
    /// The models.
    models: BTreeMap<String, Vec<Vec<f64>>>,
}

impl Table {
    /// Reads a stored list; what is no price in it is left out, and so is everything when it is no list.
    pub fn parse(json: &str) -> Self {
        let Ok(stored) = serde_json::from_str::<Stored>(json) else { return Self::default() };
        let models = stored.models.into_iter().filter_map(|(name, groups)| {
            let (base, tiers) = groups.split_first()?;
            let base = Exact::of(base.as_slice().try_into().ok()?)?;
            let tiers = tiers.iter().map(|tier| {
                let (above, prices) = tier.split_first()?;
                Some((length(*above)?, Exact::of(prices.try_into().ok()?)?))
            });
            Some((name.into(), Model { base, tiers: tiers.collect::<Option<_>>()? }))
        });
        Self { models: models.collect(), dated: stored.dated.into() }
    }

    /// Puts the user's own prices over the list's; those that are no sensible prices are left out. A
    /// model's own price holds for prompts of any length.
    #[must_use]
    pub fn with(mut self, own: &BTreeMap<String, Rates>) -> Self {
        for (name, it) in own {
            let write = it.cache_write_5m.unwrap_or(it.input);
            let hour = it.cache_write_1h.unwrap_or(write);
            let read = it.cache_read.unwrap_or(it.input);
            if let Some(base) = Exact::of([it.input, read, write, hour, it.output]) {
                self.models
                    .insert(name.to_lowercase().into(), Model { base, tiers: Box::default() });
            }
        }
        self
    }

    /// The day of the list.
    pub fn dated(&self) -> &str {
        &self.dated
    }

    /// How many models it has.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Returns what one request's tokens cost; `None` when the list does not know the model. The
    /// prices of long prompts go by all of the input, whether read from a cache or not, and hold for
    /// the whole request.
    pub fn cost(&self, tokens: &Tokens, model: &str) -> Option<Cost> {
        let model = self.find(model)?;
        let prompt = tokens.total().saturating_sub(tokens.output);
        let tier = model.tiers.iter().rev().find(|(above, _)| prompt > *above);
        Some(tier.map_or(model.base, |(_, prices)| *prices).cost(tokens))
    }

    /// Whether the list knows a model.
    pub fn knows(&self, model: &str) -> bool {
        self.find(model).is_some()
    }

    fn find(&self, model: &str) -> Option<&Model> {
        names(model).into_iter().find_map(|name| self.models.get(&*name))
    }
}

/// A length in tokens.
fn length(above: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within the range"
    )]
    (1.0..1e12).contains(&above).then_some(above as u64)
}

/// Returns the names under which a model may be listed, the most exact first: as it is, without the
/// provider, without what an agent appends, without its date, and with dashes for dots. None for a
/// provider without list prices.
fn names(model: &str) -> Vec<String> {
    let mut names = vec![model.trim().to_lowercase()];
    if names[0].split('/').any(|part| UNPRICED.contains(&part)) {
        return names;
    }
    let shorter: [fn(&str) -> Option<&str>; 5] = [
        |name| name.rsplit_once('/').map(|(_, name)| name),
        |name| name.split_once('[').map(|(name, _)| name),
        |name| name.rsplit_once("anthropic.").map(|(_, name)| name),
        |name| name.split_once(['@', ':']).map(|(name, _)| name),
        undated,
    ];
    for shorten in shorter {
        let last = names.len() - 1;
        if let Some(name) = shorten(&names[last]).map(str::to_owned)
            && !name.is_empty()
        {
            names.push(name);
        }
    }
    let dashed: Vec<_> =
        names.iter().filter(|name| name.contains('.')).map(|name| name.replace('.', "-")).collect();
    names.extend(dashed);
    names
}

/// A name without a date at its end: `-20250929`, `-2025-08-07`, also behind a version `-v1`, or
/// `-latest`.
fn undated(name: &str) -> Option<&str> {
    if let Some(name) = name.strip_suffix("-latest") {
        return Some(name);
    }
    let name = name.strip_suffix("-v1").or(name.strip_suffix("-v2")).unwrap_or(name);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let dated = |length: usize| {
        let (name, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let date = date.strip_prefix('-')?;
        let parts: Vec<_> = date.split('-').map(str::len).collect();
        let right = parts == [8] || parts == [4, 2, 2];
        (right && date.split('-').all(digits) && date.starts_with("20")).then_some(name)
    };
    dated(9).or_else(|| dated(11))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::parse(
            r#"{"dated":"2026-11-20","models":{"claude-x-4-5":[[3,0.3,3.75,6,15]],
                "gpt-x":[[5,0.5,5,5,30],[272000,10,1,10,10,45]],"small":[[0.0375,0,0,0,0]],
                "wrong":[[-1,0,0,0,0]],"short":[[1,2]]}}"#,
        )
    }

    fn tokens(input: u64, cache_read: u64, output: u64) -> Tokens {
        Tokens { input, cache_read, output, ..Tokens::default() }
    }

    #[test]
    fn each_kind_has_its_price() {
        let table = table();
        let all = Tokens {
            input: 1_000_000,
            cache_read: 1_000_000,
            cache_write_5m: 1_000_000,
            cache_write_1h: 1_000_000,
            output: 1_000_000,
            reasoning: 1_000_000,
        };
        let dollars = |cost: Option<Cost>| cost.unwrap().dollars();
        assert!((dollars(table.cost(&all, "claude-x-4-5")) - 28.05).abs() < 1e-9);
        assert_eq!(table.cost(&tokens(1, 0, 0), "small"), Some(Cost(38)));
        assert_eq!(table.cost(&tokens(1000, 0, 0), "small"), Some(Cost(37_500)));
    }

    #[test]
    fn a_long_prompt_costs_more_for_all_of_it() {
        let table = table();
        assert_eq!(table.cost(&tokens(272_000, 0, 0), "gpt-x"), Some(Cost(1_360_000_000)));
        assert_eq!(table.cost(&tokens(2_000, 270_001, 1_000), "gpt-x"), Some(Cost(335_001_000)));
    }

    #[test]
    fn a_model_is_found_by_any_of_its_names() {
        let table = table();
        for name in [
            "claude-x-4-5",
            "Claude-X-4.5",
            "anthropic/claude-x-4.5",
            "openrouter/anthropic/claude-x-4-5-20250929",
            "us.anthropic.claude-x-4-5-20250929-v1:0",
            "claude-x-4-5@20250929",
            "claude-x-4-5[1m]",
            "claude-x-4-5-latest",
            "claude-x-4-5-2025-08-07",
        ] {
            assert!(table.knows(name), "{name}: {:?}", names(name));
        }
    }

    #[test]
    fn what_is_not_listed_has_no_price() {
        let table = table();
        for name in [
            "",
            "/",
            "claude",
            "claude-x-4",
            "gpt-x-mini",
            "ollama/gpt-x",
            "wrong",
            "short",
            "[",
            "-20250101",
        ] {
            assert_eq!(table.cost(&tokens(1, 1, 1), name), None, "{name}");
        }
        assert!(Table::parse("no list").is_empty());
    }

    #[test]
    fn ones_own_prices_come_first() {
        let own = |input| Rates { input, output: 2.0, ..Rates::default() };
        let own =
            BTreeMap::from([("GPT-X".to_owned(), own(1.0)), ("bad".to_owned(), own(f64::NAN))]);
        let table = table().with(&own);
        assert_eq!(table.cost(&tokens(300_000, 0, 0), "gpt-x"), Some(Cost(300_000_000)));
        assert_eq!(table.cost(&tokens(0, 10, 0), "gpt-x"), Some(Cost(10_000)));
        assert!(!table.knows("bad"));
    }

    #[test]
    fn no_number_of_tokens_overflows() {
        let cost = table().cost(&tokens(u64::MAX, u64::MAX, u64::MAX), "gpt-x");
        assert_eq!(cost, Some(Cost(i64::MAX)));
    }
}
