//! What an agent used: tokens and money of one model request, and their sums.
//!
//! Token kinds are disjoint here whatever an agent's own report adds together: [`Tokens::input`] is
//! the uncached input alone, [`Tokens::reasoning`] is a part of [`Tokens::output`]. Money is list
//! price in US dollars, kept in billionths, so that sums are exact.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Tokens by kind. All are disjoint but `reasoning`, which `output` contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tokens {
    /// Input that was not read from a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Written to a cache that lives for minutes.
    pub cache_write_5m: u64,
    /// Written to a cache that lives for an hour.
    pub cache_write_1h: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Tokens as budgets count them: uncached input, cache writes and output.
    pub fn counted(&self) -> u64 {
        [self.input, self.cache_write_5m, self.cache_write_1h, self.output]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// All tokens, cache reads included.
    pub fn total(&self) -> u64 {
        self.counted().saturating_add(self.cache_read)
    }

    /// The larger number of each kind: two reports of one request, of which the later knows more.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write_5m: self.cache_write_5m.max(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
            output: self.output.max(other.output),
            reasoning: self.reasoning.max(other.reasoning),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        add(&mut self.input, other.input);
        add(&mut self.cache_read, other.cache_read);
        add(&mut self.cache_write_5m, other.cache_write_5m);
        add(&mut self.cache_write_1h, other.cache_write_1h);
        add(&mut self.output, other.output);
        add(&mut self.reasoning, other.reasoning);
    }
}

/// Money in billionths of a US dollar.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub struct Cost(pub i64);

impl Cost {
    /// Returns dollars as money; `None` for what is no sensible amount (negative, not a number, or
    /// beyond a billion).
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let nanos = dollars * 1e9;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
        (0.0..1e18).contains(&nanos).then(|| Self(nanos.round() as i64))
    }

    /// The amount in dollars, for display.
    pub fn dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let nanos = self.0 as f64;
        nanos / 1e9
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// How far a figure can be trusted, best first; a sum is as good as its worst part.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Reported for each request as its response ended.
    #[default]
    Exact,
    /// Read from what the agent wrote down later; side requests may be missing.
    Late,
    /// At least so much: a response was cut off before its figures came.
    Floor,
    /// Worked out from the text.
    Estimated,
}

impl Quality {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Late, Self::Floor, Self::Estimated];

    /// The word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Late => "late",
            Self::Floor => "floor",
            Self::Estimated => "estimated",
        }
    }

    /// Parses the word; anything unknown is trusted least.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.as_str() == word).unwrap_or(Self::Estimated)
    }

    /// What stands before a figure of this quality.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Exact | Self::Late => "",
            Self::Floor => "≥",
            Self::Estimated => "~",
        }
    }
}

/// Where a figure was learnt.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The agent's telemetry.
    #[default]
    Otlp,
    /// The agent's own control interface.
    Api,
    /// What the agent wrote down.
    Transcript,
}

/// The purpose of what stands for a response that was cut off and of which nothing is known: a request
/// without tokens, whose quality makes every sum that it is in a floor.
pub const INTERRUPTED: &str = "interrupted";

impl UsageSource {
    /// Parses the word; anything unknown is what is known latest.
    pub fn parse(word: &str) -> Self {
        [Self::Otlp, Self::Api]
            .into_iter()
            .find(|it| it.as_str() == word)
            .unwrap_or(Self::Transcript)
    }

    /// The word for tables and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Api => "api",
            Self::Transcript => "transcript",
        }
    }
}

/// What one model request used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UsageRecord {
    /// The same for every report of this request and for no other request: what counts it once.
    /// Begins with the agent's name. Empty when the agent gives nothing to tell it by; then the place
    /// at which the report was read becomes its key.
    pub key: String,
    /// The agent's conversation; empty when unknown.
    pub conversation: String,
    /// The model, as the agent names it.
    pub model: String,
    /// What it was for: `main`, `title`, `compact`, `subagent`, `router` or another word of the agent.
    pub purpose: String,
    /// When the response ended.
    pub at: DateTime<Utc>,
    /// Its tokens.
    pub tokens: Tokens,
    /// What the agent says it cost.
    pub cost: Option<Cost>,
    /// Where it was learnt.
    pub source: UsageSource,
    /// How good it is.
    pub quality: Quality,
}

/// By what sums of usage are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageBy {
    /// The project.
    #[default]
    Project,
    /// The runner.
    Runner,
    /// The session.
    Session,
    /// The model.
    Model,
    /// The agent.
    Agent,
    /// The day, in UTC.
    Day,
    /// The hour, in UTC.
    Hour,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Project,
        Self::Runner,
        Self::Session,
        Self::Model,
        Self::Agent,
        Self::Day,
        Self::Hour,
    ];

    /// The word for people and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Runner => "runner",
            Self::Session => "session",
            Self::Model => "model",
            Self::Agent => "agent",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// Which requests are summed up; empty fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// A project's name.
    pub project: String,
    /// A runner: its id in the store, any word for it before.
    pub runner: String,
    /// A session: its id in the store, any word for it before.
    pub session: String,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Also what was used outside of runners, in conversations that were imported.
    pub imported: bool,
}

/// The sum of some requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct UsageTotal {
    /// What they have in common: a name, an id, a day.
    pub key: String,
    /// The same for people: a runner's name in place of its id.
    pub name: String,
    /// How many.
    pub requests: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// What they cost: the agents' own figures, else the price table's.
    pub cost: Cost,
    /// Requests whose price nobody knows.
    pub unpriced: u64,
    /// How good this is: as its worst part.
    pub quality: Quality,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_budget_counts_leaves_cache_reads_out() {
        let tokens = Tokens {
            input: 1,
            cache_read: 10,
            cache_write_5m: 100,
            cache_write_1h: 1000,
            output: 10_000,
            reasoning: 5,
        };
        assert_eq!(tokens.counted(), 11_101);
        assert_eq!(tokens.total(), 11_111);
    }

    #[test]
    fn money_is_exact_and_sane() {
        assert_eq!(Cost::from_dollars(0.008_073), Some(Cost(8_073_000)));
        for nonsense in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(Cost::from_dollars(nonsense), None);
        }
    }

    #[test]
    fn the_worst_part_decides_and_what_is_unknown_is_the_worst() {
        assert_eq!([Quality::Exact, Quality::Floor].into_iter().max(), Some(Quality::Floor));
        assert_eq!(Quality::parse("???"), Quality::Estimated);
        for quality in Quality::ALL {
            assert_eq!(Quality::parse(quality.as_str()), quality);
        }
    }
}
