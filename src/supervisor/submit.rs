//! Types text for a prompt, and presses Enter after it: when the agent has taken the text in, and only
//! while nothing has come up that Enter would answer.

use std::time::{Duration, Instant};

use super::{clock::monotonic, connection::Peer, run::Supervisor};
use crate::{
    domain::{activity::ActivityState, echo::ECHO_WINDOW},
    proto::link::v1::{self as link, Reply, from_supervisor::Message},
    terminal::paste,
};

/// Between a text and Enter. Agents take an Enter that comes with a paste for a part of it, also some
/// time later: until they have drawn it.
const AFTER_TEXT: Duration = Duration::from_millis(80);
const AFTER_PASTE: Duration = Duration::from_millis(300);

/// An agent that has not read the text after so long is not pressed Enter for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// An Enter that is due, and who is told of it.
#[derive(Debug)]
pub(super) struct Submit {
    pub due: Instant,
    until: Instant,
    /// A question stood there already when the text was typed.
    was_asked: bool,
    /// Connection and number of the request, and the bytes that were typed.
    reply: Option<(u64, u64, u64)>,
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
        let is_paste = self.terminal.current().modes().bracketed_paste && input.raw.is_empty();
        let bytes = if input.raw.is_empty() {
            paste::encode(&input.text, is_paste)
        } else {
            input.raw.to_vec()
        };
        if !bytes.is_empty() && !self.pty.write(&bytes) {
            let room = self.pty.room();
            return Err(format!("the agent does not read its input; room for {room} more bytes"));
        }
        for connection in &mut self.connections {
            if let Peer::Daemon(Some(frames)) = &mut connection.peer {
                frames.echo_until = Some(monotonic() + ECHO_WINDOW);
            }
        }
        let accepted = bytes.len() as u64;
        if !input.submit {
            return Ok(Some(accepted));
        }
        let now = monotonic();
        self.submit = Some(Submit {
            due: now + if is_paste { AFTER_PASTE } else { AFTER_TEXT },
            until: now + PATIENCE,
            was_asked: self.is_asking(),
            reply: Some((request.0, request.1, accepted)),
        });
        Ok(None)
    }

    fn is_asking(&self) -> bool {
        self.activity.state == ActivityState::Blocked
    }

    /// Presses Enter if it is due and means what it was meant for.
    pub(super) fn press_enter(&mut self, now: Instant) {
        let Some(submit) = &mut self.submit else { return };
        if now < submit.due {
            return;
        }
        if self.pty.has_input() && now < submit.until {
            submit.due = now + LOOK;
            return;
        }
        let came_up = self.activity.state == ActivityState::Blocked && !submit.was_asked;
        let is_pressed = !self.pty.has_input() && !came_up && self.pty.write(b"\r");
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
}
