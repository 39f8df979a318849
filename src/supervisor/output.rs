//! What happens to the agent's output: answers, viewers, screen, record.
//!
//! Order matters twice. Queries are answered before anything is forwarded, because agents take a
//! late answer for typed keys. Everything else is forwarded before it is drawn on our screen,
//! because a person waits for it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::Utc;

use super::{
    clock::monotonic,
    connection::{Connection, Peer},
    run::Supervisor,
    viewer::{Sink, Viewer},
};
use crate::{
    domain::{clock::to_micros, echo::ECHO_INTERVAL},
    proto::link::v1::{self as link, from_supervisor::Message},
    terminal::{ClippedView, Scan, Signal, Terminal},
};

/// Forwarded output kept for viewers that come back.
const TAIL: usize = 64 << 10;

/// An agent that says only that it waits has drawn its dialog by then.
const DIALOG_PAUSE: Duration = Duration::from_millis(150);

/// The shortest time between two frames for a terminal of another size.
const VIEWER_FRAMES: Duration = Duration::from_millis(33);

/// The output as viewers see it, queries cut out, with the offset of its end.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub offset: u64,
    tail: VecDeque<u8>,
}

impl Stream {
    fn append(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let kept = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let excess = (self.tail.len() + kept.len()).saturating_sub(TAIL);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend(kept);
    }

    /// Returns what follows an offset, `None` when it is no longer or not yet held.
    pub(super) fn since(&self, offset: u64) -> Option<Vec<u8>> {
        let missing = usize::try_from(self.offset.checked_sub(offset)?).ok()?;
        let start = self.tail.len().checked_sub(missing)?;
        Some(self.tail.range(start..).copied().collect())
    }
}

impl Supervisor {
    /// Takes in one batch of output.
    pub(super) fn distribute(&mut self, bytes: &[u8]) {
        let scan = self.terminal.scan(bytes);
        if scan.has_queries() {
            self.draw(bytes, &scan);
            self.forward(&scan.forward(bytes));
        } else {
            self.forward(&scan.forward(bytes));
            self.draw(bytes, &scan);
        }
        if scan.has_switched() {
            self.redraw_viewers();
        }
        self.log.append(bytes);
        for signal in scan.signals() {
            self.notice(signal);
        }
        for connection in &mut self.connections {
            match &mut connection.peer {
                Peer::Daemon(Some(frames)) => frames.dirty = true,
                Peer::Viewer(viewer) => viewer.dirty = viewer.frames.is_some(),
                _ => {}
            }
        }
        // The first change after a pause is shown at once; what follows is collected.
        self.send_frames(monotonic());
    }

    /// Draws a batch on our screen and answers its queries.
    fn draw(&mut self, bytes: &[u8], scan: &Scan) {
        let mut replies = Vec::new();
        self.terminal.apply(bytes, scan, &mut replies);
        if !replies.is_empty() {
            // An agent that asks and never reads gets no more than what the queue holds.
            self.pty.write(&replies);
        }
    }

    /// Sends forwarded bytes to every viewer that gets bytes.
    fn forward(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let offset = self.stream.offset;
        self.stream.append(bytes);
        for connection in &mut self.connections {
            let waiting = connection.outbox.len();
            let Some(viewer) = connection.viewer() else { continue };
            if viewer.lagging || viewer.frames.is_some() {
                continue;
            }
            if matches!(viewer.sink, Sink::Tty(_)) {
                viewer.show(bytes);
            } else if viewer.falls_behind(waiting, bytes.len()) {
                connection.outbox.drop_unsent();
            } else {
                let bytes = Bytes::copy_from_slice(bytes);
                connection.send(Message::Data(link::Bytes { offset, bytes }));
            }
        }
    }

    /// Shows the present to every viewer instead of what is on its way.
    pub(super) fn redraw_viewers(&mut self) {
        for connection in &mut self.connections {
            connection.fall_behind();
        }
        for id in self.connections.iter().map(|connection| connection.id).collect::<Vec<_>>() {
            self.catch_up(id);
        }
    }

    /// Takes note of what the output says beside its text.
    fn notice(&mut self, signal: &Signal) {
        match signal {
            Signal::Program(report) => {
                if let Some(next) = self.activity.after(report, to_micros(Utc::now())) {
                    self.activity = next;
                    self.question = None;
                    if self.is_unexplained() {
                        // Its dialog is about to be drawn, and says what it waits for.
                        self.status_due = Some(monotonic() + DIALOG_PAUSE);
                        return;
                    }
                    // An agent that changes its mind all the time is not worth a row for each.
                    let due = self.state_pace.due(monotonic());
                    self.tell_status(due);
                }
            }
            Signal::Title(_) => {
                // Some agents draw their state there, and others a sign that turns all the time.
                let due = self.title_pace.due(monotonic());
                self.tell_status(due);
            }
            Signal::Bell | Signal::Cwd(_) | Signal::Notify(_) => {}
        }
    }

