//! From the ways in which model providers add tokens up to our disjoint kinds.
//!
//! Anthropic's input leaves the cache out; OpenAI's and Gemini's contain what was read from it, and
//! Gemini's thoughts are not part of its output. Whatever an agent adds together is taken apart here.

use crate::domain::usage::Tokens;

/// Returns tokens from a report whose input contains what was read from and written to the cache, and
/// whose output contains the reasoning (OpenAI).
pub fn inclusive(
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
) -> Tokens {
    let cache_read = cache_read.min(input);
    let cache_write = cache_write.min(input - cache_read);
    Tokens {
        input: input - cache_read - cache_write,
        cache_read,
        cache_write_5m: cache_write,
        cache_write_1h: 0,
        output,
        reasoning: reasoning.min(output),
    }
}

/// Returns tokens from a report whose input is the uncached part alone (Anthropic). Of what was
/// `written` to the cache, what is not known to live for an hour lives for minutes.
pub fn exclusive(
    input: u64,
    cache_read: u64,
    written: u64,
    written_1h: u64,
    output: u64,
    reasoning: u64,
) -> Tokens {
    Tokens {
        input,
        cache_read,
        cache_write_5m: written.saturating_sub(written_1h),
        cache_write_1h: written_1h,
        output,
        reasoning: reasoning.min(output),
    }
}

/// A report in Gemini's words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gemini {
    /// The prompt, with what was read from the cache.
    pub input: u64,
    /// What was read from the cache.
    pub cached: u64,
    /// The answer.
    pub output: u64,
    /// Thoughts.
    pub thoughts: u64,
    /// Results of tools that the service itself ran: more input.
    pub tool: u64,
    /// Everything, as the service adds it up; 0 when it does not say.
    pub total: u64,
}

impl Gemini {
    /// Returns tokens. The service counts thoughts beside the answer; an agent that speaks to another
    /// service in the same words (Qwen Code) counts them inside: the total tells which, and
    /// `inside` when there is none.
    pub fn tokens(self, inside: bool) -> Tokens {
        let prompt = self.input.saturating_add(self.tool);
        let without = prompt.saturating_add(self.output);
        let inside = match self.total {
            0 => inside,
            total if total == without => true,
            total if total == without.saturating_add(self.thoughts) => false,
            _ => inside,
        };
        let output = if inside { self.output } else { self.output.saturating_add(self.thoughts) };
        inclusive(prompt, self.cached, 0, output, self.thoughts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inclusive_input_is_taken_apart_and_nothing_runs_below_zero() {
        let tokens = inclusive(6120, 5060, 60, 160, 70);
        assert_eq!((tokens.input, tokens.cache_read, tokens.cache_write_5m), (1000, 5060, 60));
        assert_eq!((tokens.output, tokens.reasoning), (160, 70));
        let nonsense = inclusive(10, 50, 50, 1, 9);
        assert_eq!((nonsense.total(), nonsense.reasoning), (11, 1));
    }

    #[test]
    fn the_total_tells_whether_thoughts_are_inside_the_output() {
        let beside =
            Gemini { input: 6124, cached: 5062, output: 162, thoughts: 72, tool: 0, total: 6358 };
        assert_eq!(beside.tokens(true).output, 234);
        let within = Gemini { input: 6016, output: 108, thoughts: 18, total: 6124, ..beside };
        assert_eq!(within.tokens(false).output, 108);
        assert_eq!(Gemini { total: 0, ..beside }.tokens(false).output, 234);
        assert_eq!(Gemini { tool: 9, ..beside }.tokens(false).input, 6124 + 9 - 5062);
    }

    #[test]
    fn writes_that_are_not_told_apart_live_for_minutes() {
        let tokens = exclusive(1, 2, 30, 10, 4, 9);
        assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h, tokens.reasoning), (20, 10, 4));
    }
}
