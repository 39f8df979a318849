//! What the daemon asks of a supervisor, and the answers.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{
    clock::monotonic,
    connection::{FrameStream, Peer},
    meter::Meter,
    run::Supervisor,
};
use crate::{
    domain::{
        activity::{Activity, ActivityState},
        approval::Decision,
        hook::{Decided, Hold, HoldLevel},
        question,
    },
    process::Table,
    proto::link::v1::{
        self as link, Reply, Request, Role, ToSupervisor, from_supervisor::Message,
        request::Command, to_supervisor::Message as Incoming,
    },
    terminal::FrameEncoder,
};

/// How long an answer stands for the question that is still there.
const TAKEN: Duration = Duration::from_secs(3);

/// Lines given out in one answer.
const MAX_LINES: usize = 2000;

/// Bytes of history in one answer: half of what a message may hold. Lines beyond it are left out, and
/// asked for again.
const MAX_SCROLLBACK: usize = 4 << 20;

impl Supervisor {
    /// Handles a message.
    pub(super) fn on_message(&mut self, id: u64, message: ToSupervisor) {
        let Some(connection) = self.connection(id) else { return };
        match (&connection.peer, message.message) {
            (Peer::Unknown, Some(Incoming::Hello(hello))) => self.on_hello(id, &hello),
            (Peer::Daemon(_), Some(Incoming::Request(request))) => self.on_request(id, request),
            (Peer::Viewer(_), Some(Incoming::Input(input))) => self.on_keys(id, &input.bytes),
            (Peer::Viewer(_), Some(Incoming::Resize(size))) => self.on_resize(id, size.into()),
            // A message of a newer client that we do not know is not ours to judge.
            (Peer::Daemon(_) | Peer::Viewer(_), None) => {}
            _ => connection.dead = true,
        }
    }

    fn on_request(&mut self, id: u64, request: Request) {
        let number = request.number;
        let mut reply = Reply { number, ..Reply::default() };
        match request.command {
            Some(Command::Stop(stop)) => {
                // Answered when it is done, with what survived.
                self.stop_replies.push((id, number));
                self.begin_stop(Duration::from_millis(stop.grace_ms.into()));
                return;
            }
            Some(Command::Grant(grant)) => {
                let role = grant.role();
                if matches!(role, Role::Driver | Role::Viewer) && grant.token.len() == 32 {
                    self.grants.add(&grant.token, role, monotonic());
                } else {
                    "a grant is 32 bytes for a driver or a viewer".clone_into(&mut reply.error);
                }
            }
            Some(Command::Pause(_)) => self.pause(),
            Some(Command::Resume(_)) => self.resume(),
            Some(Command::Type(input)) if !self.is_asked(&input) => reply.not_asked = true,
            Some(Command::Type(input)) => match self.type_text(&input, (id, number)) {
                Ok(accepted) => {
                    let answered = input.asked_us.map(|asked| (asked, monotonic()));
                    self.answered_us = answered.or(self.answered_us);
                    // Answered when Enter was pressed, or could not be.
                    let Some(accepted) = accepted else { return };
                    reply.accepted_bytes = accepted;
                }
                Err(error) => reply.error = error,
            },
            Some(Command::Screen(query)) => {
                self.watches_always |= query.watch;
                reply.screen = Some(self.screen());
            }
            Some(Command::Scrollback(query)) => reply.scrollback = Some(self.scrollback(&query)),
            Some(Command::Search(query)) => {
                let limit = (query.limit as usize).clamp(1, MAX_LINES);
                let found = self.terminal.current().search(&query.text, limit);
                let wire = |(line, text)| link::Match { line: line as u64, text };
                reply.matches = found.into_iter().map(wire).collect();
            }
            Some(Command::Resize(size)) => self.set_size(size.into()),
            Some(Command::Hold(hold)) => match &mut self.meter {
                Some(meter) => {
                    let level = HoldLevel::parse(&hold.level);
                    meter.set_hold(level.map(|level| Hold { level, reason: hold.reason }));
                }
                None => "the agent has no hooks".clone_into(&mut reply.error),
            },
            Some(Command::Decide(decide)) => {
                let decision = Decision::parse(&decide.decision);
                let decided = decision.map(|decision| Decided { decision, reason: decide.reason });
                let is_held = |meter: &mut Meter| meter.decide(&decide.ask, decided.as_ref());
                reply.not_asked = !self.meter.as_mut().is_some_and(is_held);
            }
            Some(Command::Frames(control)) => self.control_frames(id, control.max_fps),
            None => "this supervisor is older than the request".clone_into(&mut reply.error),
        }
        reply.forgotten_lines = self.terminal.current().history_forgotten();
        if let Some(connection) = self.connection(id) {
            connection.send(Message::Reply(reply));
        }
        self.send_frames(monotonic());
    }

