//! The loop: waits for descriptors and deadlines, and hands on what happens.
//!
//! It sleeps without limit when nothing is due: an idle runner costs no wake-up.

use std::{
    io::Read as _,
    os::unix::net::{UnixListener, UnixStream},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    clock::monotonic,
    connection::{Connection, Peer},
    ending::Phase,
    log::OutputLog,
    meter::Meter,
    output::Stream,
    pace::Pace,
    pty::{MAX_INPUT, Pty},
    spawn::Spawned,
    stop::Stop,
    submit::Submit,
    viewer::Sink,
    viewers::{Grants, MAX_TYPED},
};
use crate::{
    domain::{
        activity::{Activity, ActivitySource},
        launch::has_light_background,
        size::TerminalSize,
    },
    proto::link::v1::{Identity, LaunchSpec},
    runner_dir::RunnerDir,
    terminal::{Deferred, HistoryLimits},
};

/// Connections accepted at the same time; more are closed at once.
const MAX_CONNECTIONS: usize = 128;

/// After this long without output, spare memory is given back, once.
const SETTLE: Duration = Duration::from_secs(10);

/// After this long without a longer history, it is packed more tightly.
const PACK: Duration = Duration::from_secs(1);

/// That takes several turns; the agent and keys get theirs in between.
const PACK_PAUSE: Duration = Duration::from_millis(20);

/// Output is collected this long before it is recorded: a disk write for each key would compete with
/// its echo.
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// A screen that is drawn is looked at after so long: dialogs are there whole by then.
const SCREEN_PAUSE: Duration = Duration::from_millis(200);

/// A key's echo is looked for so long: about what being put to sleep and woken takes. At thirty keys a
/// second it is a fifth of a percent of a core.
const ECHO: Duration = Duration::from_micros(60);

/// What agents are told of a terminal with a light background, when they ask for its colours.
const BLACK: (u8, u8, u8) = (0, 0, 0);
const WHITE: (u8, u8, u8) = (255, 255, 255);

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The signals that matter, as a readable descriptor.
pub(super) struct Signals {
    child: UnixStream,
    terminate: UnixStream,
}

impl Signals {
    /// Handles SIGCHLD and SIGTERM through descriptors, and ignores SIGHUP, SIGINT and SIGQUIT.
    /// Handlers, unlike ignored signals, are not inherited by the agent.
    pub(super) fn install() -> std::io::Result<Self> {
        use signal_hook::{consts, flag, low_level::pipe};
        for signal in [consts::SIGHUP, consts::SIGINT, consts::SIGQUIT, consts::SIGPIPE] {
            flag::register(signal, std::sync::Arc::default())?;
        }
        let channel = |signal| {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            pipe::register(signal, writer)?;
            Ok::<_, std::io::Error>(reader)
        };
        Ok(Self { child: channel(consts::SIGCHLD)?, terminate: channel(consts::SIGTERM)? })
    }
}

/// Everything a supervisor knows. Only the loop touches it.
pub(super) struct Supervisor {
    pub spec: LaunchSpec,
    pub dir: RunnerDir,
    pub identity: Identity,
    pub pty: Pty,
    pub terminal: Deferred,
    pub stream: Stream,
    pub log: OutputLog,
    /// Where the agent reports, if it can.
    pub meter: Option<Meter>,
    pub connections: Vec<Connection>,
    pub grants: Grants,
    pub activity: Activity,
    /// What the screen said that the agent waits for, when it did not tell.
    pub question: Option<String>,
    /// When the question was asked that was answered last, in microseconds, and when it was answered.
    pub answered_us: Option<(i64, Instant)>,
    /// The daemon must hear of a change, not before this moment.
    pub status_due: Option<Instant>,
    /// How often it hears of states, and of titles.
    pub state_pace: Pace,
    pub title_pace: Pace,
    pub paused: bool,
    pub stop: Option<Stop>,
    /// The stop was asked for, as against an agent that ended by itself.
    pub stop_asked: bool,
    /// The system told this process to end.
    pub cut_off: bool,
    /// Requests that are answered when the runner has ended: connection and number.
    pub stop_replies: Vec<(u64, u64)>,
    pub phase: Phase,
    /// The watched screen is told of at this moment, and how often it was.
    pub screen_due: Option<Instant>,
    pub screens: u64,
    /// They are told of also where the agent reports by itself.
    pub watches_always: bool,
    /// Enter is to be pressed, after a text has been taken in.
    pub submit: Option<Submit>,
    listener: UnixListener,
    signals: Signals,
    next_id: u64,
    settle_due: Option<Instant>,
    /// The history is packed further.
    pack_due: Option<Instant>,
    /// How much of it was not packed at the last look.
    loose: usize,
    /// Collected output is written to the record.
    log_due: Option<Instant>,
    /// Connections are accepted again.
    accept_due: Option<Instant>,
    buffer: Vec<u8>,
}

