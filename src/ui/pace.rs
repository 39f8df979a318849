//! When a frame is drawn: at once for what a person waits for, else sixty times a second at most.
//!
//! A key that changes the screen, and the first change of a screen that was typed into, are drawn as
//! they come; what else happens is collected, so that one pane that spews delays no other. Invariant:
//! there are no more frames beyond sixty a second than keys were pressed.

use std::time::Duration;

use tokio::time::Instant;

use super::event::UiEvent;
use crate::domain::id::RunnerId;

/// The least time between two frames that nobody waits for.
const FRAME: Duration = Duration::from_micros(16_667);

/// Decides when the next frame is drawn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    drawn_at: Option<Instant>,
    /// Whose screens were typed into and have not changed since.
    awaited: Vec<RunnerId>,
    is_urgent: bool,
}

impl Pace {
    /// Takes note of what happened.
    pub(super) fn saw(&mut self, event: &UiEvent) {
        match event {
            UiEvent::Key(_) => self.is_urgent = true,
            UiEvent::Frame(id, _) => {
                let known = self.awaited.len();
                self.awaited.retain(|awaited| awaited != id);
                self.is_urgent |= self.awaited.len() < known;
            }
            _ => {}
        }
    }

    /// Takes note that keys went to a runner.
    pub(super) fn typed(&mut self, id: RunnerId) {
        if !self.awaited.contains(&id) {
            self.awaited.push(id);
        }
    }

    /// Whether what changed is drawn now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_urgent || self.drawn_at.is_none_or(|at| now >= at + FRAME)
    }

    /// When a change that nobody waits for is drawn.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.drawn_at.map_or(now, |at| at + FRAME)
    }

    /// When the last frame was drawn; now if none was.
    pub(super) fn drawn_at(&self, now: Instant) -> Instant {
        self.drawn_at.unwrap_or(now)
    }

    /// Takes note that a frame was drawn.
    pub(super) fn drawn(&mut self, now: Instant) {
        self.drawn_at = Some(now);
        self.is_urgent = false;
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
        let now = Instant::now();
        assert!(pace.is_due(now), "the first frame");
        pace.drawn(now);
        pace.saw(&frame(spewing));
        assert!(!pace.is_due(now));

        pace.typed(typed);
        pace.saw(&frame(spewing));
        assert!(!pace.is_due(now));
        pace.saw(&frame(typed));
        assert!(pace.is_due(now));
        pace.drawn(now);
        pace.saw(&frame(typed));
        assert!(!pace.is_due(now), "one key, one frame");

        let now = now + FRAME;
        assert!(pace.is_due(now));
        pace.drawn(now);
        pace.saw(&UiEvent::Key(KeyPress::parse("j").unwrap()));
        assert!(pace.is_due(now));
    }
}