    /// Whether what is to be typed answers the question that the agent waits with, and the first to
    /// do so; true for what is no answer. Here nobody can come between the look and the keys.
    fn is_asked(&self, input: &link::Type) -> bool {
        let Some(asked) = input.asked_us else { return true };
        let is_blocked = self.activity.state == ActivityState::Blocked;
        let since = self.activity.since.map(|since| since.timestamp_micros());
        // An agent that asks the same for some time after an answer has not taken it.
        let is_answered =
            |(answered, at): (i64, Instant)| answered == asked && monotonic() < at + TAKEN;
        is_blocked && since == Some(asked) && !self.answered_us.is_some_and(is_answered)
    }

    fn screen(&mut self) -> link::Screen {
        let terminal = self.terminal.current();
        let (row, col) = terminal.cursor();
        link::Screen {
            size: Some(terminal.size().into()),
            lines: terminal.screen_text(),
            cursor_row: row.into(),
            cursor_col: col.into(),
            title: terminal.title().to_owned(),
            alternate: terminal.modes().alternate,
            history_lines: terminal.history_len() as u64,
            wrapped: terminal.screen_wraps(),
        }
    }

    fn scrollback(&mut self, query: &link::ScrollbackQuery) -> link::Scrollback {
        let count = (query.count as usize).min(MAX_LINES);
        let terminal = self.terminal.current();
        let forgotten = terminal.history_forgotten();
        let from = query.number.map_or(query.from, |number| number.saturating_sub(forgotten));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        // Of lines that are forgotten nothing is left but their room.
        let gone = query.number.map_or(0, |number| forgotten.saturating_sub(number));
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(count);
        let count = count - gone;
        let mut lines = terminal.history(from, count, query.styled);
        let mut room = MAX_SCROLLBACK;
        lines.retain(|line| {
            room = room.saturating_sub(line.len());
            room > 0
        });
        let mut wrapped = terminal.history_wraps(from, lines.len());
        lines.splice(0..0, std::iter::repeat_n(String::new(), gone));
        wrapped.splice(0..0, std::iter::repeat_n(false, gone));
        link::Scrollback { lines, total: terminal.history_len() as u64, wrapped }
    }

    fn control_frames(&mut self, id: u64, max_fps: u32) {
        let size = self.terminal.size();
        let Some(connection) = self.connection(id) else { return };
        let Peer::Daemon(frames) = &mut connection.peer else { return };
        *frames = (max_fps > 0).then(|| FrameStream {
            encoder: FrameEncoder::new(),
            interval: Duration::from_secs(1) / max_fps.min(60),
            last: None,
            echo_until: None,
            dirty: true,
            size,
        });
    }

    /// Stops every process where it stands, parents first, so that no shell sees its job stop.
    fn pause(&mut self) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        for process in Table::scan().below(own) {
            process.id.signal(Signal::STOP);
        }
        self.paused = true;
        self.status_due = Some(monotonic());
    }

    /// Lets every process go on, children first.
    pub(super) fn resume(&mut self) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        for process in Table::scan().below(own).iter().rev() {
            process.id.signal(Signal::CONT);
        }
        self.paused = false;
        self.status_due = Some(monotonic());
    }

    /// Whether the agent waits and has not said for what.
    pub(super) fn is_unexplained(&self) -> bool {
        self.activity.state == ActivityState::Blocked && self.activity.message.is_none()
    }

    /// The activity, with the question that stands on the screen where the agent has not told it. It is
    /// read once: a question that changes under the eye would be another one.
    fn told_activity(&mut self) -> Activity {
        if self.is_unexplained() && self.question.is_none() {
            self.question = question::on_screen(&self.terminal.current().screen_text());
        }
        let mut activity = self.activity.clone();
        if self.is_unexplained() {
            activity.message.clone_from(&self.question);
        }
        activity
    }

    /// Tells the daemon how far the spool reaches.
    pub(super) fn tell_spooled(&mut self) {
        let Some(end) = self.meter.as_ref().map(Meter::end) else { return };
        for connection in &mut self.connections {
            if connection.is_daemon() {
                connection.send(Message::Spooled(end));
            }
        }
    }

    /// Tells the daemon how the runner is.
    pub(super) fn send_status(&mut self) {
        let viewers = self.connections.iter().filter(|c| matches!(c.peer, Peer::Viewer(_))).count();
        let mut status = link::Status {
            title: self.terminal.current().title().to_owned(),
            paused: self.paused,
            stopping: self.stop_asked,
            screens: self.screens,
            viewers: viewers.try_into().unwrap_or(u32::MAX),
            ..link::Status::default()
        };
        status.set_activity(&self.told_activity());
        for connection in self.connections.iter_mut().filter(|c| c.is_daemon()) {
            connection.send(Message::Status(status.clone()));
        }
    }
}
