//! How a runner is ended: a pure plan of what to do when.
//!
//! ```text
//!  asked ─ SIGTERM to the agent's groups (SIGHUP too where a shell ignores SIGTERM)
//!    │ half the grace period, at most 1 s
//!  SIGHUP to the agent's session
//!    │ the grace period
//!  SIGKILL to the whole tree, again and again, until nothing is left or 3 s have passed
//! ```
//!
//! The same plan, entered at its last step, clears away what an agent left behind when it ended by
//! itself. It holds no processes and sends nothing: the loop asks what is due.

use std::time::{Duration, Instant};

/// How long killing is tried before what is left is called a survivor.
const KILLING: Duration = Duration::from_secs(3);

/// Pause between two rounds of killing: as short as a fork takes to show.
const ROUND: Duration = Duration::from_millis(20);

/// Pause between two rounds after that: what the kernel holds may still be let go.
const HOPELESS_ROUND: Duration = Duration::from_secs(5);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// Hang up.
    HangUp,
    /// Kill whatever is left, and ask again.
    Kill,
    /// Name what is left.
    GiveUp,
}

/// A plan under way.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    hang_up_at: Option<Instant>,
    kill_at: Instant,
    next_round: Instant,
}

impl Stop {
    /// Returns the plan for a grace period beginning now.
    pub(super) fn new(now: Instant, grace: Duration) -> Self {
        let hang_up = (grace / 2).min(Duration::from_secs(1));
        Self {
            hang_up_at: (!grace.is_zero()).then(|| now + hang_up),
            kill_at: now + grace,
            next_round: now + grace,
        }
    }

    /// Makes the end come no later than after another grace period.
    pub(super) fn hasten(&mut self, now: Instant, grace: Duration) {
        if now + grace < self.kill_at {
            self.kill_at = now + grace;
            self.next_round = self.kill_at;
        }
    }

    /// Returns what is due, and counts it as done.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        if now >= self.next_round && now >= self.kill_at + KILLING {
            self.next_round = now + HOPELESS_ROUND;
            return Step::GiveUp;
        }
        if now >= self.next_round {
            self.next_round = now + ROUND;
            return Step::Kill;
        }
        if self.hang_up_at.is_some_and(|at| now >= at) {
            self.hang_up_at = None;
            return Step::HangUp;
        }
        Step::Wait
    }

    /// When to ask again.
    pub(super) fn due(&self) -> Instant {
        self.hang_up_at.map_or(self.next_round, |at| at.min(self.next_round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_come_in_order() {
        let start = super::super::clock::monotonic();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut stop = Stop::new(start, Duration::from_secs(5));
        assert_eq!(stop.step(at(0)), Step::Wait);
        assert_eq!(stop.due(), at(1000));
        assert_eq!(stop.step(at(1000)), Step::HangUp);
        assert_eq!(stop.step(at(1001)), Step::Wait);
        assert_eq!(stop.step(at(5000)), Step::Kill);
        assert_eq!(stop.step(at(5001)), Step::Wait);
        assert_eq!(stop.step(at(5021)), Step::Kill);
        assert_eq!(stop.step(at(8000)), Step::GiveUp);
    }

    #[test]
    fn force_kills_at_once_and_hastens_a_gentle_stop() {
        let start = super::super::clock::monotonic();
        assert_eq!(Stop::new(start, Duration::ZERO).step(start), Step::Kill);
        let mut stop = Stop::new(start, Duration::from_mins(1));
        stop.hasten(start, Duration::ZERO);
        assert_eq!(stop.step(start), Step::Kill);
    }
}