/// What a ready descriptor belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Pty,
    Listener,
    Child,
    Terminate,
    Socket(u64),
    Tty(u64),
    Meter,
    Wire(u64),
}

impl Supervisor {
    /// Takes over a started agent.
    pub(super) fn new(
        spec: &LaunchSpec,
        dir: RunnerDir,
        identity: Identity,
        (spawned, meter): (Spawned, Option<Meter>),
        listener: UnixListener,
        signals: Signals,
    ) -> Self {
        let size = spec.size.map(TerminalSize::from).unwrap_or_default();
        let narrow = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let limits =
            HistoryLimits { lines: narrow(spec.history_lines), bytes: narrow(spec.history_bytes) };
        let mut terminal = Deferred::new(size, limits);
        if has_light_background(&spec.environment()) {
            terminal.current().set_colors(BLACK, WHITE);
        }
        Self {
            log: OutputLog::start(dir.output(), spec.log_bytes),
            // The environment is on disk for restarts; here it would only be memory.
            spec: spec.without_environment(),
            dir,
            identity,
            pty: Pty::new(spawned),
            terminal,
            stream: Stream::default(),
            meter,
            connections: Vec::new(),
            grants: Grants::default(),
            activity: Activity::default(),
            question: None,
            answered_us: None,
            status_due: None,
            state_pace: Pace::default(),
            title_pace: Pace::default(),
            paused: false,
            stop: None,
            stop_asked: false,
            cut_off: false,
            stop_replies: Vec::new(),
            phase: Phase::Running,
            screen_due: None,
            screens: 0,
            watches_always: false,
            submit: None,
            listener,
            signals,
            next_id: 0,
            // What starting took is given back like what a burst took.
            settle_due: Some(monotonic() + SETTLE),
            pack_due: None,
            loose: 0,
            log_due: None,
            accept_due: None,
            buffer: Vec::new(),
        }
    }

    /// Runs until the agent has ended and everybody was told.
    pub(super) fn run(&mut self) {
        // The agent may have ended before its signal could be handled.
        self.reap();
        while !matches!(self.phase, Phase::Over) {
            let ready = self.wait();
            self.handle(&ready);
            self.on_time(monotonic());
            let leaves = |c: &Connection| c.dead && matches!(c.peer, Peer::Viewer(_));
            if self.connections.iter().any(leaves) {
                // The daemon counts those who are attached.
                self.status_due.get_or_insert_with(monotonic);
            }
            self.connections.retain(|connection| !connection.dead);
        }
        self.log.close(Duration::from_secs(5));
        if let Some(meter) = &mut self.meter {
            meter.close(Duration::from_secs(5));
        }
    }

