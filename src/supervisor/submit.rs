//! Types text for a prompt, and presses Enter after it: when the agent has taken the text in, and only
//! while nothing has come up that Enter would answer.

use std::time::{Duration, Instant};

use super::{clock::monotonic, connection::Peer, run::Supervisor};
use crate::{
    domain::{activity::ActivityState, echo::ECHO_WINDOW},
    proto::link::v1::{self as link, Reply, from_supervisor::Message},
    terminal::paste,
};

/// Between the moment an agent has read a text, and Enter. Agents take an Enter that comes with a paste for
/// a part of it, also some time later: until they have drawn it.
const AFTER_TEXT: Duration = Duration::from_millis(80);
const AFTER_PASTE: Duration = Duration::from_millis(300);

/// An agent that has not read the text after so long is not pressed Enter for.
const PATIENCE: Duration = Duration::from_secs(5);

/// An agent that has read a paste is about it, or still starting, while it draws: Enter waits until nothing
/// was drawn for so long. One that draws all the time is pressed Enter for after a while all the same.
const QUIET: Duration = Duration::from_millis(200);
const DRAWING: Duration = Duration::from_secs(4);

/// So long a text waits for an agent that is still starting, and does not take pastes yet.
const BEGINNING: Duration = Duration::from_secs(2);

/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// An Enter that is due, and who is told of it.
#[derive(Debug)]
pub(super) struct Submit {
    pub due: Instant,
    until: Instant,
    /// What is to be typed before.
    text: Option<String>,
    /// From when the agent has read it to Enter, at least.
    gap: Duration,
    /// What is drawn tells when it was taken in.
    awaits_drawing: bool,
    /// The agent has read it.
    taken: Option<Taken>,
    /// A question stood there already when the text was typed.
    was_asked: bool,
    /// Connection and number of the request, and the bytes that were typed.
    reply: Option<(u64, u64, u64)>,
}

/// A text that the agent has read.
#[derive(Debug)]
struct Taken {
    at: Instant,
    /// How far the agent's output is, and when it went on last since then.
    output: u64,
    drawn: Option<Instant>,
}

impl Submit {
    fn new(now: Instant, was_asked: bool, reply: (u64, u64, u64)) -> Self {
        Self {
            due: now + LOOK,
            until: now + PATIENCE,
            text: None,
            gap: AFTER_TEXT,
            awaits_drawing: false,
            taken: None,
            was_asked,
            reply: Some(reply),
        }
    }

    /// Returns when to look again, while it is too early for Enter: counted from when the agent has read the
    /// text, which on a busy machine is long after it was typed.
    fn postponed(&mut self, now: Instant, is_unread: bool, output: u64) -> Option<Instant> {
        if is_unread {
            return (now < self.until).then_some(now + LOOK);
        }
        let Some(taken) = &mut self.taken else {
            self.taken = Some(Taken { at: now, output, drawn: None });
            return Some(now + if self.awaits_drawing { LOOK } else { self.gap });
        };
        if !self.awaits_drawing || now >= taken.at + DRAWING {
            return None;
        }
        if output != taken.output {
            (taken.output, taken.drawn) = (output, Some(now));
        }
        let is_quiet = taken.drawn.is_some_and(|drawn| now >= drawn + QUIET);
        (!is_quiet || now < taken.at + self.gap).then_some(now + LOOK)
    }
}

impl Supervisor {
    /// Types text for a prompt, or raw bytes; with Enter after it the request is answered then.
    ///
    /// # Errors
    ///
    /// When the agent does not read, or another text is about to be submitted.
    pub(super) fn type_text(
        &mut self,
        input: &link::Type,
        request: (u64, u64),
    ) -> Result<Option<u64>, String> {
        if input.submit && self.submit.is_some() {
            return Err("another text is being submitted".to_owned());
        }
        let now = monotonic();
        let was_asked = self.is_asking();
        if input.submit && input.awaits_paste && !self.takes_pastes() {
            self.submit = Some(Submit {
                until: now + BEGINNING,
                text: Some(input.text.clone()),
                awaits_drawing: true,
                ..Submit::new(now, was_asked, (request.0, request.1, 0))
            });
            return Ok(None);
        }
        let is_paste = self.takes_pastes() && input.raw.is_empty();
        let bytes = if input.raw.is_empty() {
            paste::encode(&input.text, is_paste)
        } else {
            input.raw.to_vec()
        };
        let accepted = self.type_bytes(&bytes)?;
        if !input.submit {
            return Ok(Some(accepted));
        }
        self.submit = Some(Submit {
            gap: if is_paste { AFTER_PASTE } else { AFTER_TEXT },
            awaits_drawing: is_paste && input.awaits_paste,
            ..Submit::new(now, was_asked, (request.0, request.1, accepted))
        });
        Ok(None)
    }

    fn takes_pastes(&mut self) -> bool {
        self.terminal.current().modes().bracketed_paste
    }

