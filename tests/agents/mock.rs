//! The stand-in for the models, and what it wrote down: a python program of its own, ended with this.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use stratavore::{
    agents::otlp,
    domain::{agent::Agent, usage::UsageRecord},
};

use crate::ledger::{self, Billed};

/// How long it may take to listen.
const START: Duration = Duration::from_secs(20);

/// Agents ask on behind a turn, for titles and the like: after so long without a request they do not.
const REST: Duration = Duration::from_secs(6);

/// A running stand-in.
pub(crate) struct Mock {
    /// The program.
    child: Child,
    /// Where it writes.
    files: PathBuf,
    /// Where it listens.
    port: u16,
}

impl Mock {
    /// Starts one that writes below `place`, on a port of its own.
    pub(crate) fn start(place: &Path) -> Self {
        Self::named(place, "mock", 0.0)
    }

    /// Starts one that writes below `place` into a directory of this name, and takes so many seconds for
    /// each answer.
    pub(crate) fn named(place: &Path, name: &str, pace: f64) -> Self {
        let files = place.join(name);
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("failed to find a port")
            .port();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/mock.py");
        let child = Command::new("python3")
            .arg(program)
            .args(["--port", &port.to_string(), "--chat-always"])
            .args(["--pace", &pace.to_string(), "--dir"])
            .arg(&files)
            .stdout(Stdio::null())
            .spawn()
            .expect("failed to start python3");
        let mock = Self { child, files, port };
        let end = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the stand-in does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        mock
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it billed.
    pub(crate) fn billed(&self) -> Vec<Billed> {
        ledger::read(&self.text("ledger.jsonl"))
    }

    /// What an agent's telemetry says was used.
    pub(crate) fn reported(&self, agent: Agent) -> Vec<UsageRecord> {
        let bodies = self.text("otlp.jsonl");
        let bodies = bodies.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("it writes JSON");
            line.get("json").map(ToString::to_string)
        });
        bodies.flat_map(|body| otlp::usage(agent, body.as_bytes())).collect()
    }

    /// Waits until telemetry is no more behind what was billed, or for as long as it may take.
    pub(crate) fn settle(&self, agent: Agent, longest: Duration) {
        let end = Instant::now() + longest;
        let whole = || self.billed().iter().filter(|it| !it.cut_off).count();
        while self.reported(agent).len() < whole() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it has noticed that an agent left, or for as long as it may take.
    pub(crate) fn notice(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while !self.billed().iter().any(|it| it.cut_off) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until nothing was billed for a while, or for as long as it may take.
    pub(crate) fn rest(&self, longest: Duration) {
        let end = Instant::now() + longest;
        let mut last = (self.billed().len(), Instant::now());
        while last.1.elapsed() < REST && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
            let count = self.billed().len();
            if count != last.0 {
                last = (count, Instant::now());
            }
        }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.files.join(name)).unwrap_or_default()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
