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

/// So long one that has read a paste may take to draw it; what draws nothing is pressed Enter for then.
const DRAWING: Duration = Duration::from_secs(2);

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
    /// It was pasted: what is drawn tells when it was taken in.
    is_paste: bool,
    /// The agent has read it; how far its output was then.
    read: Option<u64>,
    /// It was not drawn when it was first looked for.
    is_late: bool,
    /// A question stood there already when the text was typed.
    was_asked: bool,
    /// Connection and number of the request, and the bytes that were typed.
    reply: Option<(u64, u64, u64)>,
}

impl Submit {
    /// Returns when to look again, while it is too early for Enter: counted from when the agent has read the
    /// text, which on a busy machine is long after it was typed.
    fn postponed(&mut self, now: Instant, is_unread: bool, output: u64) -> Option<Instant> {
        if is_unread {
            return (now < self.until).then_some(now + LOOK);
        }
        let Some(before) = self.read else {
            self.read = Some(output);
            let after = if self.is_paste { AFTER_PASTE } else { AFTER_TEXT };
            self.until = now + after + DRAWING;
            return Some(now + after);
        };
        if !self.is_paste {
            return None;
        }
        if output > before {
            self.is_paste = false;
            // What comes late is followed by more.
            return self.is_late.then_some(now + AFTER_TEXT);
        }
        self.is_late = true;
        (now < self.until).then_some(now + LOOK)
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
                due: now + LOOK,
                until: now + BEGINNING,
                text: Some(input.text.clone()),
                is_paste: false,
                read: None,
                is_late: false,
                was_asked,
                reply: Some((request.0, request.1, 0)),
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
            due: now + LOOK,
            until: now + PATIENCE,
            text: None,
            is_paste,
            read: None,
            is_late: false,
            was_asked,
            reply: Some((request.0, request.1, accepted)),
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
        submit.is_paste = is_paste;
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

    fn submit(now: Instant, is_paste: bool) -> Submit {
        let until = now + PATIENCE;
        Submit {
            due: now,
            until,
            text: None,
            is_paste,
            read: None,
            is_late: false,
            was_asked: false,
            reply: None,
        }
    }

    #[test]
    fn enter_is_pressed_a_while_after_the_text_was_read_however_late_that_is() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut submit = submit(begin, true);
        assert_eq!(submit.postponed(at(20), true, 5), Some(at(40)));
        assert_eq!(submit.postponed(at(2000), true, 5), Some(at(2020)));
        assert_eq!(submit.postponed(at(2020), false, 5), Some(at(2020) + AFTER_PASTE));
        assert_eq!(submit.postponed(at(2320), false, 9), None, "it was drawn");
    }

    #[test]
    fn a_paste_is_drawn_before_enter_unless_nothing_ever_is() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut late = submit(begin, true);
        assert_eq!(late.postponed(at(20), false, 5), Some(at(320)));
        assert_eq!(late.postponed(at(320), false, 5), Some(at(340)));
        assert_eq!(late.postponed(at(900), false, 6), Some(at(900) + AFTER_TEXT));
        assert_eq!(late.postponed(at(980), false, 6), None);
        let mut never = submit(begin, true);
        never.postponed(at(20), false, 5);
        assert_eq!(never.postponed(at(320) + DRAWING, false, 5), None);
        let mut text = submit(begin, false);
        assert_eq!(text.postponed(at(20), false, 5), Some(at(100)));
        assert_eq!(text.postponed(at(100), false, 5), None, "a line may be edited in the kernel");
    }

    #[test]
    fn what_is_never_read_is_waited_for_so_long_and_no_longer() {
        let begin = Instant::now();
        let mut submit = submit(begin, true);
        assert!(submit.postponed(begin + PATIENCE - LOOK, true, 5).is_some());
        assert_eq!(submit.postponed(begin + PATIENCE, true, 5), None);
    }
}