    /// The daemon is to hear of a change, at this moment or before.
    fn tell_status(&mut self, due: Instant) {
        self.status_due = Some(self.status_due.map_or(due, |known| known.min(due)));
    }

    /// Shows the present to a viewer that lagged and has now read everything it was sent.
    pub(super) fn catch_up(&mut self, id: u64) {
        let offset = self.stream.offset;
        let Some(index) = self.connections.iter().position(|c| c.id == id && !c.dead) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(index) else { return };
        let link_waits = connection.outbox.len();
        let Some(viewer) = connection.viewer() else { return };
        let waiting = viewer.tty().map_or(link_waits, |tty| tty.outbox.len());
        if !viewer.awaits_picture(monotonic()) || waiting > 0 {
            return;
        }
        let picture = picture(viewer, self.terminal.current());
        viewer.show(&picture);
        viewer.lagging = false;
        viewer.picture_due = None;
        if matches!(viewer.sink, Sink::Link) {
            connection.send(Message::Snapshot(link::Bytes { offset, bytes: picture.into() }));
        }
    }

    /// Sends the frames that are due.
    pub(super) fn send_frames(&mut self, now: Instant) {
        let offset = self.stream.offset;
        for connection in &mut self.connections {
            if !is_due(connection, now) {
                continue;
            }
            let terminal = self.terminal.current();
            let size = terminal.size();
            match &mut connection.peer {
                Peer::Daemon(Some(frames)) => {
                    frames.dirty = false;
                    let full = frames.size != size || frames.last.is_none();
                    if full {
                        frames.encoder.reset();
                    }
                    let Some(bytes) = frames.encoder.encode(terminal) else { continue };
                    frames.size = size;
                    frames.last = Some(now);
                    let bytes = bytes.into();
                    let frame = link::Frame { size: Some(size.into()), bytes, full };
                    connection.send(Message::Frame(frame));
                }
                Peer::Viewer(viewer) => {
                    viewer.dirty = false;
                    viewer.last_frame = Some(now);
                    let frame = viewer.frames.as_mut().and_then(|f| f.encode(terminal));
                    let Some(bytes) = frame else { continue };
                    viewer.show(&bytes);
                    if matches!(viewer.sink, Sink::Link) {
                        let bytes = bytes.into();
                        connection.send(Message::Data(link::Bytes { offset, bytes }));
                    }
                }
                _ => {}
            }
        }
    }

    /// When the next frame is due.
    pub(super) fn frame_due(&self, now: Instant) -> Option<Instant> {
        self.connections.iter().filter_map(|connection| due_at(connection, now)).min()
    }
}

/// When a connection's next frame is due, now if it is the first, `None` when none is wanted or the last is still on its
/// way: the latest one wins.
fn due_at(connection: &Connection, now: Instant) -> Option<Instant> {
    let waits = !connection.outbox.is_empty();
    let (dirty, last, interval, waits) = match &connection.peer {
        Peer::Daemon(Some(frames)) => {
            let is_echo = frames.echo_until.is_some_and(|until| now < until);
            let interval = if is_echo { ECHO_INTERVAL } else { frames.interval };
            (frames.dirty, frames.last, interval, waits)
        }
        Peer::Viewer(viewer) => {
            let waits = match &viewer.sink {
                Sink::Tty(tty) => !tty.outbox.is_empty(),
                Sink::Link => waits,
            };
            (viewer.dirty && !viewer.lagging, viewer.last_frame, VIEWER_FRAMES, waits)
        }
        _ => return None,
    };
    (dirty && !waits).then(|| last.map_or(now, |last| last + interval))
}

fn is_due(connection: &Connection, now: Instant) -> bool {
    due_at(connection, now).is_some_and(|due| now >= due)
}

/// Draws the whole screen for a viewer.
fn picture(viewer: &mut Viewer, terminal: &Terminal) -> Vec<u8> {
    let history = std::mem::take(&mut viewer.history);
    if viewer.fits(terminal.size()) {
        viewer.frames = None;
        return if viewer.inline { terminal.snapshot(history) } else { terminal.picture() };
    }
    let mut view = ClippedView::new(viewer.size);
    let picture = view.encode(terminal).unwrap_or_default();
    viewer.frames = Some(view);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_answers_for_what_it_holds() {
        let mut stream = Stream::default();
        stream.append(b"hello ");
        stream.append(b"world");
        assert_eq!(stream.since(6).as_deref(), Some(&b"world"[..]));
        assert_eq!(stream.since(11).as_deref(), Some(&b""[..]));
        assert_eq!(stream.since(12), None);
        stream.append(&vec![b'x'; TAIL]);
        assert_eq!(stream.since(10), None);
        assert_eq!(stream.since(11).map(|bytes| bytes.len()), Some(TAIL));
    }
}
