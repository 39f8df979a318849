//! What was read lately: agents write a message several times, one after the other.
//!
//! Bounded; what is forgotten and comes again is reported again under its key, which counts it once.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::usage::Tokens;

/// How many are remembered: copies of a line follow it within a handful of lines.
const KEPT: usize = 64;

/// The last few ids with the tokens that were reported for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent(VecDeque<(String, Tokens)>);

impl Recent {
    /// Remembers an id with its tokens. Returns what is to be reported: the larger of each kind if the
    /// id is new or any kind has grown, else nothing.
    pub fn grown(&mut self, id: &str, tokens: Tokens) -> Option<Tokens> {
        if let Some((_, known)) = self.0.iter_mut().rev().find(|(it, _)| it == id) {
            let largest = known.max(tokens);
            let grown = largest != *known;
            *known = largest;
            return grown.then_some(largest);
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((id.to_owned(), tokens));
        Some(tokens)
    }

    /// Remembers an id. Returns whether it is new.
    pub fn is_new(&mut self, id: &str) -> bool {
        self.grown(id, Tokens::default()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_or_grew_is_reported() {
        let mut recent = Recent::default();
        let tokens = |output| Tokens { output, input: 5, ..Tokens::default() };
        assert_eq!(recent.grown("a", tokens(1)), Some(tokens(1)));
        assert_eq!(recent.grown("a", tokens(1)), None);
        assert_eq!(recent.grown("a", tokens(9)), Some(tokens(9)));
        assert_eq!(recent.grown("a", tokens(2)), None);
        assert!(recent.is_new("b") && !recent.is_new("b"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = Recent::default();
        for n in 0..1000 {
            assert!(recent.is_new(&n.to_string()));
        }
        assert_eq!(recent.0.len(), KEPT);
        assert!(!recent.is_new("999") && recent.is_new("1"));
    }
}