    /// Waits for something to happen, or for the next deadline.
    fn wait(&mut self) -> Vec<(Source, PollFlags)> {
        let now = monotonic();
        let timeout = self.next_deadline(now).map(|due| {
            let left = due.saturating_duration_since(now);
            Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut sources = Vec::with_capacity(4 + 2 * self.connections.len());
        let mut fds = Vec::with_capacity(sources.capacity());
        let mut add = |source, fd, flags| {
            sources.push(source);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        let reading = self.pty.room() >= MAX_INPUT - MAX_TYPED;
        for connection in &self.connections {
            let mut flags = PollFlags::IN;
            let mut waits = !connection.outbox.is_empty();
            if let Peer::Viewer(viewer) = &connection.peer {
                // One that lags is shown the present as soon as it can take it.
                if let Sink::Tty(tty) = &viewer.sink {
                    let mut flags = PollFlags::empty();
                    flags.set(PollFlags::IN, reading || !viewer.driver);
                    let waits = viewer.awaits_picture(now) || !tty.outbox.is_empty();
                    flags.set(PollFlags::OUT, waits);
                    add(Source::Tty(connection.id), tty.fd(), flags);
                } else {
                    waits |= viewer.awaits_picture(now);
                    flags.set(PollFlags::IN, reading || !viewer.driver);
                }
            }
            flags.set(PollFlags::OUT, waits);
            add(Source::Socket(connection.id), connection.fd(), flags);
        }
        add(Source::Child, rustix::fd::AsFd::as_fd(&self.signals.child), PollFlags::IN);
        add(Source::Terminate, rustix::fd::AsFd::as_fd(&self.signals.terminate), PollFlags::IN);
        if self.accept_due.is_none() {
            add(Source::Listener, rustix::fd::AsFd::as_fd(&self.listener), PollFlags::IN);
        }
        if let Some(meter) = &self.meter {
            add(Source::Meter, meter.fd(), PollFlags::IN);
            for (id, fd, has_answer) in meter.wires() {
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, has_answer);
                add(Source::Wire(id), fd, flags);
            }
        }
        if !self.pty.has_ended() {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, self.pty.has_input());
            add(Source::Pty, self.pty.fd(), flags);
        }
        if poll(&mut fds, timeout.as_ref()).is_err() {
            // EINTR: the signal is in its descriptor by the next turn.
            return Vec::new();
        }
        let events = fds.iter().map(PollFd::revents);
        sources.into_iter().zip(events).filter(|(_, events)| !events.is_empty()).collect()
    }

    /// Handles what is ready. Keys come before output: their echo is what a person waits for.
    fn handle(&mut self, ready: &[(Source, PollFlags)]) {
        for &(source, events) in ready {
            let readable = events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
            match source {
                Source::Pty => {
                    if events.contains(PollFlags::OUT) {
                        self.pty.flush();
                    }
                    if readable {
                        self.take_output();
                    }
                }
                Source::Listener => self.accept(),
                Source::Child => {
                    drain(&self.signals.child);
                    self.reap();
                }
                Source::Terminate => {
                    drain(&self.signals.terminate);
                    self.cut_off = true;
                    self.end_within(Duration::from_secs(5));
                }
                Source::Socket(id) => self.on_socket(id, events, readable),
                Source::Tty(id) => self.on_tty(id, events.contains(PollFlags::OUT), readable),
                Source::Meter => {
                    if let Some(meter) = &mut self.meter {
                        meter.accept();
                    }
                }
                Source::Wire(id) => {
                    let has_spooled = self.meter.as_mut().is_some_and(|meter| meter.serve(id));
                    if has_spooled {
                        self.tell_spooled();
                    }
                }
            }
        }
    }

    /// Looks for a key's echo for a moment before going back to sleep: most programs echo sooner than
    /// this process would be woken for it.
    pub(super) fn await_echo(&mut self) {
        let until = monotonic() + ECHO;
        while !self.take_output() && monotonic() < until {
            std::thread::yield_now();
        }
    }

    /// Takes one batch of the agent's output; false when there is none.
    pub(super) fn take_output(&mut self) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let output = self.pty.read(&mut buffer);
        if let super::pty::Output::Bytes(count) = output {
            self.distribute(buffer.get(..count).unwrap_or_default());
            let now = monotonic();
            self.settle_due = Some(now + SETTLE);
            self.log_due.get_or_insert(now + LOG_PAUSE);
            // Who reports by itself need not be read, unless a person has taught what its screen says.
            let is_read = self.spec.watch_screen && self.activity.source != ActivitySource::Osc7501;
            if is_read || self.watches_always {
                self.screen_due.get_or_insert(now + SCREEN_PAUSE);
            }
        }
        self.buffer = buffer;
        matches!(output, super::pty::Output::Bytes(_))
    }