    fn type_bytes(&mut self, bytes: &[u8]) -> Result<u64, String> {
        if !bytes.is_empty() && !self.pty.write(bytes) {
            let room = self.pty.room();
            return Err(format!("the agent does not read its input; room for {room} more bytes"));
        }
        for connection in &mut self.connections {
            if let Peer::Daemon(Some(frames)) = &mut connection.peer {
                frames.echo_until = Some(monotonic() + ECHO_WINDOW);
            }
        }
        Ok(bytes.len() as u64)
    }

    fn is_asking(&self) -> bool {
        self.activity.state == ActivityState::Blocked
    }

    /// Presses Enter if it is due and means what it was meant for.
    pub(super) fn press_enter(&mut self, now: Instant) {
        if self.submit.as_ref().is_none_or(|submit| now < submit.due) {
            return;
        }
        if self.submit.as_ref().is_some_and(|submit| submit.text.is_some()) {
            self.type_what_waits(now);
            return;
        }
        let (is_unread, output) = (self.pty.has_unread(), self.stream.offset);
        let Some(submit) = &mut self.submit else { return };
        if let Some(due) = submit.postponed(now, is_unread, output) {
            submit.due = due;
            return;
        }
        let came_up = self.activity.state == ActivityState::Blocked && !submit.was_asked;
        let is_pressed = !is_unread && !came_up && self.pty.write(b"\r");
        let reply = submit.reply.take();
        self.submit = None;
        let Some((connection, number, accepted_bytes)) = reply else { return };
        let forgotten_lines = self.terminal.current().history_forgotten();
        let submitted = Some(is_pressed);
        let reply =
            Reply { number, accepted_bytes, submitted, forgotten_lines, ..Reply::default() };
        if let Some(connection) = self.connection(connection) {
            connection.send(Message::Reply(reply));
        }
    }

    /// Types the text that waits for an agent to begin to read, if it does or has had time enough.
    fn type_what_waits(&mut self, now: Instant) {
        let is_paste = self.takes_pastes();
        let came_up = self.is_asking();
        let Some(submit) = &mut self.submit else { return };
        if !is_paste && !came_up && now < submit.until {
            submit.due = now + LOOK;
            return;
        }
        let text = submit.text.take().unwrap_or_default();
        submit.due = now + LOOK;
        submit.until = now + PATIENCE;
        submit.gap = if is_paste { AFTER_PASTE } else { AFTER_TEXT };
        submit.awaits_drawing = is_paste;
        // A question that came up meanwhile would be answered by the text itself.
        let typed = if came_up && !submit.was_asked {
            Err("it asks something by now; nothing was typed".to_owned())
        } else {
            self.type_bytes(&paste::encode(&text, is_paste))
        };
        let error = match typed {
            Ok(bytes) => {
                if let Some((.., accepted)) = self.submit.as_mut().and_then(|it| it.reply.as_mut())
                {
                    *accepted = bytes;
                }
                return;
            }
            Err(error) => error,
        };
        let reply = self.submit.take().and_then(|submit| submit.reply);
        let Some((connection, number, _)) = reply else { return };
        if let Some(connection) = self.connection(connection) {
            connection.send(Message::Reply(Reply { number, error, ..Reply::default() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(now: Instant) -> Submit {
        let own = Submit::new(now, false, (0, 0, 0));
        Submit { gap: AFTER_PASTE, awaits_drawing: true, ..own }
    }

    #[test]
    fn enter_is_counted_from_when_the_text_was_read_however_late_that_is() {
        let begin = monotonic();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut text = Submit::new(begin, false, (0, 0, 0));
        assert_eq!(text.postponed(at(20), true, 5), Some(at(40)));
        assert_eq!(text.postponed(at(2000), true, 5), Some(at(2020)));
        assert_eq!(text.postponed(at(2020), false, 5), Some(at(2020) + AFTER_TEXT));
        assert_eq!(text.postponed(at(2100), false, 5), None, "it need not be drawn");
    }

    #[test]
    fn an_agent_has_drawn_a_paste_and_nothing_else_since_before_enter() {
        let begin = monotonic();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut quick = pasted(begin);
        assert!(quick.postponed(at(20), false, 5).is_some());
        assert!(quick.postponed(at(40), false, 6).is_some());
        assert!(quick.postponed(at(300), false, 6).is_some(), "no sooner than {AFTER_PASTE:?}");
        assert_eq!(quick.postponed(at(320), false, 6), None);
        let mut busy = pasted(begin);
        for millis in (20..3000).step_by(20) {
            assert!(busy.postponed(at(millis), false, millis / 100).is_some(), "{millis}");
        }
        assert!(busy.postponed(at(3000), false, 29).is_some());
        assert_eq!(busy.postponed(at(3120), false, 29), None);
        let mut never = pasted(begin);
        assert!(never.postponed(at(20), false, 5).is_some());
        assert!(never.postponed(at(4000), false, 5).is_some());
        assert_eq!(never.postponed(at(20) + DRAWING, false, 5), None);
    }

    #[test]
    fn what_is_never_read_is_waited_for_so_long_and_no_longer() {
        let begin = monotonic();
        let mut submit = pasted(begin);
        assert!(submit.postponed(begin + LOOK, true, 5).is_some());
        assert_eq!(submit.postponed(begin + PATIENCE, true, 5), None);
    }
}
