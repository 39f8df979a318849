//! The meter: a loopback HTTP port on which the agent's telemetry and hooks arrive, with no daemon
//! needed.
//!
//! What matters is appended to the spool, from which the daemon takes it in whenever it lives; a hook
//! is answered at once with what the daemon last said. Nothing here waits, every buffer is bounded,
//! and whoever does not know the secret path learns nothing. It is not a web server: one agent and
//! its helpers talk to it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, BorrowedFd},
    time::Duration,
};

use chrono::Utc;
use memchr::memmem;

use super::{
    hooks::Hooks,
    http::{Parsed, Request, parse, response},
    log::OutputLog,
    queue::{Outbox, read_some},
};
use crate::{
    domain::{
        clock::to_micros,
        hook::{Decided, Hold},
    },
    runner_dir::{
        RunnerDir,
        spool::{ReportKind, frame},
    },
};

/// Reports kept per runner, in bytes; the oldest go.
const SPOOL: u64 = 32 << 20;

/// Connections at the same time; the oldest is closed for a new one.
const MOST_CONNECTIONS: usize = 16;

/// Hooks that are held at the same time; the oldest is let go, undecided.
const MOST_ASKS: usize = 8;

/// What all requests that are not whole yet may take together.
const MOST_WAITING: usize = 4 << 20;

/// What is reported is given to the disk before it is answered, unless that takes longer.
const WRITING: Duration = Duration::from_millis(20);

/// Read at once.
const READ: usize = 16 << 10;

/// The receiving end.
#[derive(Debug)]
pub(super) struct Meter {
    listener: TcpListener,
    address: SocketAddr,
    secret: String,
    needles: Vec<String>,
    hooks: Hooks,
    connections: Vec<Wire>,
    next_id: u64,
    spool: OutputLog,
}

/// A connection of the agent's.
#[derive(Debug)]
struct Wire {
    id: u64,
    socket: TcpStream,
    received: Vec<u8>,
    outbox: Outbox,
    /// To be closed when the answer is out.
    is_closing: bool,
    /// The hook behind it is held under this name until it is told what was decided.
    ask: Option<String>,
}

