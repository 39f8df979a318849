//! When a frame is drawn: at once for what a person waits for, else sixty times a second at most.
//!
//! A key that changes the screen is drawn as it comes, and so is what a screen shows for a moment after
//! it was typed into, for that is the echo; what else happens is collected, so that one pane that spews
//! delays no other. To a terminal on another machine it is also collected until the last frame must have
//! arrived: what fills the line now is what a key waits for later. Invariant: with no key pressed there
//! are no more than sixty frames a second.

use std::time::Duration;

use tokio::time::Instant;

use super::event::UiEvent;
use crate::domain::{
    echo::{ECHO_INTERVAL, ECHO_WINDOW},
    id::RunnerId,
};

/// The least time between two frames that nobody waits for.
const FRAME: Duration = Duration::from_micros(16_667);

/// Bytes a second that a line to another machine is trusted with: a slow one takes as many, and on a
/// fast one a screen that spews is still shown several times a second.
const REMOTE_RATE: usize = 20_000;

/// However large a frame was, the next waits no longer than this for it.
const MOST_WAIT: Duration = Duration::from_secs(1);

/// Decides when the next frame is drawn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    is_remote: bool,
    drawn_at: Option<Instant>,
    /// How long the last frame is on its way.
    travel: Duration,
    echoing: Vec<Echo>,
    /// What changed since the last frame and is waited for.
    urgency: Urgency,
}

/// A screen that was typed into.
#[derive(Debug)]
struct Echo {
    of: RunnerId,
    /// Until when a change of it may be the echo.
    until: Instant,
    /// It has changed since.
    has_come: bool,
}

/// How much a change is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Urgency {
    #[default]
    None,
    /// A screen that was typed into has changed once more.
    Echo,
    /// It has changed for the first time since, or a key was pressed that is not typed.
    Now,
}

impl Pace {
    /// Returns the pace for a terminal here or on another machine.
    pub(super) fn new(is_remote: bool) -> Self {
        Self { is_remote, ..Self::default() }
    }

    /// Takes note of what happened.
    pub(super) fn saw(&mut self, event: &UiEvent, now: Instant) {
        let urgency = match event {
            UiEvent::Key(_) => Urgency::Now,
            UiEvent::Frame(id, _) => {
                let echo = self.echoing.iter_mut().find(|echo| echo.of == *id && now < echo.until);
                match echo {
                    Some(echo) if echo.has_come => Urgency::Echo,
                    Some(echo) => {
                        echo.has_come = true;
                        Urgency::Now
                    }
                    None => Urgency::None,
                }
            }
            _ => Urgency::None,
        };
        self.urgency = self.urgency.max(urgency);
    }

    /// Takes note that what was pressed went to a runner: nothing is to be seen of it before its
    /// echo, and a frame now would only delay that.
    pub(super) fn typed(&mut self, id: RunnerId, now: Instant) {
        self.echoing.retain(|echo| echo.of != id && now < echo.until);
        self.echoing.push(Echo { of: id, until: now + ECHO_WINDOW, has_come: false });
        self.urgency = Urgency::None;
    }

    /// When what changed is drawn.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let pause = match self.urgency {
            Urgency::Now => Duration::ZERO,
            Urgency::Echo => ECHO_INTERVAL,
            Urgency::None => FRAME.max(self.travel),
        };
        self.drawn_at.map_or(now, |at| at + pause)
    }

    /// When the last frame was drawn; now if none was.
    pub(super) fn drawn_at(&self, now: Instant) -> Instant {
        self.drawn_at.unwrap_or(now)
    }

    /// Takes note that a frame of so many bytes was drawn.
    pub(super) fn drawn(&mut self, now: Instant, bytes: usize) {
        let travel = Duration::from_millis((bytes * 1000 / REMOTE_RATE) as u64).min(MOST_WAIT);
        self.travel = if self.is_remote { travel } else { Duration::ZERO };
        self.drawn_at = Some(now);
        self.urgency = Urgency::None;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        domain::{key::KeyPress, size::TerminalSize},
        ui::event::Frame,
    };

    fn frame(id: RunnerId) -> UiEvent {
        let frame = Frame { size: TerminalSize::default(), full: false, bytes: Bytes::new() };
        UiEvent::Frame(id, Box::new(frame))
    }

    #[test]
    fn an_echo_is_drawn_at_once_and_what_spews_is_not() {
        let (typed, spewing) = (RunnerId::random(), RunnerId::random());
        let mut pace = Pace::default();
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.due(start), start, "the first frame");
        pace.drawn(start, 100);
        pace.saw(&frame(spewing), ms(1));
        assert_eq!(pace.due(ms(1)), start + FRAME);

        pace.saw(&UiEvent::Key(KeyPress::parse("x").unwrap()), ms(3));
        pace.typed(typed, ms(3));
        pace.saw(&frame(spewing), ms(4));
        assert_eq!(pace.due(ms(4)), start + FRAME, "nothing is to be seen of the key yet");
        // Whatever was drawn in between, the echo is drawn at once.
        pace.drawn(ms(4), 100);
        pace.saw(&frame(typed), ms(5));
        assert!(pace.due(ms(5)) <= ms(5));
        pace.drawn(ms(5), 100);
        pace.saw(&frame(typed), ms(6));
        assert_eq!(pace.due(ms(6)), ms(5) + ECHO_INTERVAL);
        pace.drawn(ms(7), 100_000);
        pace.saw(&frame(typed), ms(3) + ECHO_WINDOW);
        assert_eq!(pace.due(ms(30)), ms(7) + FRAME, "too late for an echo");

        pace.saw(&UiEvent::Key(KeyPress::parse("j").unwrap()), ms(8));
        assert!(pace.due(ms(8)) <= ms(8));
    }

    #[test]
    fn a_slow_line_is_not_filled_with_what_nobody_waits_for() {
        let start = Instant::now();
        let mut pace = Pace::new(true);
        pace.drawn(start, 4000);
        assert_eq!(pace.due(start), start + Duration::from_millis(200));
        pace.saw(&UiEvent::Key(KeyPress::parse("j").unwrap()), start);
        assert_eq!(pace.due(start), start);
        pace.drawn(start, 1_000_000);
        assert_eq!(pace.due(start), start + MOST_WAIT);
        pace.drawn(start, 10);
        assert_eq!(pace.due(start), start + FRAME);
    }
}
