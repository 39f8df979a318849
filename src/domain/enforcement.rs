//! What is done to a runner whose budget is used up, one rung after the other.
//!
//! Pure: it is told what is wanted, what the agent is at and the time, and answers with what is to be
//! done. Invariant: nothing is done beyond the rung that is wanted, and all of it is undone once
//! nothing is wanted any more, except what a person did.

use chrono::{DateTime, TimeDelta, Utc};

use super::{budget::BudgetAction, hook::HoldLevel};

/// How long a turn may take to end by itself, at its next tool, before it is interrupted.
const GRACE: TimeDelta = TimeDelta::seconds(3);

/// Between two interrupts of an agent that works on.
const AGAIN: TimeDelta = TimeDelta::seconds(4);

/// An agent that works on after so many is stopped harder, if that is wanted.
const INTERRUPTS: u32 = 3;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Its hooks refuse, so far.
    Hold(HoldLevel),
    /// Its turn is interrupted.
    Interrupt,
    /// Its processes are stopped where they stand.
    Pause,
    /// It is ended.
    Stop,
    /// Its hooks refuse no more.
    Release,
    /// Its processes go on.
    Resume,
}

/// How far it has gone with one runner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enforcement {
    held: Option<HoldLevel>,
    since: Option<DateTime<Utc>>,
    interrupted: u32,
    last_interrupt: Option<DateTime<Utc>>,
    paused: bool,
    stopped: bool,
}

/// What a runner is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Its agent is at a turn.
    pub is_working: bool,
    /// Its hooks can end a turn that runs; otherwise nothing but an interrupt does.
    pub ends_turns: bool,
    /// It is paused.
    pub is_paused: bool,
}

impl Enforcement {
    /// Whether anything is done to it.
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over a runner that an earlier daemon held.
    pub fn adopt(&mut self) {
        self.held = Some(HoldLevel::Turn);
    }

    /// Returns what is to be done now. `wanted` is the highest rung that any budget names, above
    /// [`BudgetAction::Warn`].
    pub fn step(
        &mut self,
        wanted: Option<BudgetAction>,
        at: Situation,
        now: DateTime<Utc>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(wanted) = wanted.filter(|wanted| *wanted > BudgetAction::Warn) else {
            if self.paused && at.is_paused {
                effects.push(Effect::Resume);
            }
            if self.held.is_some() {
                effects.push(Effect::Release);
            }
            *self = Self::default();
            return effects;
        };
        let since = *self.since.get_or_insert(now);
        let level = if wanted > BudgetAction::Hold { HoldLevel::Turn } else { HoldLevel::Prompts };
        if self.held != Some(level) {
            self.held = Some(level);
            effects.push(Effect::Hold(level));
        }
        // What is paused uses nothing.
        if wanted < BudgetAction::Interrupt || at.is_paused || self.stopped {
            return effects;
        }
        if !at.is_working {
            // A turn that begins later is interrupted at once: nobody may begin one.
            if self.interrupted > 0 || now - since >= GRACE {
                self.interrupted = 0;
                self.last_interrupt = None;
                self.since = Some(now - GRACE);
            }
            if wanted == BudgetAction::Stop && now - since >= GRACE {
                self.stopped = true;
                effects.push(Effect::Stop);
            }
            return effects;
        }
        let waited = now - since >= GRACE || !at.ends_turns;
        let is_due = self.last_interrupt.is_none_or(|last| now - last >= AGAIN);
        if !waited || !is_due {
            return effects;
        }
        if self.interrupted >= INTERRUPTS && wanted > BudgetAction::Interrupt {
            if wanted == BudgetAction::Stop {
                self.stopped = true;
                effects.push(Effect::Stop);
            } else {
                self.paused = true;
                effects.push(Effect::Pause);
            }
            return effects;
        }
        self.interrupted += 1;
        self.last_interrupt = Some(now);
        effects.push(Effect::Interrupt);
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKING: Situation = Situation { is_working: true, ends_turns: true, is_paused: false };
    const IDLE: Situation = Situation { is_working: false, ..WORKING };

    fn run(
        enforcement: &mut Enforcement,
        wanted: Option<BudgetAction>,
        at: Situation,
        seconds: &[i64],
    ) -> Vec<Vec<Effect>> {
        let time = |second: &i64| DateTime::from_timestamp(1000 + second, 0).unwrap();
        seconds.iter().map(|second| enforcement.step(wanted, at, time(second))).collect()
    }

    #[test]
    fn a_turn_is_first_refused_then_interrupted_then_paused() {
        let mut it = Enforcement::default();
        let done = run(&mut it, Some(BudgetAction::Pause), WORKING, &[0, 1, 3, 4, 7, 11, 15]);
        assert_eq!(
            done,
            [
                vec![Effect::Hold(HoldLevel::Turn)],
                vec![],
                vec![Effect::Interrupt],
                vec![],
                vec![Effect::Interrupt],
                vec![Effect::Interrupt],
                vec![Effect::Pause],
            ]
        );
        let paused = Situation { is_paused: true, ..WORKING };
        assert_eq!(run(&mut it, Some(BudgetAction::Pause), paused, &[30]), [vec![]]);
        assert_eq!(run(&mut it, None, paused, &[31]), [vec![Effect::Resume, Effect::Release]]);
        assert!(it.is_idle());
    }

    #[test]
    fn what_a_person_paused_stays_paused() {
        let mut it = Enforcement::default();
        let paused = Situation { is_paused: true, ..WORKING };
        run(&mut it, Some(BudgetAction::Pause), paused, &[0]);
        assert_eq!(run(&mut it, None, paused, &[1]), [vec![Effect::Release]]);
    }

    #[test]
    fn holding_lets_a_turn_finish() {
        let mut it = Enforcement::default();
        let done = run(&mut it, Some(BudgetAction::Hold), WORKING, &[0, 10, 100]);
        assert_eq!(done, [vec![Effect::Hold(HoldLevel::Prompts)], vec![], vec![]]);
    }

    #[test]
    fn a_warning_does_nothing() {
        let mut it = Enforcement::default();
        assert_eq!(run(&mut it, Some(BudgetAction::Warn), WORKING, &[0, 10]), [vec![], vec![]]);
    }

    #[test]
    fn a_turn_that_hooks_cannot_end_is_interrupted_at_once() {
        let mut it = Enforcement::default();
        let bare = Situation { ends_turns: false, ..WORKING };
        let done = run(&mut it, Some(BudgetAction::Interrupt), bare, &[0, 1, 4]);
        assert!(done[0].contains(&Effect::Interrupt));
        assert_eq!(done[1], []);
        assert_eq!(done[2], [Effect::Interrupt]);
    }

    #[test]
    fn a_turn_begun_while_held_is_interrupted_at_once() {
        let mut it = Enforcement::default();
        run(&mut it, Some(BudgetAction::Interrupt), IDLE, &[0, 10]);
        let done = run(&mut it, Some(BudgetAction::Interrupt), WORKING, &[20]);
        assert_eq!(done, [vec![Effect::Interrupt]]);
    }

    #[test]
    fn a_stop_is_made_once_the_turn_is_over_or_will_not_end() {
        let mut it = Enforcement::default();
        let done = run(&mut it, Some(BudgetAction::Stop), IDLE, &[0, 3, 4]);
        assert_eq!(done[1], [Effect::Stop]);
        assert_eq!(done[2], []);
        let mut it = Enforcement::default();
        let done = run(&mut it, Some(BudgetAction::Stop), WORKING, &[0, 3, 7, 11, 15, 20]);
        assert_eq!(done[4], [Effect::Stop]);
        assert_eq!(done[5], []);
    }
}
