//! How far a turn has come, and what the spinner says about it.

use super::super::host::nanos;
use super::super::script::{Step, Turn};
use super::super::view::{self, Spinner};

/// A turn in progress.
#[derive(Debug)]
pub(super) struct Progress {
    /// The turn.
    pub(super) turn: Turn,
    /// The number of the current step.
    pub(super) at: usize,
    /// When the turn began, moved by the time spent waiting for the user.
    pub(super) began: u64,
    /// When the current step began.
    pub(super) step_began: u64,
    /// Tokens of the finished steps.
    pub(super) tokens: u64,
}

impl Progress {
    /// Returns the current step, `None` after the last one.
    pub(super) fn step(&self) -> Option<&Step> {
        self.turn.steps.get(self.at)
    }

    /// Returns how long the current step takes, in nanoseconds.
    pub(super) fn step_time(&self) -> u64 {
        match self.step() {
            Some(Step::Work { time, .. }) => nanos(*time),
            _ => 0,
        }
    }

    /// Returns the progress to show; it changes once a second except for the picture.
    pub(super) fn spinner(&self, verb: &'static str, now: u64) -> Spinner {
        let passed = now.saturating_sub(self.began);
        let spent = match self.step() {
            Some(Step::Work { time, tokens, .. }) => {
                let whole = now.saturating_sub(self.step_began) / 1_000_000_000;
                let part = tokens.saturating_mul(whole.saturating_mul(1_000));
                (part / (nanos(*time) / 1_000_000).max(1)).min(*tokens)
            }
            _ => 0,
        };
        Spinner {
            frame: passed / (view::FRAME_MS * 1_000_000),
            verb,
            seconds: passed / 1_000_000_000,
            tokens: self.tokens + spent,
        }
    }
}