    fn accept(&mut self) {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Out of descriptors: whoever waits there goes on waiting.
                    self.accept_due = Some(monotonic() + ACCEPT_PAUSE);
                    return;
                }
            };
            if !super::viewers::is_ours(&socket) {
                continue;
            }
            if self.connections.len() >= MAX_CONNECTIONS {
                // Whoever has not said who it is gives way: the daemon always gets in.
                let stranger = |connection: &Connection| matches!(connection.peer, Peer::Unknown);
                match self.connections.iter().position(stranger) {
                    Some(index) => drop(self.connections.remove(index)),
                    None => continue,
                }
            }
            self.next_id += 1;
            self.connections.extend(Connection::new(self.next_id, socket));
        }
    }

    fn on_socket(&mut self, id: u64, events: PollFlags, readable: bool) {
        let Some(connection) = self.connection(id) else { return };
        if events.contains(PollFlags::OUT) {
            connection.flush();
        }
        if readable {
            for message in connection.receive() {
                self.on_message(id, message);
            }
        }
        self.catch_up(id);
    }

    /// Returns the connection with this number while it lives.
    pub(super) fn connection(&mut self, id: u64) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id && !connection.dead)
    }

    /// Does what has become due.
    fn on_time(&mut self, now: Instant) {
        if self.status_due.is_some_and(|due| now >= due) {
            self.status_due = None;
            self.send_status();
        }
        if self.screen_due.is_some_and(|due| now >= due) {
            self.screen_due = None;
            self.screens += 1;
            self.status_due.get_or_insert(now);
        }
        self.press_enter(now);
        self.accept_due = self.accept_due.filter(|due| now < *due);
        if self.log_due.is_some_and(|due| now >= due) {
            self.log_due = None;
            self.log.flush();
            self.terminal.current();
        }
        self.pack_history(now);
        if self.settle_due.is_some_and(|due| now >= due) {
            self.settle_due = None;
            self.settle();
        }
        self.send_frames(now);
        self.go_on(now);
    }

    /// The next moment at which something is due; `None` to sleep until something happens.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let dues = [
            self.status_due,
            self.screen_due,
            self.submit.as_ref().map(|submit| submit.due),
            self.settle_due,
            self.pack_due,
            self.log_due,
            self.accept_due,
        ];
        let pictures = self.connections.iter().filter_map(|connection| match &connection.peer {
            Peer::Viewer(viewer) if viewer.lagging => viewer.picture_due.filter(|due| *due > now),
            _ => None,
        });
        let frames = self.frame_due(now);
        dues.into_iter().chain([frames, self.phase_due()]).flatten().chain(pictures).min()
    }

    /// Packs the history when it has not grown for a while.
    fn pack_history(&mut self, now: Instant) {
        let loose = self.terminal.loose();
        if loose > self.loose {
            self.pack_due = Some(now + PACK);
        } else if self.pack_due.is_some_and(|due| now >= due) {
            self.pack_due = self.terminal.current().pack().then_some(now + PACK_PAUSE);
            if self.pack_due.is_none() {
                super::memory::give_back();
            }
        }
        self.loose = self.terminal.loose();
    }

    /// Gives back the memory that a burst of output needed.
    fn settle(&mut self) {
        self.terminal.settle();
        self.log.settle();
        self.buffer = Vec::new();
        super::memory::give_back();
    }
}

/// Empties a signal's descriptor.
fn drain(mut signal: &UnixStream) {
    let mut buffer = [0; 64];
    while signal.read(&mut buffer).is_ok_and(|count| count > 0) {}
}
