//! What was billed, beside what was read: the same numbers on both sides, request by request.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use stratavore::domain::usage::{Tokens, UsageRecord};

/// One request that the stand-in answered.
pub(crate) struct Billed {
    /// What it reported as used.
    pub(crate) tokens: Tokens,
    /// Whether the agent left before the answer was complete.
    pub(crate) cut_off: bool,
    /// Whether it offered no tools: a title, a choice of model.
    pub(crate) is_side: bool,
    /// When its answer began and ended, in seconds of the day's clock.
    pub(crate) time: (f64, f64),
}

/// A line of the stand-in's `ledger.jsonl`.
#[derive(Deserialize)]
struct Line {
    api: String,
    input: u64,
    output: u64,
    #[serde(default)]
    cache_read: u64,
    #[serde(default)]
    cache_write: u64,
    #[serde(default)]
    cached: u64,
    #[serde(default)]
    reasoning: u64,
    #[serde(default)]
    tools: u64,
    #[serde(default)]
    aborted: bool,
    began: f64,
    #[serde(rename = "t")]
    ended: f64,
}

/// Reads the stand-in's ledger.
pub(crate) fn read(text: &str) -> Vec<Billed> {
    text.lines()
        .map(|line| {
            let line: Line = serde_json::from_str(line).expect("the ledger is JSON");
            // Anthropic's input leaves the cache out; Gemini's thoughts stand beside the output.
            let (read, output) = match &*line.api {
                "anthropic" => (line.cache_read, line.output),
                "gemini" => (line.cached, line.output + line.reasoning),
                _ => (line.cached, line.output),
            };
            let tokens = Tokens {
                input: line.input - line.cached,
                cache_read: read,
                cache_write_5m: line.cache_write,
                output,
                ..Tokens::default()
            };
            let time = (line.began, line.ended);
            Billed { tokens, cut_off: line.aborted, is_side: line.tools == 0, time }
        })
        .collect()
}

/// How two lists of requests differ.
pub(crate) struct Difference {
    /// In both.
    found: usize,
    /// Billed and not read.
    pub(crate) missed: usize,
    /// Read and not billed, or read twice.
    pub(crate) extra: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} found, {} missed, {} extra", self.found, self.missed, self.extra)
    }
}

/// Compares what was billed with what was read, by all kinds of tokens.
pub(crate) fn difference(billed: &[&Billed], read: &[UsageRecord]) -> Difference {
    let total = |tokens: &Tokens| {
        // A file that tells no cache apart (aider) has it within the input.
        let input = tokens.input + tokens.cache_read + tokens.cache_write_5m;
        (input, tokens.output)
    };
    let split = read.iter().any(|it| it.tokens.cache_read > 0);
    let key = |tokens: &Tokens| {
        let kinds = [tokens.cache_read, tokens.cache_write_5m + tokens.cache_write_1h];
        (total(tokens), if split { kinds } else { [0; 2] })
    };
    let mut left: BTreeMap<_, isize> = BTreeMap::new();
    for request in billed {
        *left.entry(key(&request.tokens)).or_default() += 1;
    }
    for request in read {
        *left.entry(key(&request.tokens)).or_default() -= 1;
    }
    let missed = left.values().map(|count| count.max(&0).unsigned_abs()).sum();
    let extra: usize = left.values().map(|count| count.min(&0).unsigned_abs()).sum();
    Difference { found: read.len() - extra, missed, extra }
}