impl Meter {
    /// Opens the port; `None` when that is impossible: the agent then goes unmetered.
    pub(super) fn open(dir: &RunnerDir, needles: &[String]) -> Option<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        listener.set_nonblocking(true).ok()?;
        let address = listener.local_addr().ok()?;
        Some(Self {
            listener,
            address,
            secret: uuid::Uuid::new_v4().simple().to_string(),
            needles: needles.to_vec(),
            hooks: Hooks::default(),
            connections: Vec::new(),
            next_id: 0,
            spool: OutputLog::start(dir.spool(), SPOOL),
        })
    }

    /// Where the agent finds it.
    pub(super) fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.secret)
    }

    /// What hooks are told from now on.
    pub(super) fn set_hold(&mut self, hold: Option<Hold>) {
        self.hooks.hold = hold;
    }

    /// The descriptor on which new connections come.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The connections: number, descriptor, and whether an answer waits to be taken.
    pub(super) fn wires(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>, bool)> {
        self.connections.iter().map(|wire| (wire.id, wire.socket.as_fd(), !wire.outbox.is_empty()))
    }

    /// Where the spool ends.
    pub(super) fn end(&self) -> u64 {
        self.spool.end()
    }

    /// Takes new connections.
    pub(super) fn accept(&mut self) {
        // Another try comes with the next one where none can be had.
        while let Ok((socket, peer)) = self.listener.accept() {
            if !peer.ip().is_loopback() || socket.set_nonblocking(true).is_err() {
                continue;
            }
            socket.set_nodelay(true).ok();
            let is_held = |wire: &&Wire| wire.ask.is_some();
            let held = self.connections.iter().filter(is_held).count();
            if self.connections.len() - held >= MOST_CONNECTIONS {
                // One that is held waits for a person, not for us.
                if let Some(oldest) = self.connections.iter().position(|wire| !is_held(&wire)) {
                    self.connections.remove(oldest);
                }
            }
            self.next_id += 1;
            self.connections.push(Wire {
                id: self.next_id,
                socket,
                received: Vec::new(),
                outbox: Outbox::default(),
                is_closing: false,
                ask: None,
            });
        }
    }

    /// Serves a connection on which something happened; true when something was put into the spool.
    pub(super) fn serve(&mut self, id: u64) -> bool {
        let found = self.connections.iter().position(|wire| wire.id == id);
        let Some(index) = found else { return false };
        let waiting: usize = self.connections.iter().map(|wire| wire.received.len()).sum();
        let before = self.spool.end();
        let mut wire = self.connections.swap_remove(index);
        if self.talk(&mut wire, MOST_WAITING.saturating_sub(waiting)).is_ok() {
            self.connections.push(wire);
            // The oldest first: it is the one to go.
            self.connections.sort_unstable_by_key(|wire| wire.id);
        }
        self.spool.end() > before
    }

    /// Reads, answers and writes what can be without waiting.
    ///
    /// # Errors
    ///
    /// When the connection is over.
    fn talk(&mut self, wire: &mut Wire, mut room: usize) -> io::Result<()> {
        let over = || io::Error::from(io::ErrorKind::ConnectionAborted);
        let before = self.spool.end();
        let mut buffer = vec![0; READ];
        let mut is_at_end = false;
        while !wire.is_closing && room > 0 {
            match read_some(wire.socket.as_fd(), &mut buffer)? {
                None => break,
                Some(0) => {
                    is_at_end = true;
                    break;
                }
                Some(count) => {
                    wire.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    room = room.saturating_sub(count);
                }
            }
        }
        while !wire.is_closing {
            match parse(&wire.received) {
                Parsed::Partial => break,
                Parsed::Whole(request, length) => {
                    wire.received.drain(..length);
                    if let Some(ask) = self.held(&request) {
                        wire.ask = Some(ask);
                        continue;
                    }
                    let (status, body) = self.answer(&request);
                    wire.outbox.push(response(status, &body));
                }
                Parsed::Refused(status) => {
                    wire.is_closing = true;
                    wire.outbox.push(response(status, ""));
                }
            }
        }
        if room == 0 && !wire.received.is_empty() {
            wire.is_closing = true;
            wire.outbox.push(response("503 Service Unavailable", ""));
        }
        if wire.received.is_empty() {
            wire.received = Vec::new();
        }
        if self.spool.end() > before {
            // What is answered is not told again: from then on it must not be lost with this process.
            self.spool.hand_over(WRITING);
        }
        wire.outbox.flush(&wire.socket)?;
        let is_over = is_at_end || (wire.is_closing && wire.outbox.is_empty());
        if is_over { Err(over()) } else { Ok(()) }
    }

    /// Keeps what a hook tells that is to be held, and returns the name under which.
    fn held(&mut self, request: &Request) -> Option<String> {
        let path = request.path.strip_prefix('/')?.strip_prefix(&self.secret)?;
        let ask = path.strip_prefix("/hook/ask/").filter(|ask| !ask.is_empty())?.to_owned();
        if !request.is_post {
            return None;
        }
        self.keep(ReportKind::Hook, &request.body);
        let held = || self.connections.iter().enumerate().filter(|(_, wire)| wire.ask.is_some());
        if held().count() >= MOST_ASKS
            && let Some((oldest, _)) = held().min_by_key(|(_, wire)| wire.id)
        {
            self.connections.remove(oldest);
        }
        Some(ask)
    }

    /// Tells the hook that is held under this name what was decided; false when it has gone: it was
    /// answered on the agent's screen.
    pub(super) fn decide(&mut self, ask: &str, decided: Option<&Decided>) -> bool {
        let is_it = |wire: &Wire| wire.ask.as_deref() == Some(ask);
        let Some(id) = self.connections.iter().find(|wire| is_it(wire)).map(|wire| wire.id) else {
            return false;
        };
        // It may have left without our having looked.
        self.serve(id);
        let Some(wire) = self.connections.iter_mut().find(|wire| wire.id == id) else {
            return false;
        };
        let body = decided.map(serde_json::to_string).and_then(Result::ok).unwrap_or_default();
        wire.ask = None;
        wire.is_closing = true;
        wire.outbox.push(response("200 OK", &body));
        self.serve(id);
        true
    }

    /// Takes a request in; returns status and body of the answer.
    fn answer(&mut self, request: &Request) -> (&'static str, String) {
        let path = request.path.strip_prefix('/').and_then(|path| path.strip_prefix(&self.secret));
        let Some(path) = path else { return ("404 Not Found", String::new()) };
        if !request.is_post {
            return ("405 Method Not Allowed", String::new());
        }
        match path.trim_end_matches('/') {
            "/hook" => {
                self.keep(ReportKind::Hook, &request.body);
                self.hooks.answer(&request.body)
            }
            "/v1/logs" if !request.is_json => ("415 Unsupported Media Type", String::new()),
            "/v1/logs" | "/v1/traces" => {
                let has =
                    |needle: &String| memmem::find(&request.body, needle.as_bytes()).is_some();
                if self.needles.iter().any(has) {
                    self.keep(ReportKind::Otlp, &request.body);
                }
                ("200 OK", "{}".to_owned())
            }
            // What is not wanted is taken and dropped: an exporter that is refused tries again and again.
            "/v1/metrics" => ("200 OK", "{}".to_owned()),
            _ => ("404 Not Found", String::new()),
        }
    }

    fn keep(&mut self, kind: ReportKind, content: &[u8]) {
        if let Some(bytes) = frame(kind, to_micros(Utc::now()).timestamp_micros(), content) {
            self.spool.append(&bytes);
        }
    }

    /// Writes what is left to the disk.
    pub(super) fn close(&mut self, patience: Duration) {
        self.spool.close(patience);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::{
        domain::{approval::Decision, hook::HoldLevel},
        runner_dir::spool,
        supervisor::{clock::monotonic, http::LONGEST_HEAD},
    };

    struct World {
        meter: Meter,
        dir: RunnerDir,
        _temp: tempfile::TempDir,
    }

    fn world() -> World {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunnerDir::new(temp.path());
        let meter = Meter::open(&dir, &["wanted".to_owned()]).unwrap();
        World { meter, dir, _temp: temp }
    }

    impl World {
        /// Sends bytes over one connection and returns what comes back, status lines first.
        fn say(&mut self, bytes: &[u8]) -> String {
            let mut socket = TcpStream::connect(self.meter.address).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let (mut got, mut sent) = (Vec::new(), 0);
            let until = monotonic() + Duration::from_secs(10);
            socket.set_nonblocking(true).unwrap();
            while monotonic() < until && !String::from_utf8_lossy(&got).contains("\r\n\r\n") {
                sent += socket.write(&bytes[sent..]).unwrap_or(0);
                self.meter.accept();
                let ids: Vec<_> = self.meter.wires().map(|(id, ..)| id).collect();
                for id in ids {
                    self.meter.serve(id);
                }
                let mut buffer = [0; 4096];
                if let Ok(count) = socket.read(&mut buffer) {
                    got.extend_from_slice(&buffer[..count]);
                }
            }
            String::from_utf8(got).unwrap()
        }

        fn post(&mut self, path: &str, body: &str) -> String {
            let path = format!("/{}{path}", self.meter.secret);
            let length = body.len();
            self.say(
                format!(
                    "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                     content-length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            )
        }

        fn kept(&mut self) -> Vec<(ReportKind, String)> {
            self.meter.close(Duration::from_secs(10));
            let found = spool::read(&self.dir.spool(), 0, usize::MAX >> 2).unwrap();
            let text = |report: spool::Report| String::from_utf8(report.content).unwrap();
            found.reports.into_iter().map(|report| (report.kind, text(report))).collect()
        }
    }

    #[test]
    fn what_matters_is_kept_and_the_rest_is_taken_and_dropped() {
        let mut world = world();
        assert!(world.post("/v1/logs", r#"{"a":"wanted"}"#).starts_with("HTTP/1.1 200"));
        assert!(world.post("/v1/logs", r#"{"a":"other"}"#).starts_with("HTTP/1.1 200"));
        assert!(world.post("/v1/traces", "{}").starts_with("HTTP/1.1 200"));
        assert_eq!(world.kept(), [(ReportKind::Otlp, r#"{"a":"wanted"}"#.to_owned())]);
    }

    #[test]
    fn a_hook_is_kept_and_told_the_hold() {
        let mut world = world();
        assert!(world.post("/hook", "1").ends_with("\r\n\r\n"));
        let hold = Hold { level: HoldLevel::Turn, reason: "enough".to_owned() };
        world.meter.set_hold(Some(hold.clone()));
        let answer = world.post("/hook", "2");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(serde_json::from_str::<Hold>(body).unwrap(), hold);
        assert_eq!(world.kept().len(), 2);
    }

    #[test]
    fn a_held_hook_is_told_once_what_was_decided_and_not_after_it_left() {
        let mut world = world();
        let ask = |world: &mut World, name: &str| {
            let path = format!("/{}/hook/ask/{name}", world.meter.secret);
            let mut socket = TcpStream::connect(world.meter.address).unwrap();
            let request = format!("POST {path} HTTP/1.1\r\ncontent-length: 1\r\n\r\n7");
            socket.write_all(request.as_bytes()).unwrap();
            let until = monotonic() + Duration::from_secs(10);
            let is_held =
                |meter: &Meter| meter.connections.iter().any(|it| it.ask.as_deref() == Some(name));
            while monotonic() < until && !is_held(&world.meter) {
                world.meter.accept();
                let ids: Vec<_> = world.meter.wires().map(|(id, ..)| id).collect();
                for id in ids {
                    world.meter.serve(id);
                }
            }
            socket
        };
        let mut first = ask(&mut world, "a");
        let second = ask(&mut world, "b");
        assert!(world.post("/hook", "others are served meanwhile").starts_with("HTTP/1.1 200"));
        let yes = Decided { decision: Decision::Allow, reason: String::new() };
        assert!(!world.meter.decide("c", Some(&yes)));
        assert!(world.meter.decide("a", Some(&yes)));
        assert!(!world.meter.decide("a", Some(&yes)), "a second answer is none");
        let mut answer = String::new();
        first.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with(r#"{"decision":"allow","reason":""}"#), "{answer}");
        // Answered on the screen: the agent has ended its hook.
        drop(second);
        assert!(!world.meter.decide("b", Some(&yes)));
        assert_eq!(world.kept().len(), 3);
    }

    #[test]
    fn held_hooks_do_not_push_each_other_out_but_for_the_oldest() {
        let mut world = world();
        let path = format!("/{}/hook/ask/", world.meter.secret);
        let mut sockets = Vec::new();
        for number in 0..=MOST_ASKS {
            let mut socket = TcpStream::connect(world.meter.address).unwrap();
            let request = format!("POST {path}{number} HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(request.as_bytes()).unwrap();
            sockets.push(socket);
            let until = monotonic() + Duration::from_secs(10);
            let name = number.to_string();
            while monotonic() < until
                && !world.meter.connections.iter().any(|it| it.ask.as_ref() == Some(&name))
            {
                world.meter.accept();
                let ids: Vec<_> = world.meter.wires().map(|(id, ..)| id).collect();
                for id in ids {
                    world.meter.serve(id);
                }
            }
        }
        assert!(!world.meter.decide("0", None));
        assert!(world.meter.decide("1", None));
        assert!(world.meter.decide(&MOST_ASKS.to_string(), None));
    }

    #[test]
    fn chunks_are_put_together() {
        let mut world = world();
        let path = format!("/{}/v1/logs", world.meter.secret);
        let answer = world.say(
            format!(
                "POST {path} HTTP/1.1\r\ncontent-type: application/json\r\n\
                 transfer-encoding: chunked\r\n\r\n3\r\nwan\r\n3\r\nted\r\n0\r\n\r\n"
            )
            .as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(world.kept(), [(ReportKind::Otlp, "wanted".to_owned())]);
    }

    #[test]
    fn strangers_and_nonsense_are_refused() {
        let mut world = world();
        let post = |path: &str, more: &str| format!("POST {path} HTTP/1.1\r\n{more}\r\n");
        let own = format!("/{}/v1/logs", world.meter.secret);
        for (request, status) in [
            (post("/v1/logs", "content-length: 0\r\n"), "404"),
            (post(&own, "content-type: application/x-protobuf\r\n"), "415"),
            (post(&own, "content-encoding: gzip\r\n"), "415"),
            (post(&own, "content-length: 99999999\r\n"), "413"),
            (post(&own, "content-length: -1\r\n"), "400"),
            (format!("GET {own} HTTP/1.1\r\n\r\n"), "405"),
            ("\0\0\0\0\r\n\r\n".to_owned(), "400"),
            ("x".repeat(LONGEST_HEAD + 1), "400"),
        ] {
            let answer = world.say(request.as_bytes());
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer}");
        }
        assert_eq!(world.kept(), []);
    }

    #[test]
    fn many_connections_push_the_oldest_out() {
        let mut world = world();
        let sockets: Vec<_> = (0..MOST_CONNECTIONS + 5)
            .map(|_| {
                let socket = TcpStream::connect(world.meter.address).unwrap();
                world.meter.accept();
                socket
            })
            .collect();
        assert_eq!(world.meter.connections.len(), MOST_CONNECTIONS);
        drop(sockets);
        assert!(world.post("/hook", "1").starts_with("HTTP/1.1 200"));
    }
}
